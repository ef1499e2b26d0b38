// SPDX-License-Identifier: GPL-2.0-or-later
//
// What LuCI is to a view, as far as ours go: modules by `'require …'`, a page to build, ubus to ask, forms.
// It has LuCI's traps, and springs them: a bare string for children is HTML there, and what is not one of
// the view's own texts ends the program here; so does null among children, and an argument that is null.
//
//   node luci.js RESOURCES VIEW < {"answers": {METHOD: ANSWER | [ANSWER, …]}, "steps": [STEP, …],
//                                   "uci": {SECTION: {…}}, "readonly": BOOLEAN, "checks": [VALUE, …],
//                                   "networks": [NAME, …]}
//
// An answer is a reply, or a text with which the call fails; of several the last one stays. A step is the
// text of a button to press, in the dialogue if one is open, or {"set": LABEL, "of": TAG, "to": {…}} for an
// input, or "poll". Prints what is on the page and what was called after the beginning and after each step.

'use strict';

const fs = require('fs');
const path = require('path');

const plan = JSON.parse(fs.readFileSync(0, 'utf8'));
const [ resources, wanted ] = process.argv.slice(2);
const own = new Set(); // texts that may be HTML: ours, and translated
const calls = [], declared = [], polls = [], notifications = [], maps = [], urls = [];
let dialogue = null;

String.prototype.format = function(...values) {
	let at = 0;

	return this.replace(/%([%sdh])/g, (all, kind) => {
		if (kind == '%')
			return '%';
		if (at >= values.length || values[at] === undefined)
			throw new Error(`a value is missing: ${this}`);
		const value = values[at++];

		if (kind == 'd' && !Number.isFinite(Number(value)))
			throw new Error(`no number for ${this}: ${value}`);
		if (kind == 'h')
			return String(value).replace(/[&<>"']/g, sign => `&#${sign.charCodeAt(0)};`);
		return kind == 'd' ? String(Math.trunc(value)) : String(value);
	}) + (at < values.length ? fail(`too many values: ${this}`) : '');
};

function fail(text) {
	throw new Error(text);
}

// -- the page ----------------------------------------------------------------------------------------------

class Element {
	constructor(tag) {
		Object.assign(this, { tag, attributes: {}, children: [], listeners: {}, value: '', checked: false });
		this.classList = { add() {}, remove() {} };
	}

	set innerHTML(html) {
		if (!own.has(html))
			fail(`HTML from text: ${html}`);
		this.children = [ html ];
	}

	setAttribute(name, value) {
		this.attributes[name] = String(value);
	}

	get text() {
		return this.children.map(child => child instanceof Element ? child.text : child).join('');
	}

	all(test) {
		const below = this.children.flatMap(child => child instanceof Element ? child.all(test) : []);

		return test(this) ? [ this, ...below ] : below;
	}

	tree() {
		return { tag: this.tag, ...this.attributes, children: this.children.map(child => child.tree ? child.tree() : child) };
	}
}

const dom = {
	append(node, children) {
		if (Array.isArray(children))
			for (const child of children) {
				if (child == null || typeof child == 'boolean' || Array.isArray(child))
					fail(`not to be shown: ${child}`);
				node.children.push(child instanceof Element ? child : String(child));
			}
		else if (children instanceof Element)
			node.children.push(children);
		else if (children != null)
			node.innerHTML = String(children);
		return node;
	},

	content(node, children) {
		node.children = [];
		return dom.append(node, children);
	}
};

function E(tag, attributes, children) {
	const node = new Element(tag);

	if (!(attributes instanceof Object) || Array.isArray(attributes) || attributes instanceof Element) {
		children = attributes;
		attributes = {};
	}
	for (const [ name, value ] of Object.entries(attributes))
		if (typeof value == 'function')
			node.listeners[name] = value;
		else if (value != null)
			node.attributes[name] = String(value);
	if (tag == 'option')
		node.value = node.attributes.value;
	return dom.append(node, children);
}

// -- LuCI's modules ----------------------------------------------------------------------------------------

const rpc = {
	declare(options) {
		declared.push(options);
		return (...values) => {
			const args = {};

			(options.params || []).forEach((name, i) => {
				if (values[i] === null)
					fail(`${options.method}: ${name} is null, which ubus takes for another type`);
				if (values[i] !== undefined)
					args[name] = values[i];
			});
			calls.push({ object: options.object, method: options.method, args });

			const given = plan.answers[options.method];
			const one = Array.isArray(given) ? (given.length > 1 ? given.shift() : given[0]) : given;

			if (one === undefined)
				return Promise.resolve(options.expect['']);
			return typeof one == 'string' ? Promise.reject(new Error(one)) : Promise.resolve(structuredClone(one));
		};
	}
};

const ui = {
	addNotification(title, children, style) {
		const box = E('div', {}, title == null ? [] : [ E('h4', {}, title) ]);

		dom.append(box, children);
		notifications.push({ style, text: box.text });
	},

	showModal(title, children) {
		dialogue = E('div', {}, [ E('h4', {}, title) ]);
		dom.append(dialogue, children);
	},

	hideModal() {
		dialogue = null;
	},

	createHandlerFn(context, act, ...args) {
		return event => Promise.resolve(act.call(context, ...args, event));
	}
};

class Option {
	constructor(widget, name, title, help) {
		Object.assign(this, { widget, option: name, title, help, choices: [] });
	}

	value(value, label) {
		this.choices.push([ value, label ?? value ]);
	}
}

class Part {
	constructor(kind, type, name, title) {
		Object.assign(this, { kind, type, name, title, tabs: [], options: [] });
	}

	tab(name, title) {
		this.tabs.push([ name, title ]);
	}

	option(widget, name, title, help) {
		const made = new Option(widget, name, title, help);

		this.options.push(made);
		return made;
	}

	taboption(tab, ...rest) {
		if (!this.tabs.some(each => each[0] == tab))
			fail(`there is no tab ${tab}`);
		return Object.assign(this.option(...rest), { tab });
	}
}

class FormMap {
	constructor(config, title, help) {
		Object.assign(this, { config, title, help, sections: [] });
		maps.push(this);
	}

	section(kind, ...rest) {
		const named = kind == form.NamedSection;
		const made = new Part(kind, named ? rest[1] : rest[0], named ? rest[0] : '', rest[named ? 2 : 1]);

		this.sections.push(made);
		return made;
	}

	render() {
		return Promise.resolve(E('form', {}, []));
	}
}

const form = { Map: FormMap };

for (const name of [ 'NamedSection', 'GridSection', 'Flag', 'ListValue', 'Value', 'DynamicList' ])
	form[name] = name;

const modules = {
	dom, rpc, ui, form,
	baseclass: { extend: members => Object.create(members) },
	view: { extend: members => Object.create(members) },
	poll: { add: (act, seconds) => polls.push({ act, seconds }) },
	uci: {
		get: (config, section, option) => plan.uci?.[section]?.[option] ?? null,
		load: config => plan.networks || config != 'network' ? Promise.resolve() : Promise.reject(new Error('denied')),
		sections: (config, type) => config == 'network' && type == 'interface' ? (plan.networks || []).map(name => ({ '.name': name })) : []
	}
};

const globals = {
	E,
	_: text => { own.add(text); return text; },
	L: { hasViewPermission: () => !plan.readonly, url: place => { urls.push(place); return `/cgi-bin/luci/${place}`; } }
};

function load(name) {
	if (modules[name])
		return modules[name];
	const text = fs.readFileSync(path.join(resources, `${name.replaceAll('.', '/')}.js`), 'utf8');
	const names = [], values = [];

	for (const found of text.matchAll(/^'require ([\w.-]+)(?: as (\w+))?';$/gm)) {
		names.push(found[2] || found[1].replace(/\W/g, '_'));
		values.push(load(found[1]));
	}
	modules[name] = new Function(...Object.keys(globals), ...names, text)(...Object.values(globals), ...values);
	return modules[name];
}

// -- what a person does ------------------------------------------------------------------------------------

async function main() {
	const view = load(wanted);
	const page = E('div', {}, [ await view.render(view.load ? await view.load() : undefined) ]);
	const moments = [ seen(page) ];

	for (const step of plan.steps || []) {
		const place = dialogue || page;

		if (step == 'poll')
			for (const poll of polls)
				await poll.act();
		else if (typeof step == 'string') {
			const button = place.all(node => node.tag == 'button' && !node.attributes.disabled && node.text == step)[0] || fail(`no button ${step}: ${place.text}`);

			await button.listeners.click({ target: button });
		}
		else
			await set(place, step);
		moments.push(seen(page));
	}
	console.log(JSON.stringify({
		declared, moments, polls: polls.map(poll => poll.seconds), forms: maps.map(described), urls,
		checks: (plan.checks || []).map(check), footer: [ view.handleSave, view.handleSaveApply, view.handleReset ]
	}));
}

// An input by the text of its label, or the one that is there alone.
async function set(place, step) {
	const label = step.set && place.all(node => node.tag == 'label' && node.text.includes(step.set))[0];
	const inputs = (label || place).all(node => node.tag == step.of);

	if (inputs.length != 1)
		fail(`${inputs.length} inputs for ${step.set}`);
	Object.assign(inputs[0], step.to);
	if (inputs[0].listeners.change)
		await inputs[0].listeners.change({ target: inputs[0] });
}

function seen(page) {
	return {
		text: page.text, dialogue: dialogue && dialogue.text, tree: (dialogue || page).tree(),
		buttons: (dialogue || page).all(node => node.tag == 'button' && !node.attributes.disabled).map(node => node.text),
		calls: calls.splice(0), notifications: notifications.splice(0)
	};
}

function described(map) {
	const options = part => part.options.map(each => ({
		...each, validate: Boolean(each.validate), shown: each.cfgvalue ? each.cfgvalue('main') : null,
		removes: !(each.remove && each.remove('main') === undefined)
	}));

	return { ...map, sections: map.sections.map(part => ({ ...part, options: options(part) })) };
}

// Does the form take this value?
function check(entered) {
	const part = maps[0].sections.find(each => each.type == entered.section);
	const option = part.options.find(each => each.option == entered.option);

	return option.validate ? option.validate('main', entered.value) : true;
}

main();
