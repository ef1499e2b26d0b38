# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter status`: is it working, what is it doing, what needs me? On one screen.

Puts together what the running smartrouter answers, what the store holds and what the configuration wants.
Each of the three may be missing, and is then said to be. Exit status 1 unless it is working.
"""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from smartrouter.control import ask
from smartrouter.core.errors import SmartrouterError
from smartrouter.core.learning import State
from smartrouter.core.policy import Mode
from smartrouter.listings.known import Known
from smartrouter.listings.status import STATUS, status
from smartrouter.listings.volume import told
from smartrouter.store.runs import Run
from smartrouter.supervisor.installed import absent
from smartrouter.terminal import Cell, Screen, Style, ago, amount, duration

PATIENCE = 3.0  # seconds for the running smartrouter to answer


def main(arguments: Namespace) -> int:
    """`smartrouter status`."""
    answer: dict[str, Any] | SmartrouterError
    try:
        answer = ask(arguments.run_dir, {"do": "status"}, PATIENCE)
    except SmartrouterError as error:
        answer = error
    found = status(arguments.config, answer, lambda: Known.at(arguments.config))
    if arguments.json:
        print(json.dumps({key: found[key] for key in STATUS}, indent=2))
    else:
        _show(Screen(sys.stdout), found)
    return 0 if found["working"] else 1


# -- on a terminal -----------------------------------------------------------------------------------------


def _show(screen: Screen, found: dict[str, Any]) -> None:
    headline, more = _headline(found)
    screen.item((headline, ": "), more)
    screen.facts(fact for fact in _facts(found) if fact[1])
    if found["needs"]:
        screen.line("")
        screen.line(Cell("What needs you", Style.STRONG))
        for need in found["needs"]:
            screen.item((Cell("  ! ", Style.WARNING),), need)
    elif found["working"]:
        screen.line("Nothing needs you.")


def _headline(found: dict[str, Any]) -> tuple[Cell, str]:
    if not found["working"]:
        return Cell("smartrouter is not working", Style.BAD), found["problem"]
    if found["paused"]:
        left = duration(found["paused"])
        return Cell("smartrouter is working", Style.WARNING), f"but blocking is paused for {left} more"
    works = Cell("smartrouter is working", Style.GOOD)
    if found["mode"] == Mode.ENFORCE:
        return works, "what is not known is blocked and reported"
    return works, "what is not known is reported, not blocked"


def _facts(found: dict[str, Any]) -> list[tuple[str, str | Cell]]:
    """Title and text; a text is empty where there is nothing to say."""
    guard, store, run = found["guard"], found["store"], found["analysis"]
    uptime = f"for {duration(found['uptime'])}, version {found['version']}" if found["running"] else ""
    return [
        ("mode", found["mode"]),
        ("running", uptime),
        ("network", _network_text(found)),
        ("devices", _devices_text(guard)),
        ("packets", _packets_text(guard)),
        ("volume", told(guard.get("volume"))),
        ("web", ", ".join((found["web"] or {}).get("urls", ()))),
        ("parts", ", ".join(_part_texts(found["parts"]))),
        ("alerts to", ", ".join(_channel_text(each) for each in found["channels"] or ())),
        ("analysis", "" if run is None else _run_text(run)),
        ("runs", _runs_text(found["lately"])),
        ("stored", found["store_problem"] if store is None else _store_text(store)),
    ]


def _part_texts(parts: Sequence[dict[str, Any]]) -> list[str]:
    texts = [f"{part['name']} {part['state']} ({part['rss_kib'] // 1024} MiB)" for part in parts]
    return texts + [f"{name} not installed" for name in absent()] if parts else []


def _channel_text(channel: dict[str, Any]) -> str:
    waiting = f", {channel['waiting']} waiting" if channel["waiting"] else ""
    return f"{channel['name']} ({channel['state']}, {channel['sent']} sent{waiting})"


def _run_text(run: dict[str, Any]) -> str:
    if run["failure"]:
        return f"{ago(run['at'], time.time())} it failed: {run['failure']}"
    text = f"{ago(run['at'], time.time())}: {_counted(run['rows'], 'new attempt')} in {run['seconds']:.1f} s"
    return " ".join([f"{text}.", *run["findings"]])


def _runs_text(runs: Sequence[Run]) -> str:
    """What several runs had to do."""
    if len(runs) < 2:
        return ""
    attempts, longest = sum(run.rows for run in runs), max(run.seconds for run in runs)
    failed = sum(bool(run.failure) for run in runs)
    return f"{len(runs)} in the last hour: {_counted(attempts, 'attempt')}, {longest:.1f} s at most" + (
        f"; {failed} failed" if failed else ""
    )


def _network_text(found: dict[str, Any]) -> str:
    if not found["lan"]:
        return ""
    iot = f"; every device is watched on {', '.join(found['iot'])}" if found["iot"] else ""
    return ", ".join(found["lan"]) + iot


def _devices_text(guard: dict[str, Any]) -> str:
    counts = guard.get("devices")
    if not counts:
        return ""
    states = ", ".join(f"{counts.get(str(state), 0)} {state}" for state in reversed(State))
    return f"{counts['watched']} watched: {states}"


def _packets_text(guard: dict[str, Any]) -> str:
    judged = guard.get("judged")
    if judged is None:
        return ""
    most = sorted(judged.items(), key=lambda item: -item[1])[:4]
    reasons = ", ".join(f"{count} {reason}" for reason, count in most if count)
    kernel, settled = guard.get("kernel", {}), sum(guard.get("recorded", {}).values())
    blocked = kernel.get("blocked", 0) + kernel.get("blocked_again", 0) + kernel.get("denied", 0)
    by_itself = f", {settled} settled in the kernel" if settled else ""
    return f"{sum(judged.values())} judged{by_itself}, {blocked} blocked" + (
        f": {reasons}" if reasons else ""
    )


def _store_text(store: dict[str, Any]) -> str:
    return (
        f"{store['devices']} devices, {store['learned']} learned destinations, {store['attempts']} attempts "
        f"({store['blocked']} blocked), {amount(store['bytes'])}"
    )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
