'use strict';
'require view';
'require dom';
'require poll';
'require ui';
'require smartrouter.common as smartrouter';

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The devices of the network, how far each has learned, and what can be decided about one.
 */

const INTERVAL = 30; /* seconds: each look is a program that runs on the router */
const STEP = 50;     /* devices at once */
const LATEST = 10;   /* attempts and destinations that are shown at first */

return view.extend({
	skip: 0,

	load() {
		return smartrouter.devices(STEP, this.skip).catch(smartrouter.failed);
	},

	render(answer) {
		this.body = E('div', {}, this.content(answer));
		poll.add(() => this.refresh(), INTERVAL);
		return this.body;
	},

	refresh() {
		return this.load().then(answer => dom.content(this.body, this.content(answer)));
	},

	go(skip) {
		this.skip = skip;
		return this.refresh();
	},

	content(answer) {
		const title = E('h2', [ _('Devices') ]);

		if (answer.error)
			return [ title, smartrouter.problem(answer.error) ];
		return [
			title,
			...answer.devices.filter(device => device.probably).map(device => this.probably(device)),
			E('div', { 'class': 'cbi-section' }, [
				smartrouter.table(
					[ _('Name'), _('Address'), _('Kind'), _('State'), _('Mode'), _('Needs'), _('Alerts'), _('Seen'), '' ],
					answer.devices.map(device => this.row(device)),
					_('No device was seen yet.'))
			]),
			smartrouter.pages(this.skip, STEP, answer.more, skip => this.go(skip))
		];
	},

	row(device) {
		return [
			[ E('strong', [ device.label ]), E('br'), E('small', [ device.mac ]) ],
			this.addresses(device).slice(0, 2).flatMap(address => [ address, E('br') ]),
			[ this.kind(device), E('br'), E('small', [ device.maker ]) ],
			[ smartrouter.state(device), E('br'), E('small', [ this.outlook(device) ]) ],
			device.watched ? smartrouter.mode_name(device.mode) : '-',
			device.watched ? '%d'.format(device.learned) : '-',
			'%d'.format(device.open_alerts),
			device.present ? _('now') : smartrouter.ago(device.last_seen),
			[ smartrouter.look(_('Details…'), 'action', () => this.open(device.mac)) ]
		];
	},

	/* Those that a person knows it by first: IPv4, and last the link-local ones. */
	addresses(device) {
		const rank = address => address.startsWith('fe80:') ? 2 : address.includes(':') ? 1 : 0;

		return device.addresses.slice().sort((one, other) => rank(one) - rank(other));
	},

	kind(device) {
		switch (device.class) {
		case 'iot':
			return _('IoT, %s sure').format(smartrouter.percent(device.confidence));
		case 'not-iot':
			return _('not IoT, %s sure').format(smartrouter.percent(device.confidence));
		default:
			return _('unknown');
		}
	},

	outlook(device) {
		if (!device.watched)
			return '';
		if (device.learning)
			return _('ends about %s').format(smartrouter.moment(device.learning.expected));
		if (device.novelty)
			return _('%s new a day').format(smartrouter.expected(device.novelty.day.expected));
		return '';
	},

	/* It is like one that was here before, under another MAC. */
	probably(device) {
		const before = device.probably;

		return E('div', { 'class': 'alert-message notice' }, [
			_('%s is probably %s (%s).').format(device.label, before.label, before.reasons.join(', ')),
			' ',
			smartrouter.button(_('It is the same device'), 'action', () => this.decide(
				smartrouter.same(device.mac, before.mac), _('%s has taken over what %s was seen to need.').format(device.label, before.label)))
		]);
	},

	/* Carry a decision out, and show what is so then. */
	decide(promise, text, mac) {
		return smartrouter.said(promise, text).then(done => Promise.all([
			this.refresh(),
			done && mac ? this.open(mac) : null
		]));
	},

	open(mac) {
		return smartrouter.device(mac).catch(smartrouter.failed).then(device => {
			if (device.error)
				return ui.addNotification(null, E('p', [ device.error ]), 'error');
			return ui.showModal([ device.label ], [
				E('div', { 'style': 'max-height:70vh;overflow:auto' }, this.details(device)),
				E('div', { 'class': 'right' }, [ smartrouter.look(_('Close'), 'neutral', () => ui.hideModal()) ])
			], 'cbi-modal');
		});
	},

	details(device) {
		const progress = device.progress;

		return [
			E('p', this.actions(device)),
			smartrouter.facts([
				[ _('MAC'), device.mac ],
				[ _('Host name'), device.hostname ],
				[ _('Maker'), device.maker ],
				[ _('Kind'), [ this.kind(device), ...device.reasons ].join('; ') ],
				[ _('State'), [ smartrouter.state(device), this.outlook(device) ].filter(text => text).join(', ') ],
				[ _('Observed'), progress && _('%s, %d attempts in %d different hours, the last %d without anything new').format(
					smartrouter.duration(progress.observed), progress.attempts, progress.units, progress.quiet) ],
				[ _('Mode'), smartrouter.mode_name(device.mode) ],
				[ _('Interface'), [ device.interface, device.port ].filter(text => text).join(', ') ],
				[ _('Addresses'), this.addresses(device).join(', ') ],
				[ _('First seen'), smartrouter.moment(device.first_seen) ],
				[ _('Attempts'), _('%d, of which %d were blocked').format(device.attempts, device.blocked) ],
				[ _('Muted'), device.mute_until && _('until %s').format(smartrouter.moment(device.mute_until)) ]
			]),
			E('h4', [ _('What it needs (%d)').format(device.destinations.length) ]),
			this.destinations(device),
			E('h4', [ _('Your rules') ]),
			this.rules(device.rules),
			E('h4', [ _('Latest attempts') ]),
			this.attempts(device.latest)
		];
	},

	actions(device) {
		const mac = device.mac, name = device.label;
		const act = (text, style, call, said) => smartrouter.button(text, style, () => this.decide(call(), said.format(name), mac));
		const buttons = [];

		if (device.watched && device.state != 'protected')
			buttons.push(act(_('It has learned enough'), 'positive', () => smartrouter.learn(mac, true), _('%s is protected from now on.')));
		if (device.watched && device.state == 'protected')
			buttons.push(act(_('Learn again'), 'action', () => smartrouter.learn(mac), _('%s learns from now on; what it knows is kept.')));
		if (device.watched && device.mode == 'enforce')
			buttons.push(act(_('Only report'), 'action', () => smartrouter.mode('monitor', mac), _('What %s does not know is only reported from now on.')));
		if (device.watched && device.mode != 'enforce')
			buttons.push(smartrouter.button(_('Block what is not known…'), 'negative', () => smartrouter.ask_enforce(
				{ devices: [ device ] }, 0,
				() => this.decide(smartrouter.mode('enforce', mac), _('What %s does not know is blocked from now on.').format(name), mac))));
		if (device.watched)
			buttons.push(act(_('Leave it alone'), 'neutral', () => smartrouter.watch(mac, 'never'), _('%s is left alone from now on.')));
		else
			buttons.push(act(_('Watch it'), 'action', () => smartrouter.watch(mac, 'always'), _('%s is watched from now on.')));
		buttons.push(act(_('Go by its kind'), 'neutral', () => smartrouter.watch(mac, 'auto'), _('%s is watched if it seems to be an IoT device.')));
		if (device.mute_until)
			buttons.push(act(_('Send of it again'), 'neutral', () => smartrouter.mute(mac, undefined, true), _('What %s does is sent again.')));
		else
			buttons.push(act(_('Mute for a day'), 'neutral', () => smartrouter.mute(mac, '1d'), _('Nothing of %s is sent for a day; alerts are kept.')));
		return buttons.flatMap(button => [ button, ' ' ]);
	},

	destinations(device) {
		return this.folded(
			[ _('Destination'), _('Service'), _('Hours'), _('Used'), '' ],
			device.destinations.map(found => [
				found.name,
				found.service,
				'%d'.format(found.units),
				smartrouter.ago(found.last_used),
				[ smartrouter.button(_('Forget'), 'remove', () => this.decide(
					smartrouter.forget(device.mac, found.name, found.service), _('%s has forgotten %s.').format(device.label, found.name), device.mac)) ]
			]),
			_('It has learned nothing yet.'));
	},

	rules(rules) {
		return smartrouter.table(
			[ _('Action'), _('Destination'), _('Service'), _('Until'), _('Decided') ],
			rules.map(rule => [
				rule.action == 'deny' ? _('deny') : _('allow'),
				rule.destination,
				rule.service || _('any'),
				this.until(rule),
				[ rule.by, rule.at == null ? '' : smartrouter.moment(rule.at) ].filter(text => text).join(' ')
			]),
			_('There is none. Alerts make rules; Settings lists them all, and takes them back.'));
	},

	until(rule) {
		if (rule.until == null)
			return _('for good');
		return rule.until * 1000 < Date.now() ? _('ended') : smartrouter.moment(rule.until);
	},

	attempts(latest) {
		return smartrouter.table(
			[ _('When'), _('Destination'), _('Service'), _('Verdict'), _('Reason') ],
			latest.map(attempt => [
				smartrouter.ago(attempt.at),
				attempt.name || attempt.address,
				attempt.service,
				attempt.accepted ? _('passed') : _('blocked'),
				attempt.reason
			]),
			_('It has tried nothing yet.'));
	},

	/* A long table, of which the rest comes when it is wanted. */
	folded(titles, rows, nothing) {
		const box = E('div', {}, [ smartrouter.table(titles, rows.slice(0, LATEST), nothing) ]);

		if (rows.length > LATEST)
			dom.append(box, [ smartrouter.look(_('Show all %d').format(rows.length), 'neutral', () =>
				dom.content(box, [ smartrouter.table(titles, rows, nothing) ])) ]);
		return box;
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
