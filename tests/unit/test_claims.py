# SPDX-License-Identifier: GPL-2.0-or-later
"""Who uses which local address: leases that move, fights, and crowds behind one MAC."""

from smartrouter.core.detection.claims import (
    AT_THE_SAME_TIME,
    FIGHT,
    MANY,
    MAX_ADDRESSES,
    Claims,
    Crowd,
    Fight,
)

ONE, OTHER, THIRD = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
HOST = "192.168.1.7"


def using(claims: Claims, mac: str, address: str, now: float) -> Fight | Crowd | None:
    """As the judge does."""
    return None if claims.is_settled(mac, address, now) else claims.claimed(mac, address, now)


def test_an_address_that_moves_once_is_a_new_lease() -> None:
    claims = Claims()
    assert using(claims, ONE, HOST, 0.0) is None
    assert using(claims, OTHER, HOST, 1.0) is None
    assert using(claims, OTHER, HOST, 2.0) is None


def test_an_address_that_goes_to_and_fro_is_fought_over() -> None:
    claims = Claims()
    using(claims, ONE, HOST, 0.0)
    using(claims, OTHER, HOST, 10.0)
    assert using(claims, ONE, HOST, 20.0) == Fight(HOST, ONE, OTHER)
    assert using(claims, OTHER, HOST, 30.0) == Fight(HOST, OTHER, ONE)


def test_an_address_that_comes_back_long_after_is_a_lease_again() -> None:
    claims = Claims()
    using(claims, ONE, HOST, 0.0)
    using(claims, OTHER, HOST, 10.0)
    assert using(claims, ONE, HOST, 11.0 + FIGHT) is None


def test_three_that_each_take_it_once_do_not_fight() -> None:
    claims = Claims()
    assert [using(claims, mac, HOST, float(at)) for at, mac in enumerate((ONE, OTHER, THIRD))] == [None] * 3


def test_ipv6_addresses_are_fought_over_too() -> None:
    claims = Claims()
    found = [using(claims, mac, "fd00::7", float(at)) for at, mac in enumerate((ONE, OTHER, ONE))]
    assert found[-1] == Fight("fd00::7", ONE, OTHER)


def test_a_mac_with_several_addresses_at_the_same_time_hides_devices() -> None:
    claims = Claims()
    found = [using(claims, ONE, f"192.168.1.{number}", float(number)) for number in range(MANY + 1)]
    assert found[: MANY - 1] == [None] * (MANY - 1)
    assert found[MANY - 1] == Crowd(ONE, ("192.168.1.0", "192.168.1.1", "192.168.1.2"))
    assert isinstance(found[MANY], Crowd)


def test_an_address_in_use_counts_however_long_ago_it_was_first_used() -> None:
    claims = Claims()
    assert using(claims, ONE, "192.168.1.1", 0.0) is None
    assert using(claims, ONE, "192.168.1.2", 5 * AT_THE_SAME_TIME) is None
    using(claims, ONE, "192.168.1.1", 9.9 * AT_THE_SAME_TIME)
    using(claims, ONE, "192.168.1.2", 9.9 * AT_THE_SAME_TIME)
    assert isinstance(using(claims, ONE, "192.168.1.3", 10 * AT_THE_SAME_TIME), Crowd)


def test_leases_one_after_the_other_are_no_crowd() -> None:
    claims = Claims()
    for number in range(20):
        assert using(claims, ONE, f"192.168.1.{number}", number * (AT_THE_SAME_TIME + 1)) is None


def test_privacy_and_self_assigned_addresses_are_no_crowd() -> None:
    claims = Claims()
    for number in range(50):
        assert using(claims, ONE, f"2001:db8::{number:x}", 0.0) is None
        assert using(claims, ONE, f"169.254.1.{number}", 0.0) is None


def test_who_loses_an_address_has_one_less() -> None:
    claims = Claims()
    using(claims, ONE, "192.168.1.1", 0.0)
    using(claims, ONE, "192.168.1.2", 0.0)
    using(claims, OTHER, "192.168.1.1", 1.0)
    assert using(claims, ONE, "192.168.1.3", 2.0) is None


def test_a_flood_of_claims_is_bounded_and_does_no_harm() -> None:
    claims = Claims()
    for number in range(3 * MAX_ADDRESSES):
        mac = f"02:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
        using(claims, mac, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", float(number) / 1000)
    for number in range(3 * MAX_ADDRESSES):
        using(claims, ONE, f"10.9.{number >> 8 & 255}.{number & 255}", 100.0)
    sizes = [len(value) for value in vars(claims).values() if hasattr(value, "__len__")]
    assert max(sizes) <= MAX_ADDRESSES + 1
