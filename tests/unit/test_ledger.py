# SPDX-License-Identifier: GPL-2.0-or-later
"""Which leases are new, renewed, or over."""

import pytest

from smartrouter.analyzer.ledger import MAX_LEASES, SETTLE, Ledger
from smartrouter.linux.lease import Lease

HUE, TV = "00:17:88:00:00:05", "3c:2e:ff:29:4d:93"
A = Lease(HUE, "192.168.1.5", "hue", "100", 1.0)
B = Lease(TV, "192.168.1.6", "tv", "100", 1.0)


@pytest.fixture
def ledger() -> Ledger:
    """A file that was missing at first, and then had A."""
    ledger = Ledger()
    ledger.took("file", None, 0.0)
    ledger.took("file", [A], 1.0)
    assert ledger.news(1.0) == ([A], [], [])
    return ledger


def test_only_what_is_given_or_renewed_is_news(ledger: Ledger) -> None:
    ledger.took("file", [A._replace(at=2.0), B], 2.0)
    assert ledger.news(2.0) == ([B], [], [])
    renewed = A._replace(expiry="200")
    ledger.took("file", [renewed, B], 3.0)
    assert ledger.news(3.0) == ([renewed], [], [])
    assert ledger.news(3.0) == ([], [], [])


def test_of_what_stands_there_at_first_nobody_knows_since_when() -> None:
    ledger = Ledger()
    ledger.took("file", [A], 0.0)
    assert ledger.news(0.0) == ([], [A], [])
    ledger.took("file", [A, B], 1.0)
    assert ledger.news(1.0) == ([B], [], [])


def test_a_lease_that_only_lost_its_name_is_no_sign_of_life(ledger: Ledger) -> None:
    """dnsmasq takes a host name away from who had it, and gives it to who asks for it now."""
    ledger.took("file", [A, Lease(TV, "192.168.1.20", "tv", "100", 5.0)], 1.0)
    ledger.news(1.0)
    ledger.took("file", [A, Lease(TV, "192.168.1.20", "", "100", 9.0)], 2.0)
    assert ledger.news(2.0) == ([], [Lease(TV, "192.168.1.20", "", "100", 5.0)], [])


def test_a_lease_that_is_missing_for_a_while_is_over(ledger: Ledger) -> None:
    ledger.took("file", [], 2.0)
    assert ledger.news(2.0) == ([], [], [])
    assert ledger.next_deadline() == 2.0 + SETTLE
    assert ledger.news(2.0 + SETTLE) == ([], [], [A])
    assert ledger.next_deadline() is None
    ledger.took("file", [A], 5.0)
    assert ledger.news(5.0) == ([A], [], [])


def test_a_file_that_is_being_written_anew_ends_nothing(ledger: Ledger) -> None:
    ledger.took("file", [], 2.0)
    ledger.took("file", [A], 2.1)
    assert ledger.news(9.0) == ([], [], [])


def test_a_file_that_vanishes_takes_nothing_back(ledger: Ledger) -> None:
    ledger.took("file", None, 2.0)
    assert ledger.news(9.0) == ([], [], [])
    ledger.took("file", [A], 10.0)
    assert ledger.news(10.0) == ([A], [], [])


def test_what_two_sources_know_is_one_lease_until_both_have_lost_it(ledger: Ledger) -> None:
    ledger.took("ubus", [A._replace(expiry="", at=2.0)], 2.0)
    assert ledger.news(2.0) == ([], [], [])
    ledger.took("file", [], 3.0)
    assert ledger.news(9.0).ended == []
    ledger.took("ubus", [], 10.0)
    assert [lease.address for lease in ledger.news(19.0).ended] == [A.address]


def test_all_of_them_can_be_told_again(ledger: Ledger) -> None:
    ledger.again()
    assert ledger.news(2.0) == ([], [A], [])


@pytest.mark.parametrize(
    ("lease", "mac"),
    [
        (Lease("", "fd00::5", "hue"), HUE),
        (Lease("", "fd00::5", "HUE"), HUE),
        (Lease("02:00:00:00:00:99", "fd00::5", "hue"), HUE),  # the DUID is of another card
        (Lease(TV, "fd00::5", "hue"), TV),  # that is known to be somebody
        (Lease("02:00:00:00:00:99", "fd00::5", ""), "02:00:00:00:00:99"),
        (Lease("02:00:00:00:00:99", "fd00::5", "twins"), "02:00:00:00:00:99"),
        (Lease("", "fd00::5", "twins"), ""),
        (Lease("", "fd00::5", ""), ""),
        (Lease("", "fd00::5", "nobody"), ""),
    ],
)
def test_whose_a_dhcpv6_lease_is(lease: Lease, mac: str) -> None:
    ledger = Ledger()
    twins = [Lease(f"02:00:00:00:00:0{n}", f"192.168.1.{n}", "twins") for n in (1, 2)]
    ledger.took("dnsmasq", [A, B, *twins], 0.0)
    ledger.took("odhcpd", [], 0.0)
    ledger.news(0.0)
    ledger.took("odhcpd", [lease], 1.0)
    assert [found.mac for found in ledger.news(1.0).given] == ([mac] if mac else [])


def test_whose_it_is_may_be_known_only_later() -> None:
    ledger = Ledger()
    ledger.took("odhcpd", [Lease("", "fd00::5", "hue")], 0.0)
    assert ledger.news(0.0) == ([], [], [])
    ledger.took("dnsmasq", [A], 1.0)
    assert {lease.address for lease in ledger.news(1.0).remembered} == {A.address, "fd00::5"}


def test_what_a_hostile_network_can_make_grow_has_an_end() -> None:
    ledger = Ledger()
    ledger.took("file", [A._replace(address=str(n)) for n in range(MAX_LEASES + 5)], 0.0)
    assert len(ledger.news(0.0).remembered) == MAX_LEASES
