# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever effects come in whatever batches, the store says what a plain model says."""

import sqlite3
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.made_effects import NOON, alias, forget, keep, learn, raised, record, told, withdraw

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import (
    Effect,
    Forget,
    Keep,
    Learn,
    Name,
    NameAlias,
    Raise,
    Record,
    Severity,
    Withdraw,
)
from smartrouter.core.events import Moment
from smartrouter.core.learning import Progress, Seen
from smartrouter.store import batch, open_writer
from smartrouter.store.alerts import AlertState, StoredAlert, alerts
from smartrouter.store.attempts import attempts_after, attempts_of
from smartrouter.store.pending import MAX_TARGETS, Pending
from smartrouter.store.queries import load_state
from smartrouter.store.retention import Limits, prune
from smartrouter.store.transaction import transaction

MACS = [f"02:00:00:00:00:0{n}" for n in range(3)]
macs = st.sampled_from(MACS)
names = st.sampled_from(["a.example", "b.example", "c.example"])
addresses = st.sampled_from(["203.0.113.1", "2001:db8::1"])
times = st.integers(0, 10_000).map(lambda seconds: NOON + seconds)

effects = st.one_of(
    st.builds(record, macs, at=times, name=names | st.just(""), address=addresses, accepted=st.booleans()),
    st.builds(
        raised,
        macs,
        at=times,
        destination=names,
        address=addresses,
        blocked=st.booleans(),
        severity=st.sampled_from(Severity),
        detail=st.sampled_from(["", "3 addresses", "9 addresses"]),
    ),
    st.builds(withdraw, macs, destination=names),
    st.builds(learn, macs, names, units=st.integers(1, 9), used=st.integers(0, 9).map(float), at=times),
    st.builds(forget, macs, names),
    st.builds(told, macs, addresses, names, at=times),
    st.builds(alias, macs, names, names, at=times),
    st.builds(keep, macs, observed=st.integers(0, 1000).map(float)),
)
batches = st.lists(st.lists(effects, max_size=12), max_size=8)


class Model:
    """The same in dictionaries."""

    def __init__(self) -> None:
        self.attempts: list[Record] = []
        self.learned: defaultdict[str, dict[Destination, Seen]] = defaultdict(dict)
        self.progress: dict[str, Progress] = {}
        self.names: dict[tuple[str, str, str], float] = {}
        self.aliases: dict[tuple[str, str, str], float] = {}
        self.open: dict[tuple[str, str], list[Raise]] = {}  # mac, destination -> its occurrences
        self.merged: Counter[tuple[str, str]] = Counter()  # … how many of them are part of others

    def put(self, effect: Effect) -> None:
        match effect:
            case Record():
                self.attempts.append(effect)
            case Raise():
                key = (effect.alert.mac, effect.alert.destination)
                self.open.setdefault(key, []).append(effect)
            case Withdraw():
                key = (effect.mac, effect.destination)
                self.merged[key] += len(self.open.pop(key, []))
            case Learn():
                self.learned[effect.mac][effect.destination] = effect.seen
            case Forget():
                self.learned[effect.mac].pop(effect.destination, None)
            case Keep():
                self.progress[effect.mac] = effect.progress
            case Name():
                key3 = (effect.mac, effect.address, effect.name)
                self.names[key3] = max(effect.at, self.names.get(key3, 0.0))
            case NameAlias():
                key3 = (effect.mac, effect.target, effect.head)
                self.aliases[key3] = max(effect.at, self.aliases.get(key3, 0.0))


def stored(conn: sqlite3.Connection, given_batches: list[list[Effect]]) -> Model:
    model = Model()
    pending = Pending()
    for effects_of_one in given_batches:
        for effect in effects_of_one:
            assert pending.add(effect)
            model.put(effect)
        with transaction(conn):
            batch.write(conn, pending.take(), NOON)
    return model


@settings(max_examples=60, deadline=None)
@given(batches)
def test_the_store_says_what_the_model_says(given_batches: list[list[Effect]]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        conn = open_writer(str(Path(directory) / "store.db"))
        try:
            model = stored(conn, given_batches)
            agree(conn, model)
        finally:
            conn.close()


def agree(conn: sqlite3.Connection, model: Model) -> None:
    found = attempts_after(conn, 0, 1000)
    assert [attempt._replace(id=0)[1:] for attempt in found] == [
        tuple(each.attempt) for each in model.attempts
    ]
    for mac in MACS:
        own = [attempt for attempt in found if attempt.mac == mac]
        assert attempts_of(conn, mac, 1000) == own[::-1]
        assert attempts_of(conn, mac, 2) == own[::-1][:2]
    state = load_state(conn)
    assert state.learned == {mac: learned for mac, learned in model.learned.items() if learned}
    assert {mac: state.progress[mac] for mac in model.progress} == model.progress
    assert {
        (mac, each.address, each.name): each.told_at for mac in state.names for each in state.names[mac]
    } == (model.names)
    for of_one in state.names.values():
        assert [each.told_at for each in of_one] == sorted(each.told_at for each in of_one)
    assert {
        (mac, each.target, each.head): each.seen_at for mac in state.aliases for each in state.aliases[mac]
    } == model.aliases
    agree_on_alerts(alerts(conn), model)


def agree_on_alerts(found: list[StoredAlert], model: Model) -> None:
    still_open = {(each.mac, each.destination): each for each in found if each.state == AlertState.OPEN}
    assert still_open.keys() == model.open.keys()
    for key, each in still_open.items():
        occurrences = [effect.alert for effect in model.open[key]]
        assert (each.occurrences, each.blocked) == (len(occurrences), sum(o.blocked for o in occurrences))
        assert each.detail == occurrences[-1].detail
        assert each.severity == max((o.severity for o in occurrences), key=list(Severity).index)
    merged: Counter[tuple[str, str]] = Counter()
    for each in found:
        assert each.state in (AlertState.OPEN, AlertState.MERGED)
        merged[each.mac, each.destination] += each.occurrences * (each.state == AlertState.MERGED)
        assert sum(target[3] for target in each.targets) == each.occurrences
        assert len(each.targets) <= MAX_TARGETS
    assert +merged == +model.merged


@settings(max_examples=40, deadline=None)
@given(
    batches, st.lists(st.tuples(st.sampled_from([0.0, 60.0, 1e5, 1e7]), st.floats(-2e9, 2e9)), max_size=12)
)
def test_attempts_are_neither_lost_nor_counted_twice_whatever_the_clock_does(
    given_batches: list[list[Effect]], clock: list[tuple[float, float]]
) -> None:
    """Each attempt is kept single or in a sum, until the retention is over; here it never is."""
    limits = Limits(attempts_kept=3600.0, retention=1e12)
    with tempfile.TemporaryDirectory() as directory:
        conn = open_writer(str(Path(directory) / "store.db"))
        try:
            model = stored(conn, given_batches)
            running = 0.0
            for passed, wall in clock:
                running += passed
                prune(conn, Moment(running, NOON + wall), limits)
                single = conn.execute("SELECT count(*) FROM attempts").fetchone()[0]
                summed = conn.execute("SELECT coalesce(sum(count), 0) FROM hours").fetchone()[0]
                assert single + summed == len(model.attempts)
        finally:
            conn.close()
