# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person is told, and the ways to answer it: one value for every channel.

All texts are plain, and may hold what a hostile device or name server wrote: each channel makes them inert in
its own way. Knows no channel and no store.
"""

from enum import StrEnum
from typing import NamedTuple


class Answer(StrEnum):
    """What a person can answer where a channel has buttons."""

    ALLOW = "allow"  # this destination and service, for this device, for good
    ALLOW_HOUR = "allow-hour"  # the same for an hour
    KEEP_BLOCKING = "keep-blocking"  # seen: report it no more; what enforce mode blocks stays blocked
    MUTE = "mute"  # report nothing of this device for a day


class Message(NamedTuple):
    """What is said of one thing, once. `key`: the same for everything that is said of it; a later message
    with the same key, and a higher `revision`, takes the earlier one's place on channels that can do so."""

    key: str
    revision: int
    at: float  # epoch seconds
    severity: str  # notice | warning | critical
    kind: str  # an alert's kind, or `flood`, `digest`, `test`
    title: str  # one sentence, that says it all to somebody in a hurry
    device: str  # what the device is called; '' if it is about none
    mac: str
    destination: str
    service: str
    facts: tuple[tuple[str, str], ...] = ()  # (what, text), for somebody who wants to know more
    blocked: bool | None = None  # None: nothing that could be blocked
    alert: int | None = None  # its number, for `smartrouter alert N`
    link: str = ""  # to its page; '' if there is none
    answers: tuple[Answer, ...] = ()
    outcome: str = ""  # what was decided about it, by whom and when; '' while it is open
