# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever comes, in whatever order, each alert is told of exactly once, and never too often."""

from collections import Counter
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from unit.made_alerts import ALERT
from unit.made_effects import NOON, PLUG, TV

from smartrouter.notify.outbox import (
    BURST,
    FEW,
    WINDOW,
    Allowance,
    News,
    Newsroom,
    Policy,
    Told,
    is_quiet,
    wait,
)
from smartrouter.notify.wording import About, numbers
from smartrouter.store.alerts import StoredAlert

SEVERITIES = st.sampled_from(["notice", "warning", "critical"])
STATES = st.sampled_from(["open", "open", "open", "allowed", "merged"])
STEPS = st.lists(
    st.tuples(
        st.floats(0.0, 50.0),
        st.lists(st.tuples(st.integers(1, 60), SEVERITIES, st.integers(1, 200), STATES), max_size=12),
    ),
    max_size=12,
)


class Row(NamedTuple):
    told: str
    revision: int
    sent_revision: int
    part_of: str


def alert_of(number: int, severity: str, count: int, state: str) -> StoredAlert:
    mac = TV if number % 2 else PLUG
    return ALERT._replace(id=number, mac=mac, severity=severity, occurrences=count, state=state)


@given(STEPS, st.integers(0, 2), st.booleans())
def test_each_alert_is_told_by_one_message_and_updates_have_rising_revisions(
    steps: list[tuple[float, list[tuple[int, str, int, str]]]], least: int, sends: bool
) -> None:
    room, known, now = Newsroom(), dict[str, Told](), 0.0
    told: list[tuple[str, int]] = []
    seen: dict[int, StoredAlert] = {}
    for pause, step in steps:
        now += pause
        alerts = {each[0]: alert_of(*each) for each in step}
        seen |= alerts
        news = [News(alert, About("TV", "monitor")) for alert in alerts.values()]
        plan = room.plan(Policy(least), news, known, now, NOON + now)
        for message, text in plan.put:
            before = known.get(message.key)
            revision = max(message.revision, before.sent_revision + 1 if before else 1)
            if sends:
                told.append((message.key, revision))
            known[message.key] = Row(text, revision, revision if sends else 0, "")
        for key, *_, by in plan.spoken_for:
            assert key not in known, "what was told by itself is not part of a flood, too"
            known[key] = Row("", 1, 0, by)
        for key in plan.take_back:
            assert not known.pop(key).sent_revision
    assert max(Counter(told).values(), default=1) == 1, "no revision is told twice"
    for number, alert in seen.items():
        row = known.get(f"alert:{number}")
        is_loud = ["notice", "warning", "critical"].index(alert.severity) >= least
        if alert.state == "open" and is_loud:
            assert row is not None, "nothing is forgotten"
        if row is not None and row.part_of:
            assert row.part_of in known, "what speaks for it is there"


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=80))
def test_a_device_is_told_of_a_few_times_in_a_window_however_much_it_does(pauses: list[float]) -> None:
    room, now, singles = Newsroom(), 0.0, list[float]()
    for number, pause in enumerate(pauses, 1):
        now += pause
        plan = room.plan(
            Policy(), [News(ALERT._replace(id=number), About("TV", "monitor"))], {}, now, NOON + now
        )
        singles += [now for message, _ in plan.put if message.kind != "flood"]
    for at in singles:
        assert sum(at <= other < at + WINDOW for other in singles) <= FEW


@given(st.integers(1, 600), st.lists(st.floats(0.0, 30.0), max_size=100))
def test_no_minute_has_more_than_it_may_but_for_a_burst(per_minute: int, pauses: list[float]) -> None:
    allowance, now, sent = Allowance(per_minute), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if allowance.next_at(now) <= now:
            allowance.take()
            sent.append(now)
    for at in sent:
        assert sum(at <= other < at + 60 for other in sent) <= per_minute + BURST + 1


@given(st.integers(0, 1439), st.integers(0, 1439), st.integers(0, 1439))
def test_the_hours_that_are_not_quiet_are_the_others(begin: int, end: int, minute: int) -> None:
    if begin != end:
        assert is_quiet((begin, end), minute) is not is_quiet((end, begin), minute)


@given(st.integers(1, 10_000), st.none() | st.floats(0, 1e9), st.floats(0, 1))
def test_a_wait_is_never_shorter_than_asked_for_nor_endless(n: int, asked: float | None, luck: float) -> None:
    assert min(asked or 0.0, 86400.0) <= wait(n, asked, luck) <= 86400.0
    assert wait(n, asked, luck) > 0


@given(st.lists(st.integers(1, 300)))
def test_numbers_name_just_these(of: list[int]) -> None:
    found = set[int]()
    for run in filter(None, numbers(of).split(", ")):
        first, _, last = run.partition("–")
        found |= set(range(int(first), int(last or first) + 1))
    assert found == set(of)
