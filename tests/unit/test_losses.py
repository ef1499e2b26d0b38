# SPDX-License-Identifier: GPL-2.0-or-later
"""What is lost is told once, with how much; what is on its way, and what a restart begins anew, is not."""

from collections.abc import Mapping

import pytest

from smartrouter.core.effects import THE_ROUTER, Alert, Kind
from smartrouter.core.events import Moment
from smartrouter.core.policy import Reason
from smartrouter.guard.losses import LONG, LOOKS, OVER_LIMIT, PAUSE, Losses
from smartrouter.linux.ruleset import template

EVERY = 3.0


class Looked:
    """Losses, and a clock that goes on with each look."""

    def __init__(self) -> None:
        self.losses = Losses()
        self.running = 100.0

    def look(
        self,
        gate: int = 0,
        log: int = 0,
        *,
        begun: int = 1,
        unrecorded: int = 0,
        counters: Mapping[str, int] | None = None,
        trouble: str = "",
        times: int = 1,
    ) -> list[Alert]:
        found = []
        figures = {"gap_at_gate": gate, "gap_in_log": log, "unrecorded": unrecorded}
        for _ in range(times):
            self.running += EVERY
            now = Moment(self.running, 1e9 + self.running)
            found += self.losses.look(figures, begun, counters or {}, trouble=trouble, now=now)
        return found


def test_a_gap_that_lasts_is_told_once_with_its_size() -> None:
    looked = Looked()
    assert looked.look(gate=3, log=2, times=LOOKS - 1) == []
    (alert,) = looked.look(gate=3, log=2)
    assert (alert.mac, alert.kind, alert.reason) == (THE_ROUTER, Kind.ACCOUNTING, Reason.UNACCOUNTED)
    assert alert.detail == "5 packets that the kernel counted were dealt with by nobody"
    assert alert.at == 1e9 + looked.running
    assert looked.look(gate=3, log=2, times=100) == [], "it is the same gap"


def test_a_gap_that_grows_is_told_again_but_not_at_each_look() -> None:
    looked = Looked()
    told = [alert for gap in range(1, 101) for alert in looked.look(gate=gap)]
    assert len(told) == -(-(100 - LOOKS + 1) * EVERY // PAUSE)
    assert len({alert.key for alert in told}) == 1


def test_what_is_on_its_way_is_no_gap() -> None:
    looked = Looked()
    for _ in range(50):
        assert looked.look(gate=500, times=LOOKS - 1) == []
        assert looked.look(gate=0) == []


def test_what_a_queue_dropped_is_no_gap_but_an_overflow() -> None:
    looked = Looked()
    looked.losses.in_queues = 92
    (alert,) = looked.look(gate=92, times=2 * LOOKS)
    assert (alert.kind, alert.reason, alert.mac) == (Kind.OVERFLOW, Reason.QUEUE_FULL, THE_ROUTER)
    assert alert.detail == "92 packets found a queue full"
    looked.losses.in_queues = 93
    assert looked.look(times=int(PAUSE / EVERY) - 2 * LOOKS) == [], "it was told a moment ago"
    (again,) = looked.look(times=10)
    assert again.detail == "93 packets found a queue full"


def test_after_a_new_beginning_what_was_told_before_counts_no_more() -> None:
    looked = Looked()
    assert len(looked.look(gate=100, times=LOOKS)) == 1
    assert looked.look(gate=0, begun=2, times=int(PAUSE / EVERY)) == []
    assert looked.look(gate=1, begun=3, times=LOOKS - 1) == [], (
        "gaps of two beginnings are not one that lasts"
    )
    assert looked.look(gate=1, begun=3)[0].detail.startswith("1 packet that the kernel counted was ")


def test_what_goes_without_a_record_is_told() -> None:
    (alert,) = Looked().look(unrecorded=1, times=20)
    assert (alert.kind, alert.detail) == (Kind.OVERFLOW, "1 packet went without a record")


@pytest.mark.parametrize("name", OVER_LIMIT)
def test_what_goes_beyond_a_limit_is_told_from_the_first_look_on(name: str) -> None:
    looked = Looked()
    assert looked.look(counters={name: 1000}, times=2) == [], "an earlier guard has told"
    (alert,) = looked.look(counters={name: 1007})
    assert (alert.reason, alert.detail) == (Reason.OVER_LIMIT, "7 packets went beyond a device's limit")
    looked.look(counters={}, times=int(PAUSE / EVERY))
    (alert,) = looked.look(counters={name: 5})
    assert alert.detail == "12 packets went beyond a device's limit", "the table was made anew"
    assert f"counter {name} " in template()


def test_trouble_with_the_store_is_told_when_it_is_over_and_was_long() -> None:
    looked = Looked()
    assert looked.look(trouble="disk full", times=int(LONG / EVERY) - 1) == []
    assert looked.look() == [], "short enough"
    looked.look(trouble="disk full", times=100)
    (alert,) = looked.look()
    assert (alert.kind, alert.reason, alert.mac) == (Kind.NOT_STORED, Reason.NOT_STORED, THE_ROUTER)
    assert alert.detail == "for 5 minutes: disk full"
    assert looked.look(times=100) == []
