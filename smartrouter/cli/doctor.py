# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter doctor`: what this system can do, what is wrong, and how to mend it.

Runs the checks and shows them; what is looked at, and how, is `checks.py`. Exit status 1 if something
keeps smartrouter from working.
"""

import json
import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from ipaddress import ip_address

from smartrouter.cli import checks
from smartrouter.cli.checks import Check, Level
from smartrouter.cli.notify import checked
from smartrouter.core.effects import Evidence
from smartrouter.core.errors import BadConfig, Unavailable
from smartrouter.core.events import Scope
from smartrouter.listings.household import hidden_devices, hidden_names
from smartrouter.listings.known import Known
from smartrouter.store import queries
from smartrouter.store.attempts import StoredAttempt, attempts_of
from smartrouter.terminal import Cell, Screen, Style

REPORT = {
    "ok": "whether nothing keeps smartrouter from working",
    "checks": "what was looked at, in order",
}
CHECK = {
    "name": "what was looked at",
    "level": "`ok`, `warning` (works, but not as well as it could) or `problem`",
    "text": "what was found",
    "mend": "what to do about it; empty if nothing, or if `text` says it",
}
_ENOUGH = 20  # attempts without a single name that make it clear that names go past us
_MANY_ADDRESSES = 5  # IPv4 addresses of one MAC: more than a device has, not more than a repeater
_STYLES = {Level.OK: Style.GOOD, Level.WARNING: Style.WARNING, Level.PROBLEM: Style.BAD}


def main(arguments: Namespace) -> int:
    """`smartrouter doctor`."""
    found = list(examine(arguments))
    healthy = all(check.level is not Level.PROBLEM for check in found)
    if arguments.json:
        print(json.dumps({"ok": healthy, "checks": [check._asdict() for check in found]}, indent=2))
    else:
        _show(Screen(sys.stdout), found, healthy)
    return 0 if healthy else 1


def examine(arguments: Namespace) -> Iterator[Check]:
    """All checks, the most fundamental first."""
    yield from checks.root()
    if not os.geteuid():
        yield from checks.packet_path()
    yield from checks.libraries()
    yield from checks.parts()
    yield from checks.forwarding()
    yield from checks.user()
    yield from checks.clock()
    yield from checks.offload()
    yield from checks.leases()
    try:
        known = Known.at(arguments.config)
    except BadConfig as error:
        yield Check("configuration", Level.PROBLEM, str(error))
    else:
        yield Check("configuration", Level.OK, f"{arguments.config} has no fault.")
        yield from checks.secrecy(arguments.config, known.config)
        if not os.geteuid():
            yield from checks.redirection(known.config)
        yield from checks.web(known.config)
        yield from checks.network(known.config)
        yield from checks.disk(known.config)
        yield from household(known)
        yield from channels(known)
    yield from checks.running(arguments.run_dir)


def household(known: Known) -> Iterator[Check]:
    """Do devices' names come past us, and does each MAC stand for one device?"""
    try:
        with known.store() as conn:
            watched = [device for device in queries.devices(conn) if known.standing(device)[0]]
            hidden = queries.household(conn)
            silent = {d.mac for d in watched if _is_nameless(attempts_of(conn, d.mac, _ENOUGH))}
    except Unavailable as error:
        text = f"{str(error).rstrip('.?')}."
        yield Check("store", Level.WARNING, text, "`smartrouter run` makes it, and sets a damaged one aside.")
        return
    nameless = sorted(silent.union(hidden.nameless))
    crowded = {device.mac for device in watched if _is_crowd(device)}
    repeaters = sorted(crowded.union(hidden.repeaters))
    if nameless:
        yield Check("names", Level.WARNING, *hidden_names(known, nameless))
    if repeaters:
        yield Check("repeaters", Level.WARNING, *hidden_devices(known, repeaters))
    if not nameless and not repeaters:
        yield Check("devices", Level.OK, f"{len(watched)} devices are watched; nothing odd about them.")


def channels(known: Known) -> Iterator[Check]:
    """Can alerts be sent where they are to be?"""
    for name, wrong in checked(known):
        if wrong:
            yield Check("channels", Level.WARNING, wrong)
        else:
            yield Check("channels", Level.OK, f"Nothing is wrong with the channel {name}.")


def _is_nameless(latest: list[StoredAttempt]) -> bool:
    """Did all the latest attempts go past the router's knowledge of names?"""
    outside = [attempt for attempt in latest if attempt.scope == Scope.OUTSIDE]
    return len(outside) >= _ENOUGH and all(attempt.evidence == Evidence.NONE for attempt in outside)


def _is_crowd(device: queries.Device) -> bool:
    ipv4 = [address for address in device.addresses if ip_address(address.partition("%")[0]).version == 4]
    return len(ipv4) >= _MANY_ADDRESSES


def _show(screen: Screen, found: list[Check], healthy: bool) -> None:
    width = max(len(level) for level in Level)
    for check in found:
        level = Cell(check.level.ljust(width), _STYLES[check.level])
        screen.item((level, f"  {check.name}: "), check.text)
        if check.mend:
            screen.item((" " * width, "  → "), check.mend)
    warnings = sum(check.level is Level.WARNING for check in found)
    screen.line("")
    if not healthy:
        screen.line(Cell("Something keeps smartrouter from working.", Style.BAD))
    elif warnings:
        screen.line(Cell(f"smartrouter can work here. Warnings: {warnings}.", Style.WARNING))
    else:
        screen.line(Cell("All is well.", Style.GOOD))
