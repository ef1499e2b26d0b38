'use strict';
'require baseclass';
'require rpc';
'require ui';

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the views have in common: the calls of the ubus object `smartrouter`, and how things are said.
 *
 * Names of devices and destinations are other people's text. They go into the page as text nodes only:
 * children of E() are always an array here, as LuCI takes a bare string for HTML.
 */

const silence = () => ({ error: _('smartrouter did not answer.') });

/* An argument that is undefined is not sent. */
const declare = (method, params) => rpc.declare({
	object: 'smartrouter', method, params, expect: { '': silence() }
});

const RULE = [ 'device', 'destination', 'service', 'duration', 'alert', 'exact', 'all_devices' ];

return baseclass.extend({
	status: declare('status', []),
	devices: declare('devices', [ 'limit', 'skip' ]),
	device: declare('device', [ 'device' ]),
	alerts: declare('alerts', [ 'all', 'severity', 'kind', 'limit', 'skip' ]),
	alert: declare('alert', [ 'id' ]),
	allow: declare('allow', RULE),
	deny: declare('deny', RULE),
	dismiss: declare('dismiss', [ 'id' ]),
	learn: declare('learn', [ 'device', 'finish' ]),
	forget: declare('forget', [ 'device', 'destination', 'service' ]),
	watch: declare('watch', [ 'device', 'watch' ]),
	same: declare('same', [ 'device', 'before' ]),
	mode: declare('mode', [ 'mode', 'device' ]),
	mute: declare('mute', [ 'device', 'duration', 'end' ]),
	pause: declare('pause', [ 'duration', 'end' ]),

	/* What is answered where the call itself fails. */
	failed(error) {
		return { error: error?.message || silence().error };
	},

	/* Say what came of a decision; resolves to whether it was taken. */
	said(answered, text) {
		return answered.catch(this.failed).then(answer => {
			if (answer.error)
				ui.addNotification(null, E('p', [ answer.error ]), 'error');
			else
				ui.addNotification(null, E('p', [ answer.note ? '%s %s'.format(text, _('But %s.').format(answer.note)) : text ]), 'info');
			return !answer.error;
		});
	},

	/* What blocking will meet on the devices of `answer`, and whether that is meant: then `act`. */
	ask_enforce(answer, nameless, act) {
		const devices = (answer.devices || []).filter(device => device.watched);
		const news = devices.map(device => device.novelty).filter(each => each);
		const expected = span => this.expected(news.reduce((all, each) => all + each[span].expected, 0));
		const learning = devices.filter(device => device.state != 'protected').map(device => device.label);
		const open = devices.reduce((all, device) => all + device.open_alerts, 0);
		const said = [];

		if (answer.error)
			said.push(_('What this will block is not known: %s').format(answer.error));
		if (open)
			said.push(_('Alerts that wait for you: %d. What they are about will be blocked until you allow it.').format(open));
		if (news.length)
			said.push(_('Protected devices: %d. New destinations that are expected of them: %s in the next day, %s in the next week; they will be blocked until you allow them.').format(
				news.length, expected('day'), expected('week')));
		if (learning.length)
			said.push(_('Still learning, and not blocked until that ends: %s.').format(learning.join(', ')));
		if (nameless)
			said.push(_('Devices whose names do not pass this router: %d. Much of what they need may be blocked.').format(nameless));
		ui.showModal(_('Block what is not known?'), [
			...said.map(text => E('p', [ text ])),
			E('div', { 'class': 'right' }, [
				this.look(_('Cancel'), 'neutral', () => ui.hideModal()),
				' ',
				this.button(_('Block'), 'negative important', () => {
					ui.hideModal();
					return act();
				})
			])
		]);
	},

	/* A button that decides something: not for who may only look. */
	button(text, style, act) {
		const button = this.look(text, style, act);

		if (!L.hasViewPermission())
			button.setAttribute('disabled', 'disabled');
		return button;
	},

	/* A button that shows something; `act` may give a promise, and the button waits for it. */
	look(text, style, act) {
		return E('button', {
			'class': 'btn cbi-button cbi-button-%s'.format(style),
			'click': ui.createHandlerFn(this, act)
		}, [ text ]);
	},

	/* Rows of cells, each a node, a text or a list of both. */
	table(titles, rows, nothing) {
		const cells = row => row.map((cell, i) => E('td', { 'class': 'td', 'data-title': titles[i] }, Array.isArray(cell) ? cell : [ cell ]));

		return E('table', { 'class': 'table' }, [
			E('tr', { 'class': 'tr table-titles' }, titles.map(title => E('th', { 'class': 'th' }, [ title ]))),
			...rows.map((row, i) => E('tr', { 'class': 'tr cbi-rowstyle-%d'.format(i % 2 + 1) }, cells(row))),
			...(rows.length ? [] : [ E('tr', { 'class': 'tr placeholder' }, [ E('td', { 'class': 'td' }, [ E('em', [ nothing ]) ]) ]) ])
		]);
	},

	/* Titles and texts, two columns; what has no text is left out. */
	facts(pairs) {
		return E('table', { 'class': 'table' }, pairs.filter(pair => pair[1]).map(pair => E('tr', { 'class': 'tr' }, [
			E('td', { 'class': 'td left', 'width': '25%' }, [ pair[0] ]),
			E('td', { 'class': 'td left' }, Array.isArray(pair[1]) ? pair[1] : [ pair[1] ])
		])));
	},

	/* A list that comes in parts: buttons to the part before and the one after. */
	pages(skip, step, more, go) {
		return E('div', { 'class': 'cbi-page-actions' }, [
			...(skip ? [ this.look(_('Back'), 'neutral', () => go(Math.max(0, skip - step))) ] : []),
			...(more ? [ this.look(_('More'), 'neutral', () => go(skip + step)) ] : [])
		]);
	},

	problem(text) {
		return E('div', { 'class': 'alert-message warning' }, [ text ]);
	},

	/* 5400 is `1h 30m`: the two largest units. */
	duration(seconds) {
		const units = [ [ 86400, _('%dd') ], [ 3600, _('%dh') ], [ 60, _('%dm') ], [ 1, _('%ds') ] ];
		const parts = [];
		let left = Math.max(0, Math.round(seconds));

		for (const unit of units) {
			if (left >= unit[0] && parts.length < 2)
				parts.push(unit[1].format(Math.floor(left / unit[0])));
			left %= unit[0];
		}
		return parts.join(' ') || _('%ds').format(0);
	},

	ago(at) {
		const seconds = Date.now() / 1000 - at;

		return seconds < 1 ? _('now') : _('%s ago').format(this.duration(seconds));
	},

	moment(at) {
		return new Date(at * 1000).toLocaleString();
	},

	percent(share) {
		return '%d %%'.format(Math.floor(share * 100));
	},

	/* How many are expected; never none, as nobody can promise that. */
	expected(number) {
		return number < 0.05 ? _('less than 0.1') : number.toFixed(number < 10 ? 1 : 0);
	},

	state(device) {
		switch (device.watched ? device.state : '') {
		case '':
			return _('not watched');
		case 'new':
			return _('new');
		case 'learning':
			return device.learning ? _('learning, %s done').format(this.percent(device.learning.share)) : _('learning');
		default:
			return device.settled === false ? _('protected, not settled') : _('protected');
		}
	},

	mode_name(mode) {
		return mode == 'enforce' ? _('block and report') : _('report only');
	},

	severity_name(severity) {
		switch (severity) {
		case 'critical':
			return _('critical');
		case 'warning':
			return _('warning');
		default:
			return _('notice');
		}
	}
});
