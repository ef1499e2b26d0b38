# SPDX-License-Identifier: GPL-2.0-or-later
"""How counts of connections become sums: while they are open, once they have ended, and when either is not
told."""

import pytest
from unit.made_counts import packed

from smartrouter.core.events import Transfer
from smartrouter.guard import volume
from smartrouter.guard.volume import MAX_OPEN, SETTLED, Ledger
from smartrouter.linux.counted import Counted

TV = "cc:44:63:ea:63:63"
DEVICE, SERVER = packed("192.168.77.20"), packed("203.0.113.10")


def counted(
    number: int = 1, out: int = 0, back: int = 0, *, inbound: bool = False, offloaded: bool = False
) -> Counted:
    """A connection that has carried so many bytes, in packets of 10."""
    if out < 0:
        return Counted(number, DEVICE, SERVER, SERVER, 6, 443, inbound, -1, -1, -1, -1, offloaded)
    return Counted(
        number, DEVICE, SERVER, SERVER, 6, 443, inbound, out, back, out // 10, back // 10, offloaded
    )


def transfer(out: int, back: int, flows: int, *, inbound: bool = False) -> Transfer:
    return Transfer(TV, "203.0.113.10", 6, 443, inbound, out, back, out // 10, back // 10, flows)


def look(ledger: Ledger, *connections: Counted) -> list[Transfer]:
    ledger.looks()
    for each in connections:
        ledger.is_open(TV, each)
    ledger.looked()
    return ledger.taken()


def test_what_has_ended_counts_as_a_whole() -> None:
    ledger = Ledger()
    ledger.has_ended(TV, counted(1, 100, 2000))
    ledger.has_ended(TV, counted(2, 50, 10))
    assert ledger.taken() == [transfer(150, 2010, 2)]
    assert ledger.taken() == []
    assert ledger.totals == {
        "bytes_out": 150,
        "bytes_in": 2010,
        "packets_out": 15,
        "packets_in": 201,
        "flows": 2,
    }


def test_what_stays_open_counts_bit_by_bit() -> None:
    ledger = Ledger()
    assert look(ledger, counted(1, 100, 10)) == [transfer(100, 10, 1)]
    assert look(ledger, counted(1, 100, 10)) == []
    assert look(ledger, counted(1, 400, 30)) == [transfer(300, 20, 0)]
    ledger.has_ended(TV, counted(1, 450, 30))
    assert ledger.taken() == [transfer(50, 0, 0)]
    assert ledger.open == 0


def test_what_was_open_before_counts_from_then_on() -> None:
    ledger = Ledger({1: (1000, 500, 100, 50), 2: (1000, 500, 100, 50), 3: (70, 10, 7, 1)})
    assert look(ledger, counted(1, 1200, 500)) == [transfer(200, 0, 0)]
    ledger.has_ended(TV, counted(2, 1000, 700))
    assert ledger.taken() == [transfer(0, 200, 0)]
    ledger.has_ended(TV, counted(3, 30, 90, inbound=True))  # it was sent 70 before, and has sent 10
    assert ledger.taken() == [transfer(20, 20, 0, inbound=True)]


def test_what_is_first_seen_long_after_the_start_counts_as_a_whole() -> None:
    ledger = Ledger({1: (1000, 500, 100, 50)})
    for _ in range(SETTLED):
        look(ledger)
    ledger.has_ended(TV, counted(1, 1200, 500))  # its device is watched since lately
    assert ledger.taken() == [transfer(1200, 500, 1)]


def test_a_connection_that_is_gone_twice_is_forgotten() -> None:
    ledger = Ledger()
    look(ledger, counted(1, 100, 0))
    look(ledger)
    assert ledger.open == 1  # its end may still be told
    look(ledger)
    assert ledger.open == 0


def test_a_look_that_may_have_missed_some_forgets_none() -> None:
    ledger = Ledger()
    look(ledger, counted(1, 100, 0))
    for _ in range(3):
        ledger.looks()
    assert ledger.open == 1


def test_a_number_that_another_connection_has_by_now_starts_anew() -> None:
    ledger = Ledger()
    look(ledger, counted(1, 1000, 1000))
    assert look(ledger, counted(1, 40, 2000)) == [transfer(40, 2000, 0)]


def test_what_the_kernel_has_not_counted_is_said() -> None:
    ledger = Ledger()
    assert look(ledger, counted(1, -1)) == []
    ledger.has_ended(TV, counted(1, -1))
    assert (ledger.uncounted, ledger.taken()) == (1, [])


def test_what_is_offloaded_is_said() -> None:
    ledger = Ledger()
    look(ledger, counted(1, offloaded=True), counted(2))
    assert ledger.offloaded == {TV: 1}
    look(ledger, counted(2))
    assert ledger.offloaded == {}


def test_whose_connections_and_which_way_is_kept_apart() -> None:
    ledger = Ledger()
    ledger.has_ended(TV, counted(1, 10, 20))
    ledger.has_ended(TV, counted(2, 10, 20, inbound=True))
    assert ledger.taken() == [transfer(10, 20, 1), transfer(10, 20, 1, inbound=True)]


def test_connections_that_there_is_no_room_for_count_at_their_end(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_OPEN >= 1000
    monkeypatch.setattr(volume, "MAX_OPEN", 1)
    ledger = Ledger()
    assert look(ledger, counted(1, 10, 0), counted(2, 30, 0)) == [transfer(10, 0, 1)]
    assert ledger.open == 1
    ledger.has_ended(TV, counted(2, 50, 0))
    assert ledger.taken() == [transfer(50, 0, 1)]
