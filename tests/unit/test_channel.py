# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON lines over a socket: whatever the other end does, ours goes on or says why not."""

import json
import os
import socket
import time
from collections.abc import Iterator

import pytest

from smartrouter.channel import Answer, BadMessage, Channel, Gone, Lines, Questions, decode, encode, plain
from smartrouter.core.errors import Unavailable

Pair = tuple[Lines, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Our end, of at most 100 bytes a line, and the bare socket at the other end."""
    ours, theirs = socket.socketpair()
    lines = Lines(ours, longest=100)
    yield lines, theirs
    lines.close()
    theirs.close()


@pytest.fixture
def channel() -> Iterator[tuple[Channel, Lines]]:
    """A part's channel, and the supervisor's end of it."""
    ours, theirs = socket.socketpair()
    channel = Channel(theirs.detach())
    supervisor = Lines(ours)
    yield channel, supervisor
    supervisor.close()
    channel.close()


def said(lines: Lines) -> list[dict[str, object]]:
    return [decode(line) for line in lines.receive()]


def test_a_message_arrives_as_it_was_sent() -> None:
    message = {"id": 1, "do": "configure", "text": "Bob's “TV”\n\u2028", "list": [1, None, True, 1.5]}
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert decode(line[:-1]) == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no JSON",
        b"[1]",
        b'"text"',
        b"null",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1',
        b"\xff\xfe{}",
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
        '{"a": 1}'.encode("utf-16"),
    ],
    ids=range(13),
)
def test_what_is_no_object_is_a_bad_message(line: bytes) -> None:
    with pytest.raises(BadMessage):
        decode(line)


def test_lines_come_whole_however_they_were_cut(pair: Pair) -> None:
    lines, other = pair
    arrived = []
    for byte in b'{"a":1}\n\n{"b":2}\n{"c"':
        other.send(bytes([byte]))
        arrived += lines.receive()
    assert arrived == [b'{"a":1}', b"", b'{"b":2}']
    other.send(b":3}\n")
    assert lines.receive() == [b'{"c":3}']


def test_nothing_to_read_is_no_line(pair: Pair) -> None:
    assert pair[0].receive() == []


@pytest.mark.parametrize("sent", [b"x" * 101, b"x" * 101 + b"\n", b"{}\n" + b"x" * 101 + b"\n"])
def test_a_line_longer_than_allowed_is_refused(pair: Pair, sent: bytes) -> None:
    pair[1].send(sent)
    with pytest.raises(BadMessage, match="100 bytes"):
        pair[0].receive()


def test_the_longest_allowed_line_is_taken(pair: Pair) -> None:
    pair[1].send(b"x" * 100 + b"\n")
    assert pair[0].receive() == [b"x" * 100]


def test_what_a_dead_peer_said_last_is_still_heard(pair: Pair) -> None:
    lines, other = pair
    other.send(b'{"last": 1}\n')
    lines.send({"unread": "by the other end"})
    other.close()
    lines.send({"too": "late"})
    assert lines.receive() == [b'{"last": 1}']
    with pytest.raises(Gone):
        lines.receive()
    assert issubclass(Gone, Unavailable)


def test_sending_to_a_stopped_peer_neither_waits_nor_loses_anything(pair: Pair) -> None:
    lines, other = pair
    sent = [{"number": n, "filler": "x" * 1000} for n in range(1000)]
    for message in sent:
        lines.send(message)
    assert lines.unsent
    reader = Lines(other)
    arrived: list[dict[str, object]] = []
    while len(arrived) < len(sent):
        lines.flush()
        arrived += said(reader)
    assert arrived == sent
    assert not lines.unsent


def test_a_peer_that_never_reads_is_given_up_before_memory_is(pair: Pair) -> None:
    lines, _ = pair
    megabyte = {"filler": "x" * (1 << 20)}
    for _ in range(10):
        lines.send(megabyte)
    assert not lines.unsent
    with pytest.raises(Gone, match="does not read"):
        lines.receive()


def test_a_request_comes_with_its_arguments_and_is_answered_under_its_id(
    channel: tuple[Channel, Lines],
) -> None:
    part, supervisor = channel
    supervisor.send({"id": 7, "do": "forget", "device": "aa:bb:cc:dd:ee:ff"})
    supervisor.send({"id": 8, "do": "status"})
    first, second = part.requests()
    assert (first.id, first.do, first.arguments) == (7, "forget", {"device": "aa:bb:cc:dd:ee:ff"})
    assert (second.id, second.do, second.arguments) == (8, "status", {})
    part.answer(first.id)
    part.answer(second.id, {"mode": "monitor"})
    part.answer(9, error="no such thing")
    assert said(supervisor) == [
        {"id": 7, "ok": {}},
        {"id": 8, "ok": {"mode": "monitor"}},
        {"id": 9, "error": "no such thing"},
    ]


@pytest.mark.parametrize("message", [{"do": "x"}, {"id": 1}, {"id": "1", "do": "x"}, {"id": 1, "do": 2}])
def test_a_request_without_id_or_purpose_is_a_bad_message(
    channel: tuple[Channel, Lines], message: dict[str, object]
) -> None:
    channel[1].send(message)
    with pytest.raises(BadMessage):
        channel[0].requests()


def test_waiting_for_requests_ends_with_the_first_or_with_the_time(channel: tuple[Channel, Lines]) -> None:
    part, supervisor = channel
    before = time.monotonic()
    assert part.requests(wait=0.05) == []
    assert time.monotonic() - before > 0.04
    supervisor.send({"id": 1, "do": "status"})
    before = time.monotonic()
    assert len(part.requests(wait=30)) == 1
    assert time.monotonic() - before < 10


def test_a_beat_is_sent_about_twice_a_second_however_often_it_is_called(
    channel: tuple[Channel, Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    part, supervisor = channel
    begun = time.monotonic()
    for hundredth in range(100):
        monkeypatch.setattr("time.monotonic", lambda now=begun + hundredth / 100: now)
        part.beat()
    assert said(supervisor) == [{"beat": True}] * 3  # at 0.00, 0.45 and 0.90


def test_the_part_learns_that_its_supervisor_is_gone(channel: tuple[Channel, Lines]) -> None:
    part, supervisor = channel
    supervisor.close()
    part.beat()
    with pytest.raises(Gone):
        part.requests(wait=1)


def test_what_is_told_carries_its_facts(channel: tuple[Channel, Lines]) -> None:
    channel[0].tell("seen", devices=[{"mac": "aa:bb:cc:dd:ee:ff"}])
    assert said(channel[1]) == [{"tell": "seen", "devices": [{"mac": "aa:bb:cc:dd:ee:ff"}]}]


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            Unavailable("the queue is taken: stop the other program"),
            "the queue is taken: stop the other program",
        ),
        (ModuleNotFoundError("No module named 'netfilterqueue'", name="netfilterqueue"), "netfilterqueue"),
        (ValueError("xoxb-a-secret-token"), "ValueError"),
    ],
)
def test_a_part_that_fails_says_why_and_never_a_secret(
    channel: tuple[Channel, Lines], error: Exception, why: str
) -> None:
    part, supervisor = channel
    with pytest.raises(type(error)), part:
        raise error
    (told,) = said(supervisor)
    assert told["tell"] == "failed"
    assert why in str(told["why"])
    assert "secret" not in str(told["why"])
    with pytest.raises(Gone):
        supervisor.receive()


def test_a_part_whose_supervisor_died_has_nobody_to_tell(channel: tuple[Channel, Lines]) -> None:
    part, supervisor = channel
    with pytest.raises(Gone), part:
        raise Gone("the supervisor is gone")
    with pytest.raises(Gone):
        supervisor.receive()


def test_the_channel_is_not_handed_on_to_programs_that_the_part_starts() -> None:
    ours, theirs = socket.socketpair()
    theirs.set_inheritable(True)
    channel = Channel(theirs.detach())
    assert not os.get_inheritable(channel.fileno())
    channel.close()
    ours.close()


def test_questions_get_their_own_answers_each_once(pair: Pair) -> None:
    lines, other = pair
    questions, answers = Questions(), dict[str, list[Answer]]()
    for do in ("a", "b", "c"):
        questions.ask(lines, do, {"for": do}, 10.0, answers.setdefault(do, []).append)
    sent = said(Lines(other))
    assert [(asked["do"], asked["for"]) for asked in sent] == [("a", "a"), ("b", "b"), ("c", "c")]
    first, second, third = (asked["id"] for asked in sent)
    assert questions.hear({"id": third, "ok": {"x": 1}})
    assert questions.hear({"id": first, "error": "no\nway"})
    assert questions.hear({"id": second, "ok": "odd"})
    assert questions.hear({"id": first, "ok": {}})  # answered already
    assert answers == {"a": [{"error": "no way"}], "b": [{"ok": {}}], "c": [{"ok": {"x": 1}}]}
    assert questions.next_deadline() is None


@pytest.mark.parametrize("message", [{"beat": True}, {"id": None}, {"id": [1]}, {"id": "1", "ok": {}}, {}])
def test_what_is_no_answer_is_told_apart(message: dict[str, object]) -> None:
    assert not Questions().hear(message)


def test_questions_that_nobody_answers_end_with_their_time_or_with_the_part(pair: Pair) -> None:
    questions = Questions()
    answers: list[Answer] = []
    for deadline in (1.0, 2.0, 9.0):
        questions.ask(pair[0], "x", {}, deadline, answers.append)
    assert questions.next_deadline() == 1.0
    questions.expire(2.0, "late")
    assert answers == [{"error": "late"}] * 2
    questions.abandon("gone")
    assert answers[2:] == [{"error": "gone"}]
    questions.abandon("gone")
    questions.expire(99.0, "late")
    assert len(answers) == 3


def test_foreign_text_is_one_harmless_line() -> None:
    assert plain("a\x1b[31m\nb\u202e\t") == "a [31m b"
    assert plain("x" * 5000, longest=10) == "x" * 10
    assert plain(None) == "None"
    json.dumps(plain("\ud800"))
