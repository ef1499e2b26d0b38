# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter devices` and `smartrouter device`: what there is, and one in full.

Shows what the store and the configuration say; decides nothing. The keys under --json are documented in
`DEVICE` and `DETAILS`, and stay.
"""

import json
import sqlite3
import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from smartrouter.cli import forecast, volume
from smartrouter.cli.alerts import alert_json
from smartrouter.cli.known import EVERY_DEVICE, Known, UnknownDevice
from smartrouter.config import RuleConfig
from smartrouter.core.classification.evidence import Classification
from smartrouter.core.classification.makers import short
from smartrouter.core.learning import Progress, State
from smartrouter.core.novelty import Prior
from smartrouter.core.policy import Action
from smartrouter.store import queries
from smartrouter.store.alerts import AlertState, alerts
from smartrouter.store.attempts import StoredAttempt, attempts_of
from smartrouter.terminal import Cell, Column, Elide, Screen, Style, ago, duration, when

DEVICE = {
    "mac": "its MAC address",
    "name": "the name that you gave it; empty if none",
    "label": "what to call it: your name for it, the one that it announces, its host name, or its maker's",
    "hostname": "the name that it gave itself; empty if none",
    "maker": "the organisation that its MAC was given to; empty if nobody's",
    "class": "what kind of device it seems to be: `iot`, `not-iot` or `unknown`",
    "iot": "the same as true, false or null",
    "confidence": "how sure that is, from 0 to 1",
    "reasons": "what speaks for it, in words",
    "interface": "the interface that it was seen on last",
    "port": "the port of that bridge that it is behind; empty if it is no bridge, or that is not known",
    "on_iot_network": "whether that is an `iot_network`",
    "present": "whether it is there now",
    "probably": "the device that it probably was under another MAC: `mac`, `label`, `reasons`; null if none. "
    "`smartrouter same` has it take that one's place",
    "watched": "whether smartrouter looks after it",
    "state": "of learning: `new`, `learning` or `protected`",
    "mode": "`monitor` or `enforce`",
    "addresses": "its addresses, the latest first",
    "first_seen": "epoch seconds",
    "last_seen": "epoch seconds",
    "attempts": "connection attempts over all time",
    "blocked": "how many of them were blocked",
    "learned": "how many destinations it has learned",
    "open_alerts": "alerts that nobody has decided about",
    "settled": "whether learning ended by its rule or by your word, not because its time was up; null until "
    "then",
    "learning": f"when its learning will end: {forecast.described(forecast.LEARNING)}; null unless it learns",
    "novelty": "what is still to come of it, within a `day` and a `week`: "
    f"{forecast.described(forecast.NOVELTY)}; null unless it is protected",
    "volume": f"what it sent and received: {volume.described(volume.VOLUME)}",
}
DETAILS = DEVICE | {
    "progress": "of learning: `observed` seconds, `attempts`, `units` (hours with an attempt), `quiet` (of "
    "these, since the last new destination), `settled`; null before the first attempt",
    "destinations": "what it has learned: `name` (or address), `service`, `units` it was used in, `learned` "
    "and `last_used` in epoch seconds",
    "volume": f"what it sent and received: {volume.described(volume.DETAILS)}",
    "rules": "your rules about it: `action`, `device` (`*`: all), `destination`, `service` (empty: any), "
    "`until` (epoch seconds, or null), `once` (it ends with one connection), `by`, `at` (epoch seconds, or "
    "null)",
    "mute_until": "epoch seconds until which nothing of it is sent, or null",
    "muted_by": "who wanted that; empty if nobody is known",
    "latest": "its latest attempts, newest first: `at`, `name`, `address`, `port`, `protocol`, `service`, "
    "`scope`, `evidence`, `accepted`, `reason`",
    "alerts": "its open alerts, as `smartrouter alerts --json` gives them",
}
_LATEST = 10  # attempts that are shown
_KINDS = {True: "IoT", False: "not IoT", None: "unknown"}
_STATES = {State.PROTECTED: Style.GOOD, State.LEARNING: Style.WARNING}


def devices(arguments: Namespace) -> int:
    """`smartrouter devices`."""
    known = Known(arguments)
    with known.store() as conn:
        progress = queries.progress(conn)
        prior = forecast.prior_of(progress)
        found = known.found()
        listed = [device_json(known, conn, each, progress.get(each.mac), prior) for each in found]
        volumes = volume.of_all(conn, time.time())
    listed = [each | {"volume": volumes(each["mac"])} for each in listed]
    listed.sort(key=lambda d: (not d["watched"], d["label"].lower(), d["mac"]))
    listed = listed[arguments.skip :][: arguments.limit]
    if arguments.json:
        print(json.dumps(listed, indent=2))
        return 0
    _show_devices(Screen(sys.stdout), listed)
    return 0


def device(arguments: Namespace) -> int:
    """`smartrouter device DEVICE`."""
    known = Known(arguments)
    mac = known.mac_of(arguments.device)
    with known.store() as conn:
        found = queries.device(conn, mac)
        if found is None:
            raise UnknownDevice(f"no device {mac} was ever seen; `smartrouter devices` lists them all")
        all_progress = queries.progress(conn)
        progress, prior = all_progress.get(mac), forecast.prior_of(all_progress)
        details = device_json(known, conn, found, progress, prior) | _details(known, conn, mac, progress)
        details |= {"volume": volume.of_one(conn, mac, time.time())}
    details = {key: details[key] for key in DETAILS}
    if arguments.json:
        print(json.dumps(details, indent=2))
    else:
        _show_device(Screen(sys.stdout), known, details)
    return 0


def device_json(
    known: Known,
    conn: sqlite3.Connection,
    found: queries.Device,
    progress: Progress | None,
    prior: Prior,
) -> dict[str, Any]:
    """A device under the keys of `DEVICE`, but for `volume`. `prior`: what to expect of any device
    of this household."""
    values = found._asdict()
    once = 0
    if found.stage == State.LEARNING:
        once = sum(learned.seen.units == 1 for learned in queries.learned(conn, found.mac))
    values["learning"] = forecast.learning(progress, once, known.settings.learning, time.time(), prior)
    values["settled"] = progress.settled if progress and found.stage == State.PROTECTED else None
    values["novelty"] = forecast.novelty(progress, prior)
    watched, mode = known.standing(found)
    values["class"] = Classification(found.iot, found.confidence, ()).word
    values["label"] = known.name_of(found)
    if found.probably:
        values["probably"] = {
            "mac": found.probably,
            "label": known.label(found.probably),
            "reasons": found.probably_reasons,
        }
    else:
        values["probably"] = None
    values |= {"name": known.given_name(found.mac), "watched": watched, "mode": mode, "state": found.stage}
    return {key: values[key] for key in DEVICE if key in values}


def _details(known: Known, conn: sqlite3.Connection, mac: str, progress: Progress | None) -> dict[str, Any]:
    return {
        "progress": None if progress is None else _progress_json(progress),
        "destinations": [
            {
                "name": learned.destination.name,
                "service": learned.destination.service,
                "units": learned.seen.units,
                "learned": learned.learned_at,
                "last_used": learned.last_used,
            }
            for learned in queries.learned(conn, mac)
        ],
        "rules": [_rule_json(rule) for rule in known.config.rules if rule.device in (mac, EVERY_DEVICE)],
        **_mute_json(known, mac),
        "latest": [_attempt_json(attempt) for attempt in attempts_of(conn, mac, _LATEST)],
        "alerts": [alert_json(known, found) for found in alerts(conn, state=AlertState.OPEN, mac=mac)],
    }


def _progress_json(progress: Progress) -> dict[str, Any]:
    shown = ("observed", "attempts", "units", "quiet", "settled")
    return {key: value for key, value in progress._asdict().items() if key in shown}


def _rule_json(rule: RuleConfig) -> dict[str, Any]:
    return dict(vars(rule))


def _mute_json(known: Known, mac: str) -> dict[str, Any]:
    told = next((each for each in known.config.devices if each.mac == mac), None)
    if told is None or told.mute_until is None or told.mute_until <= time.time():
        return {"mute_until": None, "muted_by": ""}
    return {"mute_until": told.mute_until, "muted_by": told.muted_by}


def _attempt_json(attempt: StoredAttempt) -> dict[str, Any]:
    left_out = ("id", "mac", "source", "source_port")
    return {key: value for key, value in attempt._asdict().items() if key not in left_out}


# -- on a terminal -----------------------------------------------------------------------------------------

_DESTINATION = Column("DESTINATION", least=20, elide=Elide.START)
_SERVICE = Column("SERVICE", least=8)
_DESTINATIONS = (_DESTINATION, _SERVICE, Column("HOURS", right=True, rank=1), Column("USED", rank=2))
_RULES = (
    Column("RULE"), _DESTINATION, _SERVICE, Column("UNTIL", rank=2), Column("BY", least=6, rank=1),
)  # fmt: skip
_LATEST_COLUMNS = (
    Column("WHEN", rank=2), _DESTINATION, _SERVICE, Column("VERDICT"), Column("REASON", least=8, rank=1),
)  # fmt: skip
_DEVICES = (
    Column("NAME", least=14),
    Column("MAC"),
    Column("STATE"),
    Column("MODE", rank=2),
    Column("KIND", rank=5),
    Column("NEEDS", right=True, rank=4),
    Column("ADDRESS", rank=1),
    Column("SEEN", rank=6),
    Column("ALERTS", right=True),
    Column("OUTLOOK", least=21, rank=7),
    Column("MAKER", least=8, rank=3),
)


def _show_devices(screen: Screen, listed: list[dict[str, Any]]) -> None:
    if not listed:
        screen.line("No device was seen yet.")
        return
    now = time.time()
    rows: list[list[str | Cell]] = []
    for found in listed:
        waiting = found["open_alerts"]
        rows.append(
            [
                found["label"],
                found["mac"],
                _state_cell(found),
                found["mode"] if found["watched"] else "-",
                _kind_cell(found),
                str(found["learned"]) if found["watched"] else "-",
                _main_address(found["addresses"]),
                "now" if found["present"] else ago(found["last_seen"], now),
                Cell(str(waiting), Style.WARNING if waiting else Style.FAINT),
                _outlook(found, now),
                short(found["maker"]) or "-",
            ]
        )
    screen.table(_DEVICES, rows)
    for found in listed:
        if found["probably"]:
            screen.line("")
            screen.line(
                Cell(_probably_text(found), Style.WARNING), f" If so: `smartrouter same {found['mac']}`."
            )


def _kind_cell(found: Mapping[str, Any]) -> Cell:
    sure = f" {found['confidence']:.0%}" if found["iot"] is not None else ""
    return Cell(_KINDS[found["iot"]] + sure, Style.WARNING if found["iot"] is None else Style.PLAIN)


def _probably_text(found: Mapping[str, Any]) -> str:
    before = found["probably"]
    return f"{found['label']} is probably {before['label']} ({', '.join(before['reasons'])})."


def _main_address(addresses: list[str]) -> str:
    """The one that a person knows the device by: IPv4 where it has one, link-local ones last."""
    return min(addresses, key=lambda address: (":" in address, address.startswith("fe80:")), default="-")


def _state_cell(found: Mapping[str, Any]) -> Cell:
    if not found["watched"]:
        return Cell("not watched", Style.FAINT)
    share = f" {found['learning']['share']:.0%}" if found["learning"] else ""
    return Cell(found["state"] + share, _STATES.get(found["state"], Style.PLAIN))


def _outlook(found: Mapping[str, Any], now: float) -> str:
    """What is to be expected of it, in few words."""
    if not found["watched"]:
        return "-"
    if found["learning"]:
        return f"ends {forecast.about(found['learning'], now)}"
    if found["novelty"]:
        day = found["novelty"]["day"]
        news = f"{forecast.number(day['expected'], '<')} new a day"
        return f"{news} ({day['low']}-{day['high']})" if found["settled"] else f"not settled, {news}"
    return "-"


def _show_device(screen: Screen, known: Known, found: dict[str, Any]) -> None:
    now = time.time()
    screen.line(Cell(known.label(found["mac"]), Style.STRONG), f"  {found['mac']}")
    kind = _KINDS[found["iot"]] + (f", {found['confidence']:.0%} sure" if found["iot"] is not None else "")
    iot_network = ", where every device is watched" if found["on_iot_network"] else ""
    port = f", port {found['port']}" if found["port"] else ""
    seen = "there now" if found["present"] else f"gone, seen {ago(found['last_seen'], now)}"
    if found["probably"]:
        screen.line(Cell(_probably_text(found), Style.WARNING), f" If so: `smartrouter same {found['mac']}`.")
    screen.facts(
        [
            ("host name", found["hostname"] or "none"),
            ("maker", found["maker"] or "unknown"),
            ("kind", "; ".join([kind, *found["reasons"]])),
            ("state", _state_cell(found)),
            ("learning", _learning_text(known, found, now)),
            *([("outlook", forecast.novelty_text(found["novelty"]))] if found["novelty"] else []),
            ("mode", found["mode"]),
            ("interface", (found["interface"] or "unknown") + port + iot_network),
            ("addresses", ", ".join(found["addresses"]) or "none"),
            ("seen", f"{seen}, first {when(found['first_seen'])}"),
            ("attempts", f"{found['attempts']}, of which {found['blocked']} were blocked"),
            (
                "alerts",
                Cell(str(found["open_alerts"]), Style.WARNING if found["open_alerts"] else Style.PLAIN),
            ),
            *([("muted", _mute_text(found))] if found["mute_until"] is not None else []),
        ]
    )
    _show_destinations(screen, found["destinations"], now)
    volume.show(screen, found["volume"], now)
    _show_rules(screen, found["rules"], now)
    _show_latest(screen, found["latest"], now)


def _learning_text(known: Known, found: Mapping[str, Any], now: float) -> str:
    progress, learning = found["progress"], found["learning"]
    if progress is None:
        return "has not begun: nothing was attempted yet"
    text = f"observed for {duration(progress['observed'])}, {progress['attempts']} attempts"
    if found["state"] == State.PROTECTED:
        return text + ("; settled" if progress["settled"] else f"; {forecast.UNSETTLED}")
    if learning is None:
        return text
    end = forecast.learning_text(learning, now)
    text = f"{learning['share']:.0%} done, {end}; {text}"
    if not known.settings.learning.auto:
        return text
    return f"{text} in {progress['units']} different hours, the last {progress['quiet']} without anything new"


def _mute_text(found: Mapping[str, Any]) -> str:
    by = f" (by {found['muted_by']})" if found["muted_by"] else ""
    return f"nothing of it is sent until {when(found['mute_until'])}{by}"


def _show_destinations(screen: Screen, destinations: list[dict[str, Any]], now: float) -> None:
    rows: list[list[str | Cell]] = [
        [d["name"], d["service"], str(d["units"]), ago(d["last_used"], now)] for d in destinations
    ]
    _section(screen, f"What it needs ({len(rows)})", _DESTINATIONS, rows)


def _show_rules(screen: Screen, rules: list[dict[str, Any]], now: float) -> None:
    rows: list[list[str | Cell]] = [
        [
            Cell(rule["action"], Style.BAD if rule["action"] == Action.DENY else Style.GOOD),
            rule["destination"],
            rule["service"] or "any",
            ("once, " if rule["once"] else "") + _until_text(rule["until"], now),
            " ".join(filter(None, (rule["by"], "" if rule["at"] is None else when(rule["at"])))) or "-",
        ]
        for rule in rules
    ]
    _section(screen, "Your rules", _RULES, rows)


def _until_text(until: float | None, now: float) -> str:
    if until is None:
        return "for good"
    return when(until) if until > now else "ended"


def _show_latest(screen: Screen, latest: list[dict[str, Any]], now: float) -> None:
    rows: list[list[str | Cell]] = [
        [
            ago(attempt["at"], now),
            attempt["name"] or attempt["address"],
            attempt["service"],
            "passed" if attempt["accepted"] else Cell("blocked", Style.BAD),
            attempt["reason"],
        ]
        for attempt in latest
    ]
    _section(screen, "Latest attempts", _LATEST_COLUMNS, rows)


def _section(screen: Screen, title: str, columns: Sequence[Column], rows: list[list[str | Cell]]) -> None:
    """A table with a title above; nothing where there are no rows."""
    if rows:
        screen.line("")
        screen.line(Cell(title, Style.STRONG))
        screen.table(columns, rows)
