// SPDX-License-Identifier: GPL-2.0-or-later
//
// What rpcd is to its ucode plugins, as far as ours goes: it loads the very file, which is written in what
// ucode and JavaScript have in common, checks a call's arguments by the published signature, and carries
// `file.exec` and `session.get` out.
//
//   node rpcd.js PLUGIN < {"calls": [{"method", "args", "user"}], "program": [...], "append": [...],
//                          "outcomes": [{"code", "stdout", "stderr"} | STATUS], "sessions": {SID: USER}}
//
// `program` is run in the place of the plugin's, with `append` behind its arguments; without it the
// `outcomes` are what running it would come to, one after another. Prints the signature, and of each call its
// status, its reply, and what was run.

'use strict';

const fs = require('fs');
const { spawnSync } = require('child_process');

const STATUS = {
	OK: 0, INVALID_COMMAND: 1, INVALID_ARGUMENT: 2, METHOD_NOT_FOUND: 3, NOT_FOUND: 4, NO_DATA: 5,
	PERMISSION_DENIED: 6, TIMEOUT: 7, NOT_SUPPORTED: 8, UNKNOWN_ERROR: 9, CONNECTION_FAILED: 10
};
const LONGEST_OUTPUT = 4096 * 64;

// What ucode has of its own. Each refuses what ucode would not take.
const BUILTINS = {
	length: value => typeof value == 'string' ? Buffer.byteLength(value) : value?.length ?? null,
	match: (text, pattern) => String(text).match(pattern),
	die: text => { throw new Error(text); },
	json: text => { if (typeof text != 'string') throw new TypeError('no string'); return JSON.parse(text); },
	map: (list, fn) => list.map(each => fn(each)),
	split: (text, separator) => text.split(separator),
	join: (separator, list) => list.join(separator),
	replace: (text, pattern, by) => text.replace(pattern, by),
	trim: text => typeof text == 'string' ? text.trim() : null,
	slice: (list, from, to) => list.slice(from, to)
};

function load(path, connection) {
	const text = fs.readFileSync(path, 'utf8').replace("import { connect } from 'ubus';", '');
	const names = [ 'connect', ...Object.keys(BUILTINS), ...Object.keys(STATUS).map(name => `UBUS_STATUS_${name}`) ];
	const values = [ () => connection, ...Object.values(BUILTINS), ...Object.values(STATUS) ];

	return new Function(...names, text)(...values);
}

function fits(value, hint) {
	return typeof value == typeof hint && (typeof value != 'number' || Number.isInteger(value));
}

function call(plugin, wanted) {
	const method = plugin.smartrouter[wanted.method];

	if (!method)
		return Promise.resolve({ status: STATUS.METHOD_NOT_FOUND, reply: null });

	for (const name in wanted.args)
		if (name != 'ubus_rpc_session' && !(name in method.args && fits(wanted.args[name], method.args[name])))
			return Promise.resolve({ status: STATUS.INVALID_ARGUMENT, reply: null });

	return new Promise(resolve => {
		let replied = false;
		const request = {
			args: wanted.args, info: { acl: { user: wanted.user ?? 'root' } },
			reply: (reply, status) => {
				if (replied)
					throw new Error('Reply has already been sent');
				replied = true;
				resolve({ status: status ?? STATUS.OK, reply: reply ?? null });
			}
		};
		const returned = method.call(request);

		if (!replied && !returned?.deferred)
			resolve({ status: STATUS.NO_DATA, reply: null });
	});
}

async function main() {
	const plan = JSON.parse(fs.readFileSync(0, 'utf8'));
	const outcomes = plan.outcomes ?? [];
	let ran = [];

	function execute(args) {
		ran.push(args);
		if (!plan.program) {
			const outcome = outcomes.shift();

			return typeof outcome == 'number' ? [ outcome, null ] : [ STATUS.OK, outcome ];
		}
		const done = spawnSync(plan.program[0], [ ...plan.program.slice(1), ...args.params, ...plan.append ], {
			env: { ...process.env, ...args.env }, encoding: 'utf8', maxBuffer: 1 << 26
		});

		if (done.stdout.length >= LONGEST_OUTPUT)
			return [ STATUS.NOT_SUPPORTED, null ];
		return [ STATUS.OK, { code: done.status, stdout: done.stdout, stderr: done.stderr } ];
	}

	const connection = {
		defer: (object, name, args, done) => {
			const named = plan.sessions?.[args.ubus_rpc_session];
			let found = [ STATUS.NOT_FOUND, null ];

			if (object == 'file' && name == 'exec' && plan.no_file_module)
				return null;
			if (object == 'file' && name == 'exec')
				found = execute(args);
			else if (object == 'session' && name == 'get' && named != null)
				found = [ STATUS.OK, { values: { username: named } } ];
			setImmediate(() => done(...found)); // what it throws ends this program, as it may end rpcd
			return { deferred: true };
		}
	};
	const plugin = load(process.argv[2], connection);
	const signature = {};

	for (const name in plugin.smartrouter)
		signature[name] = plugin.smartrouter[name].args;

	const answers = [];

	for (const wanted of plan.calls) {
		ran = [];
		const answer = await call(plugin, wanted);

		answers.push({ ...answer, ran });
	}
	console.log(JSON.stringify({ objects: Object.keys(plugin), signature, answers }));
}

main();
