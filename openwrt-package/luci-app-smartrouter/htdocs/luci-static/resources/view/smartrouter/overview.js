'use strict';
'require view';
'require dom';
'require poll';
'require smartrouter.common as smartrouter';

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Is it working, what is it doing, what needs me?
 */

const INTERVAL = 15; /* seconds: each look is a program that runs on the router */
const SHOWN = 500;   /* devices whose outlook is added up before blocking is switched on */

return view.extend({
	load() {
		return smartrouter.status().catch(smartrouter.failed);
	},

	render(status) {
		this.body = E('div', {}, this.content(status));
		poll.add(() => this.refresh(), INTERVAL);
		return this.body;
	},

	refresh() {
		return this.load().then(status => dom.content(this.body, this.content(status)));
	},

	content(status) {
		const title = E('h2', [ _('smartrouter') ]);

		if (status.error)
			return [ title, smartrouter.problem(status.error) ];
		return [
			title,
			E('div', { 'class': status.working && !status.paused ? 'alert-message success' : 'alert-message warning' }, [
				E('strong', [ this.sentence(status) ])
			]),
			this.needs(status.needs),
			E('div', { 'class': 'cbi-section' }, [ smartrouter.facts(this.facts(status)) ]),
			E('div', { 'class': 'cbi-page-actions' }, this.actions(status))
		];
	},

	sentence(status) {
		if (!status.working)
			return _('smartrouter is not working: %s').format(status.problem);
		if (status.paused)
			return _('smartrouter is working, but blocking is paused for %s more.').format(smartrouter.duration(status.paused));
		if (status.mode == 'enforce')
			return _('smartrouter is working: what is not known is blocked and reported.');
		return _('smartrouter is working: what is not known is reported, not blocked.');
	},

	needs(needs) {
		if (!needs.length)
			return E('p', [ _('Nothing needs you.') ]);
		return E('div', { 'class': 'cbi-section' }, [
			E('h3', [ _('What needs you') ]),
			E('ul', needs.map(need => E('li', [ need ])))
		]);
	},

	facts(status) {
		const guard = status.guard, devices = guard.devices, kernel = guard.kernel || {};
		const sum = counts => Object.values(counts || {}).reduce((all, count) => all + count, 0);
		const blocked = (kernel.blocked || 0) + (kernel.blocked_again || 0) + (kernel.denied || 0);

		return [
			[ _('Mode'), status.mode && smartrouter.mode_name(status.mode) ],
			[ _('Running'), status.running && _('for %s, version %s').format(smartrouter.duration(status.uptime), status.version) ],
			[ _('Network'), status.lan.join(', ') ],
			[ _('Devices'), devices && _('%d watched: %d protected, %d learning, %d new').format(
				devices.watched, devices.protected, devices.learning, devices.new) ],
			[ _('Alerts'), status.alerts && [ this.alerts(status.alerts) ] ],
			[ _('Packets'), guard.judged && _('%d judged, %d settled in the kernel, %d blocked').format(
				sum(guard.judged), sum(guard.recorded), blocked) ],
			[ _('Parts'), status.parts.map(part => _('%s %s (%d MiB)').format(
				part.name, part.state, Math.floor(part.rss_kib / 1024))).join(', ') ],
			[ _('Alerts are sent to'), (status.channels || []).map(each => _('%s (%s, %d sent)').format(
				each.name, each.state, each.sent)).join(', ') ],
			[ _('Last analysis'), status.analysis && (status.analysis.failure || [
				'%s: %s'.format(smartrouter.ago(status.analysis.at), [
					_('%d new attempts.').format(status.analysis.rows), ...status.analysis.findings
				].join(' '))
			]) ]
		];
	},

	alerts(counts) {
		const text = _('%d critical, %d warnings, %d notices').format(
			counts.critical || 0, counts.warning || 0, counts.notice || 0);

		return E('a', { 'href': L.url('admin/services/smartrouter/alerts') }, [ text ]);
	},

	actions(status) {
		if (!status.running)
			return [];
		const done = (promise, text) => smartrouter.said(promise, text).then(() => this.refresh());
		const pause = (time, text) => smartrouter.button(text, 'neutral', () => done(
			smartrouter.pause(time), _('Blocking is paused for %s.').format(smartrouter.duration(time == '1h' ? 3600 : 28800))));
		const buttons = [];

		if (status.mode == 'enforce')
			buttons.push(smartrouter.button(_('Only report'), 'action', () => done(
				smartrouter.mode('monitor'), _('What is not known is only reported from now on.'))));
		else
			buttons.push(smartrouter.button(_('Block what is not known…'), 'action', () => this.ask_enforce(status)));
		if (status.paused)
			buttons.push(smartrouter.button(_('End the pause'), 'positive', () => done(
				smartrouter.pause(undefined, true), _('The pause is over.'))));
		else
			buttons.push(pause('1h', _('Pause for 1 hour')), pause('8h', _('Pause for 8 hours')));
		return buttons;
	},

	/* Before blocking begins, what it will meet is said. */
	ask_enforce(status) {
		return smartrouter.devices(SHOWN).catch(smartrouter.failed).then(answer => smartrouter.ask_enforce(
			answer, status.nameless.length,
			() => smartrouter.said(smartrouter.mode('enforce'), _('What is not known is blocked and reported from now on.')).then(() => this.refresh())));
	},

	handleSaveApply: null,
	handleSave: null,
	handleReset: null
});
