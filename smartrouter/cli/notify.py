# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter notify`: where messages go, how each channel does, and whether it works.

What stands in the configuration of a channel is secret: of that only name, type and limits are shown. The
keys under --json are documented in `CHANNEL` and `TESTED`, and stay.
"""

import json
import sqlite3
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from smartrouter.cli.known import Known
from smartrouter.config import NotifyConfig
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.notify.channels import named, open_channel, without_secrets
from smartrouter.notify.trying import try_out
from smartrouter.store.outbox import Health, channels
from smartrouter.terminal import Cell, Column, Elide, Screen, Style, ago, duration

CHANNEL = {
    "name": "what it is called: its name in the configuration, else its type",
    "type": "`slack`, `webhook` …",
    "state": "`works`, `failing` (is tried again), `disabled` (it refused us for good: nothing is tried "
    "until its configuration changes) or `new` (nothing was sent yet)",
    "sent": "messages that were handed over",
    "waiting": "messages that wait to be",
    "dropped": "messages that went: too many waited, or it never took them",
    "failures": "in a row",
    "error": "what went wrong last; empty since something was handed over",
    "sent_at": "epoch seconds of the last hand-over, or null",
    "error_at": "epoch seconds of the last failure, or null",
    "retry_at": "epoch seconds before which nothing is tried, or null",
    "min_severity": "the lowest severity that it gets",
    "per_minute": "messages a minute that it gets at most",
    "quiet_from": "when its quiet hours begin, in local time; empty without",
    "quiet_to": "when they end",
}
TESTED = {
    "name": "what the channel is called",
    "ok": "whether it took the sample",
    "error": "why it did not; empty if it did",
}
_STYLES = {"works": Style.GOOD, "failing": Style.WARNING, "disabled": Style.BAD, "new": Style.PLAIN}


def main(arguments: Namespace) -> int:
    """`smartrouter notify [test [CHANNEL]]`."""
    known = Known(arguments)
    if arguments.what == "test":
        return _test(known, arguments)
    with known.store() as conn:
        found = standing(known, conn)
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        _show(Screen(sys.stdout), found)
    return 0


def standing(known: Known, conn: sqlite3.Connection) -> list[dict[str, Any]]:
    """How the configured channels do, under the keys of `CHANNEL`."""
    health = channels(conn)
    return [_standing(name, config, health.get(name)) for name, config in named(known.config.notify).items()]


def complaint(found: Mapping[str, Any], now: float) -> str:
    """What is wrong with a channel, as a sentence; '' if nothing is."""
    if found["state"] == "disabled":
        return (
            f"The channel {found['name']} does not work: {found['error']}. Mend its configuration, and see "
            f"with `smartrouter notify test {found['name']}`."
        )
    if found["state"] == "failing":
        again = _again(found, now)
        return f"The channel {found['name']} fails: {found['error']}; {_waiting(found)}{again}."
    if found["dropped"]:
        return f"{found['dropped']} messages for the channel {found['name']} were lost: too many waited."
    return ""


def _standing(name: str, config: NotifyConfig, health: Health | None) -> dict[str, Any]:
    known = (Health(name, 0, 0, 0, 0, 0, None, "", None, None, False) if health is None else health)._asdict()
    values = known | {"name": name, "type": config.type, "state": _state(health)}
    values |= {"min_severity": str(config.min_severity), "per_minute": config.per_minute}
    values |= {"quiet_from": config.quiet_from, "quiet_to": config.quiet_to}
    return {key: values[key] for key in CHANNEL}


def _state(health: Health | None) -> str:
    if health is None:
        return "new"
    if health.disabled:
        return "disabled"
    if health.failures:
        return "failing"
    return "works" if health.sent else "new"


# -- notify test -------------------------------------------------------------------------------------------


def _test(known: Known, arguments: Namespace) -> int:
    configured = named(known.config.notify)
    if not configured:
        raise SmartrouterError(
            f"no channel is configured: add `config notify` to {arguments.config}, "
            "as docs/notifications.md says"
        )
    if arguments.channel is not None and arguments.channel not in configured:
        raise SmartrouterError(f"there is no channel {arguments.channel}; there is {', '.join(configured)}")
    wanted = {n: config for n, config in configured.items() if arguments.channel in (None, n)}
    tested = []
    for name, error in _tried(wanted):
        tested.append({"name": name, "ok": not error, "error": error})
        if not arguments.json:
            cell = Cell("failed", Style.BAD) if error else Cell("ok", Style.GOOD)
            Screen(sys.stdout).item((f"{name}: ", cell), f": {error}" if error else "")
            sys.stdout.flush()
    if arguments.json:
        print(json.dumps(tested, indent=2))
    return 0 if all(each["ok"] for each in tested) else 1


def _tried(wanted: Mapping[str, NotifyConfig]) -> Iterator[tuple[str, str]]:
    """Each channel's name, and what went wrong; '' if nothing did."""
    for name, config in wanted.items():
        error, patience = try_out(config, time.time())
        yield name, error + (f" (it asks for {duration(patience)} of patience)" if patience else "")


# -- on a terminal -----------------------------------------------------------------------------------------

_CHANNELS = (
    Column("CHANNEL", least=8),
    Column("TYPE", rank=3),
    Column("STATE"),
    Column("SENT", right=True, rank=2),
    Column("WAITING", right=True),
    Column("LAST", rank=4),
    Column("FROM", rank=5),
    Column("LAST ERROR", least=20, elide=Elide.END),
)


def _show(screen: Screen, found: list[dict[str, Any]]) -> None:
    if not found:
        screen.line("No channel is configured; docs/notifications.md says how.")
        return
    now = time.time()
    rows: list[list[str | Cell]] = [
        [
            each["name"],
            each["type"],
            Cell(each["state"], _STYLES[each["state"]]),
            str(each["sent"]),
            str(each["waiting"]),
            "-" if each["sent_at"] is None else ago(each["sent_at"], now),
            each["min_severity"],
            f"{each['error']}{_again(each, now)}" if each["error"] else "-",
        ]
        for each in found
    ]
    screen.table(_CHANNELS, rows)


def _again(found: Mapping[str, Any], now: float) -> str:
    left = 0.0 if found["retry_at"] is None else found["retry_at"] - now
    return f", next try in {duration(left)}" if left > 1 and found["state"] == "failing" else ""


def _waiting(found: Mapping[str, Any]) -> str:
    count = found["waiting"]
    return f"{count} message{' waits' if count == 1 else 's wait'}"


def checked(known: Known) -> Iterator[tuple[str, str]]:
    """Each channel's name, and why it cannot work as it is configured, or what went wrong lately; '' if
    nothing is wrong. Sends nothing."""
    found: dict[str, dict[str, Any]] = {}
    try:
        with known.store() as conn:
            found = {each["name"]: each for each in standing(known, conn)}
    except Unavailable:
        pass  # that there is no store is said elsewhere
    for name, config in named(known.config.notify).items():
        error = ""
        try:
            open_channel(config).close()
        except SmartrouterError as wrong:
            error = f"The channel {name} cannot work: {without_secrets(str(wrong), config)}."
        yield name, error or (complaint(found[name], time.time()) if name in found else "")
