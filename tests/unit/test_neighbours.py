# SPDX-License-Identifier: GPL-2.0-or-later
"""The neighbour table, read in a network namespace of its own."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a network namespace"),
]

SCRIPT = """if True:
    import json, select, socket, subprocess, time
    from smartrouter.analyzer.claims import Claims
    from smartrouter.linux.neighbours import Neighbours

    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True)

    ip("link", "add", "sr-lan", "type", "veth", "peer", "name", "sr-far")
    ip("link", "set", "sr-lan", "address", "02:00:00:00:00:01")
    ip("link", "set", "sr-lan", "up")
    ip("link", "set", "sr-far", "up")
    ip("address", "add", "192.0.2.1/24", "dev", "sr-lan")
    neighbours = Neighbours()

    def neighbour(address, mac, state="reachable", verb="replace"):
        ip("neighbour", verb, address, "lladdr", mac, "nud", state, "dev", "sr-lan")

    neighbour("192.0.2.5", "00:17:88:00:00:05")
    neighbour("2001:db8::5", "00:17:88:00:00:05", "stale")
    neighbour("192.0.2.6", "01:00:5e:00:00:06", "permanent")
    neighbour("192.0.2.7", "00:17:88:00:00:07", "noarp")
    table = neighbours.table()
    while select.select([neighbours], [], [], 0.2)[0]:
        neighbours.events()

    neighbour("192.0.2.9", "00:17:88:00:00:09")
    ready = bool(select.select([neighbours], [], [], 1.0)[0])
    events = neighbours.events()
    ip("neighbour", "delete", "192.0.2.9", "dev", "sr-lan")
    after = []
    while select.select([neighbours], [], [], 0.2)[0]:
        after += neighbours.events()

    def asks(mac):
        # An ARP request (RFC 826) from the other side: 192.0.2.30 at `mac` looks for the router.
        source = bytes.fromhex(mac.replace(":", "")) + socket.inet_aton("192.0.2.30")
        far.send(bytes(6 * [255]) + source[:6] + bytes.fromhex("0806 0001 0800 0604 0001") + source
            + bytes(6) + socket.inet_aton("192.0.2.1"))

    far = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    far.bind(("sr-far", 0))
    claims, turns = Claims(), []
    for mac in ("00:17:88:00:00:30", "50:c7:bf:00:00:30", "00:17:88:00:00:30"):
        asks(mac)
        begun = time.monotonic()
        while time.monotonic() < begun + 1.5:  # the kernel takes no second word within a second: locktime
            if select.select([neighbours], [], [], 0.1)[0]:
                claims.heard(neighbours.events())
                turns += [(mac, address, time.monotonic() - begun) for mac, address in claims.news()]
    print(json.dumps({"now": time.time(), "turns": turns, "table": table, "ready": ready, "events": events,
        "after": after,
        "own": sorted(neighbours.own_macs()), "prefixes": [[n, str(p)] for n, p in neighbours.prefixes()]}))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    run = subprocess.run(
        ["unshare", "--net", "--", sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30
    )
    assert run.returncode == 0, run.stderr
    answer: dict[str, Any] = json.loads(run.stdout)
    return answer


def test_the_table_has_both_families_and_the_interface(told: dict[str, Any]) -> None:
    assert {tuple(entry[:3]) for entry in told["table"]} >= {
        ("00:17:88:00:00:05", "192.0.2.5", "sr-lan"),
        ("00:17:88:00:00:05", "2001:db8::5", "sr-lan"),
    }


def test_entries_that_are_no_device_are_left_out(told: dict[str, Any]) -> None:
    addresses = {entry[1] for entry in told["table"]}
    assert not addresses & {"192.0.2.6", "192.0.2.7"}


def test_an_entry_says_when_it_was_last_heard_of(told: dict[str, Any]) -> None:
    fresh = next(entry for entry in told["table"] if entry[1] == "192.0.2.5")
    assert told["now"] - 10 < fresh[3] <= told["now"]


def test_a_new_neighbour_is_an_event_at_once_and_one_that_goes_is_none(told: dict[str, Any]) -> None:
    assert told["ready"]
    assert [entry[:3] for entry in told["events"]] == [["00:17:88:00:00:09", "192.0.2.9", "sr-lan"]]
    assert told["after"] == []


def test_the_host_knows_its_own_macs_and_addresses(told: dict[str, Any]) -> None:
    assert "02:00:00:00:00:01" in told["own"]
    assert ["sr-lan", "192.0.2.1/24"] in told["prefixes"]


def test_two_that_use_one_address_by_turns_are_told_within_two_seconds(told: dict[str, Any]) -> None:
    turns = [turn for turn in told["turns"] if turn[1] == "192.0.2.30"]
    assert [mac for mac, _, _ in turns] == ["00:17:88:00:00:30", "50:c7:bf:00:00:30", "00:17:88:00:00:30"]
    assert all(seconds < 2.0 for _, _, seconds in turns)
