# SPDX-License-Identifier: GPL-2.0-or-later
"""What the analyzer's thread knows of one channel: what it wants, how it does, and its courier."""

import time

from smartrouter.analyzer.courier import Courier
from smartrouter.config import NotifyConfig
from smartrouter.notify.outbox import Allowance, Newsroom, Policy, is_quiet, loudness, minutes
from smartrouter.store.outbox import Health


class Line:
    """What the analyzer's thread knows of one channel."""

    def __init__(self, config: NotifyConfig):
        self.config = config
        self.quiet = None
        if config.quiet_from:
            self.quiet = minutes(config.quiet_from), minutes(config.quiet_to)
        self.newsroom = Newsroom()
        self.allowance = Allowance(config.per_minute)
        self.courier: Courier | None = None
        self.retired: Courier | None = None  # which may still have something in hand
        self.ready_at = 0.0  # CLOCK_MONOTONIC
        self.late_at = 0.0  # likewise: when to look again for what has waited long
        self.health: Health | None = None

    def is_quiet(self, wall: float) -> bool:
        """Are these its quiet hours?"""
        return is_quiet(self.quiet, minute_of_day(wall))

    @property
    def is_busy(self) -> bool:
        """Is anything being handed over?"""
        return any(each is not None and each.busy_since is not None for each in (self.courier, self.retired))

    def is_telling(self, key: str) -> bool:
        """Is the message `key` being handed over?"""
        return any(each is not None and each.telling == key for each in (self.courier, self.retired))

    @property
    def disabled(self) -> bool:
        """Is nothing tried until it is configured anew?"""
        return self.health is not None and self.health.disabled

    def policy(self) -> Policy:
        """What it is to be told."""
        return Policy(
            loudness(self.config.min_severity),
            self.quiet,
            0 if self.health is None else self.health.since,
        )


def minute_of_day(wall: float) -> int:
    """Of the local day, at epoch seconds `wall`."""
    local = time.localtime(wall)
    return 60 * local.tm_hour + local.tm_min
