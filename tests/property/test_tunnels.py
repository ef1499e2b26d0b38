# SPDX-License-Identifier: GPL-2.0-or-later
"""What holds of the watch for DNS tunnels, whatever a device asks for."""

from hypothesis import given
from hypothesis import strategies as st

from smartrouter.core.detection.tunnels import MAX_DOMAINS, MAX_SEEN, QUIET, Suspicion, Tunnels
from smartrouter.core.events import Question

labels = st.one_of(
    st.text("abcdefghij0123456789-_", min_size=1, max_size=63),
    st.sampled_from(["www", "_tcp", "\\.", "\\255\\000", "a\\.b", "x" * 63]),
)
ends = st.sampled_from(["example.com", "example.co.uk", "github.io", "in-addr.arpa", "lan", "sea", ""])
names = st.builds(
    lambda parts, end: ".".join([*parts, end] if end else parts)[:253], st.lists(labels, max_size=8), ends
)
types = st.sampled_from([1, 5, 10, 12, 15, 16, 28, 33, 65, 65399])
questions = st.lists(
    st.tuples(st.builds(Question, names, types, st.just(1)), st.floats(0.0, 600.0)), max_size=200
)


def play(asked: list[tuple[Question, float]]) -> list[tuple[float, Suspicion]]:
    tunnels, running, found = Tunnels(), 0.0, []
    for question, pause in asked:
        running += pause
        suspicion = tunnels.asked(question, running)
        assert len(tunnels) <= MAX_SEEN + MAX_DOMAINS + 128
        if suspicion is not None:
            found.append((running, suspicion))
    return found


@given(questions)
def test_the_same_questions_give_the_same_suspicions(asked: list[tuple[Question, float]]) -> None:
    assert play(asked) == play(asked)


@given(questions)
def test_fewer_than_ten_different_names_are_never_suspected(asked: list[tuple[Question, float]]) -> None:
    few: dict[str, None] = {}
    for question, _ in asked:
        if len(few) < 9:
            few[question.name] = None
    assert play([(question, 1.0) for question, _ in asked if question.name in few] * 5) == []


@given(questions)
def test_no_domain_is_reported_twice_within_an_hour(asked: list[tuple[Question, float]]) -> None:
    last: dict[str, float] = {}
    for running, suspicion in play(asked * 3):
        assert running - last.get(suspicion.domain, -QUIET) >= QUIET
        last[suspicion.domain] = running


@given(st.integers(1, 60), st.integers(20, 60), types)
def test_a_faster_tunnel_is_never_reported_later(pause: int, length: int, kind: int) -> None:
    names = [f"{index:04}{'q7' * length}"[:60] + ".t.example.net" for index in range(400)]
    slow = play([(Question(name, kind, 1), float(pause)) for name in names])
    fast = play([(Question(name, kind, 1), pause / 2) for name in names])
    if slow:
        assert fast[0][0] <= slow[0][0]
