# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter status`: is it working, what is it doing, what needs me? On one screen.

Puts together what the running smartrouter answers, what the store holds and what the configuration wants.
Each of the three may be missing, and is then said to be. Exit status 1 unless it is working.
"""

import json
import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence
from typing import Any

from smartrouter.cli.household import hidden_devices, hidden_names
from smartrouter.cli.known import Known
from smartrouter.cli.notify import complaint, standing
from smartrouter.cli.volume import trouble as volume_trouble
from smartrouter.control import ask
from smartrouter.core.effects import Severity
from smartrouter.core.errors import BadConfig, SmartrouterError, Unavailable
from smartrouter.core.learning import State
from smartrouter.core.policy import Mode, NewDevices, Watching
from smartrouter.store.alerts import AlertState, alerts
from smartrouter.store.queries import devices, household, meta, totals
from smartrouter.store.runs import KEPT, TROUBLE, Run, latest_runs
from smartrouter.supervisor.installed import absent
from smartrouter.terminal import Cell, Screen, Style, ago, amount, duration

PATIENCE = 3.0  # seconds for the running smartrouter to answer
STATUS = {
    "running": "whether `smartrouter run` runs",
    "working": "whether devices are guarded: it runs, is enabled, and the guard judges",
    "problem": "why it is not working; empty if it is",
    "needs": "what needs you, as sentences",
    "mode": "`monitor` or `enforce`, of devices without a mode of their own",
    "paused": "seconds that a pause still lasts, 0 without one",
    "guard": "the guard: `running`, `problem`, and its own figures, among them `judged` (packets by reason), "
    "`devices` (watched, by state of learning), `pairs` (of device, address and port, that the kernel "
    "settles by itself), `recorded` (packets that it settled so), `unrecorded` (those of which it could not "
    "tell us), `kernel` (the rules' counters), `latency` (seconds that packets waited for their verdicts, of "
    "`flows` and `dns`: `buckets` of an upper end and a count, `sum`, `count`), `volume` (how bytes are "
    "counted, see docs/volume.md; null if they are not to be), `faults`",
    "parts": "each part: `name`, `state`, `pid`, `restarts`, `rss_kib`, `problem`",
    "queues": "the kernel's queues by number: `waiting`, `dropped`, `user_dropped`, `queued`",
    "version": "of the smartrouter that runs",
    "pid": "of the supervisor",
    "uptime": "seconds since it was started",
    "not_kept": "why what is known is not kept on flash (`option snapshot`); empty if nothing is wrong",
    "config": "the configuration: `path`, and `error` if it was refused",
    "lan": "the local interfaces",
    "iot": "those of them where every device is watched",
    "missing": "configured networks that are not there",
    "store": "what is stored: `devices`, `attempts`, `blocked`, `learned`, `open_alerts`, `bytes` …; null if "
    "there is no store",
    "alerts": "alerts that wait for you, by severity; null if there is no store",
    "channels": "where alerts are sent, as `smartrouter notify --json` gives it; null if there is no store",
    "nameless": "MACs of devices that connect, but ask for no names in the router's sight",
    "repeaters": "MACs that hide several devices behind them",
    "analysis": "the last periodic run: `at`, `seconds`, `rows` (attempts that were new), `findings`, "
    "`stages` (devices by state of learning), `failure` (why it came to no end, empty if it did); null "
    "before the first",
    "runs": "the last ten of them, the latest first",
}
_RUNS = 10  # that --json gives
_LATELY = 3600.0  # seconds
_ALL = 10_000  # alerts: more than the store keeps
_ABSENT: dict[str, Any] = {
    "mode": "", "guard": {"running": False}, "parts": [], "queues": {}, "version": "", "pid": 0,
    "uptime": 0.0, "lan": [], "iot": [], "missing": [], "enabled": False, "problem": "",
    "not_kept": "",
}  # fmt: skip


def main(arguments: Namespace) -> int:
    """`smartrouter status`."""
    found = gather(arguments)
    if arguments.json:
        print(json.dumps({key: found[key] for key in STATUS}, indent=2))
    else:
        _show(Screen(sys.stdout), found)
    return 0 if found["working"] else 1


def gather(arguments: Namespace) -> dict[str, Any]:
    """Everything under the keys of `STATUS`, and some more."""
    found: dict[str, Any] = _ABSENT | {"config": {"path": arguments.config, "error": ""}, "needs": []}
    found |= {"running": False, "store": None, "alerts": None, "nameless": [], "repeaters": []}
    found |= {"analysis": None, "runs": [], "lately": [], "store_problem": "", "channels": None}
    try:
        found |= ask(arguments.run_dir, {"do": "status"}, PATIENCE)
        found["running"] = True
        found["problem"] = _problem(found)
    except SmartrouterError as error:
        found["problem"] = str(error)
    found["paused"] = found["guard"].get("paused", 0.0)
    found["working"] = not found["problem"]
    try:
        _read(found, Known(arguments))
    except BadConfig as error:
        found["config"]["error"] = str(error)
        found["needs"].insert(0, f"The configuration has faults: {error}")
    found["needs"] = [*_from_running(found), *found["needs"]]
    return found


def _problem(found: dict[str, Any]) -> str:
    """Why devices are not guarded although it runs; '' if they are."""
    if not found["enabled"]:
        return f"it is switched off: set `option enabled '1'` in {found['config']['path']}"
    if found["problem"]:
        return str(found["problem"])
    guard = found["guard"]
    return "" if guard["running"] else str(guard.get("problem") or "the guard does not run")


def _read(found: dict[str, Any], known: Known) -> None:
    """Add what configuration and store say."""
    found["mode"] = found["guard"].get("mode") or known.settings.mode
    try:
        with known.store() as conn:
            stored = totals(conn)
            runs = latest_runs(conn, KEPT)
            trouble = json.loads(meta(conn, TROUBLE) or "{}")
            undecided = [d for d in devices(conn) if _is_undecided(known, d)]
            waiting = Counter(each.severity for each in alerts(conn, state=AlertState.OPEN, limit=_ALL))
            hidden = household(conn)
            sent_to = standing(known, conn)
    except Unavailable as error:
        found["store_problem"] = str(error)
        if found["running"]:
            found["needs"].append(f"The store cannot be read: {error}.")
        return
    found["store"] = stored._asdict()
    found["analysis"] = runs[0]._asdict() if runs else None
    found["runs"] = [run._asdict() for run in runs[:_RUNS]]
    found["lately"] = [run for run in runs if 0 <= time.time() - run.at <= _LATELY]
    found["alerts"] = {str(severity): waiting[severity] for severity in reversed(Severity)}
    found["nameless"], found["repeaters"] = list(hidden.nameless), list(hidden.repeaters)
    if stored.open_alerts:
        loud = ", ".join(f"{count} {severity}" for severity, count in found["alerts"].items() if count)
        wait = "waits" if stored.open_alerts == 1 else "wait"
        count = _counted(stored.open_alerts, "alert")
        found["needs"].append(f"{count} {wait} for you ({loud}): `smartrouter alerts`.")
    found["channels"] = sent_to
    found["needs"] += [said for each in sent_to if (said := complaint(each, time.time()))]
    if hidden.nameless:
        found["needs"].append(" ".join(hidden_names(known, list(hidden.nameless))))
    if hidden.repeaters:
        found["needs"].append(" ".join(hidden_devices(known, list(hidden.repeaters))))
    if undecided:
        found["needs"].append(
            f"{_counted(len(undecided), 'device')} of unknown kind {_are(undecided)} not watched: see "
            "`smartrouter devices`, and say `smartrouter watch DEVICE always` or `never`."
        )
    found["needs"] += [f"The analyzer's {what} fails: {why}." for what, why in trouble.items()]


def _are(devices: Sequence[object]) -> str:
    return "is" if len(devices) == 1 else "are"


def _is_undecided(known: Known, device: Any) -> bool:
    """Does smartrouter leave it alone only because nobody can tell what it is?"""
    told = known.settings.devices.get(device.mac)
    return (
        device.iot is None
        and not device.on_iot_network
        and bool(device.interface)
        and (told is None or told.watch is Watching.AUTO)
        and known.settings.new_devices is NewDevices.DEFAULT
    )


def _from_running(found: dict[str, Any]) -> list[str]:
    """What the running smartrouter's answer asks of the user."""
    needs = []
    if found["working"] and (error := found["config"]["error"]):
        needs.append(f"The configuration on disk is not the one in use: {error}")
    if found["missing"]:
        needs.append(f"Configured, but not there: {', '.join(found['missing'])}.")
    if found["not_kept"]:
        needs.append(f"What is known would not survive a restart: {found['not_kept']}.")
    for part in found["parts"]:
        if part["problem"] and part["name"] != "guard":
            needs.append(f"The {part['name']} has a problem: {part['problem']}.")
    guard = found["guard"]
    if trouble := _store_trouble(guard):
        needs.append(f"The guard cannot store what it sees: {trouble}.")
    if guard.get("faults"):
        needs.append(
            f"{_counted(guard['faults'], 'fault')} of smartrouter's own: please report what the log says."
        )
    if unrecorded := guard.get("unrecorded"):
        needs.append(
            f"{_counted(unrecorded, 'packet')} of known connections passed, or of blocked ones were refused, "
            "without a record: more came at once than could be written down."
        )
    if uncounted := volume_trouble(guard.get("volume")):
        needs.append(" ".join(uncounted).rstrip())
    if guard.get("mended"):
        needs.append("Somebody else removed smartrouter's rules from the kernel; they were put back.")
    lost = sum(queue["dropped"] + queue["user_dropped"] for queue in found["queues"].values())
    if lost:
        needs.append(f"{_counted(lost, 'packet')} were lost because a queue was full.")
    return needs


def _store_trouble(guard: dict[str, Any]) -> str:
    store = guard.get("store")
    if isinstance(store, dict):
        return str(store.get("trouble", ""))
    return ""


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
