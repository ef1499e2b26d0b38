// SPDX-License-Identifier: GPL-2.0-or-later
//
// The settings that LuCI lints its views with (function bodies, its globals, the recommended rules), made
// stricter where LuCI is lenient for the sake of old code.

'use strict';

const js = require('@eslint/js');
const globals = require('globals');

const strict = {
	'no-undef': 'error', 'no-unused-vars': [ 'error', { caughtErrors: 'none' } ], 'no-empty': 'off',
	'no-var': 'error', 'prefer-const': 'error', 'no-eval': 'error', 'no-shadow': 'error'
};

module.exports = [
	{
		files: [ 'openwrt-package/**/*.js' ],
		...js.configs.recommended,
		languageOptions: {
			sourceType: 'script',
			ecmaVersion: 2021,
			globals: { ...globals.browser, _: 'readonly', E: 'readonly', L: 'readonly' },
			parserOptions: { ecmaFeatures: { globalReturn: true } }
		},
		rules: { ...js.configs.recommended.rules, ...strict, 'luci/require': 'error' },
		plugins: {
			luci: {
				rules: {
					// `'require smartrouter.common as smartrouter';` makes `smartrouter` known.
					require: {
						create: context => ({
							Program(node) {
								const scope = context.sourceCode.getScope(node);

								for (const found of context.sourceCode.text.matchAll(/^'require ([\w.-]+)(?: as (\w+))?';$/gm)) {
									const name = found[2] || found[1].replace(/\W/g, '_');
									const used = new RegExp(`\\b${name}\\.`).test(context.sourceCode.text.slice(found.index + found[0].length));

									if (!used)
										context.report({ node, message: `${name} is required, and not used` });
									for (const each of [ scope, ...scope.childScopes ])
										each.through = each.through.filter(reference => reference.identifier.name != name);
								}
							}
						})
					}
				}
			}
		}
	},
	{
		files: [ 'tests/**/*.js' ],
		...js.configs.recommended,
		languageOptions: { sourceType: 'commonjs', ecmaVersion: 2023, globals: globals.node },
		rules: { ...js.configs.recommended.rules, ...strict }
	}
];
