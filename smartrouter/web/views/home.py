# SPDX-License-Identifier: GPL-2.0-or-later
"""*Home*: is all well, what needs somebody, what is going on. One sentence first."""

import json
import sqlite3
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple

from smartrouter.core.effects import THE_ROUTER
from smartrouter.core.errors import Unavailable
from smartrouter.core.inert import cut
from smartrouter.core.learning import Progress, State
from smartrouter.listings import forecast
from smartrouter.listings.channels import complaint, standing
from smartrouter.listings.devices import kept_prior
from smartrouter.listings.household import hidden_devices, hidden_names
from smartrouter.listings.known import Known
from smartrouter.listings.status import ABSENT, is_undecided, needs_of_running, problem_of
from smartrouter.notify.wording import title
from smartrouter.store import inbox, queries, timeline
from smartrouter.store.queries import Device
from smartrouter.store.runs import TROUBLE
from smartrouter.web.views.words import LONGEST, counted

HOURS = 24  # of the timeline
_LEARNERS = 8  # that are shown
_LATEST = 6  # alerts that are shown
_LOUD = 1  # warning, as inbox.Group has it

GOOD, ATTENTION, BAD = "good", "attention", "bad"


class Headline(NamedTuple):
    """The sentence. `tone`: `good`, `attention` or `bad`; `detail`: what else belongs to it, or what to do;
    `link`: where to go about it, '' if nowhere, and `label`, what that link is called."""

    tone: str
    text: str
    detail: str = ""
    link: str = ""
    label: str = ""


class Need(NamedTuple):
    """Something that wants somebody. `link`: where to see about it, '' if not on a page."""

    text: str
    link: str = ""


class Learner(NamedTuple):
    """A device that is learning. `share`: how much is over, 0 to 1; `ends`, `latest`: epoch seconds, None
    before anything can be said."""

    mac: str
    label: str
    share: float
    ends: float | None
    latest: float | None


class Latest(NamedTuple):
    """An alert, in one sentence."""

    id: int
    text: str
    severity: str
    state: str
    last: float


class Home(NamedTuple):
    """See the module. `mode`: `monitor` or `enforce`, of devices without their own; `differing`: how many
    have another. `paused`: seconds that a pause goes on. `hours`: of the timeline, oldest first, or empty.
    `store_problem`: why there is no more to say; '' if there is."""

    headline: Headline
    mode: str
    differing: int
    paused: float
    needs: Sequence[Need] = ()
    devices: int = 0
    watched: int = 0
    present: int = 0
    learning: int = 0
    protected: int = 0
    learners: Sequence[Learner] = ()
    hours: Sequence[timeline.Hour] = ()
    channels: Sequence[Mapping[str, Any]] = ()
    latest: Sequence[Latest] = ()
    store_problem: str = ""


def home(known: Known, conn: sqlite3.Connection, status: Mapping[str, Any], now: float) -> Home:
    """The screen. `status`: what the running smartrouter says of itself, or {"error": TEXT}; `now`: epoch
    seconds. Raises sqlite3.Error."""
    devices = known.found()
    standings = {device.mac: known.standing(device) for device in devices}
    watched = [device for device in devices if standings[device.mac][0]]
    groups = inbox.groups(conn, ("open",), 1)
    loud = [group for group in groups if group.loudest >= _LOUD]
    progress = queries.progress(conn)
    learning = [d for d in watched if d.stage != State.PROTECTED]
    channels = standing(known, conn)
    mode = str(status.get("guard", {}).get("mode") or known.settings.mode)
    return Home(
        headline=_headline(status, devices, watched, learning, groups, {group.mac for group in loud}),
        mode=mode,
        differing=sum(standings[d.mac][1] != mode for d in watched),
        paused=_paused(status),
        needs=_needs(known, conn, status, devices, channels, now),
        devices=len(devices),
        watched=len(watched),
        present=sum(device.present for device in watched),
        learning=len(learning),
        protected=len(watched) - len(learning),
        learners=_learners(known, conn, learning, progress, now),
        hours=timeline.by_hour(conn, now, HOURS),
        channels=channels,
        latest=[
            Latest(each.id, title(each, known.label(each.mac)), each.severity, each.state, each.last)
            for each in inbox.latest(conn, _LATEST)
        ],
    )


def without_store(known: Known, status: Mapping[str, Any], error: Unavailable) -> Home:
    """The screen where the store cannot be read: what can be said all the same."""
    problem = _not_working(status)
    headline = problem or Headline(
        ATTENTION,
        "Devices are guarded, but what was seen cannot be shown",
        "The store cannot be read. What to do about that stands below.",
    )
    needs = [] if problem else [Need(text) for text in _of_running(status)]
    mode = str(status.get("guard", {}).get("mode") or known.settings.mode)
    return Home(headline, mode, 0, _paused(status), needs, store_problem=str(error))


def _headline(
    status: Mapping[str, Any],
    devices: Sequence[Device],
    watched: Sequence[Device],
    learning: Sequence[Device],
    groups: Sequence[inbox.Group],
    loud: Set[str],
) -> Headline:
    if problem := _not_working(status):
        return problem
    if not devices:
        return Headline(
            ATTENTION, "No device was seen yet", "They show up here as soon as they use the network."
        )
    if not watched:
        return Headline(
            ATTENTION,
            "No device is watched",
            f"{counted(len(devices), 'device')} {_was(len(devices))} seen, none of which seems to be an IoT "
            "device. Say which ones to watch.",
            "/devices",
            "Choose devices",
        )
    count = counted(len(watched), "device")
    if loud:
        louder = len(loud - {THE_ROUTER})
        need = "need you" if louder > 1 else "needs you"
        alerts = sum(group.alerts for group in groups)
        detail = f"{counted(alerts, 'alert')} {'waits' if alerts == 1 else 'wait'} for a decision."
        said = f"{count}, {louder} {need}" if len(watched) > 1 else f"Your device {need}"
        if not louder:
            said = f"{count}, and the router {need}"
        return Headline(ATTENTION, said, detail, "/inbox", "Decide")
    notices = sum(group.alerts for group in groups)
    details = []
    if learning:
        what = "learns what it needs" if len(learning) == 1 else "learn what they need"
        details.append(f"{len(learning)} still {what}.")
    if notices:
        details.append(f"{counted(notices, 'notice')} in the inbox, nothing urgent.")
    behaving = "all behaving" if len(watched) > 1 else "behaving"
    return Headline(GOOD, f"{count}, {behaving}", " ".join(details))


def _was(count: int) -> str:
    return "was" if count == 1 else "were"


def _not_working(status: Mapping[str, Any]) -> Headline | None:
    """What to say first where devices are not guarded, and what to do; None where they are."""
    if "error" in status or not status:
        why = str(status.get("error", "nobody has answered yet"))
        return Headline(
            BAD,
            "smartrouter does not answer",
            f"Nobody can say whether devices are guarded: {why}. On the router, `smartrouter status` says "
            "more, and `smartrouter doctor` what to do.",
        )
    problem = problem_of({**ABSENT, **status})
    if not problem:
        return None
    if not status["enabled"]:
        return Headline(
            BAD,
            "smartrouter is switched off",
            "No device is guarded, and nothing is blocked.",
            "/settings",
            "Switch it on in the settings",
        )
    return Headline(
        BAD,
        "smartrouter is not working",
        f"Devices are not guarded: {problem}. On the router, `smartrouter doctor` says what to do.",
    )


def _paused(status: Mapping[str, Any]) -> float:
    return float(status.get("guard", {}).get("paused", 0.0))


def _of_running(status: Mapping[str, Any]) -> list[str]:
    if "error" in status or not status:
        return []
    found = {**ABSENT, **status}
    mode = status.get("guard", {}).get("mode", "")
    return needs_of_running({**found, "mode": mode, "working": not problem_of(found)})


def _needs(
    known: Known,
    conn: sqlite3.Connection,
    status: Mapping[str, Any],
    devices: Sequence[Device],
    channels: Sequence[Mapping[str, Any]],
    now: float,
) -> list[Need]:
    needs = [Need(text) for text in _of_running(status)]
    needs += [Need(said, "/settings") for each in channels if (said := complaint(each, now))]
    hidden = queries.household(conn)
    if hidden.nameless:
        needs.append(
            Need(" ".join(hidden_names(known, list(hidden.nameless))), "/inbox?kind=hidden-resolver")
        )
    if hidden.repeaters:
        needs.append(Need(" ".join(hidden_devices(known, list(hidden.repeaters))), "/inbox?kind=repeater"))
    undecided = sum(is_undecided(known, device) for device in devices)
    if undecided:
        said = (
            f"{counted(undecided, 'device')} of unknown kind {'is' if undecided == 1 else 'are'} not watched"
        )
        needs.append(Need(f"{said}: say whether to watch or to ignore.", "/devices?show=undecided"))
    recognised = [device for device in devices if device.probably]
    for device in recognised[:3]:
        said = f"{known.name_of(device)} is probably {known.label(device.probably)} under another MAC."
        needs.append(Need(said, f"/devices/{device.mac}"))
    trouble = json.loads(queries.meta(conn, TROUBLE) or "{}")
    return needs + [Need(f"The analyzer's {what} fails: {why}.") for what, why in trouble.items()]


def _learners(
    known: Known,
    conn: sqlite3.Connection,
    learning: Sequence[Device],
    progress: Mapping[str, Progress],
    now: float,
) -> list[Learner]:
    """Those that have come farthest; of whom nothing was seen yet last."""
    if not learning:
        return []
    prior = kept_prior(conn)
    none = Progress()
    farthest = sorted(learning, key=lambda d: (-progress.get(d.mac, none).observed, d.mac))[:_LEARNERS]
    found = []
    for device in farthest:
        label, own = cut(known.name_of(device), LONGEST), progress.get(device.mac)
        # What was used once only would take a look at all destinations: the device's own page takes it.
        end = forecast.learning(own, 0, known.settings.learning, now, prior)
        if end is None:
            found.append(Learner(device.mac, label, 0.0, None, None))
        else:
            found.append(Learner(device.mac, label, end["share"], end["expected"], end["latest"]))
    return sorted(found, key=lambda each: (each.ends is None, each.ends or 0.0, each.label))
