'use strict';
'require view';
'require dom';
'require poll';
'require ui';
'require smartrouter.common as smartrouter';

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What was reported, and what you decide about it.
 */

const INTERVAL = 15; /* seconds: each look is a program that runs on the router */
const STEP = 25;     /* alerts at once */

/* Kinds of alerts that are about one destination, so that a rule can decide. */
const DECIDABLE = [
	'new-destination', 'new-port', 'foreign-resolver', 'encrypted-dns', 'fronting', 'new-name', 'after-outage', 'unused', 'upload'
];

/* For how long a decision holds; '': for good. */
const TIMES = () => [
	[ '', _('for good') ],
	[ '2m', _('once (two minutes)') ],
	[ '1h', _('for an hour') ],
	[ '1d', _('for a day') ],
	[ '7d', _('for a week') ]
];

return view.extend({
	skip: 0,
	all: false,

	load() {
		return smartrouter.alerts(this.all, undefined, undefined, STEP, this.skip).catch(smartrouter.failed);
	},

	render(answer) {
		this.list = E('div', {}, this.content(answer));
		poll.add(() => this.refresh(), INTERVAL);
		return E('div', {}, [
			E('h2', [ _('Alerts') ]),
			E('p', [
				E('label', {}, [
					E('input', { 'type': 'checkbox', 'change': ui.createHandlerFn(this, event => {
						this.all = event.target.checked;
						return this.go(0);
					}) }),
					' ',
					_('Also those that were decided about')
				])
			]),
			this.list
		]);
	},

	refresh() {
		return this.load().then(answer => dom.content(this.list, this.content(answer)));
	},

	go(skip) {
		this.skip = skip;
		return this.refresh();
	},

	content(answer) {
		if (answer.error)
			return [ smartrouter.problem(answer.error) ];
		return [
			E('div', { 'class': 'cbi-section' }, [
				smartrouter.table(
					[ _('Last'), _('Device'), _('What'), _('Times'), _('Verdict'), _('Severity'), _('State'), '' ],
					answer.alerts.map(alert => this.row(alert)),
					this.all ? _('There is no alert.') : _('No alert waits for you.'))
			]),
			smartrouter.pages(this.skip, STEP, answer.more, skip => this.go(skip))
		];
	},

	row(alert) {
		return [
			smartrouter.ago(alert.last),
			alert.device,
			[ E('strong', [ alert.destination || alert.kind ]), E('br'), E('small', [ this.about(alert) ]) ],
			'%d'.format(alert.count),
			this.verdict(alert),
			smartrouter.severity_name(alert.severity),
			this.state(alert),
			this.quick(alert)
		];
	},

	about(alert) {
		return [ alert.destination ? alert.kind : '', alert.service, alert.detail ].filter(text => text).join(', ');
	},

	verdict(alert) {
		if (!alert.targets.length)
			return '-';
		if (!alert.blocked)
			return _('passed');
		return alert.blocked == alert.count ? _('blocked') : _('partly blocked');
	},

	state(alert) {
		switch (alert.state) {
		case 'open':
			return _('open');
		case 'allowed':
			return _('allowed');
		case 'denied':
			return _('denied');
		case 'dismissed':
			return _('dismissed');
		default:
			return _('part of another');
		}
	},

	quick(alert) {
		const buttons = [];

		if (alert.state == 'open' && DECIDABLE.includes(alert.kind))
			buttons.push(
				smartrouter.button(_('Allow'), 'positive', () => this.rule(alert, 'allow')), ' ',
				smartrouter.button(_('Deny'), 'negative', () => this.rule(alert, 'deny')), ' ');
		buttons.push(smartrouter.look(_('Details…'), 'action', () => this.open(alert.id)));
		return buttons;
	},

	/* `chosen`: for how long, and of what; nothing is for good, and of the alert's own destination and device. */
	rule(alert, action, chosen) {
		const how = chosen || {};
		const call = action == 'allow' ? smartrouter.allow : smartrouter.deny;
		const who = how.all_devices ? _('Every device') : alert.device;
		const text = action == 'allow' ? _('%s may use %s.') : _('%s may not use %s.');

		return this.decide(
			call(undefined, undefined, undefined, how.duration || undefined, alert.id, how.exact, how.all_devices),
			'%s %s'.format(
				text.format(who, how.exact ? alert.name : alert.destination),
				_('Settings lists your rules, and takes them back.')));
	},

	decide(promise, text) {
		return smartrouter.said(promise, text).then(done => {
			if (done)
				ui.hideModal();
			return this.refresh();
		});
	},

	open(number) {
		return smartrouter.alert(number).catch(smartrouter.failed).then(alert => {
			if (alert.error)
				return ui.addNotification(null, E('p', [ alert.error ]), 'error');
			return ui.showModal([ _('Alert %d').format(alert.id), ': ', alert.device ], [
				E('div', { 'style': 'max-height:70vh;overflow:auto' }, [ this.details(alert), ...this.choices(alert) ]),
				E('div', { 'class': 'right' }, [ smartrouter.look(_('Close'), 'neutral', () => ui.hideModal()) ])
			], 'cbi-modal');
		});
	},

	details(alert) {
		return smartrouter.facts([
			[ _('What'), alert.means ],
			[ _('Why'), '%s (%s)'.format(alert.why, alert.reason) ],
			[ _('Perhaps'), alert.perhaps ],
			[ _('To do'), alert.advice ],
			[ _('Destination'), alert.destination ],
			[ _('Name'), alert.name ],
			[ _('Reverse name'), alert.reverse ],
			[ _('Evidence'), alert.evidence ],
			[ _('Service'), alert.service ],
			[ _('Addresses'), alert.addresses.slice(0, 8).join(', ') ],
			[ _('Detail'), alert.detail ],
			[ _('Times'), _('%d, of which %d were blocked').format(alert.count, alert.blocked) ],
			[ _('First'), smartrouter.moment(alert.first) ],
			[ _('Last'), smartrouter.moment(alert.last) ],
			[ _('State'), [ this.state(alert), alert.decided_by, alert.decided_at == null ? '' : smartrouter.moment(alert.decided_at) ].filter(text => text).join(', ') ]
		]);
	},

	/* What can be decided about it, by what the product itself says of that. */
	choices(alert) {
		const offered = command => alert.commands.some(each => each.command == command);
		const can = word => offered('smartrouter %s %d'.format(word, alert.id));
		const time = E('select', { 'class': 'cbi-input-select' }, TIMES().map(each => E('option', { 'value': each[0] }, [ each[1] ])));
		const exact = E('input', { 'type': 'checkbox' }), all_devices = E('input', { 'type': 'checkbox' });
		const chosen = () => ({ duration: time.value, exact: exact.checked || undefined, all_devices: all_devices.checked || undefined });
		const options = [ E('label', {}, [ all_devices, ' ', _('for every device') ]) ];
		const buttons = [];

		if (alert.name)
			options.unshift(E('label', {}, [ exact, ' ', _('just the name %s').format(alert.name) ]), E('br'));
		if (can('allow'))
			buttons.push(smartrouter.button(_('Allow'), 'positive', () => this.rule(alert, 'allow', chosen())), ' ');
		if (can('deny'))
			buttons.push(smartrouter.button(_('Deny'), 'negative', () => this.rule(alert, 'deny', chosen())), ' ');
		if (offered("smartrouter deny %s '*' --for 1d".format(alert.mac)))
			buttons.push(smartrouter.button(_('Cut the device off for a day'), 'negative', () => this.decide(
				smartrouter.deny(alert.mac, '*', undefined, '1d'), _('What %s tries is blocked for a day.').format(alert.device))), ' ');
		if (alert.state == 'open')
			buttons.push(smartrouter.button(_('Dismiss'), 'neutral', () => this.decide(
				smartrouter.dismiss(alert.id), _('Alert %d is dismissed.').format(alert.id))), ' ');
		if (alert.mac)
			buttons.push(smartrouter.button(_('Mute the device for a day'), 'neutral', () => this.decide(
				smartrouter.mute(alert.mac, '1d'), _('Nothing of %s is sent for a day; alerts are kept.').format(alert.device))));
		return [
			...(can('allow') || can('deny') ? [ E('p', [ time ]), E('p', options) ] : []),
			E('p', buttons)
		];
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
