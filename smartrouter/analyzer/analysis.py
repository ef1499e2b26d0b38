# SPDX-License-Identifier: GPL-2.0-or-later
"""What is done every `analysis_interval`, over what is new only: which learned destinations are in use, what
was spoken to on which day, how learning goes, what is old enough to go. And after each change of the rules,
which alerts they decide.

A run may end anywhere: the next one goes on from there, and what was done already changes nothing when it is
done again. Knows the store, not where it lies, nor when it is its turn. A run leaves a record of itself for
`status`, also where it failed.
"""

import json
import sqlite3
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from smartrouter.analyzer.days import EVERY, sum_up_days
from smartrouter.core.destinations import Destination, Match, group_of, is_address
from smartrouter.core.events import Moment
from smartrouter.core.learning import Progress, State
from smartrouter.core.novelty import History, fit
from smartrouter.core.policy import Action, Attempted, Called, Reason, Settings, applies, ruling
from smartrouter.store import queries
from smartrouter.store.alerts import AlertState, StoredAlert, alerts, set_alert_state
from smartrouter.store.attempts import StoredAttempt, attempts_after
from smartrouter.store.changes import mark_used, set_meta
from smartrouter.store.queries import heads_of, meta
from smartrouter.store.retention import Limits, Pruned, prune
from smartrouter.store.runs import PRIOR, Run, keep_run

_CURSOR, _STAGES = "analysis_cursor", "analysis_stages"
_AT_ONCE = 2000  # attempts
_MAX_FINDINGS = 20
_MAX_ALERTS = 10_000  # more than the store keeps
_DECIDED = {Action.ALLOW: AlertState.ALLOWED, Action.DENY: AlertState.DENIED}


def analyse(conn: sqlite3.Connection, match: Match, limits: Limits) -> Run:
    """One run. `conn`: a writer's. Raises sqlite3.Error; the next run then does what this one has not."""
    begun = Moment(time.monotonic(), time.time())
    try:
        run = _analyse(conn, match, limits, begun)
    except Exception as error:
        took = time.monotonic() - begun.running
        with suppress(sqlite3.Error):
            keep_run(conn, Run(begun.wall, took, 0, (), {}, f"{type(error).__name__}: {error}"))
        raise
    return run


def _analyse(conn: sqlite3.Connection, match: Match, limits: Limits, begun: Moment) -> Run:
    rows = _follow_attempts(conn, match)
    sum_up_days(conn, match, begun.wall, at_once=limits.attempts_kept < 2 * EVERY)  # before they go
    pruned = prune(conn, begun, limits)
    progress = queries.progress(conn)
    protected = {mac for mac, p in progress.items() if p.state is State.PROTECTED}
    before = set(json.loads(meta(conn, _STAGES) or "[]"))
    findings = _finished(progress, protected - before) + _made_room(pruned)
    stages = {str(state): sum(p.state is state for p in progress.values()) for state in State}
    run = Run(begun.wall, time.monotonic() - begun.running, rows, tuple(findings[:_MAX_FINDINGS]), stages)
    notes = [] if protected == before else [(_STAGES, json.dumps(sorted(protected)))]
    prior = fit([History(p.units, p.new_since_second, p.new_logs) for p in progress.values()])
    keep_run(conn, run, [*notes, (PRIOR, json.dumps(prior))])
    return run


def settle(conn: sqlite3.Connection, settings: Settings, wall: float, after: int = 0) -> int:
    """Decide about the alerts of whose destinations a rule speaks by now, as the rule does; gives how many.
    What comes after the rule ends, or is taken back, is a new alert. `after`: only about those that were
    raised later than the one with this number."""
    settled = 0
    for state in (AlertState.OPEN, AlertState.DISMISSED):
        for found in alerts(conn, state=state, after=after, limit=_MAX_ALERTS):
            if not found.destination:
                continue  # about what the device does, not about where to: no rule speaks of that
            rules = [rule for rule in settings.rules if rule.device in ("*", found.mac)]
            about = attempted_of(found)
            action = ruling(rules, about, wall)
            if action is not None:
                rule = next(r for r in rules if r.action is action and applies(r, about, wall))
                at = datetime.fromisoformat(rule.at).timestamp() if rule.at else None
                settled += set_alert_state(conn, found.id, _DECIDED[action], rule.by, at)
    return settled


def attempted_of(found: StoredAlert) -> Attempted:
    """What the alert says was attempted. Not every alert is about a packet that went to an address."""
    name = found.name or ("" if is_address(found.destination) else found.destination)
    called = (Called(name, (), (found.destination,)),) if name else ()
    address = next((target[0] for target in found.targets if target[0]), found.destination)
    return Attempted(address if is_address(address) else "", found.service, called)


def _follow_attempts(conn: sqlite3.Connection, match: Match) -> int:
    """Note the use of learned destinations in the attempts that are new; gives how many these are."""
    cursor, rows = int(meta(conn, _CURSOR) or "0"), 0
    while attempts := attempts_after(conn, cursor, _AT_ONCE):
        mark_used(conn, _uses(conn, attempts, match))
        rows += len(attempts)
        cursor = attempts[-1].id
        set_meta(conn, _CURSOR, str(cursor))
    return rows


def _uses(
    conn: sqlite3.Connection, attempts: Iterable[StoredAttempt], match: Match
) -> list[tuple[str, Destination, float]]:
    latest: dict[tuple[str, str, str, str], float] = {}
    for attempt in attempts:
        if attempt.reason == Reason.LEARNED:
            latest[attempt.mac, attempt.name, attempt.address, attempt.service] = attempt.at
    # By name, by what led to the name, or by address: what of these was learned, the store knows.
    return [
        (mac, Destination(group, service), at)
        for (mac, name, address, service), at in latest.items()
        for group in {address, *_groups(conn, mac, name, match)}
    ]


def _groups(conn: sqlite3.Connection, mac: str, name: str, match: Match) -> set[str]:
    """What `name` may be called for this device; nothing if it is ''."""
    names = [name] if name else []
    if name and match is Match.CHAIN:
        names += heads_of(conn, mac, name)
    return {group_of(each, match) for each in names}


def _finished(progress: dict[str, Progress], protected: set[str]) -> list[str]:
    """That these devices ended learning since the last run."""
    return [
        f"{mac} has ended learning and is protected"
        + ("." if progress[mac].settled else "; its time was up, but it still had new destinations.")
        for mac in sorted(protected)
    ]


def _made_room(pruned: Pruned) -> list[str]:
    if not pruned.for_size:
        return []
    return [f"The store was full: {pruned.for_size} of the oldest records went before their time."]
