# SPDX-License-Identifier: GPL-2.0-or-later
"""A channel's thread: opens the channel when it is needed, hands one message over at a time, and says what
came of it. Whatever goes wrong in it stays in it.

Nothing of a channel's configuration is logged or told: only its name, and what it says went wrong.
"""

import contextlib
import logging
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

from smartrouter.config import NotifyConfig
from smartrouter.core.errors import SmartrouterError
from smartrouter.core.policy import Mode
from smartrouter.notify.channel import Channel, NotDelivered
from smartrouter.notify.channels import answers, without_secrets
from smartrouter.notify.message import Answer, Message
from smartrouter.notify.switches import Standing
from smartrouter.store.outbox import Row

log = logging.getLogger("smartrouter.analyzer")

Open: TypeAlias = Callable[[NotifyConfig], Channel]


class Done(NamedTuple):
    """What came of a hand-over. `row` None: of opening the channel, to listen."""

    courier: "Courier"
    row: Row | None
    receipt: str = ""
    failure: NotDelivered | None = None


class _Job(NamedTuple):
    row: Row
    message: Message


class _Shown(NamedTuple):
    devices: tuple[Standing, ...]


class Heard(Protocol):
    """Takes what people do on a channel, from the channel's threads: (channel, key of the message, what was
    answered, who), and (channel, MAC, the mode that it is to have, who)."""

    def answered(self, channel: str, key: str, answer: Answer, by: str) -> None: ...
    def switched(self, channel: str, mac: str, mode: Mode, by: str) -> None: ...


class Courier:
    """One channel's thread: opens the channel when it is needed, and hands over what it is given."""

    def __init__(
        self,
        key: str,
        config: NotifyConfig,
        done: Callable[[Done], None],
        heard: Heard,
        opener: Open,
    ):
        self.key = key
        self.config = config
        self.busy_since: float | None = None  # CLOCK_MONOTONIC; None while it has nothing in hand
        self.telling = ""  # the key of the message that it has in hand
        self.listens = False
        self._done = done
        self._heard = heard
        self._opener = opener
        self._shown = _Shown(())
        self._jobs: queue.SimpleQueue[_Job | _Shown | bool] = queue.SimpleQueue()  # True: open it; False: end
        self._channel: Channel | None = None
        self._thread = threading.Thread(target=self._work, name=f"channel-{key}", daemon=True)
        self._thread.start()

    def give(self, row: Row, message: Message, now: float) -> None:
        """Hand `message` over; one at a time."""
        self.busy_since, self.telling = now, row.key
        self._jobs.put(_Job(row, message))

    def listen(self, now: float) -> None:
        """Open the channel, so that people can answer on it."""
        self.busy_since = now
        self.listens = True
        self._jobs.put(True)

    def show(self, devices: tuple[Standing, ...]) -> None:
        """How the devices stand now, for a channel that shows that."""
        self._jobs.put(_Shown(devices))

    def ended(self) -> None:
        """What came of what it had in hand is noted."""
        self.busy_since, self.telling = None, ""

    @property
    def trouble(self) -> str:
        """What keeps people from answering, as the channel says; '' if nothing does."""
        return without_secrets(str(getattr(self._channel, "trouble", "")), self.config)

    def retire(self) -> None:
        """Let go of the channel once what is in hand is handed over."""
        self._jobs.put(False)

    def join(self, seconds: float) -> None:
        """Wait for its end."""
        self._thread.join(seconds)

    # -- in its thread --------------------------------------------------------------------------------

    def _work(self) -> None:
        while (job := self._jobs.get()) is not False:
            if isinstance(job, _Shown):
                self._shown = job
                self._show()
                continue
            row = job.row if isinstance(job, _Job) else None
            try:
                receipt = self._do(job)
            except NotDelivered as error:
                self._failed(row, str(error), error)
            except SmartrouterError as error:
                self._failed(row, str(error), NotDelivered("", is_final=True))
            except Exception as fault:
                # Its text may hold a secret: a library's errors often do.
                log.error("channel %s: a fault of ours: %s", self.key, _place(fault))
                self._failed(row, f"a fault of smartrouter's: {type(fault).__name__}", NotDelivered(""))
            else:
                self._done(Done(self, row, receipt))
        self._close()

    def _do(self, job: _Job | bool) -> str:
        channel = self._open()
        return channel.send(job.message, job.row.receipt) if isinstance(job, _Job) else ""

    def _open(self) -> Channel:
        if self._channel is not None:
            return self._channel
        channel = self._opener(self.config)
        obey, listen = getattr(channel, "obey", None), getattr(channel, "listen", None)
        try:
            if obey is not None:
                obey(lambda mac, mode, by: self._heard.switched(self.key, mac, mode, by))
            if listen is not None:
                listen(lambda key, answer, by: self._heard.answered(self.key, key, answer, by))
        except BaseException:
            with contextlib.suppress(Exception):
                channel.close()
            raise
        self._channel = channel
        self._show()
        return channel

    def _show(self) -> None:
        show = getattr(self._channel, "show", None)
        if show is None:
            return
        try:
            show(self._shown.devices)
        except Exception as fault:
            log.error("channel %s: a fault of ours: %s", self.key, _place(fault))

    def _failed(self, row: Row | None, why: str, how: NotDelivered) -> None:
        if not answers(self.config):
            self._close()  # it begins anew next time; where people answer, the connection is kept
        why = without_secrets(why, self.config)
        failure = NotDelivered(why, is_final=how.is_final, retry_after=how.retry_after)
        self._done(Done(self, row, failure=failure))

    def _close(self) -> None:
        if self._channel is not None:
            with contextlib.suppress(Exception):
                self._channel.close()
            self._channel = None


def _place(fault: Exception) -> str:
    """Which fault it is, and where, without its text."""
    place = fault.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" in {place.tb_frame.f_code.co_name}, line {place.tb_lineno}"
    return f"{type(fault).__name__}{where}"
