# SPDX-License-Identifier: GPL-2.0-or-later
"""What can be asked of the store. Any connection will do; nothing here writes.

Times are seconds since the epoch. `learned` names a device's destinations by name group or address, see
`core.destinations.Destination`. Attempts and alerts have modules of their own.
"""

import sqlite3
from collections import defaultdict
from typing import Any, NamedTuple

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import Kind
from smartrouter.core.events import DeviceSeen
from smartrouter.core.learning import Progress, Seen
from smartrouter.core.learning import State as Stage
from smartrouter.core.uploads import Usual
from smartrouter.store.volumes import load_usual

MAX_NAMES = 8192  # of one device, as many as its address book holds
MAX_NAMES_IN_ALL = 32_768  # about 8 MB of the guard's
MAX_ALIASES_IN_ALL = 16_384  # about 4 MB of it


class Told(NamedTuple):
    """A device was told that `name` has `address`, for `ttl` seconds, at `told_at`."""

    address: str
    name: str
    ttl: int
    told_at: float


class Led(NamedTuple):
    """For a device, `target` is what `head` leads to, by an answer of `seen_at`."""

    target: str
    head: str
    seen_at: float


class Device(NamedTuple):
    """A device as listed. `iot`: None if that cannot be told. `stage`: of learning. `attempts`, `blocked`:
    over all time. `learned`: destinations. `open_alerts`: alerts that nobody has decided about. `present`: it
    is there now; `called`: the name that it announces; `probably`: the MAC that it seems to have had before,
    '' if none; `became`: the one that it has now, by the user's word."""

    mac: str
    hostname: str
    maker: str
    iot: bool | None
    confidence: float
    reasons: tuple[str, ...]
    interface: str
    on_iot_network: bool
    addresses: tuple[str, ...]  # latest first
    first_seen: float
    last_seen: float
    stage: str
    attempts: int
    blocked: int
    learned: int
    open_alerts: int
    present: bool
    port: str
    called: str
    iot_since: float | None
    probably: str
    probably_reasons: tuple[str, ...]
    became: str


class State(NamedTuple):
    """What a guard takes up where the one before it ended, by MAC. `progress` has every device of
    `learned`. `names`, `aliases`: the newest ones, in the order in which they were told (as `Judge.restore`
    takes them). `devices`: those that discovery has found. `usual`: what each sends in an hour."""

    learned: dict[str, dict[Destination, Seen]]
    progress: dict[str, Progress]
    names: dict[str, list[Told]]
    aliases: dict[str, list[Led]]
    devices: list[DeviceSeen]
    usual: dict[str, dict[Destination, Usual]]


class Learned(NamedTuple):
    """A destination that a device is known to need; `last_used` is not kept to the minute."""

    destination: Destination
    seen: Seen
    learned_at: float
    last_used: float


class Household(NamedTuple):
    """What hides from us in this household, by open alerts: MAC -> what is known of it. `nameless`: devices
    that connect, but ask for no names in the router's sight; `repeaters`: MACs with several devices behind
    them."""

    nameless: dict[str, str]
    repeaters: dict[str, str]


class Totals(NamedTuple):
    """For `status`. `stages`: devices by stage of learning. `attempts`, `blocked`: over all time; `kept`:
    single attempts in the store, `oldest` and `newest` of which are times (None: none). `bytes`: the
    database's size."""

    devices: int
    stages: dict[str, int]
    attempts: int
    blocked: int
    kept: int
    oldest: float | None
    newest: float | None
    learned: int
    names: int
    open_alerts: int
    bytes: int


# -- for the guard ---------------------------------------------------------------------------------------


def load_state(conn: sqlite3.Connection) -> State:
    """All that the guard needs to go on where it ended. Equal texts are one object: devices of one maker know
    the same names."""
    macs: dict[int, str] = dict(conn.execute("SELECT id, mac FROM devices"))
    texts: dict[str, str] = {}
    same = texts.setdefault  # not `sys.intern`, whose table would be larger for good
    learned: defaultdict[str, dict[Destination, Seen]] = defaultdict(dict)
    for device, name, service, *seen in conn.execute(
        "SELECT device, name, service, units, last_unit, used FROM learned"
    ):
        learned[macs[device]][Destination(same(name, name), same(service, service))] = Seen(*seen)
    names: defaultdict[str, list[Told]] = defaultdict(list)
    for device, address, name, ttl, told_at in conn.execute(
        "SELECT device, address, name, ttl, told_at FROM names ORDER BY told_at DESC, id DESC LIMIT ?",
        (MAX_NAMES_IN_ALL,),
    ):
        newest_first = names[macs[device]]
        if len(newest_first) < MAX_NAMES:
            newest_first.append(Told(same(address, address), same(name, name), ttl, told_at))
    for newest_first in names.values():
        newest_first.reverse()
    aliases: defaultdict[str, list[Led]] = defaultdict(list)
    for device, target, head, seen_at in conn.execute(
        """SELECT * FROM (SELECT device, target, head, seen_at FROM aliases
            ORDER BY seen_at DESC, id DESC LIMIT ?) ORDER BY seen_at""",
        (MAX_ALIASES_IN_ALL,),
    ):
        aliases[macs[device]].append(Led(same(target, target), same(head, head), seen_at))
    progress = {mac: Progress() for mac in learned} | _progress(conn, macs)
    rows = conn.execute("SELECT mac, iot, on_iot_network, hostname, maker FROM devices WHERE discovered")
    devices = [
        DeviceSeen(mac, None if iot is None else bool(iot), bool(on_iot_network), hostname, maker)
        for mac, iot, on_iot_network, hostname, maker in rows
    ]
    return State(dict(learned), progress, dict(names), dict(aliases), devices, load_usual(conn))


def progress(conn: sqlite3.Connection) -> dict[str, Progress]:
    """How each device's learning stands, by MAC."""
    return _progress(conn, dict(conn.execute("SELECT id, mac FROM devices")))


def _progress(conn: sqlite3.Connection, macs: dict[int, str]) -> dict[str, Progress]:
    found: dict[str, Progress] = {}
    for device, stage, *rest in conn.execute(
        """SELECT device, state, observed, attempts, units, unit, unit_is_quiet, quiet, first_quiet_day,
            last_quiet_day, settled, new_since_second, new_logs FROM progress"""
    ):
        kept = Progress(Stage(stage), *rest)
        found[macs[device]] = kept._replace(
            unit_is_quiet=bool(kept.unit_is_quiet), settled=bool(kept.settled)
        )
    return found


# -- devices ---------------------------------------------------------------------------------------------

_DEVICES = """
    SELECT d.id, d.mac, d.hostname, d.maker, d.iot, d.confidence, d.reasons, d.interface, d.on_iot_network,
        d.first_seen, max(d.last_seen, coalesce(a.last_at, 0)), coalesce(p.state, 'new'),
        coalesce(a.attempts, 0), coalesce(a.blocked, 0),
        (SELECT count(*) FROM learned WHERE device = d.id),
        (SELECT count(*) FROM alerts WHERE device = d.id AND state = 'open'),
        d.present, d.port, d.called, d.iot_since, d.probably, d.probably_reasons, d.became
    FROM devices d LEFT JOIN activity a ON a.device = d.id LEFT JOIN progress p ON p.device = d.id"""


def devices(conn: sqlite3.Connection) -> list[Device]:
    """Every device, by MAC. (The row that alerts about the router itself belong to is none.)"""
    addresses: defaultdict[int, list[str]] = defaultdict(list)
    for device, address in conn.execute("SELECT device, address FROM addresses ORDER BY last_seen DESC, id"):
        addresses[device].append(address)
    rows = conn.execute(f"{_DEVICES} WHERE d.mac != '' ORDER BY d.mac")
    return [_device(row, addresses.get(row[0], [])) for row in rows]


def device(conn: sqlite3.Connection, mac: str) -> Device | None:
    """The device with this MAC."""
    row = conn.execute(f"{_DEVICES} WHERE d.mac = ?", (mac,)).fetchone()
    if row is None:
        return None
    addresses = conn.execute(
        "SELECT address FROM addresses WHERE device = ? ORDER BY last_seen DESC, id", (row[0],)
    )
    return _device(row, [address for (address,) in addresses])


def _device(row: tuple[Any, ...], addresses: list[str]) -> Device:
    (
        _, mac, hostname, maker, iot, confidence, reasons, interface, on_iot_network,
        first_seen, last_seen, stage, attempts, blocked, learned, open_alerts,
        present, port, called, iot_since, probably, probably_reasons, became,
    ) = row  # fmt: skip
    return Device(
        mac, hostname, maker, None if iot is None else bool(iot), confidence, tuple(reasons.splitlines()),
        interface, bool(on_iot_network), tuple(addresses), first_seen, last_seen, stage, attempts, blocked,
        learned, open_alerts, bool(present), port, called, iot_since, probably,
        tuple(probably_reasons.splitlines()), became,
    )  # fmt: skip


def names_of(conn: sqlite3.Connection, mac: str) -> tuple[str, str, str]:
    """What a device announces as its name, its host name, and its maker; '' where that is not known."""
    found = conn.execute("SELECT called, hostname, maker FROM devices WHERE mac = ?", (mac,)).fetchone()
    called, hostname, maker = found or ("", "", "")
    return called, hostname, maker


def portraits(conn: sqlite3.Connection) -> dict[str, str]:
    """What devices have shown of themselves (`changes.keep_portraits`), by MAC."""
    return dict(conn.execute("SELECT d.mac, p.portrait FROM portraits p JOIN devices d ON d.id = p.device"))


def learned_names(conn: sqlite3.Connection) -> dict[str, frozenset[str]]:
    """The name groups that each device was seen to need, by MAC."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for mac, name in conn.execute("SELECT d.mac, l.name FROM learned l JOIN devices d ON d.id = l.device"):
        found[mac].add(name)
    return {mac: frozenset(names) for mac, names in found.items()}


def learned(conn: sqlite3.Connection, mac: str) -> list[Learned]:
    """The destinations of a device, the latest used first."""
    rows = conn.execute(
        """SELECT name, service, units, last_unit, used, learned_at, last_used FROM learned
            WHERE device = (SELECT id FROM devices WHERE mac = ?) ORDER BY last_used DESC, name, service""",
        (mac,),
    )
    return [Learned(Destination(*row[:2]), Seen(*row[2:5]), *row[5:]) for row in rows]


def heads_of(conn: sqlite3.Connection, mac: str, target: str) -> list[str]:
    """The names that led the device to `target`, the latest first."""
    rows = conn.execute(
        """SELECT head FROM aliases WHERE device = (SELECT id FROM devices WHERE mac = ?) AND target = ?
            ORDER BY seen_at DESC""",
        (mac, target),
    )
    return [head for (head,) in rows]


# -- the whole -------------------------------------------------------------------------------------------


def stages(conn: sqlite3.Connection) -> dict[str, int]:
    """How many devices there are in each stage of learning."""
    return dict(
        conn.execute(
            """SELECT coalesce(p.state, 'new'), count(*)
                FROM devices d LEFT JOIN progress p ON p.device = d.id WHERE d.mac != '' GROUP BY 1"""
        )
    )


def totals(conn: sqlite3.Connection) -> Totals:
    """The store at a glance."""
    by_stage = stages(conn)
    attempts, blocked = conn.execute(
        "SELECT coalesce(sum(attempts), 0), coalesce(sum(blocked), 0) FROM activity"
    ).fetchone()
    first, oldest = conn.execute("SELECT id, at FROM tries ORDER BY id LIMIT 1").fetchone() or (1, None)
    last, newest = conn.execute("SELECT id, at FROM tries ORDER BY id DESC LIMIT 1").fetchone() or (
        0,
        None,
    )
    learned, names, open_alerts = conn.execute(
        """SELECT (SELECT count(*) FROM learned), (SELECT count(*) FROM names),
            (SELECT count(*) FROM alerts WHERE state = 'open')"""
    ).fetchone()
    pages = conn.execute("PRAGMA page_count").fetchone()[0]
    size = pages * conn.execute("PRAGMA page_size").fetchone()[0]
    return Totals(
        sum(by_stage.values()), by_stage, attempts, blocked, last - first + 1, oldest, newest, learned, names,
        open_alerts, size,
    )  # fmt: skip


def household(conn: sqlite3.Connection) -> Household:
    """Which devices the network hides something of."""
    found: dict[str, dict[str, str]] = {Kind.HIDDEN_RESOLVER: {}, Kind.REPEATER: {}}
    for kind, mac, detail in conn.execute(
        """SELECT kind, mac, detail FROM alerts a JOIN devices d ON d.id = a.device
            WHERE state = 'open' AND kind IN (?, ?) ORDER BY mac""",
        tuple(found),
    ):
        found[kind][mac] = detail
    return Household(found[Kind.HIDDEN_RESOLVER], found[Kind.REPEATER])


def meta(conn: sqlite3.Connection, key: str) -> str | None:
    """A note that was kept under `key` (`changes.set_meta`)."""
    found = conn.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None
