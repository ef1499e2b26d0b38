'use strict';
'require view';
'require form';
'require uci';
'require smartrouter.common as smartrouter';
'require smartrouter.options as options';

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The whole of /etc/config/smartrouter, as smartrouter.options has it: that is made from the product's own
 * table, so that no option is missing here, and each is explained and checked as there.
 */

/* Where the options of the main section stand; what no tab names is under the last. */
const TABS = () => [
	[ 'general', _('General'), [ 'enabled', 'mode', 'learning', 'learning_period', 'network', 'device', 'iot_network', 'new_devices' ] ],
	[ 'names', _('Names'), [ 'match', 'name_grace', 'unused_after', 'unnamed_tls', 'foreign_dns', 'redirect_dns', 'resolver' ] ],
	[ 'storage', _('Storage'), [ 'database', 'attempts_kept', 'retention', 'max_size', 'alert_file' ] ],
	[ 'kernel', _('Kernel'), [] ]
];

/* What the tables of the other sections show; the rest is behind `Edit`. */
const COLUMNS = {
	device: [ 'mac', 'name', 'watch', 'mode' ],
	rule: [ 'device', 'destination', 'service', 'action', 'until', 'by' ],
	notify: [ 'type', 'name', 'min_severity' ],
	web: [ 'listen' ]
};

/* Where devices, or networks of the router, may be chosen from those that there are. */
const OF_DEVICES = [ 'device.mac', 'rule.device' ];
const OF_NETWORKS = [ 'smartrouter.network', 'smartrouter.iot_network' ];

const WIDGETS = {
	flag: form.Flag, choice: form.ListValue, value: form.Value, list: form.DynamicList, secret: form.Value
};

/* The texts are our own: `word` is code, all else is text. */
const marked = text => '%h'.format(text).replace(/`([^`]*)`/g, '<code>$1</code>');

return view.extend({
	/* What cannot be had is not offered; it can be typed. */
	load() {
		return Promise.all([
			smartrouter.devices(500).catch(smartrouter.failed),
			uci.load('network').catch(() => null)
		]);
	},

	render(found) {
		/* A name that another has chosen goes through widgets here that are not ours: without what could be HTML. */
		this.devices = (found[0].devices || []).map(device => [ device.mac, '%s (%s)'.format(device.label.replace(/[<>&]/g, ''), device.mac) ]);
		this.networks = uci.sections('network', 'interface').map(network => network['.name']).filter(name => name != 'loopback');

		const map = new form.Map('smartrouter', _('Settings'), _('What you leave empty has its default. The running smartrouter takes a change whole or not at all; Overview says so if it refused one.'));

		for (const section of options.sections)
			if (section.type == 'smartrouter')
				this.main(map, section);
			else
				this.grid(map, section);
		return map.render();
	},

	main(map, section) {
		const main = map.section(form.NamedSection, 'main', section.type, section.title, marked(section.help));
		const tabs = TABS();
		const tab_of = name => (tabs.find(tab => tab[2].includes(name)) || tabs[tabs.length - 1])[0];

		main.addremove = false;
		for (const tab of tabs)
			main.tab(tab[0], tab[1]);
		for (const option of section.options)
			this.set_up(main.taboption(tab_of(option.name), WIDGETS[option.widget], option.name, option.title, marked(option.help)), section, option);
	},

	grid(map, section) {
		const grid = map.section(form.GridSection, section.type, section.title, marked(section.help));

		grid.anonymous = true;
		grid.addremove = true;
		grid.nodescriptions = true;
		for (const option of section.options) {
			const set_up = this.set_up(grid.option(WIDGETS[option.widget], option.name, option.title, marked(option.help)), section, option);

			set_up.modalonly = COLUMNS[section.type].includes(option.name) ? null : true;
		}
	},

	set_up(widget, section, option) {
		const place = '%s.%s'.format(section.type, option.name);

		widget.rmempty = !option.required;
		if (option.widget == 'flag') {
			widget.default = option.default;
			widget.rmempty = !option.default;
			/* UCI has five words for each. */
			widget.cfgvalue = section_id => {
				const value = uci.get('smartrouter', section_id, option.name);

				return value == null ? null : [ '1', 'yes', 'on', 'true', 'enabled' ].includes(value) ? '1' : '0';
			};
		}
		if (option.widget == 'choice') {
			if (!option.default && !option.required)
				widget.value('', _('by default'));
			for (const value of option.values)
				widget.value(value, value);
			if (option.default)
				widget.default = option.default;
		}
		if (option.widget == 'value' || option.widget == 'list')
			widget.placeholder = option.default;
		if (place == 'rule.device')
			widget.value('*', _('every device'));
		if (OF_DEVICES.includes(place))
			for (const device of this.devices)
				widget.value(device[0], device[1]);
		if (OF_NETWORKS.includes(place))
			for (const network of this.networks)
				widget.value(network);
		if (option.widget == 'secret')
			this.keep_secret(widget);
		if (option.pattern)
			widget.validate = (section_id, value) => this.check(option, value);
		return widget;
	},

	/* What is there is not shown, and stays unless something else is entered. */
	keep_secret(widget) {
		widget.password = true;
		widget.placeholder = _('unchanged');
		widget.cfgvalue = () => '';
		widget.remove = () => {};
	},

	check(option, value) {
		if (value == null || value === '' || new RegExp('^(?:' + option.pattern + ')$', 'u').test(value))
			return true;
		return _('Give %s.').format(option.allowed.replace(/`/g, ''));
	}
});
