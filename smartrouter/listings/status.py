# SPDX-License-Identifier: GPL-2.0-or-later
"""Is it working, what is it doing, what needs somebody? By the keys that `STATUS` documents, and which stay.

Puts together what the running smartrouter answers, what the store holds and what the configuration wants.
Each of the three may be missing, and is then said to be.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smartrouter.core.effects import Severity
from smartrouter.core.errors import BadConfig, SmartrouterError, Unavailable
from smartrouter.core.policy import NewDevices, Watching
from smartrouter.listings.channels import complaint, standing
from smartrouter.listings.household import hidden_devices, hidden_names
from smartrouter.listings.known import Known
from smartrouter.listings.volume import trouble as volume_trouble
from smartrouter.store.inbox import open_by_severity
from smartrouter.store.queries import devices, household, meta, totals
from smartrouter.store.runs import KEPT, TROUBLE, latest_runs
from smartrouter.terminal import duration

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
    "counted, see docs/volume.md; null if they are not to be), `accounts` (those sums of packets that must "
    "be equal, since the guard began), `faults`",
    "unaccounted": "packets that the kernel's rules counted, and that were neither let through, nor stopped, "
    "nor recorded, nor are waiting; null if it does not run",
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
    "web": "the web interface: `urls` that it is at, `problems` that keep it from others, `setup_code` that "
    "choosing the first password takes (empty once there is one); null where there is none",
    "trial": "epoch seconds at which the mode on trial ends unless it is kept, or null",
    "analysis": "the last periodic run: `at`, `seconds`, `rows` (attempts that were new), `findings`, "
    "`stages` (devices by state of learning), `failure` (why it came to no end, empty if it did); null "
    "before the first",
    "runs": "the last ten of them, the latest first",
}
_RUNS = 10  # that --json gives
_LATELY = 3600.0  # seconds
ABSENT: dict[str, Any] = {
    "mode": "", "guard": {"running": False}, "parts": [], "queues": {}, "version": "", "pid": 0,
    "uptime": 0.0, "lan": [], "iot": [], "missing": [], "enabled": False, "problem": "", "web": None,
    "trial": None, "not_kept": "",
}  # fmt: skip


def status(
    path: str, answer: Mapping[str, Any] | SmartrouterError, know: Callable[[], Known]
) -> dict[str, Any]:
    """Everything under the keys of `STATUS`, and some more. `path`: of the configuration; `answer`: what the
    running smartrouter says of itself, or why it says nothing; `know` may raise BadConfig."""
    found: dict[str, Any] = ABSENT | {"config": {"path": path, "error": ""}, "needs": []}
    found |= {"running": False, "store": None, "alerts": None, "nameless": [], "repeaters": []}
    found |= {"analysis": None, "runs": [], "lately": [], "store_problem": "", "channels": None}
    if isinstance(answer, SmartrouterError):
        found["problem"] = str(answer)
    else:
        found |= answer
        found["running"] = True
        found["problem"] = problem_of(found)
    found["paused"] = found["guard"].get("paused", 0.0)
    found["working"] = not found["problem"]
    found["unaccounted"] = _unaccounted(found)
    try:
        _read(found, know())
    except BadConfig as error:
        found["config"]["error"] = str(error)
        found["needs"].insert(0, f"The configuration has faults: {error}")
    found["needs"] = [*needs_of_running(found), *found["needs"]]
    return found


def problem_of(found: Mapping[str, Any]) -> str:
    """Why devices are not guarded although it runs; '' if they are."""
    if not found["enabled"]:
        return f"it is switched off: set `option enabled '1'` in {found['config']['path']}"
    if found["problem"]:
        return str(found["problem"])
    guard = found["guard"]
    return "" if guard["running"] else str(guard.get("problem") or "the guard does not run")


def _unaccounted(found: Mapping[str, Any]) -> int | None:
    """What is left of the guard's accounts when that which waits in the queues, or was too much for them, is
    taken off. None without a guard."""
    accounts = found["guard"].get("accounts")
    if accounts is None:
        return None
    elsewhere = sum(
        queue[what] for queue in found["queues"].values() for what in ("waiting", "dropped", "user_dropped")
    )
    return int(max(0, accounts["gap_at_gate"] - elsewhere) + accounts["gap_in_log"])


def _read(found: dict[str, Any], known: Known) -> None:
    """Add what configuration and store say."""
    found["mode"] = found["guard"].get("mode") or known.settings.mode
    try:
        with known.store() as conn:
            stored = totals(conn)
            runs = latest_runs(conn, KEPT)
            trouble = json.loads(meta(conn, TROUBLE) or "{}")
            undecided = [d for d in devices(conn) if is_undecided(known, d)]
            waiting = open_by_severity(conn)
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
    found["alerts"] = {str(severity): waiting.get(severity, 0) for severity in reversed(Severity)}
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


def is_undecided(known: Known, device: Any) -> bool:
    """Does smartrouter leave it alone only because nobody can tell what it is?"""
    told = known.settings.devices.get(device.mac)
    return (
        device.iot is None
        and not device.on_iot_network
        and bool(device.interface)
        and (told is None or told.watch is Watching.AUTO)
        and known.settings.new_devices is NewDevices.DEFAULT
    )


def needs_of_running(found: dict[str, Any]) -> list[str]:
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
    needs += _needs_of_web(found["web"] or {})
    if found["trial"] is not None:
        left = duration(found["trial"] - time.time())
        needs.append(f"The mode is on trial for {left} more: `smartrouter mode {found['mode']}` keeps it.")
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
    if found.get("unaccounted"):
        needs.append(
            f"{_counted(found['unaccounted'], 'packet')} were counted by the kernel and seen by nobody: "
            "please report it, with `smartrouter status --json`."
        )
    lost = sum(queue["dropped"] + queue["user_dropped"] for queue in found["queues"].values())
    if lost:
        needs.append(f"{_counted(lost, 'packet')} were lost because a queue was full.")
    return needs


def _needs_of_web(web: Mapping[str, Any]) -> list[str]:
    needs = [f"The web interface {problem}." for problem in web.get("problems", ())]
    if code := web.get("setup_code"):
        where = (web["urls"] or ["its address"])[0]
        needs.append(
            f"The web interface has no password yet: open {where} and choose one. If it asks for the set-up "
            f"code: {code}."
        )
    return needs


def _store_trouble(guard: dict[str, Any]) -> str:
    store = guard.get("store")
    if isinstance(store, dict):
        return str(store.get("trouble", ""))
    return ""


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
