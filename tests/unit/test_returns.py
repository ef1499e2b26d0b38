# SPDX-License-Identifier: GPL-2.0-or-later
"""Which new device is probably one that was here before."""

from base64 import b64encode
from functools import partial
from typing import TypeAlias

import pytest
from counting import steps
from unit.made_dhcp import dhcp, option

from smartrouter.analyzer.discovery import Inventory, Network
from smartrouter.analyzer.gallery import Gallery
from smartrouter.analyzer.returns import Returns
from smartrouter.linux.neighbours import Neighbour

OLD, NEW, GIVEN = "02:00:00:00:00:01", "02:00:00:00:00:02", "3c:2e:ff:00:00:03"
Needs: TypeAlias = dict[str, frozenset[str]]
NEEDS = frozenset({"a.example", "b.example", "c.example"})


class Home:
    """A local network, and what its devices show."""

    def __init__(self) -> None:
        self.gallery = Gallery()
        self.inventory = Inventory(Network(frozenset({"br-lan"}), frozenset()), lambda _: "", self.gallery.of)
        self.returns = Returns(self.inventory, self.gallery)

    def comes(
        self, mac: str, hostname: str, at: float, needs: dict[str, frozenset[str]] | None = None
    ) -> str:
        """A phone comes; which one it probably is."""
        said = dhcp(option(12, hostname.encode()), option(55, bytes((1, 3, 6, 15, 26, 28))), mac=mac)
        self.gallery.heard([[mac, "dhcp", b64encode(said).decode()]], at)
        self.inventory.heard([Neighbour(mac, f"192.168.1.{int(mac[-2:], 16)}", "br-lan", at)])
        changed = self.gallery.changed()
        self.inventory.shown(changed, at)
        self.returns.look(changed, needs or {})
        found = self.inventory.of(mac)
        assert found is not None
        return found.probably

    def goes(self, mac: str) -> None:
        self.inventory.stands(mac, False, "")


def test_a_random_mac_with_the_looks_of_one_that_has_gone_is_probably_that_one() -> None:
    home = Home()
    home.comes(OLD, "bobs-pixel", 100.0)
    home.goes(OLD)
    assert home.comes(NEW, "bobs-pixel", 200.0) == OLD


def test_what_it_needs_may_tell_where_its_name_does_not() -> None:
    home = Home()
    home.comes(OLD, "sensor-17", 100.0)
    home.goes(OLD)
    needs = {OLD: NEEDS, NEW: NEEDS}
    assert home.comes(NEW, "sensor-17", 200.0, needs) == OLD


@pytest.mark.parametrize("is_away", [True, False])
def test_who_is_there_is_not_the_one_that_has_just_come(is_away: bool) -> None:
    home = Home()
    home.comes(OLD, "bobs-pixel", 100.0)
    if is_away:
        home.goes(OLD)
    assert home.comes(NEW, "bobs-pixel", 200.0) == (OLD if is_away else "")


def test_a_mac_that_a_maker_gave_is_its_own() -> None:
    home = Home()
    home.comes(OLD, "bobs-pixel", 100.0)
    home.goes(OLD)
    assert home.comes(GIVEN, "bobs-pixel", 200.0) == ""


def test_the_older_one_is_not_the_newer_one_come_back() -> None:
    home = Home()
    home.comes(OLD, "bobs-pixel", 100.0)
    home.goes(OLD)
    home.comes(NEW, "bobs-pixel", 200.0)
    home.goes(NEW)
    assert home.comes(OLD, "bobs-pixel", 300.0) == ""


def test_it_is_no_longer_so_once_it_shows_something_else() -> None:
    home = Home()
    home.comes(OLD, "bobs-pixel", 100.0)
    home.goes(OLD)
    assert home.comes(NEW, "bobs-pixel", 200.0) == OLD
    assert home.comes(NEW, "annas-pixel", 210.0) == ""


def test_a_mac_that_changes_without_a_gap_is_recognised_behind_the_same_port() -> None:
    home = Home()
    home.comes(OLD, "bobs-pixel", 100.0)
    for mac in (OLD, NEW):
        home.inventory.heard([Neighbour(NEW, "192.168.1.2", "br-lan", 200.0)])
        home.inventory.stands(mac, True, "wlan0")
    assert home.comes(NEW, "bobs-pixel", 201.0) == OLD


def test_it_is_taken_back_when_the_old_one_is_heard_of_again() -> None:
    home = Home()
    home.comes(OLD, "bobs-pixel", 100.0)
    home.goes(OLD)
    assert home.comes(NEW, "bobs-pixel", 200.0) == OLD
    home.inventory.stands(OLD, True, "")
    home.comes(OLD, "bobs-pixel", 300.0)
    found = home.inventory.of(NEW)
    assert found is not None
    assert found.probably == ""


def test_a_thousand_made_up_devices_are_looked_at_a_few_at_a_time() -> None:
    """Each says something, and each may have been any of the others."""
    home = Home()
    for number in range(900):
        mac = f"02:00:00:01:{number // 256:02x}:{number % 256:02x}"
        home.gallery.heard([[mac, "dhcp", b64encode(dhcp(mac=mac)).decode()]], float(number))
        home.inventory.heard(
            [Neighbour(mac, f"10.0.{number // 256}.{number % 256}", "br-lan", float(number))]
        )
        home.inventory.stands(mac, True, "port")
    made_up = home.gallery.changed()
    most = max(steps(partial(home.returns.look, made_up if turn == 0 else (), {})) for turn in range(3))
    assert most < 1_000_000
    assert home.returns.is_behind


def test_who_had_to_wait_is_recognised_in_a_later_turn() -> None:
    home = Home()
    home.comes(OLD, "bobs-pixel", 100.0)
    home.goes(OLD)
    others = [f"02:00:00:00:01:{number:02x}" for number in range(20)]
    home.inventory.heard([Neighbour(mac, f"192.168.2.{mac[-2:]}", "br-lan", 150.0) for mac in others])
    home.returns.look(others, {})
    assert home.comes(NEW, "bobs-pixel", 200.0) == ""
    while home.returns.is_behind:
        home.returns.look((), {})
    found = home.inventory.of(NEW)
    assert found is not None
    assert found.probably == OLD
