# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands by which the user decides: allow, deny, forget, learn, mode, pause.

Each is one request to the running smartrouter, which does it; here it is put together from what the user
typed, and what came of it is said. Nothing is written from here.
"""

import json
import os
import re
import sys
import time
from argparse import Namespace
from typing import Any

from smartrouter.cli.commands import BadUsage
from smartrouter.cli.known import EVERY_DEVICE, Known
from smartrouter.config.options import DURATION
from smartrouter.control import ask
from smartrouter.core.effects import Kind
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.core.learning import State
from smartrouter.core.policy import Mode
from smartrouter.store.alerts import AlertState, alert, alerts
from smartrouter.store.queries import devices
from smartrouter.terminal import Screen, duration, inert, when

PATIENCE = 20.0  # seconds: a slow router writes its configuration through `uci`
_ABOUT_DESTINATIONS = {Kind.NEW_DESTINATION, Kind.FOREIGN_RESOLVER}
_USER = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_SHOWN = 5  # lines of each list before a switch to enforce mode


def allow(arguments: Namespace) -> int:
    """`smartrouter allow`."""
    return _rule("allow", arguments)


def deny(arguments: Namespace) -> int:
    """`smartrouter deny`."""
    return _rule("deny", arguments)


def _rule(action: str, arguments: Namespace) -> int:
    known = Known(arguments)
    if arguments.destination is None:
        device, destination, service = _of_alert(known, arguments.device)
        service = arguments.service or service
    else:
        device = _device_or_all(known, arguments.device)
        destination, service = arguments.destination, arguments.service
    until = None if arguments.duration is None else time.time() + _seconds(arguments.duration)
    request = {"do": action, "device": device, "destination": destination, "service": service, "until": until}
    user = os.environ.get("SUDO_USER", "")
    if _USER.fullmatch(user):
        request["by"] = f"cli:{user}"
    answer = ask(arguments.run_dir, request, PATIENCE)
    who = "Every device" if device == EVERY_DEVICE else known.label(device)
    how = "may use" if action == "allow" else "may not use"
    what = f"{destination} ({service})" if service else destination
    ending = "" if until is None else f" until {when(until)}"
    return _say(arguments, answer, f"{who} {how} {what}{ending}.")


def forget(arguments: Namespace) -> int:
    """`smartrouter forget`."""
    if bool(arguments.destination) == arguments.all:
        raise BadUsage("forget: give either a DESTINATION or --all")
    known = Known(arguments)
    device = known.mac_of(arguments.device)
    destination = "*" if arguments.all else arguments.destination
    request = {"do": "forget", "device": device, "destination": destination, "service": arguments.service}
    answer = ask(arguments.run_dir, request, PATIENCE)
    count = answer.get("forgotten", 0)
    if not count and not arguments.all:
        raise SmartrouterError(
            f"{known.label(device)} has not learned {arguments.destination}; "
            f"`smartrouter device {device}` lists what it has"
        )
    return _say(arguments, answer, f"{known.label(device)} has forgotten {_counted(count, 'destination')}.")


def learn(arguments: Namespace) -> int:
    """`smartrouter learn`."""
    known = Known(arguments)
    device = known.mac_of(arguments.device)
    request = {"do": "learn", "device": device, "finish": arguments.finish}
    answer = ask(arguments.run_dir, request, PATIENCE)
    what = "is protected from now on" if arguments.finish else "learns from now on; what it knows is kept"
    return _say(arguments, answer, f"{known.label(device)} {what}.")


def mode(arguments: Namespace) -> int:
    """`smartrouter mode`."""
    known = Known(arguments)
    device = None if arguments.device is None else known.mac_of(arguments.device)
    if arguments.mode == Mode.ENFORCE and not arguments.json:
        _show_consequences(known, device)
        if not arguments.yes and sys.stdin.isatty() and sys.stdout.isatty() and not _agreed():
            print("Nothing was changed.")
            return 1
    answer = ask(arguments.run_dir, {"do": "mode", "mode": arguments.mode, "device": device}, PATIENCE)
    who = "smartrouter" if device is None else known.label(device)
    what = "blocks what is not known" if arguments.mode == Mode.ENFORCE else "only reports what is not known"
    return _say(arguments, answer, f"{who} {what} from now on.")


def pause(arguments: Namespace) -> int:
    """`smartrouter pause`."""
    if (arguments.duration is None) != arguments.end:
        raise BadUsage("pause: give either a TIME such as 1h, or --end")
    seconds = 0.0 if arguments.end else _seconds(arguments.duration)
    answer = ask(arguments.run_dir, {"do": "pause", "seconds": seconds}, PATIENCE)
    if not seconds:
        return _say(arguments, answer, "The pause is over.")
    text = f"Nothing unknown is blocked for {duration(seconds)}, until {when(time.time() + seconds)}."
    return _say(arguments, answer, text)


def _say(arguments: Namespace, answer: dict[str, Any], text: str) -> int:
    """Say what was done, in words or as the answer itself."""
    if arguments.json:
        print(json.dumps(answer, indent=2))
        return 0
    print(inert(text))
    if note := answer.get("note"):
        print(inert(f"But {note}."))
    return 0


def _device_or_all(known: Known, text: str) -> str:
    return EVERY_DEVICE if text in (EVERY_DEVICE, "all") else known.mac_of(text)


def _of_alert(known: Known, number: str) -> tuple[str, str, str]:
    """Device, destination and service of an alert, which stands where a device usually does."""
    if not number.isdecimal():
        raise BadUsage("give a DEVICE and a DESTINATION, or the number of an alert")
    with known.store() as conn:
        found = alert(conn, int(number))
    if found is None:
        raise SmartrouterError(f"there is no alert {number}; `smartrouter alerts --all` lists them")
    if found.kind not in _ABOUT_DESTINATIONS:
        raise SmartrouterError(
            f"alert {number} ({found.kind}) is about no destination that a rule could name"
        )
    return found.mac, found.destination, found.service


def _seconds(text: str) -> float:
    try:
        seconds = DURATION.read(text)
    except ValueError:
        raise BadUsage(f"{text!r} is no time: write it like 90s, 30m, 1h or 2d") from None
    if seconds < 1:
        raise BadUsage("give a time of one second or more")
    return seconds


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _agreed() -> bool:
    try:
        return input("Block what is not known? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False


def _show_consequences(known: Known, device: str | None) -> None:
    """What enforce mode will meet: destinations that wait for a decision, devices that still learn."""
    screen = Screen(sys.stdout)
    try:
        with known.store() as conn:
            waiting = [
                a for a in alerts(conn, state=AlertState.OPEN, mac=device) if a.kind in _ABOUT_DESTINATIONS
            ]
            concerned = [d for d in devices(conn) if device in (None, d.mac) and known.standing(d)[0]]
    except Unavailable as error:
        screen.line(f"What this will block is not known: {error}.")
        return
    learning = [known.label(d.mac) for d in concerned if d.stage != State.PROTECTED]
    if waiting:
        screen.line(f"{_counted(len(waiting), 'destination')} that nobody has decided about will be blocked:")
        for found in waiting[:_SHOWN]:
            screen.line(f"  {known.label(found.mac)}: {found.destination} ({found.service})")
        if len(waiting) > _SHOWN:
            screen.line(f"  … and {len(waiting) - _SHOWN} more, see `smartrouter alerts`")
    if learning:
        more = " …" if len(learning) > _SHOWN else ""
        screen.line(f"Still learning, and not blocked until it ends: {', '.join(learning[:_SHOWN])}{more}")
