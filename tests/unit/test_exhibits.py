# SPDX-License-Identifier: GPL-2.0-or-later
"""What the guard remembers of packets, in case an alert comes of them: little, and nobody's for long."""

import pytest
from unit.made_effects import raised

from smartrouter.core.effects import Evidence, Name, NameAlias, Raise
from smartrouter.core.events import FlowOpened, HelloHeard, Scope
from smartrouter.guard import exhibits as module
from smartrouter.guard.exhibits import FRESH, MAX_BYTES, MAX_KEPT, MAX_OF_DEVICE, Exhibits, Seen, Shelf
from smartrouter.store.exhibits import MAX_PACKET, Exhibit, Role

TV, PLUG = "cc:44:63:ea:63:63", "50:c7:bf:00:56:39"
ADDRESS, NAME = "203.0.113.9", "c2.example.net"
NOW = 1_795_262_400.0
SYN, REPLY, HELLO = b"syn", b"reply", b"hello"


class Clock:
    now = NOW

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def exhibits(clock: Clock) -> Exhibits:
    assert clock
    return Exhibits()


def flow(mac: str = TV, address: str = ADDRESS, source_port: int = 4000) -> FlowOpened:
    return FlowOpened(mac, "192.168.1.2", address, 6, source_port, 443, 7, Scope.OUTSIDE)


def hello(source_port: int = 4000) -> HelloHeard:
    return HelloHeard(TV, "192.168.1.2", source_port, ADDRESS, 443, 6, NAME, False)


def told(mac: str = TV, name: str = NAME) -> Name:
    return Name(mac, ADDRESS, name, 60, NOW)


def behind(exhibits: Exhibits, *alerts: Raise) -> list[tuple[str, bytes]]:
    return [(each.role, each.packet) for found in exhibits.behind(alerts) for each in found.exhibits]


def test_the_reply_that_named_the_address_comes_before_the_packet(exhibits: Exhibits) -> None:
    exhibits.answered([told(), told(name="other.example")], [REPLY])
    exhibits.opened(flow(), SYN)
    (found,) = exhibits.behind([raised(TV)])
    assert found.key == raised(TV).alert.key
    assert found.exhibits == (
        Exhibit(Role.REPLY, NOW, False, REPLY),
        Exhibit(Role.FIRST, NOW, True, SYN),
    )
    assert found.exhibits[1].packet is SYN  # not a copy


def test_a_reply_to_another_device_or_of_another_name_is_none_of_it(exhibits: Exhibits) -> None:
    exhibits.answered([told(PLUG), told(name="other.example")], [REPLY])
    exhibits.opened(flow(), SYN)
    assert behind(exhibits, raised(TV)) == [("first", SYN)]


def test_an_earlier_reply_may_have_led_to_the_name(exhibits: Exhibits) -> None:
    exhibits.answered([NameAlias(TV, NAME, "shop.example", NOW)], [b"alias"])
    exhibits.answered([told(), NameAlias(TV, "further.example", NAME, NOW)], [REPLY])
    exhibits.opened(flow(), SYN)
    assert behind(exhibits, raised(TV)) == [("alias", b"alias"), ("reply", REPLY), ("first", SYN)]


def test_an_alert_about_no_packet_has_none(exhibits: Exhibits) -> None:
    exhibits.opened(flow(), SYN)
    assert behind(exhibits, raised(PLUG), raised(TV, address="203.0.113.10"), raised(TV, port=80)) == []


def test_the_same_is_shown_once_in_a_while(exhibits: Exhibits, clock: Clock) -> None:
    exhibits.opened(flow(), SYN)
    assert behind(exhibits, raised(TV), raised(TV)) == [("first", SYN)]
    clock.now += FRESH / 2
    exhibits.opened(flow(source_port=4001), b"again")
    assert behind(exhibits, raised(TV)) == []
    assert behind(exhibits, raised(TV, destination="another.example")) == [("first", b"again")]
    clock.now += FRESH
    exhibits.opened(flow(source_port=4002), b"later")
    assert behind(exhibits, raised(TV)) == [("first", b"later")]


def test_a_clock_that_was_set_back_hides_nothing_for_long(exhibits: Exhibits, clock: Clock) -> None:
    exhibits.opened(flow(), SYN)
    behind(exhibits, raised(TV))
    clock.now = 1000.0
    exhibits.opened(flow(), b"in 1970")
    assert behind(exhibits, raised(TV)) == [("first", b"in 1970")]


def test_first_data_joins_the_alert_of_its_own_connection(exhibits: Exhibits) -> None:
    exhibits.opened(flow(), SYN)
    assert exhibits.heard(hello(), [Seen(NOW, HELLO)]) == []  # there is no alert yet
    assert behind(exhibits, raised(TV)) == [("first", SYN), ("hello", HELLO)]
    assert exhibits.heard(hello(), [Seen(NOW, HELLO)]) == []  # it has it
    exhibits.opened(flow(source_port=4001), b"again")
    assert exhibits.heard(hello(4001), [Seen(NOW, HELLO)]) == []


def test_first_data_that_comes_after_the_alert_is_added(exhibits: Exhibits) -> None:
    exhibits.opened(flow(), SYN)
    behind(exhibits, raised(TV))
    assert exhibits.heard(hello(4009), [Seen(NOW, HELLO)]) == []  # of a connection that nobody knows
    (added,) = exhibits.heard(hello(), [Seen(NOW, b"part"), Seen(NOW, HELLO)])
    assert added.key == raised(TV).alert.key
    assert [each.packet for each in added.exhibits] == [b"part", HELLO]


def test_what_is_kept_of_a_packet_fits_an_ethernet_frame(exhibits: Exhibits) -> None:
    long = bytes(4000)
    exhibits.answered([told()], [long])
    exhibits.opened(flow(), long)
    exhibits.heard(hello(), [Seen(NOW, long), Seen(NOW, HELLO)])
    (found,) = exhibits.behind([raised(TV)])
    assert [(each.role, len(each.packet)) for each in found.exhibits] == [("first", MAX_PACKET), ("hello", 5)]


def test_a_query_stands_for_what_is_asked_and_whom(exhibits: Exhibits) -> None:
    tunnel = raised(TV, name="", address="192.168.1.1", port=0)
    tunnel = Raise(tunnel.alert._replace(protocol=0, evidence=Evidence.NONE))
    exhibits.asked([tunnel], TV, 4000, b"query")
    assert behind(exhibits, tunnel) == [("query", b"query")]


# -- bounds --------------------------------------------------------------------------------------------------


def test_a_device_that_floods_loses_its_own(exhibits: Exhibits) -> None:
    exhibits.opened(flow(PLUG), SYN)
    for number in range(1000):
        exhibits.opened(flow(address=f"198.51.{number // 250}.{number % 250}"), SYN)
    assert exhibits._begun.number == MAX_OF_DEVICE + 1
    assert behind(exhibits, raised(PLUG)) == [("first", SYN)]


def test_shelves_are_bounded_by_number_and_bytes() -> None:
    shelf: Shelf[int] = Shelf(MAX_KEPT, MAX_OF_DEVICE)
    for number in range(2000):
        shelf.put(f"02:00:00:00:{number % 300 // 256:02x}:{number % 256:02x}", number, number, 100)
    assert shelf.number == MAX_KEPT
    for number in range(2000):
        shelf.put(TV, number % 7, number, MAX_PACKET * 4)
        shelf.put(f"02:00:00:00:00:{number % 256:02x}", number, number, MAX_PACKET * 4)
        assert shelf.bytes <= MAX_BYTES
    assert shelf.get(TV, 1999 % 7) == 1999
    assert shelf.get(TV, "nothing") is None
    assert shelf.get("02:00:00:00:00:ff", 3) is None


def test_what_is_too_much_for_the_shelf_does_not_stay() -> None:
    shelf: Shelf[int] = Shelf(5, 5, most_bytes=100)
    shelf.put(TV, 1, 1, 101)
    assert (shelf.number, shelf.bytes, shelf.get(TV, 1)) == (0, 0, None)
