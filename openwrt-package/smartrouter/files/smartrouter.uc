// SPDX-License-Identifier: GPL-2.0-or-later
//
// The ubus object `smartrouter`, for rpcd: what the commands answer under --json, and what they do.
//
// Each call runs `smartrouter` through rpcd's own `file.exec`: a list of arguments, no shell, and without
// keeping rpcd waiting. What goes into an argument is checked here first; what it means, there.
//
// An error is answered with a ubus status and `{ "error": TEXT }`. A callback must not throw: in some
// versions of ucode that ends rpcd.

'use strict';

import { connect } from 'ubus';

const PROGRAM = '/usr/bin/smartrouter';
const LONGEST = 255;     // bytes of one argument; a name has 253 at most
const USUAL = 100;       // entries of a list in one answer
const MOST = 500;
const MOST_ALERTS = 2147483647;

const USER = /^[A-Za-z0-9_.@-]{1,64}$/;
const MAC = /^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$/;
const TIME = /^([0-9]{1,9}[dhms]){1,4}$/;
const PLACE = /^(\*|(\*\.)?[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?|[0-9A-Fa-f:.]*[0-9A-Fa-f:](\/[0-9]{1,3})?)$/;
const SERVICE = /^[a-z0-9][a-z0-9-]*(\/[0-9]{1,5})?$/;
const WORD = /^[a-z][a-z-]*$/;

// What an argument may look like, and how to say so.
const FORMS = {
	device: [ MAC, 'is no MAC such as 3c:2e:ff:29:4d:93' ],
	before: [ MAC, 'is no MAC such as 3c:2e:ff:29:4d:93' ],
	destination: [ PLACE, 'is no name, *.name, address, prefix or *' ],
	service: [ SERVICE, 'is nothing like web, tcp/8883 or icmp' ],
	duration: [ TIME, 'is no time such as 90s, 30m, 1h or 2d' ],
	mode: [ WORD, 'is neither monitor nor enforce' ],
	watch: [ WORD, 'is none of always, never and auto' ],
	severity: [ WORD, 'is none of notice, warning and critical' ],
	kind: [ WORD, 'is no kind of alert' ]
};

const ubus = connect();

// -- what is asked -----------------------------------------------------------------------------------------

// An argument of form, or null.
function given(args, name) {
	const value = args[name], form = FORMS[name];

	if (value == null || value === '')
		return null;

	if (length(value) > LONGEST || !match(value, form[0]))
		die(`${name}: this ${form[1]}`);

	return value;
}

function needed(args, name) {
	const value = given(args, name);

	if (value === null)
		die(`${name} is missing`);

	return value;
}

function number(args, name, least, most, usual) {
	const value = args[name] ?? usual;

	if (value == null)
		die(`${name} is missing`);

	if (value < least || value > most)
		die(`${name}: give a number from ${least} to ${most}`);

	return `${value}`;
}

// `[ word, value ]` where the value is given, else nothing.
function option(args, name, word) {
	const value = given(args, name);

	return value === null ? [] : [ word, value ];
}

function flag(args, name, word) {
	return args[name] ? [ word ] : [];
}

// A time, or that there is none any more.
function time_or_end(args) {
	const time = given(args, 'duration');

	if ((time === null) == !args.end)
		die('give either duration or end');

	return time === null ? '--end' : time;
}

// `allow` or `deny`: of an alert by its number, or of a device and a destination.
function rule(action, args) {
	const time = option(args, 'duration', '--for'), service = option(args, 'service', '--service');

	if (args.alert == null)
		return [ action, args.device == '*' ? '*' : needed(args, 'device'), needed(args, 'destination'), ...service, ...time ];

	if (args.device != null || args.destination != null)
		die('give either alert, or device and destination');

	return [
		action, number(args, 'alert', 1, MOST_ALERTS, null), ...service, ...time,
		...flag(args, 'exact', '--exact'), ...flag(args, 'all_devices', '--all-devices')
	];
}

// -- what is answered --------------------------------------------------------------------------------------

// Only the first reply counts; rpcd may have given one itself, after its timeout.
function answer(request, reply, status) {
	try {
		request.reply(reply, status);
	}
	catch (e) {
	}
}

// What the program said on standard error, without its name before each line.
function complaint(text) {
	const lines = map(split(trim(text), '\n'), line => replace(line, /^smartrouter[a-z ]*: (error: )?/, ''));

	return join('\n', lines);
}

function reason(status) {
	switch (status) {
	case UBUS_STATUS_NOT_FOUND:
		return `there is no ${PROGRAM}`;

	case UBUS_STATUS_TIMEOUT:
		return 'smartrouter did not answer in time';

	case UBUS_STATUS_NOT_SUPPORTED:
		return 'this answer is too long for ubus';

	default:
		return 'smartrouter could not be run';
	}
}

// Of what `file.exec` replies: the ubus status, and what to answer.
function outcome(status, reply) {
	if (status != UBUS_STATUS_OK)
		return [ status, { error: reason(status) } ];

	try {
		return [ UBUS_STATUS_OK, json(trim(reply?.stdout)) ];
	}
	catch (e) {
		return [
			reply?.code == 2 ? UBUS_STATUS_INVALID_ARGUMENT : UBUS_STATUS_UNKNOWN_ERROR,
			{ error: complaint(reply?.stderr ?? '') || 'smartrouter said nothing' }
		];
	}
}

// Have the program run in the name of `by`, and what came of it handed to `done(status, data)`.
function run(request, params, by, done) {
	const env = {};

	if (by !== null)
		env.SMARTROUTER_BY = by;

	const running = ubus.defer('file', 'exec', { command: PROGRAM, params, env }, function(status, reply) {
		const found = outcome(status, reply);

		done(found[0], found[1]);
	});

	if (!running)
		answer(request, { error: 'rpcd cannot run programs: is rpcd-mod-file installed?' }, UBUS_STATUS_NOT_SUPPORTED);

	return running;
}

function tell(request, params) {
	return run(request, [ ...params, '--json' ], null, (status, data) => answer(request, data, status));
}

// In the name of whoever is logged in to LuCI; at a shell, of the user that ubus knows.
function decide(request, params) {
	const session = request.args.ubus_rpc_session;
	const told = by => run(request, [ ...params, '--json' ], by, (status, data) => answer(request, data, status));
	const named = (who, name) => match(name ?? '', USER) ? `${who}:${name}` : `${who}:unknown`;

	if (session == null)
		return told(named('ubus', request.info.acl.user));

	return ubus.defer('session', 'get', { ubus_rpc_session: session, keys: [ 'username' ] },
		(status, reply) => told(named('luci', reply?.values?.username)));
}

// A part of a list; where that is too much for one answer, half of it, and so on.
function list(request, name, params, limit, skip) {
	const part = [ ...params, '--limit', `${limit + 1}`, '--skip', skip, '--json' ];

	return run(request, part, null, function(status, data) {
		if (status == UBUS_STATUS_NOT_SUPPORTED && limit > 1)
			return list(request, name, params, limit >> 1, skip);

		if (status != UBUS_STATUS_OK)
			return answer(request, data, status);

		const reply = { more: length(data) > limit };
		reply[name] = slice(data, 0, limit);

		return answer(request, reply, status);
	});
}

// -- the methods -------------------------------------------------------------------------------------------

// `command(args)` gives what to run, or dies with what is wrong; `act(request, command)` has it run.
function method(act, args, command) {
	return {
		args,
		call: function(request) {
			let checked;

			try {
				checked = command(request.args);
			}
			catch (e) {
				return answer(request, { error: e.message }, UBUS_STATUS_INVALID_ARGUMENT);
			}

			return act(request, checked);
		}
	};
}

// The same for a list, which is answered under `name`.
function list_method(name, args, command) {
	return method(
		(request, checked) => list(request, name, checked.params, +checked.limit, checked.skip),
		{ ...args, limit: USUAL, skip: 0 },
		args_of_call => ({
			params: command(args_of_call),
			limit: number(args_of_call, 'limit', 1, MOST, USUAL),
			skip: number(args_of_call, 'skip', 0, 1000000, 0)
		})
	);
}

const RULE = {
	device: '', destination: '', service: '', duration: '', alert: 0, exact: false, all_devices: false
};

return {
	smartrouter: {
		status: method(tell, {}, () => [ 'status' ]),
		devices: list_method('devices', {}, () => [ 'devices' ]),
		device: method(tell, { device: '' }, args => [ 'device', needed(args, 'device') ]),
		alerts: list_method('alerts', { all: false, severity: '', kind: '' }, args => [
			'alerts', ...flag(args, 'all', '--all'),
			...option(args, 'severity', '--severity'), ...option(args, 'kind', '--kind')
		]),
		alert: method(tell, { id: 0 }, args => [ 'alert', number(args, 'id', 1, MOST_ALERTS, null) ]),

		allow: method(decide, RULE, args => rule('allow', args)),
		deny: method(decide, RULE, args => rule('deny', args)),
		dismiss: method(decide, { id: 0 }, args => [ 'alert', number(args, 'id', 1, MOST_ALERTS, null), '--dismiss' ]),
		learn: method(decide, { device: '', finish: false }, args => [
			'learn', needed(args, 'device'), ...flag(args, 'finish', '--finish')
		]),
		forget: method(decide, { device: '', destination: '', service: '' }, args => [
			'forget', needed(args, 'device'), needed(args, 'destination'), ...option(args, 'service', '--service')
		]),
		watch: method(decide, { device: '', watch: '' }, args => [
			'watch', needed(args, 'device'), needed(args, 'watch')
		]),
		same: method(decide, { device: '', before: '' }, args => [
			'same', needed(args, 'device'), needed(args, 'before')
		]),
		mode: method(decide, { mode: '', device: '' }, args => {
			const device = given(args, 'device');

			return [ 'mode', needed(args, 'mode'), ...(device === null ? [] : [ device ]) ];
		}),
		mute: method(decide, { device: '', duration: '', end: false }, args => [
			'mute', needed(args, 'device'), time_or_end(args)
		]),
		pause: method(decide, { duration: '', end: false }, args => [ 'pause', time_or_end(args) ])
	}
};
