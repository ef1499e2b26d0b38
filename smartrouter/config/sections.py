# SPDX-License-Identifier: GPL-2.0-or-later
"""Which sections and options the configuration has: the one table that reading, checking, writing and the
reference in docs/uci.md go by. Values only; knows neither files nor what is done with them.
"""

from collections.abc import Mapping

from smartrouter.config import options as kinds
from smartrouter.config.options import Section, members, option, words
from smartrouter.core.destinations import Match
from smartrouter.core.effects import Severity
from smartrouter.core.policy import Action, Mode, NewDevices, Watching


class MainConfig(Section):
    """The product as a whole. There is one such section, called `main`."""

    enabled: bool = option(kinds.BOOLEAN, "1", "Whether smartrouter runs at all.")
    mode: Mode = option(
        members(Mode),
        "monitor",
        "What happens when a protected device tries something that it has not learned: `monitor` reports it, "
        "`enforce` blocks and reports it.",
    )
    mode_until: float | None = option(
        kinds.TIME,
        "",
        "Until when `mode` is on trial: then it is `mode_after` again, unless somebody says that it stays.",
    )
    mode_after: Mode = option(members(Mode), "monitor", "The mode after a trial.")
    learning: float | None = option(
        kinds.LEARNING,
        "auto",
        "How long a new device learns, counted in time that it was watched: `auto` until nothing new comes "
        "any more, or a fixed time.",
    )
    learning_period: float = option(kinds.INTERVAL, "14d", "The longest that `auto` may take.")
    analysis_interval: float = option(
        kinds.INTERVAL,
        "5m",
        "How often the analyzer looks at what is new: the use of what was learned, progress, retention.",
    )
    network: tuple[str, ...] = option(
        kinds.NETWORK,
        "",
        "The OpenWrt networks whose devices are looked after. Without any `network`, `device` or "
        "`iot_network` it is `lan`.",
        many=True,
    )
    device: tuple[str, ...] = option(
        kinds.NETWORK, "", "The same as names of Linux interfaces, such as `br-lan`.", many=True
    )
    iot_network: tuple[str, ...] = option(
        kinds.NETWORK, "", "Networks, or Linux interfaces, on which every device is watched.", many=True
    )
    new_devices: NewDevices = option(
        members(NewDevices, NewDevices.DEFAULT),
        "",
        "What to do with a device of which nobody can tell whether it is an IoT device: watch and `learn`, "
        "`ignore` it, or `isolate` it: all that it tries is blocked until you decide (on an `iot_network` "
        "also if it looks like a person's: anybody can make a MAC up). Without this option it learns on an "
        "`iot_network` and is ignored elsewhere.",
    )
    match: Match = option(
        members(Match),
        "chain",
        "What counts as one destination. `host`: the exact name. `domain`: the domain that somebody "
        "registered, with all names below it. `chain`: the same, but a name that is only an alias (as those "
        "of content networks are) is called by the name that led to it; so a name that moves to another "
        "network stays known, and the network's other customers do not become known with it.",
    )
    name_grace: float = option(
        kinds.DURATION, "7d", "How long a name still allows a connection after the DNS answer has run out."
    )
    unused_after: float = option(
        kinds.INTERVAL,
        "180d",
        "A learned destination that was not used for so long, counted in time that the device was watched, "
        "is forgotten, with a notice.",
    )
    unnamed_tls: str = option(
        words("block", "hello"),
        "block",
        "Enforce mode, a connection to tcp/443 of an address without a name: `block` it, or let it begin, "
        "hold its first data and judge it by the server name in that `hello`: it passes if the device knows "
        "the name and the router's own lookup of it gives the address.",
    )
    foreign_dns: str = option(
        words("block", "allow"),
        "block",
        "Enforce mode, DNS to a server that nobody vouches for: `block` or `allow` it. Its answers name "
        "nothing either way.",
    )
    redirect_dns: bool = option(
        kinds.BOOLEAN,
        "0",
        "Whether the router answers the DNS of every watched device, whomever it asks. DNS over TLS "
        "(tcp/853) is then refused, so that devices fall back.",
    )
    resolver: tuple[str, ...] = option(
        kinds.ADDRESS,
        "",
        "DNS servers to trust besides the router itself, its own upstreams and the big public ones. One "
        "with a private address is a resolver of the household: what it is told through the router counts "
        "for every device.",
        many=True,
    )
    on_failure: str = option(
        words("open", "closed"),
        "open",
        "What happens to new connections of watched devices while the guard is dead: `open` lets them pass, "
        "`closed` blocks what is not known.",
    )
    block_action: str = option(
        words("reject", "drop"),
        "reject",
        "How a connection is blocked: `reject` answers with a reset or an ICMP message, `drop` says nothing.",
    )
    pass_mark: int = option(
        kinds.MARK,
        "0x40000000",
        "The bit of the packet mark that means: let it pass. No other program may use it.",
    )
    block_mark: int = option(
        kinds.MARK,
        "0x80000000",
        "The bit of the packet mark that means: block it. It must differ from `pass_mark`.",
    )
    workers: int = option(
        kinds.WORKERS,
        "auto",
        "How many threads judge new connections, each with a kernel queue of its own, by processor core. "
        "`auto`: one less than there are cores, at least 1 and at most 4.",
    )
    reader: str = option(
        words("netfilterqueue", "netlink"),
        "netfilterqueue",
        "How packets are read: one at a time by the library `netfilterqueue`, or in batches by our own "
        "`netlink` reader, which takes less of the processor where very many come at once.",
    )
    volume: bool = option(
        kinds.BOOLEAN,
        "1",
        "Whether what watched devices send and receive is counted, by destination. The kernel's counting of "
        "bytes (`net.netfilter.nf_conntrack_acct`) is then switched on while smartrouter runs.",
    )
    database: str = option(
        kinds.PATH,
        "/var/lib/smartrouter/smartrouter.db",
        "Where attempts, names, devices and alerts are stored.",
    )
    attempts_kept: float = option(
        kinds.INTERVAL,
        "48h",
        "How long single connection attempts are kept; after that, hourly sums per device, destination and "
        "service.",
    )
    retention: float = option(kinds.INTERVAL, "90d", "How long sums and alerts are kept.")
    max_size: int = option(
        kinds.SIZE,
        "512M",
        "The largest that the database may grow; the oldest goes first. The OpenWrt package sets `16M`.",
    )
    snapshot: str | None = option(
        kinds.PATH,
        "",
        "A directory on flash that keeps what is known while the database lies in memory: a copy of the "
        "database, taken up at the start where there is none, and what was learned since, kept once a minute "
        "when something was. Without this option nothing is kept besides the database. The OpenWrt package "
        "sets `/etc/smartrouter`.",
    )
    snapshot_interval: float = option(
        kinds.INTERVAL,
        "15m",
        "How often the database is copied there, at most, while smartrouter runs; it is when it stops, too.",
    )
    jail: bool = option(
        kinds.BOOLEAN,
        "0",
        "OpenWrt: whether all of smartrouter runs in a `ujail` (package `procd-ujail`) that shows it no "
        "more of the system than it needs, and leaves it few capabilities. Counts from the next start on.",
    )
    alert_file: str = option(
        kinds.PATH,
        "/var/lib/smartrouter/alerts.txt",
        "A text file with one line for each alert. At 1 MB it becomes `….1`, what was that `….2`, and so on "
        "to `….3`.",
    )


class DeviceConfig(Section):
    """What you say of one device. There may be any number of these sections, one for each device."""

    mac: str = option(kinds.MAC, None, "Which device.")
    name: str = option(kinds.TEXT, "", "What you call it.")
    watch: Watching = option(
        members(Watching), "auto", "Whether it is watched; `auto` goes by what kind of device it seems to be."
    )
    mode: Mode | None = option(members(Mode), "", "Its own mode; without this option, that of `main`.")
    mute_until: float | None = option(kinds.TIME, "", "Until when its alerts are recorded but not sent.")
    muted_by: str = option(kinds.TEXT, "", "Who decided that, for your memory.")


class RuleConfig(Section):
    """A decision about one destination. It stands above what was learned, a deny above an allow, and a deny
    blocks in monitor mode too. There may be any number of these sections; the commands `allow` and `deny`
    write them."""

    device: str = option(kinds.MAC_OR_ANY, None, "Whose connections.")
    destination: str = option(
        kinds.DESTINATION, None, "Where to. A name also stands for its group under `match`."
    )
    service: str = option(kinds.SERVICE, "", "Which service; without this option, any.")
    action: Action = option(members(Action), None, "What happens to them.")
    until: float | None = option(kinds.TIME, "", "When the rule ends; without this option, never.")
    once: bool = option(
        kinds.FLAG, "", "Whether an allow lets one connection through, and ends with it (`allow --once`)."
    )
    by: str = option(kinds.TEXT, "", "Who decided, for your memory.")
    at: float | None = option(kinds.TIME, "", "When that was.")


class NotifyConfig(Section):
    """Where alerts are sent. There may be any number of these sections, one for each channel."""

    type: str = option(
        words("slack", "webhook", "ntfy", "mqtt", "email", "syslog", "apprise"), None, "The kind of channel."
    )
    token: str = option(kinds.TOKEN, "", "The secret that opens the channel, such as `xoxb-…`.", secret=True)
    app_token: str = option(kinds.TOKEN, "", "A second secret, for buttons: `xapp-…`.", secret=True)
    # An address may carry a password (https://user:password@…), so it is as secret as a token.
    channel: str = option(kinds.PLACE, "", "Where in it: `#alerts`, an address, a topic.", secret=True)
    url: str = option(kinds.URL, "", "Where the service is, if not at its usual place.", secret=True)
    name: str = option(
        kinds.LABEL,
        "",
        "What it is called in `smartrouter notify` and `status`; usually its type. Channels of one type need "
        "names, so that each stays the same one when others come or go.",
    )
    min_severity: Severity = option(members(Severity), "warning", "The lowest severity that is sent.")
    per_minute: int = option(
        kinds.RATE, "20", "How many messages a minute it gets at most; what is too much waits."
    )
    digest: str = option(
        words("none", "daily", "weekly", "both"),
        "none",
        "Whether it also gets, in the morning, what each device did the day before, or in the week that "
        "ended.",
    )
    quiet_from: str = option(
        kinds.CLOCK,
        "",
        "When the quiet hours begin, in local time. What is not critical waits, and is summed up when they "
        "end.",
    )
    quiet_to: str = option(kinds.CLOCK, "", "When they end.")


class WebConfig(Section):
    """The web interface. Without this section there is none."""

    listen: str = option(
        kinds.LISTEN,
        "lan",
        "Where it listens; `lan` is port 8081 of every address of the LAN's interfaces, but for those where "
        "every device is watched. An address that is no interface of the LAN's needs an `allow_from`.",
    )
    password_hash: str = option(
        kinds.HASH,
        "",
        "The hash of the password; `smartrouter web --set-password` writes it.",
        secret=True,
    )
    tls: str = option(
        words("0", "self", "1"),
        "0",
        "Whether it speaks HTTPS: `0` no, `self` with a certificate that smartrouter makes, `1` with yours.",
    )
    certificate: str = option(
        kinds.PATH,
        "/etc/smartrouter/web.crt",
        "The certificate (PEM), with what stands between it and its root.",
    )
    key: str = option(kinds.PATH, "/etc/smartrouter/web.key", "Its private key (PEM, without a password).")
    host: tuple[str, ...] = option(
        kinds.HOST,
        "",
        "Names by which it may be called, besides its addresses and the router's own names.",
        many=True,
    )
    allow_from: tuple[str, ...] = option(
        kinds.PREFIX,
        "",
        "Networks beyond the LAN, such as that of a VPN, from which it may be used.",
        many=True,
    )
    url: str = option(
        kinds.URL,
        "",
        "Where messages say that its pages are, if not at the first of `host`, or the LAN address: as "
        "`https://router.example:8443` behind a proxy of yours. What that calls it belongs in `host`, too.",
    )
    token: tuple[str, ...] = option(
        kinds.WEB_TOKEN,
        "",
        "What programs may use it with, as hashes; the page *Account* makes and removes them.",
        many=True,
        secret=True,
    )


SECTIONS: Mapping[str, type[Section]] = {
    "smartrouter": MainConfig,
    "device": DeviceConfig,
    "rule": RuleConfig,
    "notify": NotifyConfig,
    "web": WebConfig,
}
