# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole captures replayed: what is counted, learned, tested and reported."""

import json
import os
import random
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import CookedLinux
from unit.made_traffic import (
    DAY,
    DEVICE,
    DEVICE_IP,
    OTHER_SERVER,
    PHONE,
    PHONE_IP,
    ROUTER,
    ROUTER_IP,
    SERVER,
    START,
    Timed,
    answering,
    arp,
    asking,
    datagram,
    enhanced,
    in_order,
    interface,
    query,
    reply,
    section,
    syn,
    syn_ack,
    told,
    write_pcap,
    write_pcapng,
)

from smartrouter.core.destinations import Match
from smartrouter.core.errors import SmartrouterError
from smartrouter.core.flows import CAPACITY as JUDGED_FLOWS
from smartrouter.core.policy import Mode
from smartrouter.replay import main, replay
from smartrouter.replay.captures import LINUX_COOKED, BadCapture
from smartrouter.replay.options import USUAL, Counted, Learn, Options


def figures(
    tmp_path: Path, packets: list[Timed], options: Options = USUAL, mac: str = DEVICE
) -> dict[str, int]:
    path = write_pcap(tmp_path / "made.pcap", packets)
    return replay([path], options).devices[mac].to_json()


def alerts(tmp_path: Path, packets: list[Timed], options: Options = USUAL) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = replay([write_pcap(tmp_path / "made.pcap", packets)], options).to_json()[
        "alerts"
    ]
    return found


# -- counting ------------------------------------------------------------------------------------------


def test_every_syn_counts_as_a_packet_and_one_per_sequence_number_as_a_connection(tmp_path: Path) -> None:
    packets = [
        (START, syn(sequence=1)),
        (START + 1, syn(sequence=1)),
        (START + 3, syn(sequence=1)),
        (START + 900, syn(sequence=1)),
        (START + 901, syn(sequence=2)),
        (START + 902, syn("192.168.1.77", sequence=3)),  # a LAN peer
        (START + 903, syn("fe80::1", source="fe80::2", sequence=4)),
        (START + 904, syn("fd00::1", source="fd00::2", sequence=5)),
        (START + 905, syn("2001:db8::7", source="2001:db8:1::50", sequence=6)),
        (START + 906, syn_ack()),
    ]
    found = figures(tmp_path, packets)
    assert (found["syn_packets"], found["connections"]) == (6, 3)


@pytest.mark.parametrize(("counted", "connections"), [(Counted.WEB, 2), (Counted.TCP, 3), (Counted.ALL, 5)])
def test_the_scope_says_which_connections_count(tmp_path: Path, counted: Counted, connections: int) -> None:
    packets = [
        (START, syn(port=80, sequence=1)),
        (START + 1, syn(port=443, sequence=2)),
        (START + 2, syn(port=8883, sequence=3)),
        (START + 3, datagram(port=123)),
        (START + 4, datagram(port=443)),
        (START + 5, datagram("224.0.0.251", 5353)),
        (START + 6, datagram("255.255.255.255", 6666)),
        (START + 7, datagram("8.8.8.8", 53)),
        (START + 8, datagram(port=67, source_port=68)),
    ]
    found = figures(tmp_path, packets, Options(counted=counted))
    assert found["connections"] == connections
    assert found["syn_packets"] == 3


def test_a_udp_flow_counts_again_after_300_seconds_of_silence(tmp_path: Path) -> None:
    times = [0, 100, 399, 699.5, 1000]
    assert figures(tmp_path, [(START + at, datagram()) for at in times])["connections"] == 3


def test_dns_is_counted_by_own_names_and_well_formed_replies(tmp_path: Path) -> None:
    answer = reply("a.example", [SERVER])
    packets = [
        (START, query("A.example")),
        (START + 1, query("a.example", ident=8)),
        (START + 2, query("b.example", ident=9, resolver="8.8.8.8")),
        (START + 3, query("c.example", sender=PHONE, source=PHONE_IP)),
        (START + 4, answer),
        (START + 5, answer[:-3]),  # cut
        (START + 6, reply("c.example", [SERVER], receiver=PHONE, destination=PHONE_IP)),
        (START + 7, datagram(port=53, data=b"\x00" * 5)),
        (
            START + 8,
            reply("b.example", [], resolver="8.8.8.8"),
        ),  # answers nothing that waits, yet well-formed
    ]
    found = figures(tmp_path, packets)
    assert (found["names"], found["dns_replies"]) == (2, 2)
    assert figures(tmp_path, packets, mac=PHONE)["names"] == 1


def test_devices_are_found_and_the_router_is_none(tmp_path: Path) -> None:
    packets = [
        (START, arp(PHONE, PHONE_IP)),
        (START + 1, syn()),
        (START + 2, syn_ack()),
        (START + 3, arp(ROUTER, ROUTER_IP)),
    ]
    found = replay([write_pcap(tmp_path / "made.pcap", packets)])
    assert found.packets == 4
    assert list(found.devices) == [PHONE, DEVICE]
    assert found.routers == [ROUTER]


def test_a_device_that_is_asked_for_is_reported_whoever_it_is(tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "made.pcap", [(START, syn()), (START + 1, syn_ack())])
    absent = "00:11:22:33:44:55"
    found = replay([path], Options(macs=(ROUTER, absent)))
    assert list(found.devices) == [ROUTER, absent]
    assert found.warnings == [f"{absent} sent nothing in these captures."]


# -- naming --------------------------------------------------------------------------------------------


def test_a_connection_is_named_by_an_earlier_reply_to_this_device_however_old(tmp_path: Path) -> None:
    packets = in_order(
        [(START, syn(sequence=1))],
        told("a.example", [SERVER], START + 10),
        [
            (START + 20, syn(sequence=2)),
            (START + 300 * DAY, syn(sequence=3)),
            (START + 21, syn(sender=PHONE, source=PHONE_IP)),
        ],
    )
    assert figures(tmp_path, packets)["named_connections"] == 2
    assert figures(tmp_path, packets, mac=PHONE)["named_connections"] == 0


@pytest.mark.parametrize(("any_resolver", "named"), [(True, 1), (False, 0)])
def test_a_reply_whose_query_the_capture_lacks_counts_where_every_resolver_is_believed(
    tmp_path: Path, any_resolver: bool, named: int
) -> None:
    packets = [(START, reply("a.example", [SERVER])), (START + 1, syn()), (START + 2, syn_ack())]
    assert figures(tmp_path, packets, Options(any_resolver=any_resolver))["named_connections"] == named


@pytest.mark.parametrize(("any_resolver", "named"), [(True, 1), (False, 0)])
def test_a_reply_that_comes_late_counts_where_every_resolver_is_believed(
    tmp_path: Path, any_resolver: bool, named: int
) -> None:
    packets = [
        (START, query("a.example")),
        (START + 60, reply("a.example", [SERVER])),
        (START + 61, syn()),
        (START + 62, syn_ack()),
    ]
    assert figures(tmp_path, packets, Options(any_resolver=any_resolver))["named_connections"] == named


def test_a_reply_that_was_cut_short_counts_since_the_capture_may_lack_the_one_over_tcp(
    tmp_path: Path,
) -> None:
    answer = bytearray(reply("a.example", [SERVER]))
    answer[14 + 20 + 8 + 2] |= 0x02  # TC
    packets = [(START, query("a.example")), (START + 0.1, bytes(answer)), (START + 1, syn())]
    assert figures(tmp_path, packets)["named_connections"] == 1


def test_names_asked_of_everybody_count(tmp_path: Path) -> None:
    packets = [(START, query("a.example", resolver="255.255.255.255")), (START + 1, syn())]
    assert figures(tmp_path, packets)["names"] == 1


def test_a_retransmission_is_reported_once_however_many_flows_come_between(tmp_path: Path) -> None:
    made = syn()
    at = 14 + 20 + 4  # of the sequence number
    between = [
        (START + 20, made[:at] + number.to_bytes(4, "big") + made[at + 4 :])
        for number in range(100, 2 * JUDGED_FLOWS + 110)
    ]
    packets = [
        (START, syn(sequence=1)),
        (START + 10, syn(OTHER_SERVER, sequence=2)),
        *between,
        (START + 30, syn(OTHER_SERVER, sequence=2)),
    ]
    found = figures(tmp_path, packets, Options(counted=Counted.TCP))
    assert found["connections"] == len(between) + 2
    assert (found["alerted_connections"], found["alerts"]) == (1, 1)


@pytest.mark.parametrize(("any_resolver", "named"), [(True, 1), (False, 0)])
def test_an_answer_that_the_router_redirected_counts_where_every_resolver_is_believed(
    tmp_path: Path, any_resolver: bool, named: int
) -> None:
    packets = [
        (START, query("a.example")),
        (START + 0.1, reply("a.example", [SERVER], resolver="119.29.29.29")),
        (START + 1, syn()),
        (START + 2, syn_ack()),
    ]
    assert figures(tmp_path, packets, Options(any_resolver=any_resolver))["named_connections"] == named


def test_each_of_several_resolvers_asked_at_once_may_answer(tmp_path: Path) -> None:
    packets = [
        (START, query("a.example", resolver="8.8.8.8")),
        (START, query("a.example", resolver=ROUTER_IP)),
        (START + 0.1, reply("a.example", [SERVER], resolver="8.8.8.8")),
        (START + 0.2, reply("a.example", [OTHER_SERVER], resolver=ROUTER_IP)),
        (START + 1, syn()),
        (START + 2, syn(OTHER_SERVER)),
    ]
    assert figures(tmp_path, packets)["named_connections"] == 2


@pytest.mark.parametrize(
    ("resolver", "named", "kinds"),
    [(ROUTER_IP, 1, []), ("8.8.8.8", 1, []), ("203.0.113.53", 0, ["foreign-resolver"])],
)
def test_only_the_router_and_the_big_public_resolvers_are_trusted_if_asked_for(
    tmp_path: Path, resolver: str, named: int, kinds: list[str]
) -> None:
    packets = [
        (START, query("a.example", resolver=resolver)),
        (START + 0.1, reply("a.example", [SERVER], resolver=resolver)),
        (START + 1, syn()),
        (START + 2, syn_ack()),
        (START + 3, arp(ROUTER, ROUTER_IP)),
    ]
    options = Options(any_resolver=False, counted=Counted.TCP)
    assert figures(tmp_path, packets, options)["named_connections"] == named
    assert [alert["kind"] for alert in alerts(tmp_path, packets, options)] == kinds
    assert figures(tmp_path, packets)["named_connections"] == 1
    assert alerts(tmp_path, packets) == []


def test_names_told_over_tcp_count(tmp_path: Path) -> None:
    asked, answer = asking("a.example"), answering("a.example", [SERVER])

    def segment(up: bool, flags: str, sequence: int, data: bytes = b"") -> bytes:
        ports = {"sport": 3000, "dport": 53} if up else {"sport": 53, "dport": 3000}
        frame = syn("8.8.8.8", 53) if up else syn_ack("8.8.8.8", 53)
        addresses = (DEVICE_IP, "8.8.8.8") if up else ("8.8.8.8", DEVICE_IP)
        packet = IP(src=addresses[0], dst=addresses[1]) / TCP(**ports, flags=flags, seq=sequence) / data
        return frame[:14] + bytes(packet)

    framed = len(answer).to_bytes(2, "big") + answer
    packets = [
        (START, segment(True, "S", 100)),
        (START + 0.1, segment(False, "SA", 500)),
        (START + 0.2, segment(True, "PA", 101, len(asked).to_bytes(2, "big") + asked)),
        (START + 0.3, segment(False, "PA", 501, framed[:20])),
        (START + 0.4, segment(False, "PA", 521, framed[20:])),
        (START + 1, syn()),
    ]
    found = figures(tmp_path, packets)
    assert found["named_connections"] == 1
    assert found["connections"] == 2
    assert (found["names"], found["dns_replies"]) == (0, 0)  # these count UDP


# -- learning and testing --------------------------------------------------------------------------------


def life(*, last: float = 100.0) -> list[Timed]:
    """A connection each ten seconds, a new name from the middle on, another new one at the end."""
    return in_order(
        told("www.known.example", [SERVER], START - 1),
        told("new.example", [OTHER_SERVER, "198.51.100.10"], START + 45, ident=8),
        [(START + at, syn(sequence=at)) for at in range(0, 50, 10)],
        [(START + at, syn(OTHER_SERVER, sequence=at)) for at in range(50, 90, 10)],
        [(START + 95, syn("198.51.100.10", sequence=95)), (START + last, syn("198.51.100.99", sequence=100))],
    )


def test_what_comes_after_learning_is_tested_and_what_is_new_is_reported(tmp_path: Path) -> None:
    found = figures(tmp_path, life())
    assert found["connections"] == 11
    assert found["learned_destinations"] == 1
    assert found["tested_connections"] == 8  # after second 25
    assert found["alerted_connections"] == 6
    assert found["alerts"] == 2


def test_alerts_say_what_when_and_where(tmp_path: Path) -> None:
    new, unnamed = alerts(tmp_path, life())
    assert new == {
        "mac": DEVICE,
        "destination": "new.example",
        "service": "web",
        "evidence": "dns",
        "kind": "new-destination",
        "reason": "unknown-name",
        "severity": "warning",
        "first": START + 50,
        "last": START + 95,
        "count": 5,
        "blocked": 0,
        "addresses": [OTHER_SERVER, "198.51.100.10"],
        "name": "new.example",
        "detail": "",
    }
    assert (unnamed["destination"], unnamed["evidence"], unnamed["reason"]) == (
        "198.51.100.99",
        "none",
        "unknown-address",
    )


def test_a_connection_to_a_resolver_counts_as_named_if_it_was(tmp_path: Path) -> None:
    packets = [*told("dns.example", [SERVER], START), (START + 1, syn(port=53)), (START + 2, syn(port=53))]
    found = figures(tmp_path, packets, Options(counted=Counted.TCP))
    assert (found["connections"], found["named_connections"]) == (1, 1)


def test_the_match_groups_names(tmp_path: Path) -> None:
    packets = in_order(
        told("a.known.example", [SERVER], START - 2),
        told("b.known.example", [OTHER_SERVER], START - 1, ident=8),
        [(START, syn()), (START + 100, syn(OTHER_SERVER, sequence=2))],
    )
    assert figures(tmp_path, packets, Options(match=Match.DOMAIN))["alerts"] == 0
    assert figures(tmp_path, packets, Options(match=Match.HOST))["alerts"] == 1


def test_a_connection_at_the_very_end_of_learning_is_learned(tmp_path: Path) -> None:
    packets = [(START + at, syn(sequence=at)) for at in (0, 25, 26, 100)]
    assert figures(tmp_path, packets)["tested_connections"] == 2


def test_a_device_with_one_connection_only_learns_it(tmp_path: Path) -> None:
    found = figures(tmp_path, [(START, syn())])
    assert (found["tested_connections"], found["learned_destinations"], found["alerts"]) == (0, 1, 0)


@pytest.mark.parametrize(
    ("learn", "tested"), [(Learn(None, 40.0), 7), (Learn(None, DAY), 0), (Learn(1.0), 0)]
)
def test_learning_may_last_a_time(tmp_path: Path, learn: Learn, tested: int) -> None:
    # The first query comes a second before the first connection.
    assert figures(tmp_path, life(), Options(learn=learn))["tested_connections"] == tested


def test_enforce_blocks_what_monitor_reports_and_reports_it_too(tmp_path: Path) -> None:
    monitor, enforce = (alerts(tmp_path, life(), Options(mode=mode)) for mode in Mode)
    assert [each | {"blocked": each["count"]} for each in monitor] == enforce
    assert monitor[0]["blocked"] == 0


def test_several_captures_are_one_trace(tmp_path: Path) -> None:
    packets = life()
    whole = replay([write_pcap(tmp_path / "whole.pcap", packets)]).to_json()
    parts = [
        write_pcap(tmp_path / "even.pcap.gz", packets[::2]),
        write_pcapng(tmp_path / "odd.pcapng", packets[1::2]),
    ]
    assert replay(parts).to_json() == whole
    assert replay(list(reversed(parts))).to_json() == whole


def test_packets_out_of_order_and_a_clock_that_is_set_back_do_no_harm(tmp_path: Path) -> None:
    packets = life()
    packets[3], packets[4] = packets[4], packets[3]
    assert figures(tmp_path, packets)["connections"] == 11
    set_back = [*life(), *((at - 30 * DAY, data) for at, data in life(last=110.0))]
    assert figures(tmp_path, set_back)["connections"] == 11  # the same sequence numbers


# -- other links, and faults -----------------------------------------------------------------------------


def test_a_cooked_capture_gives_the_same_figures(tmp_path: Path) -> None:
    def cooked(frame: bytes) -> bytes:
        header = CookedLinux(
            pkttype=4 if frame[6:12].hex(":") == ROUTER else 0,
            lladdrlen=6,
            src=frame[6:12] + bytes(2),
            proto=int.from_bytes(frame[12:14], "big"),
        )
        return bytes(header) + frame[14:]

    packets = [*life(), (START + 200, syn_ack())]
    path = write_pcap(tmp_path / "any.pcap", [(at, cooked(data)) for at, data in packets], link=LINUX_COOKED)
    found = replay([path])
    assert list(found.devices) == [DEVICE]
    assert found.devices[DEVICE].to_json() == figures(tmp_path, packets)


def test_mangled_packets_are_counted_and_never_fatal(tmp_path: Path) -> None:
    mangled = [(START + i, syn()[:size]) for i, size in enumerate((0, 5, 13, 20, 33, 40))]
    path = write_pcap(tmp_path / "made.pcap", in_order(mangled, life()))
    found = replay([path])
    assert found.mangled == len(mangled)
    assert found.devices[DEVICE].connections == 11


def test_random_bytes_in_every_packet_raise_nothing(tmp_path: Path, rounds: Callable[[int], int]) -> None:
    chance = random.Random(3)
    packets = [*life(), (START + 120, syn_ack()), (START + 121, arp(DEVICE, DEVICE_IP))]
    for _ in range(rounds(20)):
        damaged = []
        for at, data in packets:
            content = bytearray(data)
            for _ in range(chance.randrange(4)):
                content[chance.randrange(len(content))] = chance.randrange(256)
            damaged.append((at, bytes(content)))
        assert replay([write_pcap(tmp_path / "made.pcap", damaged)]).packets == len(packets)


@pytest.mark.parametrize("size", [54, 60, 68, 96])
def test_a_capture_of_the_first_bytes_of_each_packet_counts_every_attempt(tmp_path: Path, size: int) -> None:
    options = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]
    segment = TCP(sport=40000, dport=443, flags="S", seq=1, options=options)
    long_syn = syn()[:14] + bytes(IP(src=DEVICE_IP, dst=SERVER) / segment)
    packets = [(START, long_syn[:size]), (START + 1, datagram(data=bytes(500))[:size])]
    path = write_pcap(tmp_path / "made.pcap", packets)
    found = replay([path])
    assert (found.devices[DEVICE].syn_packets, found.devices[DEVICE].connections, found.mangled) == (1, 2, 0)


def test_a_capture_that_breaks_off_is_replayed_so_far_and_the_file_is_named(tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "made.pcap", life())
    path.write_bytes(path.read_bytes()[:-10])
    found = replay([path])
    assert found.devices[DEVICE].connections == 10
    assert found.warnings == [f"{path}: it breaks off inside a packet"]


def test_a_mixed_capture_leaves_out_what_has_no_mac_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mixed.pcapng"
    path.write_bytes(
        section()
        + interface()
        + interface(101)
        + enhanced(START, syn())
        + enhanced(START, b"E" * 40, number=1)
    )
    found = replay([path])
    assert found.packets == 2
    assert "101 (raw IP)" in found.warnings[0]


def test_a_bad_file_among_good_ones_is_an_error_that_names_it(tmp_path: Path) -> None:
    good, bad = write_pcap(tmp_path / "good.pcap", life()), tmp_path / "bad.pcap"
    bad.write_bytes(b"not a capture")
    with pytest.raises(BadCapture, match=r"bad\.pcap"):
        replay([good, bad])


# -- the command ---------------------------------------------------------------------------------------


def arguments(*captures: Path, **changed: Any) -> Namespace:
    options = ("learn", "scope", "match", "mode", "resolvers", "mac", "known", "unnamed_tls")
    unset: dict[str, Any] = dict.fromkeys(options)
    return Namespace(**{**unset, "json": False, "captures": [str(path) for path in captures], **changed})


def test_the_command_prints_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pcap(tmp_path / "made.pcap", life())
    assert main(arguments(path, json=True, scope="web", learn="25%")) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == replay([path], Options(counted=Counted.WEB)).to_json()


def test_the_command_prints_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments(write_pcap(tmp_path / "made.pcap", life()))) == 0
    out = capsys.readouterr().out
    assert DEVICE in out
    assert "new.example" in out


@pytest.mark.parametrize("changed", [{"captures": ["absent.pcap"]}, {"learn": "much"}])
def test_the_command_prints_nothing_where_something_is_wrong(
    changed: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SmartrouterError) as error:
        main(arguments(**changed))
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""


def test_a_large_capture_shows_its_progress(tmp_path: Path) -> None:
    frame = syn()
    path = write_pcap(tmp_path / "made.pcap", [(START + i, frame) for i in range(9000)])
    told_of: list[int] = []
    replay([path], progress=told_of.append)
    assert told_of == sorted(told_of)
    assert told_of[0] < path.stat().st_size / 2 < told_of[-1] <= path.stat().st_size


# -- memory ----------------------------------------------------------------------------------------------

# VmHWM, not ru_maxrss: that one starts with what the parent process had.
_MEASURE = """
import sys
from smartrouter.replay import replay
found = replay(sys.argv[1:])
(peak,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(found.packets, peak)
"""


def _peak(path: Path) -> tuple[int, int]:
    """Packets replayed, and the most memory in kB that it took."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(path)], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    packets, peak = done.stdout.split()
    return int(packets), int(peak)


def test_memory_does_not_grow_with_the_capture(tmp_path: Path, rounds: Callable[[int], int]) -> None:
    frame = syn_ack()[:14] + bytes(IP(src=SERVER, dst=DEVICE_IP) / UDP(sport=443, dport=4444) / bytes(1400))
    peaks = []
    for megabytes in (1, 1 + rounds(20)):
        count = megabytes * 1_000_000 // len(frame)
        bulk = ((START + 200 + i / 1000, frame) for i in range(count))
        found, peak = _peak(write_pcap(tmp_path / f"{megabytes}.pcap", chain(life(), bulk)))
        assert found == count + len(life())
        peaks.append(peak)
    assert peaks[1] < peaks[0] + 5_000, peaks  # of 20,000 kB more
