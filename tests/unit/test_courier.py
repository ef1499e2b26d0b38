# SPDX-License-Identifier: GPL-2.0-or-later
"""A channel's thread says what came of each hand-over, whatever the channel does."""

import logging
import queue
from collections.abc import Callable

import pytest
from unit.made_alerts import told

from smartrouter.analyzer.courier import Courier, Done
from smartrouter.config import NotifyConfig
from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import Mode
from smartrouter.notify.channel import NotDelivered
from smartrouter.notify.message import Answer, Message
from smartrouter.store.outbox import Row

ROW = Row(1, "alert:12", "", 1, "{}", "", 1, 0, "the receipt before", "", False, 0, 0.0)
HOOK = NotifyConfig(type="webhook", channel="https://a.example/S3cret", token="S3cret")


class Channel:
    """Does what the test says."""

    def __init__(self, do: Callable[[Message, str], str]):
        self.do = do
        self.closed = 0

    def send(self, message: Message, receipt: str) -> str:
        return self.do(message, receipt)

    def close(self) -> None:
        self.closed += 1
        raise OSError("closing may fail, too")


class Deaf:
    """Nobody listens."""

    def answered(self, channel: str, key: str, answer: Answer, by: str) -> None:
        raise AssertionError

    def switched(self, channel: str, mac: str, mode: Mode, by: str) -> None:
        raise AssertionError


def hand_over(do: Callable[[Message, str], str], config: NotifyConfig = HOOK) -> tuple[Done, Channel]:
    done: queue.SimpleQueue[Done] = queue.SimpleQueue()
    channel = Channel(do)
    courier = Courier("hook", config, done.put, Deaf(), lambda _: channel)
    courier.give(ROW, told(), 0.0)
    found = done.get(timeout=20)
    courier.retire()
    courier.join(20)
    return found, channel


def fail(error: Exception) -> Callable[[Message, str], str]:
    def do(message: Message, receipt: str) -> str:
        raise error

    return do


def test_the_receipt_goes_there_and_comes_back() -> None:
    done, channel = hand_over(lambda message, receipt: f"{receipt}, {message.key}")
    assert (done.row, done.receipt, done.failure) == (ROW, "the receipt before, alert:12", None)
    assert channel.closed == 1


@pytest.mark.parametrize(("error", "said", "is_final", "retry_after"), [
    (NotDelivered("it answered 429", retry_after=9.0), "it answered 429", False, 9.0),
    (NotDelivered("revoked: S3cret", is_final=True), "revoked: …", True, None),
    (BadConfig("option channel: https://a.example/S3cret"), "option channel: …", True, None),
    (ValueError("S3cret"), "a fault of smartrouter's: ValueError", False, None),
])  # fmt: skip
def test_a_failure_is_told_without_secrets(
    error: Exception, said: str, is_final: bool, retry_after: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    done, _ = hand_over(fail(error))
    assert done.failure is not None
    assert (str(done.failure), done.failure.is_final, done.failure.retry_after) == (
        said,
        is_final,
        retry_after,
    )
    assert "S3cret" not in caplog.text


def test_a_channel_that_cannot_listen_is_opened_anew() -> None:
    class Broken(Channel):
        def listen(self, answered: object) -> None:
            raise NotDelivered("no connection")

    done: queue.SimpleQueue[Done] = queue.SimpleQueue()
    opened: list[Broken] = []

    def opener(_: NotifyConfig) -> Broken:
        opened.append(Broken(lambda *_: ""))
        return opened[-1]

    courier = Courier("hook", HOOK.replace(app_token="xapp-1"), done.put, Deaf(), opener)
    for _ in range(2):
        courier.listen(0.0)
        found = done.get(timeout=20)
        assert (found.row, str(found.failure)) == (None, "no connection")
    courier.retire()
    courier.join(20)
    assert [each.closed for each in opened] == [1, 1]


def test_after_a_failure_the_channel_is_opened_anew_but_where_people_answer() -> None:
    assert hand_over(fail(NotDelivered("no")))[1].closed == 1
    _, channel = hand_over(fail(NotDelivered("no")), HOOK.replace(app_token="xapp-1"))
    assert channel.closed == 1, "only at the end"
