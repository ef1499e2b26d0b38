# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel tells of links, addresses, neighbours and bridges, in a network namespace of its own."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from tries import slowness

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a network namespace"),
]

SCRIPT = """if True:
    import json, select, socket, subprocess, time
    from smartrouter.analyzer.claims import Claims
    from smartrouter.linux.neighbours import Neighbour
    from smartrouter.linux.surroundings import Surroundings

    def ip(command):
        subprocess.run(["ip", *command.split()], check=True)

    ip("link add sr-br type bridge")
    ip("link add sr-lan type veth peer name sr-far")
    ip("link set sr-lan address 02:00:00:00:00:01")
    ip("link set sr-lan up")
    ip("link set sr-far up")
    ip("address add 192.0.2.1/24 dev sr-lan")
    around = Surroundings()

    def neighbour(address, mac, state="reachable", verb="replace"):
        ip(f"neighbour {verb} {address} lladdr {mac} nud {state} dev sr-lan")

    def named(changes):
        return [[type(change).__name__, *change] for change in changes]

    def wait(patience=0.2):
        found = []
        while select.select([around], [], [], patience)[0]:
            found += around.changes()[0]
        return found

    neighbour("192.0.2.5", "00:17:88:00:00:05")
    neighbour("2001:db8::5", "00:17:88:00:00:05", "stale")
    neighbour("192.0.2.6", "01:00:5e:00:00:06", "permanent")
    neighbour("192.0.2.7", "00:17:88:00:00:07", "noarp")
    whole = around.whole()
    told = {"now": time.time(), "table": whole.neighbours, "links": [named([c]) for c in whole.links],
        "own": sorted(around.links.own_macs()), "prefixes": [[n, str(p)] for n, p in around.links.prefixes()]}
    wait()

    neighbour("192.0.2.9", "00:17:88:00:00:09")
    told["ready"] = bool(select.select([around], [], [], 20.0)[0])
    told["events"] = [c for c in named(wait()) if c[0].startswith("Neighbour")]
    ip("neighbour delete 192.0.2.9 dev sr-lan")
    told["after"] = [c for c in named(wait()) if c[0].startswith("Neighbour")]

    ip("link set sr-far down")
    told["down"] = [[c[0], c[1] and c[1][1], c[1] and c[1][7], c[2] and c[2][7]]
        for c in named(wait(1.5)) if c[0] == "LinkChanged"]
    ip("link set sr-far up")
    ip("link set sr-br up")
    ip("link set sr-lan master sr-br")
    told["master"] = [c[2][4] == around.links.named("sr-br").number
        for c in named(wait()) if c[0] == "LinkChanged" and c[2] and c[2][1] == "sr-lan"]
    ip("link set sr-lan nomaster")
    told["still there"] = [around.links.named("sr-lan").master for _ in [wait()]]
    ip("address add 192.0.2.77/24 dev sr-br")
    ip("address del 192.0.2.77/24 dev sr-br")
    told["addresses"] = [[c[1], str(c[2]), c[3]] for c in named(wait())
        if c[0] == "AddressChanged" and c[2].version == 4]
    number = around.links.named("sr-br").number
    ip("link del sr-br")
    ip(f"link add sr-new index {number} type bridge")
    ip("link set sr-new up")
    ip(f"neighbour replace 192.0.2.55 lladdr 00:17:88:00:00:55 nud reachable dev sr-new")
    told["index"] = [c for c in named(wait()) if c[0] == "Neighbour"]

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
        wanted = len(turns) + 1
        # The kernel takes no second word within a second: locktime.
        while time.monotonic() < begun + (1.5 if len(turns) == wanted else 20.0):
            if select.select([around], [], [], 0.1)[0]:
                claims.heard(c for c in around.changes()[0] if isinstance(c, Neighbour))
                turns += [(mac, address, time.monotonic() - begun) for mac, address in claims.news()]
    print(json.dumps(told | {"turns": turns}, default=str))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    run = subprocess.run(
        ["unshare", "--net", "--", sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60
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


def test_a_new_neighbour_is_an_event_at_once_and_so_is_one_that_goes(told: dict[str, Any]) -> None:
    assert told["ready"]
    assert [entry[:4] for entry in told["events"]] == [
        ["Neighbour", "00:17:88:00:00:09", "192.0.2.9", "sr-lan"]
    ]
    assert told["after"]
    assert {tuple(entry) for entry in told["after"]} == {("NeighbourLost", "192.0.2.9", "sr-lan", True)}


def test_the_host_knows_its_own_macs_and_addresses(told: dict[str, Any]) -> None:
    assert "02:00:00:00:00:01" in told["own"]
    assert ["sr-lan", "192.0.2.1/24"] in told["prefixes"]


def test_links_are_told_with_what_changes(told: dict[str, Any]) -> None:
    assert len(told["links"]) >= 6  # lo, the bridge, both ends, addresses
    assert ["LinkChanged", "sr-lan", True, False] in told["down"]
    assert True in told["master"]
    assert told["still there"] == [0]
    assert told["addresses"] == [["sr-br", "192.0.2.77/24", True], ["sr-br", "192.0.2.77/24", False]]


def test_a_number_that_another_interface_gets_has_its_name_from_then_on(told: dict[str, Any]) -> None:
    assert [entry[:4] for entry in told["index"]] == [
        ["Neighbour", "00:17:88:00:00:55", "192.0.2.55", "sr-new"]
    ]


def test_two_that_use_one_address_by_turns_are_told_within_two_seconds(told: dict[str, Any]) -> None:
    turns = [turn for turn in told["turns"] if turn[1] == "192.0.2.30"]
    assert [mac for mac, _, _ in turns] == ["00:17:88:00:00:30", "50:c7:bf:00:00:30", "00:17:88:00:00:30"]
    assert all(seconds < 2.0 * slowness() for _, _, seconds in turns)
