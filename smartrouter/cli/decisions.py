# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands by which the user decides: allow, deny, forget, learn, mode, mute, pause; and to dismiss an
alert.

Each but the last is one request to the running smartrouter, which does it; here it is put together from what
the user typed, and what came of it is said. That an alert was seen is nobody's business but the store's.
"""

import json
import os
import pwd
import re
import sys
import time
from argparse import Namespace
from typing import Any

from smartrouter.cli import consequences
from smartrouter.cli.commands import BY_VARIABLE, ONCE, BadUsage
from smartrouter.config.options import DURATION
from smartrouter.control import ask
from smartrouter.core.errors import SmartrouterError
from smartrouter.core.policy import Mode, Watching
from smartrouter.listings.decisions import NoRule, decision
from smartrouter.listings.known import EVERY_DEVICE, Known
from smartrouter.store import queries
from smartrouter.store.alerts import AlertState, StoredAlert, set_alert_state
from smartrouter.store.changes import note_successor
from smartrouter.terminal import Screen, duration, inert, when

PATIENCE = 20.0  # seconds: a slow router writes its configuration through `uci`
_USER = re.compile(r"[A-Za-z0-9_.@-]{1,64}")
_BY = re.compile(rf"[a-z]{{1,16}}:{_USER.pattern}")


def allow(arguments: Namespace) -> int:
    """`smartrouter allow`."""
    return _rule("allow", arguments)


def deny(arguments: Namespace) -> int:
    """`smartrouter deny`."""
    return _rule("deny", arguments)


def _rule(action: str, arguments: Namespace) -> int:
    known = Known.at(arguments.config)
    if arguments.destination is None:
        device, destination, service = _of_alert(known, action, arguments.device, exact=arguments.exact)
        service = arguments.service or service
        device = EVERY_DEVICE if arguments.all_devices else device
    elif arguments.exact or arguments.all_devices:
        raise BadUsage(f"{action}: --exact and --all-devices go with the number of an alert")
    else:
        device = _device_or_all(known, arguments.device)
        destination, service = arguments.destination, arguments.service
    once = action == "allow" and arguments.once
    lasts = ONCE if once else arguments.duration
    until = None if lasts is None else time.time() + _seconds(lasts)
    request = {"do": action, "device": device, "destination": destination, "service": service, "until": until}
    request |= _by() | ({"once": True} if once else {})
    answer = ask(arguments.run_dir, request, PATIENCE)
    who = "Every device" if device == EVERY_DEVICE else known.label(device)
    how = "may use" if action == "allow" else "may not use"
    what = f"{destination} ({service})" if service else destination
    ending = "" if until is None else f" until {when(until)}"
    ending = f" once, and not after {when(until)}" if once and until else ending
    return _say(arguments, answer, f"{who} {how} {what}{ending}.")


def forget(arguments: Namespace) -> int:
    """`smartrouter forget`."""
    if bool(arguments.destination) == arguments.all:
        raise BadUsage("forget: give either a DESTINATION or --all")
    known = Known.at(arguments.config)
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
    known = Known.at(arguments.config)
    device = known.mac_of(arguments.device)
    request = {"do": "learn", "device": device, "finish": arguments.finish}
    answer = ask(arguments.run_dir, request, PATIENCE)
    what = "is protected from now on" if arguments.finish else "learns from now on; what it knows is kept"
    return _say(arguments, answer, f"{known.label(device)} {what}.")


def same(arguments: Namespace) -> int:
    """`smartrouter same`."""
    known = Known.at(arguments.config)
    device = known.mac_of(arguments.device)
    with known.store() as conn:
        found = queries.device(conn, device)
    before = known.mac_of(arguments.before) if arguments.before else found.probably if found else ""
    if not before:
        raise SmartrouterError(
            f"{known.label(device)} is like no device that was here before: say which, as in "
            f"`smartrouter same {device} BEFORE`"
        )
    label = known.label(before)
    answer = ask(arguments.run_dir, {"do": "same", "device": device, "other": before}, PATIENCE)
    with known.writing() as conn:
        note_successor(conn, before, device)
    return _say(arguments, answer, f"{device} is {label} from now on, with all that it was seen to need.")


def watch(arguments: Namespace) -> int:
    """`smartrouter watch`."""
    known = Known.at(arguments.config)
    device = known.mac_of(arguments.device)
    answer = ask(arguments.run_dir, {"do": "watch", "watch": arguments.watch, "device": device}, PATIENCE)
    what = {
        Watching.ALWAYS: "is watched",
        Watching.NEVER: "is left alone",
        Watching.AUTO: "is watched if it seems to be an IoT device",
    }
    return _say(arguments, answer, f"{known.label(device)} {what[Watching(arguments.watch)]} from now on.")


def mode(arguments: Namespace) -> int:
    """`smartrouter mode`."""
    if arguments.duration is not None and arguments.device is not None:
        raise BadUsage("mode: --for is for all devices at once")
    known = Known.at(arguments.config)
    device = None if arguments.device is None else known.mac_of(arguments.device)
    if arguments.mode == Mode.ENFORCE and not arguments.json:
        consequences.show(Screen(sys.stdout), known, device)
        if not arguments.yes and sys.stdin.isatty() and sys.stdout.isatty() and not _agreed():
            print("Nothing was changed.")
            return 1
    request: dict[str, object] = {"do": "mode", "mode": arguments.mode, "device": device}
    ending = "from now on"
    if arguments.duration is not None:
        seconds = _seconds(arguments.duration)
        request = {"do": "try-mode", "mode": arguments.mode, "seconds": seconds}
        ending = f"for {duration(seconds)}, unless you choose it again before that"
    answer = ask(arguments.run_dir, request, PATIENCE)
    who = "smartrouter" if device is None else known.label(device)
    what = "blocks what is not known" if arguments.mode == Mode.ENFORCE else "only reports what is not known"
    return _say(arguments, answer, f"{who} {what} {ending}.")


def mute(arguments: Namespace) -> int:
    """`smartrouter mute`."""
    if (arguments.duration is None) != arguments.end:
        raise BadUsage("mute: give either a TIME such as 1d, or --end")
    known = Known.at(arguments.config)
    device = known.mac_of(arguments.device)
    seconds = 0.0 if arguments.end else _seconds(arguments.duration)
    request = {"do": "mute", "device": device, "seconds": seconds} | _by()
    answer = ask(arguments.run_dir, request, PATIENCE)
    text = f"Nothing of {known.label(device)} is sent until {when(time.time() + seconds)}; alerts are kept."
    return _say(arguments, answer, text if seconds else f"What {known.label(device)} does is sent again.")


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


def dismiss(known: Known, number: int) -> StoredAlert:
    """`smartrouter alert ID --dismiss`; gives the alert as it is then."""
    found = known.alert(number)
    if found.state not in (AlertState.OPEN, AlertState.DISMISSED):
        raise SmartrouterError(f"alert {number} does not wait for you: it is {found.state}")
    with known.writing() as conn:
        set_alert_state(conn, number, AlertState.DISMISSED, _user(), time.time())
    return known.alert(number)


def _by() -> dict[str, str]:
    """Whom to note as having decided, where the kernel does not know: who became root by sudo, or for whom a
    program does this."""
    said = os.environ.get(BY_VARIABLE, "")
    if said and not _BY.fullmatch(said):
        raise BadUsage(f"{BY_VARIABLE} is not like luci:root, but {said!r}")
    if said:
        return {"by": said}
    user = os.environ.get("SUDO_USER", "")
    return {"by": f"cli:{user}"} if _USER.fullmatch(user) else {}


def _user() -> str:
    """The same, or who runs this."""
    try:
        return _by().get("by") or f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"cli:{os.getuid()}"


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


def _of_alert(known: Known, action: str, number: str, *, exact: bool) -> tuple[str, str, str]:
    """Device, destination and service of an alert, which stands where a device usually does. `exact`: the
    very name, not its group."""
    if not number.isdecimal():
        raise BadUsage("give a DEVICE and a DESTINATION, or the number of an alert")
    try:
        return decision(known.alert(int(number)), action, exact=exact)
    except NoRule as error:
        raise NoRule(
            f"{error}. `smartrouter alert {number}` says more; with --dismiss it is reported no more."
        ) from None


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
