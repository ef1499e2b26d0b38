# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter notify`: where messages go, how each channel does, and whether it works.

The keys under --json are those of `listings.channels`, and of `TESTED`.
"""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from smartrouter.config import NotifyConfig
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.listings.channels import again, complaint, standing
from smartrouter.listings.known import Known
from smartrouter.notify.channels import named, open_channel, without_secrets
from smartrouter.notify.trying import try_out
from smartrouter.terminal import Cell, Column, Elide, Screen, Style, ago, duration

TESTED = {
    "name": "what the channel is called",
    "ok": "whether it took the sample",
    "error": "why it did not; empty if it did",
}
_STYLES = {"works": Style.GOOD, "failing": Style.WARNING, "disabled": Style.BAD, "new": Style.PLAIN}


def main(arguments: Namespace) -> int:
    """`smartrouter notify [test [CHANNEL]]`."""
    known = Known.at(arguments.config)
    if arguments.what == "test":
        return _test(known, arguments)
    with known.store() as conn:
        found = standing(known, conn)
    if arguments.json:
        print(json.dumps(found, indent=2))
    else:
        _show(Screen(sys.stdout), found)
    return 0


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
            f"{each['error']}{again(each, now)}" if each["error"] else "-",
        ]
        for each in found
    ]
    screen.table(_CHANNELS, rows)
