# SPDX-License-Identifier: GPL-2.0-or-later
"""Set elements in a real kernel, one at a time, from several threads, and when the set is full."""

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from netns.kernel_lab import DEVICE_MAC, Lab, run

from smartrouter.core.effects import Flow
from smartrouter.core.errors import Unavailable
from smartrouter.linux import nftables, ruleset
from smartrouter.linux.netlink import Netlink
from smartrouter.linux.ruleset import Plan
from smartrouter.linux.sets import Sets

pytestmark = pytest.mark.netns


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def sets(lab: Lab) -> Iterator[Sets]:
    with lab.at("router"):
        ruleset.remove()
        ruleset.load(Plan(("lan0",)))
        sets = Sets()
    yield sets
    sets.close()


FLOW4 = Flow("10.1.0.2", 4242, "198.51.100.2", 443, 6)
FLOW6 = Flow("fd01::2", 4242, "2001:db8::2", 443, 6)


def connections(lab: Lab, name: str) -> dict[Flow, int]:
    """The connections in a set, and for how many more seconds they are."""
    with lab.at("router"):
        listed = json.loads(run("nft", "-j", "list", "set", "inet", "smartrouter", name))
    elements = [each["elem"] for each in listed["nftables"][1]["set"].get("elem", [])]
    return {Flow._make([*each["val"]["concat"], 6]): each["expires"] for each in elements}


@pytest.mark.parametrize("flow", [FLOW4, FLOW6], ids=["4", "6"])
def test_a_connection_is_inspected_released_and_cut(lab: Lab, sets: Sets, flow: Flow) -> None:
    version = 6 if flow is FLOW6 else 4
    hello, cut = f"hello{version}", f"cut{version}"
    sets.inspect(flow, held=False)
    assert (set(connections(lab, hello)), connections(lab, cut)) == ({flow}, {})
    begun = time.monotonic()
    sets.inspect(flow, held=True)
    left = connections(lab, hello)[flow]
    assert 26 - (time.monotonic() - begun) <= left <= 30
    assert connections(lab, cut)[flow] > 4 * 86400
    for _ in range(2):
        sets.release(flow)
        assert connections(lab, hello) == connections(lab, cut) == {}
    for _ in range(2):
        sets.inspect(flow, held=True)
        sets.cut(flow)  # which the kernel does not know: there is no such connection
        assert connections(lab, hello) == {}
        assert connections(lab, cut)[flow] > 4 * 86400
    sets.inspect(flow, held=True)
    sets.forget_inspections()
    assert (connections(lab, hello), set(connections(lab, cut))) == ({}, {flow})


def test_no_more_connections_are_inspected_than_there_is_room_for(lab: Lab, sets: Sets) -> None:
    for port in range(1, 257):
        sets.inspect(FLOW4._replace(client_port=port), held=True)
    with pytest.raises(Unavailable, match="the set is full"):
        sets.inspect(FLOW4, held=True)
    assert FLOW4 not in connections(lab, "cut4")  # all or nothing
    sets.release(FLOW4._replace(client_port=7))
    sets.inspect(FLOW4, held=True)


def members(lab: Lab, name: str) -> set[str]:
    with lab.at("router"):
        listed = json.loads(run("nft", "-j", "list", "set", "inet", "smartrouter", name))
    return set(listed["nftables"][1]["set"].get("elem", []))


def test_what_is_put_in_is_in_and_what_is_taken_out_is_not(lab: Lab, sets: Sets) -> None:
    for _ in range(2):  # doing it twice is no error
        sets.watch(DEVICE_MAC)
        sets.enforce(DEVICE_MAC)
        sets.exempt("02:00:00:00:00:09")
        sets.admit("10.1.0.2")
        sets.admit("fd01::2")
    assert members(lab, "watched") == members(lab, "enforced") == {DEVICE_MAC}
    assert members(lab, "exempt") == {"02:00:00:00:00:09"}
    assert members(lab, "dns_clients4") == {"10.1.0.2"}
    assert members(lab, "dns_clients6") == {"fd01::2"}
    for _ in range(2):
        sets.unwatch(DEVICE_MAC)
        sets.relax(DEVICE_MAC)
        sets.include("02:00:00:00:00:09")
        sets.dismiss("10.1.0.2")
        sets.dismiss_all()
    for name in ("watched", "enforced", "exempt", "dns_clients4", "dns_clients6"):
        assert members(lab, name) == set()


def test_threads_may_share_them(lab: Lab, sets: Sets, rounds: Callable[[int], int]) -> None:
    times = rounds(200)
    errors: list[Exception] = []

    def busy(thread: int) -> None:
        try:
            for number in range(times):
                sets.admit(f"10.9.{thread}.{number % 200}")
                sets.admit("10.8.8.8")
                sets.dismiss("10.8.8.8")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=busy, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(members(lab, "dns_clients4")) == 4 * min(times, 200)


def test_a_full_set_is_reported_and_can_be_emptied_again(lab: Lab, sets: Sets) -> None:
    macs = frozenset(f"02:00:00:01:{number >> 8:02x}:{number & 255:02x}" for number in range(4096))
    with lab.at("router"):
        ruleset.load(Plan(("lan0",), watched=macs))
    with pytest.raises(Unavailable, match=f"adding {DEVICE_MAC} to set watched.*the set is full"):
        sets.watch(DEVICE_MAC)
    sets.unwatch(min(macs))
    sets.watch(DEVICE_MAC)
    assert DEVICE_MAC in members(lab, "watched")


def test_without_a_table_it_says_so(lab: Lab, sets: Sets) -> None:
    with lab.at("router"):
        ruleset.remove()
    with pytest.raises(Unavailable, match="the packet rules are not loaded"):
        sets.admit("10.1.0.2")
    sets.dismiss("10.1.0.2")  # which it is


def test_a_transaction_holds_whole_or_not_at_all(lab: Lab, sets: Sets) -> None:
    del sets
    key = bytes(6)
    with lab.at("router"), Netlink() as link:
        batch = [
            nftables.add_element("watched", key, "a device"),
            nftables.delete_element("enforced", key, "a device"),  # which is not there
        ]
        with pytest.raises(FileNotFoundError, match="taking a device out of set enforced"):
            link.transaction(nftables.SUBSYSTEM, batch)
        assert members(lab, "watched") == set()
        link.transaction(nftables.SUBSYSTEM, batch[:1], check=True)
        assert members(lab, "watched") == set()
        link.transaction(nftables.SUBSYSTEM, batch[:1])
        assert members(lab, "watched") == {"00:00:00:00:00:00"}
        link.transaction(nftables.SUBSYSTEM, [])


def test_an_element_may_have_an_end(lab: Lab, sets: Sets) -> None:
    del sets
    with lab.at("router"), Netlink() as link:
        element = nftables.add_element("dns_clients4", b"\x0a\0\0\1", "an address", timeout=3600)
        link.transaction(nftables.SUBSYSTEM, [element])
        assert "10.0.0.1 timeout 1h expires" in run(
            "nft", "list", "set", "inet", "smartrouter", "dns_clients4"
        )
