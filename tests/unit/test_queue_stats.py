# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's table of queues, as it is printed."""

from pathlib import Path

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.linux.queue_stats import QueueStats, parse, read

PRINTED = """ 7370  30802     3 2  4016    12     7     2066  1
 7371 -31414     0 2  4016     0     0 4294967295  1
"""


def test_each_queue_is_read_with_its_losses() -> None:
    assert parse(PRINTED) == {
        7370: QueueStats(30802, 3, 12, 7, 2066),
        7371: QueueStats(-31414, 0, 0, 0, 4294967295),
    }
    assert parse("") == {}


def test_a_kernel_without_queues_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="nfnetlink_queue"):
        read(tmp_path / "missing")


@pytest.mark.parametrize("text", ["0 1 2\n", PRINTED + "a b c d e f g h\n"])
def test_what_no_kernel_says_is_not_guessed_at(text: str) -> None:
    with pytest.raises(Unavailable, match="no kernel that we know"):
        parse(text)
