# SPDX-License-Identifier: GPL-2.0-or-later
"""What a channel is: something that hands a message over to a service, or says why it cannot.

A channel is one file beside this one, and imports its library when it is opened. It may wait for the
network, but not for ever (`PATIENCE`); keeps no queue, retries nothing, and knows neither the store nor other
channels: what is sent when is the outbox's business. No secret ever stands in an error's text.
"""

from collections.abc import Callable
from typing import Protocol

from smartrouter.core.errors import SmartrouterError
from smartrouter.notify.message import Answer, Message

PATIENCE = 10.0  # seconds for one step of a hand-over


class NotDelivered(SmartrouterError):
    """The message was not handed over. `is_final`: it never will be, so that trying again is no use (a token
    that was revoked, a channel that is not there); `retry_after`: seconds, where the service said so."""

    def __init__(self, why: str, *, is_final: bool = False, retry_after: float | None = None):
        super().__init__(why)
        self.is_final = is_final
        self.retry_after = retry_after


class Channel(Protocol):
    """See the module."""

    def send(self, message: Message, receipt: str) -> str:
        """Hand `message` over. `receipt`: what the same call gave for the message with the same key that was
        sent before, '' if none was; gives a new one, for the next. Raises NotDelivered."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class Answers(Protocol):
    """A channel on which people answer. It calls `answered` from a thread of its own, for each answer: (the
    key of the message, what was answered, who it was as in `slack:U024BE7LH`)."""

    def listen(self, answered: Callable[[str, Answer, str], None]) -> None:
        """From now on."""
        ...
