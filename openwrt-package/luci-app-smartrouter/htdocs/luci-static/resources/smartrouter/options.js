'use strict';
'require baseclass';

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every option of /etc/config/smartrouter. Made by `make docs` from the product's own table; changes here do
 * not last.
 */

return baseclass.extend({
	sections: [
		{
			type: 'smartrouter', title: _('smartrouter'),
			help: _('The product as a whole. There is one such section, called `main`.'),
			options: [
				{
					name: 'enabled', title: _('Enabled'), widget: 'flag', default: '1', required: false,
					help: _('Whether smartrouter runs at all.')
				},
				{
					name: 'mode', title: _('Mode'), widget: 'choice', default: 'monitor', required: false,
					help: _('What happens when a protected device tries something that it has not learned: `monitor` reports it, `enforce` blocks and reports it.'),
					values: ['monitor', 'enforce']
				},
				{
					name: 'mode_until', title: _('Mode until'), widget: 'value', default: '', required: false,
					help: _('Until when `mode` is on trial: then it is `mode_after` again, unless somebody says that it stays.'),
					pattern: '(?:19[7-9]|[2-9][0-9]{2})[0-9](?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){1,2}Z',
					allowed: _('a moment in UTC such as `2026-12-24T18:00:00Z`')
				},
				{
					name: 'mode_after', title: _('Mode after'), widget: 'choice', default: 'monitor', required: false,
					help: _('The mode after a trial.'),
					values: ['monitor', 'enforce']
				},
				{
					name: 'learning', title: _('Learning'), widget: 'value', default: 'auto', required: false,
					help: _('How long a new device learns, counted in time that it was watched: `auto` until nothing new comes any more, or a fixed time.'),
					pattern: 'auto|(?=.*[1-9])(?=.*[0-9])(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?',
					allowed: _('`auto`, or a time of one second or more, such as `14d`, `36h` or `1h30m`')
				},
				{
					name: 'learning_period', title: _('Learning period'), widget: 'value', default: '14d', required: false,
					help: _('The longest that `auto` may take.'),
					pattern: '(?=.*[1-9])(?=.*[0-9])(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?',
					allowed: _('a time of one second or more, such as `14d`, `36h`, `5m`, `15s` or `1h30m`')
				},
				{
					name: 'analysis_interval', title: _('Analysis interval'), widget: 'value', default: '5m', required: false,
					help: _('How often the analyzer looks at what is new: the use of what was learned, progress, retention.'),
					pattern: '(?=.*[1-9])(?=.*[0-9])(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?',
					allowed: _('a time of one second or more, such as `14d`, `36h`, `5m`, `15s` or `1h30m`')
				},
				{
					name: 'network', title: _('Network'), widget: 'list', default: '', required: false,
					help: _('The OpenWrt networks whose devices are looked after. Without any `network`, `device` or `iot_network` it is `lan`.'),
					pattern: '(?![.\\-])[A-Za-z0-9_.@:\\-]{1,15}',
					allowed: _('a name of at most 15 letters, digits and the signs `_.@:-`')
				},
				{
					name: 'device', title: _('Device'), widget: 'list', default: '', required: false,
					help: _('The same as names of Linux interfaces, such as `br-lan`.'),
					pattern: '(?![.\\-])[A-Za-z0-9_.@:\\-]{1,15}',
					allowed: _('a name of at most 15 letters, digits and the signs `_.@:-`')
				},
				{
					name: 'iot_network', title: _('IoT network'), widget: 'list', default: '', required: false,
					help: _('Networks, or Linux interfaces, on which every device is watched.'),
					pattern: '(?![.\\-])[A-Za-z0-9_.@:\\-]{1,15}',
					allowed: _('a name of at most 15 letters, digits and the signs `_.@:-`')
				},
				{
					name: 'new_devices', title: _('New devices'), widget: 'choice', default: '', required: false,
					help: _('What to do with a device of which nobody can tell whether it is an IoT device: watch and `learn`, `ignore` it, or `isolate` it: all that it tries is blocked until you decide (on an `iot_network` also if it looks like a person\'s: anybody can make a MAC up). Without this option it learns on an `iot_network` and is ignored elsewhere.'),
					values: ['learn', 'ignore', 'isolate']
				},
				{
					name: 'match', title: _('Match'), widget: 'choice', default: 'chain', required: false,
					help: _('What counts as one destination. `host`: the exact name. `domain`: the domain that somebody registered, with all names below it. `chain`: the same, but a name that is only an alias (as those of content networks are) is called by the name that led to it; so a name that moves to another network stays known, and the network\'s other customers do not become known with it.'),
					values: ['chain', 'host', 'domain']
				},
				{
					name: 'name_grace', title: _('Name grace'), widget: 'value', default: '7d', required: false,
					help: _('How long a name still allows a connection after the DNS answer has run out.'),
					pattern: '(?=.*[0-9])(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?',
					allowed: _('a time such as `14d`, `36h`, `5m`, `15s` or `1h30m`')
				},
				{
					name: 'unused_after', title: _('Unused after'), widget: 'value', default: '180d', required: false,
					help: _('A learned destination that was not used for so long, counted in time that the device was watched, is forgotten, with a notice.'),
					pattern: '(?=.*[1-9])(?=.*[0-9])(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?',
					allowed: _('a time of one second or more, such as `14d`, `36h`, `5m`, `15s` or `1h30m`')
				},
				{
					name: 'unnamed_tls', title: _('Unnamed TLS'), widget: 'choice', default: 'block', required: false,
					help: _('Enforce mode, a connection to tcp/443 of an address without a name: `block` it, or let it begin, hold its first data and judge it by the server name in that `hello`: it passes if the device knows the name and the router\'s own lookup of it gives the address.'),
					values: ['block', 'hello']
				},
				{
					name: 'foreign_dns', title: _('Foreign DNS'), widget: 'choice', default: 'block', required: false,
					help: _('Enforce mode, DNS to a server that nobody vouches for: `block` or `allow` it. Its answers name nothing either way.'),
					values: ['block', 'allow']
				},
				{
					name: 'redirect_dns', title: _('Redirect DNS'), widget: 'flag', default: '0', required: false,
					help: _('Whether the router answers the DNS of every watched device, whomever it asks. DNS over TLS (tcp/853) is then refused, so that devices fall back.')
				},
				{
					name: 'resolver', title: _('Resolver'), widget: 'list', default: '', required: false,
					help: _('DNS servers to trust besides the router itself, its own upstreams and the big public ones. One with a private address is a resolver of the household: what it is told through the router counts for every device.'),
					pattern: '[0-9]{1,3}(?:[.][0-9]{1,3}){3}|[0-9a-fA-F.]*:[0-9a-fA-F:.]+',
					allowed: _('an IPv4 or IPv6 address')
				},
				{
					name: 'on_failure', title: _('On failure'), widget: 'choice', default: 'open', required: false,
					help: _('What happens to new connections of watched devices while the guard is dead: `open` lets them pass, `closed` blocks what is not known.'),
					values: ['open', 'closed']
				},
				{
					name: 'block_action', title: _('Block action'), widget: 'choice', default: 'reject', required: false,
					help: _('How a connection is blocked: `reject` answers with a reset or an ICMP message, `drop` says nothing.'),
					values: ['reject', 'drop']
				},
				{
					name: 'pass_mark', title: _('Pass mark'), widget: 'value', default: '0x40000000', required: false,
					help: _('The bit of the packet mark that means: let it pass. No other program may use it.'),
					pattern: '(?=.{3,10}$)0[xX]0*[1248]0*|[1-9][0-9]{0,9}',
					allowed: _('one bit of 32, as in `0x40000000`')
				},
				{
					name: 'block_mark', title: _('Block mark'), widget: 'value', default: '0x80000000', required: false,
					help: _('The bit of the packet mark that means: block it. It must differ from `pass_mark`.'),
					pattern: '(?=.{3,10}$)0[xX]0*[1248]0*|[1-9][0-9]{0,9}',
					allowed: _('one bit of 32, as in `0x40000000`')
				},
				{
					name: 'workers', title: _('Workers'), widget: 'value', default: 'auto', required: false,
					help: _('How many threads judge new connections, each with a kernel queue of its own, by processor core. `auto`: one less than there are cores, at least 1 and at most 4.'),
					pattern: 'auto|[1-9]|1[0-6]',
					allowed: _('`auto`, or a number from 1 to 16')
				},
				{
					name: 'reader', title: _('Reader'), widget: 'choice', default: 'netfilterqueue', required: false,
					help: _('How packets are read: one at a time by the library `netfilterqueue`, or in batches by our own `netlink` reader, which takes less of the processor where very many come at once.'),
					values: ['netfilterqueue', 'netlink']
				},
				{
					name: 'volume', title: _('Volume'), widget: 'flag', default: '1', required: false,
					help: _('Whether what watched devices send and receive is counted, by destination. The kernel\'s counting of bytes (`net.netfilter.nf_conntrack_acct`) is then switched on while smartrouter runs.')
				},
				{
					name: 'database', title: _('Database'), widget: 'value', default: '/var/lib/smartrouter/smartrouter.db', required: false,
					help: _('Where attempts, names, devices and alerts are stored.'),
					pattern: '\\/.*[^\\/]',
					allowed: _('the path of a file, from `/` on')
				},
				{
					name: 'attempts_kept', title: _('Attempts kept'), widget: 'value', default: '48h', required: false,
					help: _('How long single connection attempts are kept; after that, hourly sums per device, destination and service.'),
					pattern: '(?=.*[1-9])(?=.*[0-9])(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?',
					allowed: _('a time of one second or more, such as `14d`, `36h`, `5m`, `15s` or `1h30m`')
				},
				{
					name: 'retention', title: _('Retention'), widget: 'value', default: '90d', required: false,
					help: _('How long sums and alerts are kept.'),
					pattern: '(?=.*[1-9])(?=.*[0-9])(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?',
					allowed: _('a time of one second or more, such as `14d`, `36h`, `5m`, `15s` or `1h30m`')
				},
				{
					name: 'max_size', title: _('Max size'), widget: 'value', default: '512M', required: false,
					help: _('The largest that the database may grow; the oldest goes first. The OpenWrt package sets `16M`.'),
					pattern: '[1-9][0-9]{0,8}[KMG]',
					allowed: _('a size such as `512M`, with K, M or G (1024 each)')
				},
				{
					name: 'snapshot', title: _('Snapshot'), widget: 'value', default: '', required: false,
					help: _('A directory on flash that keeps what is known while the database lies in memory: a copy of the database, taken up at the start where there is none, and what was learned since, kept once a minute when something was. Without this option nothing is kept besides the database. The OpenWrt package sets `/etc/smartrouter`.'),
					pattern: '\\/.*[^\\/]',
					allowed: _('the path of a file, from `/` on')
				},
				{
					name: 'snapshot_interval', title: _('Snapshot interval'), widget: 'value', default: '15m', required: false,
					help: _('How often the database is copied there, at most, while smartrouter runs; it is when it stops, too.'),
					pattern: '(?=.*[1-9])(?=.*[0-9])(?:[0-9]{1,9}d)?(?:[0-9]{1,9}h)?(?:[0-9]{1,9}m)?(?:[0-9]{1,9}s)?',
					allowed: _('a time of one second or more, such as `14d`, `36h`, `5m`, `15s` or `1h30m`')
				},
				{
					name: 'jail', title: _('Jail'), widget: 'flag', default: '0', required: false,
					help: _('OpenWrt: whether all of smartrouter runs in a `ujail` (package `procd-ujail`) that shows it no more of the system than it needs, and leaves it few capabilities. Counts from the next start on.')
				},
				{
					name: 'alert_file', title: _('Alert file'), widget: 'value', default: '/var/lib/smartrouter/alerts.txt', required: false,
					help: _('A text file with one line for each alert. At 1 MB it becomes `….1`, what was that `….2`, and so on to `….3`.'),
					pattern: '\\/.*[^\\/]',
					allowed: _('the path of a file, from `/` on')
				}
			]
		},
		{
			type: 'device', title: _('Devices'),
			help: _('What you say of one device. There may be any number of these sections, one for each device.'),
			options: [
				{
					name: 'mac', title: _('MAC'), widget: 'value', default: '', required: true,
					help: _('Which device.'),
					pattern: '[0-9a-fA-F][02468aceACE](?:[:-][0-9a-fA-F]{2}){5}',
					allowed: _('a device\'s MAC address such as `3c:2e:ff:29:4d:93`')
				},
				{
					name: 'name', title: _('Name'), widget: 'value', default: '', required: false,
					help: _('What you call it.'),
					pattern: '.{0,200}',
					allowed: _('text of up to 200 characters on one line')
				},
				{
					name: 'watch', title: _('Watch'), widget: 'choice', default: 'auto', required: false,
					help: _('Whether it is watched; `auto` goes by what kind of device it seems to be.'),
					values: ['auto', 'always', 'never']
				},
				{
					name: 'mode', title: _('Mode'), widget: 'choice', default: '', required: false,
					help: _('Its own mode; without this option, that of `main`.'),
					values: ['monitor', 'enforce']
				},
				{
					name: 'mute_until', title: _('Mute until'), widget: 'value', default: '', required: false,
					help: _('Until when its alerts are recorded but not sent.'),
					pattern: '(?:19[7-9]|[2-9][0-9]{2})[0-9](?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){1,2}Z',
					allowed: _('a moment in UTC such as `2026-12-24T18:00:00Z`')
				},
				{
					name: 'muted_by', title: _('Muted by'), widget: 'value', default: '', required: false,
					help: _('Who decided that, for your memory.'),
					pattern: '.{0,200}',
					allowed: _('text of up to 200 characters on one line')
				}
			]
		},
		{
			type: 'rule', title: _('Rules'),
			help: _('A decision about one destination. It stands above what was learned, a deny above an allow, and a deny blocks in monitor mode too. There may be any number of these sections; the commands `allow` and `deny` write them.'),
			options: [
				{
					name: 'device', title: _('Device'), widget: 'value', default: '', required: true,
					help: _('Whose connections.'),
					pattern: '[*]|[0-9a-fA-F][02468aceACE](?:[:-][0-9a-fA-F]{2}){5}',
					allowed: _('a device\'s MAC address such as `3c:2e:ff:29:4d:93`, or `*` for every device')
				},
				{
					name: 'destination', title: _('Destination'), widget: 'value', default: '', required: true,
					help: _('Where to. A name also stands for its group under `match`.'),
					pattern: '[*]|(?:[*][.])?[^\\s\\/:*]{1,253}|(?:[0-9]{1,3}(?:[.][0-9]{1,3}){3}|[0-9a-fA-F.]*:[0-9a-fA-F:.]+)(?:\\/[0-9]{1,3})?',
					allowed: _('a name such as `netflix.com`, all names below one as in `*.netflix.com`, an address, a prefix such as `203.0.113.0/24`, or `*` for every destination')
				},
				{
					name: 'service', title: _('Service'), widget: 'value', default: '', required: false,
					help: _('Which service; without this option, any.'),
					pattern: 'web|[a-z0-9][a-z0-9.\\-]*(?:\\/[1-9][0-9]{0,4})?',
					allowed: _('`web` (that is tcp/80, tcp/443 and udp/443), another port such as `tcp/8883` or `udp/123`, or a protocol without ports such as `icmp`')
				},
				{
					name: 'action', title: _('Action'), widget: 'choice', default: '', required: true,
					help: _('What happens to them.'),
					values: ['allow', 'deny']
				},
				{
					name: 'until', title: _('Until'), widget: 'value', default: '', required: false,
					help: _('When the rule ends; without this option, never.'),
					pattern: '(?:19[7-9]|[2-9][0-9]{2})[0-9](?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){1,2}Z',
					allowed: _('a moment in UTC such as `2026-12-24T18:00:00Z`')
				},
				{
					name: 'once', title: _('Once'), widget: 'flag', default: '', required: false,
					help: _('Whether an allow lets one connection through, and ends with it (`allow --once`).')
				},
				{
					name: 'by', title: _('By'), widget: 'value', default: '', required: false,
					help: _('Who decided, for your memory.'),
					pattern: '.{0,200}',
					allowed: _('text of up to 200 characters on one line')
				},
				{
					name: 'at', title: _('At'), widget: 'value', default: '', required: false,
					help: _('When that was.'),
					pattern: '(?:19[7-9]|[2-9][0-9]{2})[0-9](?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){1,2}Z',
					allowed: _('a moment in UTC such as `2026-12-24T18:00:00Z`')
				}
			]
		},
		{
			type: 'notify', title: _('Channels'),
			help: _('Where alerts are sent. There may be any number of these sections, one for each channel.'),
			options: [
				{
					name: 'type', title: _('Type'), widget: 'choice', default: '', required: true,
					help: _('The kind of channel.'),
					values: ['slack', 'webhook', 'ntfy', 'mqtt', 'email', 'syslog', 'apprise']
				},
				{
					name: 'token', title: _('Token'), widget: 'secret', default: '', required: false,
					help: _('The secret that opens the channel, such as `xoxb-…`.'),
					pattern: '[!-~]{1,500}',
					allowed: _('a token: ASCII without spaces')
				},
				{
					name: 'app_token', title: _('App token'), widget: 'secret', default: '', required: false,
					help: _('A second secret, for buttons: `xapp-…`.'),
					pattern: '[!-~]{1,500}',
					allowed: _('a token: ASCII without spaces')
				},
				{
					name: 'channel', title: _('Channel'), widget: 'secret', default: '', required: false,
					help: _('Where in it: `#alerts`, an address, a topic.'),
					pattern: '.{0,1000}',
					allowed: _('text of up to 1000 characters on one line')
				},
				{
					name: 'url', title: _('URL'), widget: 'secret', default: '', required: false,
					help: _('Where the service is, if not at its usual place.'),
					pattern: 'https?:\\/\\/[!-~]{1,190}',
					allowed: _('an address that begins with `https://` or `http://`')
				},
				{
					name: 'name', title: _('Name'), widget: 'value', default: '', required: false,
					help: _('What it is called in `smartrouter notify` and `status`; usually its type. Channels of one type need names, so that each stays the same one when others come or go.'),
					pattern: '[A-Za-z0-9][A-Za-z0-9_.\\-]{0,31}',
					allowed: _('a name of at most 32 letters, digits and the signs `_.-`')
				},
				{
					name: 'min_severity', title: _('Min severity'), widget: 'choice', default: 'warning', required: false,
					help: _('The lowest severity that is sent.'),
					values: ['notice', 'warning', 'critical']
				},
				{
					name: 'per_minute', title: _('Per minute'), widget: 'value', default: '20', required: false,
					help: _('How many messages a minute it gets at most; what is too much waits.'),
					pattern: '[1-9][0-9]?|[1-5][0-9]{2}|600',
					allowed: _('a number from 1 to 600')
				},
				{
					name: 'digest', title: _('Digest'), widget: 'choice', default: 'none', required: false,
					help: _('Whether it also gets, in the morning, what each device did the day before, or in the week that ended.'),
					values: ['none', 'daily', 'weekly', 'both']
				},
				{
					name: 'quiet_from', title: _('Quiet from'), widget: 'value', default: '', required: false,
					help: _('When the quiet hours begin, in local time. What is not critical waits, and is summed up when they end.'),
					pattern: '(?:[01][0-9]|2[0-3]):[0-5][0-9]',
					allowed: _('a time of day such as `22:00`')
				},
				{
					name: 'quiet_to', title: _('Quiet to'), widget: 'value', default: '', required: false,
					help: _('When they end.'),
					pattern: '(?:[01][0-9]|2[0-3]):[0-5][0-9]',
					allowed: _('a time of day such as `22:00`')
				}
			]
		},
		{
			type: 'web', title: _('Web interface of its own'),
			help: _('The web interface. Without this section there is none.'),
			options: [
				{
					name: 'listen', title: _('Listen'), widget: 'value', default: 'lan', required: false,
					help: _('Where it listens; `lan` is port 8081 of every address of the LAN\'s interfaces, but for those where every device is watched. An address that is no interface of the LAN\'s needs an `allow_from`.'),
					pattern: 'lan|.+:[1-9][0-9]{0,4}',
					allowed: _('`lan`, or an address and port such as `192.168.1.1:8081` or `[fd00::1]:8081`')
				},
				{
					name: 'password_hash', title: _('Password hash'), widget: 'secret', default: '', required: false,
					help: _('The hash of the password; `smartrouter web --set-password` writes it.'),
					pattern: 'scrypt[$][!-~]{1,500}',
					allowed: _('a hash that begins with `scrypt$`')
				},
				{
					name: 'tls', title: _('TLS'), widget: 'choice', default: '0', required: false,
					help: _('Whether it speaks HTTPS: `0` no, `self` with a certificate that smartrouter makes, `1` with yours.'),
					values: ['0', 'self', '1']
				},
				{
					name: 'certificate', title: _('Certificate'), widget: 'value', default: '/etc/smartrouter/web.crt', required: false,
					help: _('The certificate (PEM), with what stands between it and its root.'),
					pattern: '\\/.*[^\\/]',
					allowed: _('the path of a file, from `/` on')
				},
				{
					name: 'key', title: _('Key'), widget: 'value', default: '/etc/smartrouter/web.key', required: false,
					help: _('Its private key (PEM, without a password).'),
					pattern: '\\/.*[^\\/]',
					allowed: _('the path of a file, from `/` on')
				},
				{
					name: 'host', title: _('Host'), widget: 'list', default: '', required: false,
					help: _('Names by which it may be called, besides its addresses and the router\'s own names.'),
					pattern: '[A-Za-z0-9](?:[A-Za-z0-9.\\-]{0,252})',
					allowed: _('a host name such as `router.lan`')
				},
				{
					name: 'allow_from', title: _('Allow from'), widget: 'list', default: '', required: false,
					help: _('Networks beyond the LAN, such as that of a VPN, from which it may be used.'),
					pattern: '(?:[0-9]{1,3}(?:[.][0-9]{1,3}){3}|[0-9a-fA-F.]*:[0-9a-fA-F:.]+)(?:\\/[0-9]{1,3})?',
					allowed: _('a network such as `10.8.0.0/24`')
				},
				{
					name: 'url', title: _('URL'), widget: 'value', default: '', required: false,
					help: _('Where messages say that its pages are, if not at the first of `host`, or the LAN address: as `https://router.example:8443` behind a proxy of yours. What that calls it belongs in `host`, too.'),
					pattern: 'https?:\\/\\/[!-~]{1,190}',
					allowed: _('an address that begins with `https://` or `http://`')
				},
				{
					name: 'token', title: _('Token'), widget: 'secret', default: '', required: false,
					help: _('What programs may use it with, as hashes; the page *Account* makes and removes them.'),
					pattern: '[A-Za-z0-9][A-Za-z0-9_.\\-]{0,31}:[a-z]+(?:,[a-z]+){0,3}:[0-9a-f]{64}',
					allowed: _('`name:scopes:hash`; scopes are some of `read`, `decide`, `configure` and `metrics`, with commas between')
				}
			]
		}
	]
});
