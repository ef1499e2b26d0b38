# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter devices` and `smartrouter device`: what there is, and one in full.

Shows what the store and the configuration say; decides nothing. The keys under --json are those of
`listings.devices`.
"""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from typing import Any

from smartrouter.cli import volume
from smartrouter.control import ask
from smartrouter.core.classification.makers import short
from smartrouter.core.errors import SmartrouterError
from smartrouter.core.learning import State
from smartrouter.core.policy import Action
from smartrouter.listings import forecast
from smartrouter.listings.devices import all_devices, one_device
from smartrouter.listings.known import Known, UnknownDevice
from smartrouter.listings.volume import counted_by
from smartrouter.terminal import Cell, Column, Elide, Screen, Style, ago, duration, when

_PATIENCE = 2.0  # seconds for the running smartrouter to answer
_KINDS = {True: "IoT", False: "not IoT", None: "unknown"}
_STATES = {State.PROTECTED: Style.GOOD, State.LEARNING: Style.WARNING}


def devices(arguments: Namespace) -> int:
    """`smartrouter devices`."""
    known = Known.at(arguments.config)
    with known.store() as conn:
        listed = all_devices(known, conn)
    listed = listed[arguments.skip :][: arguments.limit]
    if arguments.json:
        print(json.dumps(listed, indent=2))
        return 0
    _show_devices(Screen(sys.stdout), listed)
    return 0


def device(arguments: Namespace) -> int:
    """`smartrouter device DEVICE`."""
    known = Known.at(arguments.config)
    mac = known.mac_of(arguments.device)
    with known.store() as conn:
        details = one_device(known, conn, mac, _counted(arguments.run_dir))
    if details is None:
        raise UnknownDevice(f"no device {mac} was ever seen; `smartrouter devices` lists them all")
    if arguments.json:
        print(json.dumps(details, indent=2))
    else:
        _show_device(Screen(sys.stdout), known, details)
    return 0


def _counted(run_dir: str) -> Mapping[str, Any] | None:
    """What the running smartrouter says of its counting; None if it does not run."""
    try:
        return counted_by(ask(run_dir, {"do": "status"}, _PATIENCE))
    except SmartrouterError:
        return None


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
