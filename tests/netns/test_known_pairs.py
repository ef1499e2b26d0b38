# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel settles by itself, with real packets: known, blocked and denied pairs, what is logged of
them, and several queues for what is left to the guard."""

import contextlib
import os
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest
from netns.kernel_lab import (
    ADDRESSES,
    DEVICE_MAC,
    PATIENCE,
    PC_MAC,
    Lab,
    Recorder,
    ask,
    bound,
    connect,
    echoing,
    eventually,
    family,
    listening,
    send,
)
from netns.rules_lab import CLOSED, ENFORCED, PLAN, VERSIONS, Wire, counters, load, packet, unaccounted
from netns.sent_again import once
from scapy.layers.inet import GRE, ICMP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest

from smartrouter.core.effects import Block, Deny, Flow, Know, Pair, Unsettle
from smartrouter.core.events import Shortcut
from smartrouter.linux import conntrack
from smartrouter.linux.netlink import Netlink, attribute, each_attribute
from smartrouter.linux.queue import DNS_QUEUE, FLOWS_QUEUE
from smartrouter.linux.queue_rule import LOG_GROUP
from smartrouter.linux.sets import Sets

pytestmark = pytest.mark.netns

TCP_, UDP_ = socket.IPPROTO_TCP, socket.IPPROTO_UDP
_LOG_SUBSYSTEM, _CONFIG = 4, 1  # NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG
_BIND, _COPY_PACKET = 1, 2  # NFULNL_CFG_CMD_BIND, NFULNL_COPY_PACKET


@pytest.fixture
def sets(lab: Lab) -> Iterator[Sets]:
    with lab.at("router"):
        found = Sets()
    yield found
    found.close()


class Logged(NamedTuple):
    """A packet that the kernel wrote to the log."""

    prefix: str
    mac: str
    payload: bytes


class Log:
    """Reads the log group of the router; only as much of its format as the tests need
    (include/uapi/linux/netfilter/nfnetlink_log.h)."""

    def __init__(self, lab: Lab) -> None:
        with lab.at("router"):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)
        self._socket.bind((0, 0))
        self._seen: list[Logged] = []
        self._ask(attribute(1, bytes((_BIND,))))
        self._ask(attribute(2, struct.pack(">IBx", 128, _COPY_PACKET)))
        self._ask(attribute(5, struct.pack(">I", 1)))  # NFULA_CFG_QTHRESH: each packet at once
        self._socket.settimeout(0.05)

    def _ask(self, body: bytes) -> None:
        kind = _LOG_SUBSYSTEM << 8 | _CONFIG
        self._socket.send(
            struct.pack("=IHHIIBBH", 20 + len(body), kind, 5, 1, 0, 0, 0, socket.htons(LOG_GROUP)) + body
        )
        (code,) = struct.unpack_from("=i", self._socket.recv(4096), 16)
        assert code == 0

    def seen(self, wanted: int, patience: float = PATIENCE) -> list[Logged]:
        """What was logged since it was made, once there are `wanted`, or time is over."""
        end = time.monotonic() + patience
        while len(self._seen) < wanted and time.monotonic() < end:
            with contextlib.suppress(TimeoutError):
                self._take(self._socket.recv(1 << 16))
        return list(self._seen)

    def _take(self, datagram: bytes) -> None:
        at = 0
        while at + 20 <= len(datagram):
            length, kind = struct.unpack_from("=IH", datagram, at)
            if kind == _LOG_SUBSYSTEM << 8:  # NFULNL_MSG_PACKET
                found = dict(each_attribute(datagram[at + 20 : at + length]))
                prefix, mac = found[10].rstrip(b"\0").decode(), found[8][4:10].hex(":")
                self._seen.append(Logged(prefix, mac, found[9]))
            at += length + -length % 4

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def log(lab: Lab) -> Iterator[Log]:
    found = Log(lab)
    yield found
    found.close()


def to_outside(version: int, port: int, protocol: int = TCP_, mac: str = DEVICE_MAC) -> Pair:
    return Pair(mac, ADDRESSES[version]["outside"], protocol, port)


# -- known ---------------------------------------------------------------------------------------------


@VERSIONS
def test_a_known_pair_needs_no_guard_and_is_logged(lab: Lab, sets: Sets, log: Log, version: int) -> None:
    load(lab, CLOSED)
    sets.change_pairs([Know(to_outside(version, 443), 60.0), Know(to_outside(version, 5000, UDP_), 60.0)])
    with bound(lab, "outside", version, socket.SOCK_STREAM, 443), echoing(lab, "outside", version, 5000):
        assert connect(lab, "device", version, "outside", 443) == "connected"
        assert ask(lab, "device", version, "outside", 5000) == "answered"
        assert ask(lab, "device", version, "outside", 5001) == "prohibited"
        with bound(lab, "outside", version, socket.SOCK_STREAM, 444):
            assert connect(lab, "device", version, "outside", 444) == "reset"
    found = counters(lab)
    assert found["known"] + found["known_again"] == found["passed"]
    assert found["known"] >= 2
    assert found["unjudged_down"] >= 2
    seen = log.seen(found["known"])
    assert len(seen) == found["known"]
    assert {(each.prefix, each.mac) for each in seen} == {("known", DEVICE_MAC)}
    ports = 22 if version == 4 else 42  # behind the IP header and the source's port
    assert {int.from_bytes(each.payload[ports : ports + 2], "big") for each in seen} == {443, 5000}


@VERSIONS
def test_a_known_pair_passes_where_nobody_reads_the_log_and_past_a_guard_that_says_no(
    lab: Lab, sets: Sets, version: int
) -> None:
    load(lab, CLOSED)
    flows = Recorder(False)
    with bound(lab, "outside", version, socket.SOCK_STREAM, 443), listening(lab, flows):
        assert connect(lab, "device", version, "outside", 443) == "reset"
        sets.change_pairs([Know(to_outside(version, 443), 60.0)])
        assert connect(lab, "device", version, "outside", 443) == "connected"
        sets.change_pairs([Unsettle(to_outside(version, 443), Shortcut.KNOWN)])
        assert connect(lab, "device", version, "outside", 443) == "reset"
    assert len(once(flows.seen)) == 2
    assert counters(lab)["known"] >= 1  # more where the answer is slow, and the SYN is sent again


@VERSIONS
def test_a_stream_that_nobody_answers_is_logged_once_for_each_of_its_connections(
    lab: Lab, sets: Sets, log: Log, outside: Wire, version: int
) -> None:
    load(lab, CLOSED)
    sets.change_pairs([Know(to_outside(version, 5000, UDP_), 60.0)])
    for source in (7001, 7002):
        for number in range(20):
            said = b"picture %d of %d." % (number, source)
            send(lab, "device", packet(version, "outside", UDP(sport=source, dport=5000) / said))
            assert outside.arrived(said)
    found = counters(lab)
    assert (found["known"], found["known_again"], found["passed"]) == (2, 38, 40)
    assert [each.prefix for each in log.seen(2)] == ["known"] * 2


def test_a_pair_is_one_devices_alone(lab: Lab, sets: Sets) -> None:
    load(lab, CLOSED._replace(watched=frozenset({DEVICE_MAC, PC_MAC})))
    sets.change_pairs([Know(to_outside(4, 443, mac=PC_MAC), 60.0)])
    with bound(lab, "outside", 4, socket.SOCK_STREAM, 443):
        assert connect(lab, "device", 4, "outside", 443) == "reset"
        assert connect(lab, "pc", 4, "outside", 443) == "connected"


@VERSIONS
def test_protocols_without_ports_have_sets_of_their_own(
    lab: Lab, sets: Sets, log: Log, outside: Wire, version: int
) -> None:
    load(lab, CLOSED)
    echo = ICMP if version == 4 else ICMPv6EchoRequest
    number = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
    sets.change_pairs([Know(to_outside(version, 0, number), 60.0)])
    for identifier in range(3):  # each with another checksum, where others have a port
        send(lab, "device", packet(version, "outside", echo(id=identifier) / b"known echo"))
        assert outside.arrived(b"known echo")
    send(lab, "device", packet(version, "outside", GRE() / b"a tunnel"))
    assert eventually(lambda: counters(lab)["unjudged_down"] == 1)
    sets.change_pairs([Unsettle(to_outside(version, 0, number), Shortcut.KNOWN)])
    sets.change_pairs([Block(to_outside(version, 0, number), 60.0), Deny(to_outside(version, 0, 47), 60.0)])
    send(lab, "device", packet(version, "outside", echo(id=9) / b"blocked echo"))
    assert len(log.seen(4)) == 4
    send(lab, "device", packet(version, "outside", GRE() / b"denied tunnel"))
    assert [each.prefix for each in log.seen(5)] == ["known"] * 3 + ["blocked", "denied"]
    assert not outside.arrived(b"blocked echo", 0.1)


@VERSIONS
def test_a_forged_source_has_no_known_pairs(lab: Lab, sets: Sets, outside: Wire, version: int) -> None:
    load(lab, CLOSED)
    sets.change_pairs([Know(to_outside(version, 443), 60.0)])
    forged = TCP(sport=5, dport=443, flags="S") / b"in another's name"
    send(lab, "device", packet(version, "outside", forged, source="pc"))
    assert eventually(lambda: counters(lab)["queued_spoofed"] == 1)
    assert not outside.arrived(b"in another's name", 0.1)
    assert counters(lab)["known"] == 0


@VERSIONS
def test_a_forged_source_gets_nothing_into_anothers_open_connection(
    lab: Lab, sets: Sets, outside: Wire, version: int
) -> None:
    """Although that is established, and its pair known: the source does not live where this came from."""
    load(lab, CLOSED._replace(watched=frozenset({DEVICE_MAC, PC_MAC})))
    sets.change_pairs([Know(to_outside(version, 5000, UDP_, PC_MAC), 60.0)])
    with echoing(lab, "outside", version, 5000):
        with lab.at("pc"):
            client = socket.socket(family(version), socket.SOCK_DGRAM)
        with client:
            client.settimeout(PATIENCE)
            client.connect((ADDRESSES[version]["outside"], 5000))
            client.send(b"mine")
            assert client.recv(100) == b"mine"
            ridden = UDP(sport=client.getsockname()[1], dport=5000) / b"riding along"
            send(lab, "device", packet(version, "outside", ridden, source="pc"))
            assert eventually(lambda: counters(lab)["queued_spoofed"] == 1)
            assert not outside.arrived(b"riding along", 0.1)


def test_port_53_is_the_guards_whatever_is_known(lab: Lab, sets: Sets, log: Log) -> None:
    load(lab, CLOSED)
    names = Recorder(False)
    sets.change_pairs([Know(to_outside(4, 53, UDP_), 60.0)])
    with echoing(lab, "outside", 4, 53), listening(lab, names, DNS_QUEUE):
        assert ask(lab, "device", 4, "outside", 53) == "prohibited"
    assert len(names.seen) == 1
    assert log.seen(1, 0.1) == []


# -- blocked and denied --------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize(
    ("action", "tcp", "udp"), [("reject", "reset", "prohibited"), ("drop", "silence", "silence")]
)
def test_a_blocked_pair_is_refused_by_the_kernel_and_logged(
    lab: Lab, sets: Sets, log: Log, version: int, action: str, tcp: str, udp: str
) -> None:
    load(lab, PLAN._replace(block_action=action))
    sets.change_pairs([Block(to_outside(version, 443), 60.0), Block(to_outside(version, 5000, UDP_), 60.0)])
    flows = Recorder(True)
    with (
        bound(lab, "outside", version, socket.SOCK_STREAM, 443),
        echoing(lab, "outside", version, 5000),
        listening(lab, flows),
    ):
        patience = 0.5 if action == "drop" else PATIENCE
        assert connect(lab, "device", version, "outside", 443, patience) == tcp
        assert ask(lab, "device", version, "outside", 5000, patience) == udp
    assert flows.seen == []
    found = counters(lab)
    seen = log.seen(found["blocked_again"])
    assert {each.prefix for each in seen} == {"blocked"}
    assert found["blocked_again"] == len(seen) >= 2
    assert (found["blocked"], found["passed"]) == (0, 0)


@VERSIONS
def test_a_denied_pair_cuts_its_open_connections_at_the_next_packet(
    lab: Lab, sets: Sets, log: Log, version: int
) -> None:
    load(lab, PLAN)
    with bound(lab, "outside", version, socket.SOCK_STREAM, 443) as server:
        with lab.at("device"):
            client = socket.socket(family(version), socket.SOCK_STREAM)
        with client:
            client.settimeout(PATIENCE)
            client.connect((ADDRESSES[version]["outside"], 443))
            peer, _ = server.accept()
            with peer:
                client.sendall(b"so far")
                assert peer.recv(100) == b"so far"
                sets.change_pairs([Deny(to_outside(version, 443), 60.0)])
                client.sendall(b"not any more")
                with pytest.raises(ConnectionResetError):
                    client.recv(1)
                peer.settimeout(0.2)
                with contextlib.suppress(TimeoutError, ConnectionResetError):
                    assert peer.recv(100) == b""
        assert log.seen(1, 0.1) == []  # that was no attempt
        assert connect(lab, "device", version, "outside", 443) == "reset"
    assert [each.prefix for each in log.seen(1)] == ["denied"]
    found = counters(lab)
    assert found["denied"] == 1
    assert found["cut"] >= 1


def test_what_is_denied_goes_before_what_is_known(lab: Lab, sets: Sets) -> None:
    load(lab, PLAN)
    pair = to_outside(4, 443)
    sets.change_pairs([Know(pair, 60.0), Deny(pair, 60.0)])
    with bound(lab, "outside", 4, socket.SOCK_STREAM, 443):
        assert connect(lab, "device", 4, "outside", 443) == "reset"
        sets.change_pairs([Unsettle(pair, Shortcut.DENIED)])
        assert connect(lab, "device", 4, "outside", 443) == "connected"


@pytest.mark.parametrize("change", [Block, Deny])
def test_nothing_is_refused_on_the_way_to_another_local_network(
    lab: Lab, sets: Sets, change: type[Block] | type[Deny]
) -> None:
    load(lab, CLOSED)
    sets.change_pairs([change(Pair(DEVICE_MAC, ADDRESSES[4]["pc"], TCP_, 22), 60.0)])
    with bound(lab, "pc", 4, socket.SOCK_STREAM, 22):
        assert connect(lab, "device", 4, "pc", 22) == "connected"


@VERSIONS
def test_the_kernel_lists_connections_and_forgets_them(lab: Lab, sets: Sets, version: int) -> None:
    load(lab, PLAN)
    echo = ICMP if version == 4 else ICMPv6EchoRequest
    with bound(lab, "outside", version, socket.SOCK_STREAM, 443), echoing(lab, "outside", version, 5000):
        assert connect(lab, "device", version, "outside", 443) == "connected"
        assert ask(lab, "device", version, "outside", 5000) == "answered"
        send(lab, "device", packet(version, "outside", echo(id=3) / b"ping"))
        icmp = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
        kinds = {(TCP_, 443), (UDP_, 5000), (icmp, 0)}
        assert eventually(lambda: kinds <= {(flow.protocol, flow.port) for flow in mine(lab, version)})
    found = mine(lab, version)
    assert all((flow.client_port == 0) == (flow.port == 0) for flow in found)
    whole = [flow for flow in found if flow.port in (443, 5000)]
    assert sets.forget_flows([*whole, *whole]) == len(whole)
    assert not {flow for flow in mine(lab, version) if flow.port in (443, 5000)}


def mine(lab: Lab, version: int) -> list[Flow]:
    with lab.at("router"), Netlink() as link:
        return [flow for flow in conntrack.flows(link) if flow.client == ADDRESSES[version]["device"]]


# -- the sets ------------------------------------------------------------------------------------------


def remaining(lab: Lab, name: str) -> list[str]:
    """How much longer the elements of a set are in it, in nft's words."""
    with lab.at("router"):
        command = ["nft", "list", "set", "inet", "smartrouter", name]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [each.split()[0].rstrip(",") for each in listed.split("expires ")[1:]]


def test_an_elements_time_is_renewed(lab: Lab, sets: Sets) -> None:
    load(lab, PLAN)
    pair = to_outside(4, 443)
    sets.change_pairs([Know(pair, 2.0)])
    time.sleep(1.0)
    sets.change_pairs([Know(pair, 86400.0, again=True)])
    assert remaining(lab, "known4")[0].startswith(("23h59m", "1d"))
    sets.change_pairs([Know(pair, 0.2, again=True)])
    with lab.at("router"):
        assert eventually(lambda: list(sets.held_pairs()) == [])
    with bound(lab, "outside", 4, socket.SOCK_STREAM, 443), listening(lab, flows := Recorder(True)):
        assert connect(lab, "device", 4, "outside", 443) == "connected"
    assert len(once(flows.seen)) == 1
    sets.change_pairs([Know(pair, 60.0, again=True)])  # of what is not there any more
    with lab.at("router"):
        assert list(sets.held_pairs()) == [(pair, Shortcut.KNOWN)]


def test_what_is_held_is_listed_and_survives_a_reload(lab: Lab, sets: Sets) -> None:
    with lab.at("router"):
        assert list(sets.held_pairs()) == []
    load(lab, PLAN)
    known = [
        to_outside(version, port, protocol)
        for version in (4, 6)
        for port in (1, 65535)
        for protocol in (6, 17)
    ]
    known += [to_outside(4, 0, 1), to_outside(6, 0, 58)]
    sets.change_pairs([Know(pair, 60.0) for pair in known])
    sets.change_pairs([Block(known[0], 60.0), Deny(known[1], 60.0), Unsettle(known[2], Shortcut.BLOCKED)])
    expected = {(pair, Shortcut.KNOWN) for pair in known}
    expected |= {(known[0], Shortcut.BLOCKED), (known[1], Shortcut.DENIED)}
    load(lab, CLOSED)
    with lab.at("router"):
        held = list(sets.held_pairs())
    assert set(held) == expected
    assert len(held) == len(expected)
    sets.forget_pairs()
    with lab.at("router"):
        assert list(sets.held_pairs()) == []


@pytest.mark.timeout(300)
def test_a_full_set_keeps_nothing_else_from_being_done(lab: Lab, sets: Sets) -> None:
    load(lab, PLAN)
    pairs = [to_outside(4, port) for port in range(1, 16385)]
    assert sets.change_pairs([Block(pair, 600.0) for pair in pairs]) == 0
    more = [to_outside(4, port) for port in range(20001, 20004)]
    known = to_outside(4, 443)
    assert sets.change_pairs([Know(known, 60.0), *(Block(pair, 600.0) for pair in more)]) == 3
    absent = Unsettle(to_outside(4, 30000), Shortcut.BLOCKED)
    room = [Unsettle(pair, Shortcut.BLOCKED) for pair in pairs[:2]]
    assert sets.change_pairs([*(Block(pair, 600.0) for pair in more), absent, *room]) == 1
    assert sets.change_pairs([absent]) == 0
    with lab.at("router"):
        held = set(sets.held_pairs())
    assert (known, Shortcut.KNOWN) in held
    assert {(pair, Shortcut.BLOCKED) for pair in more[:2]} <= held
    assert len(held) == 16384 + 1
    gone = [Unsettle(pair, Shortcut.BLOCKED) for pair in (*pairs, *more)]
    assert sets.change_pairs(gone) == 0
    with lab.at("router"):
        assert list(sets.held_pairs()) == [(known, Shortcut.KNOWN)]


# -- several workers, and the sum ----------------------------------------------------------------------


def test_new_connections_are_spread_over_the_workers_queues(lab: Lab) -> None:
    load(lab, ENFORCED._replace(workers=2))
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("needs two processors")
    first, second = Recorder(True), Recorder(True)
    with listening(lab, first), listening(lab, second, FLOWS_QUEUE + 1):
        for cpu in cpus[:2]:
            program = "import os,socket,sys; os.sched_setaffinity(0, {int(sys.argv[1])}); "
            program += "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
            program += "[s.sendto(b'x', (sys.argv[2], port)) for port in range(6000, 6020)]"
            with lab.at("device"):
                subprocess.run(["python3", "-c", program, str(cpu), ADDRESSES[4]["outside"]], check=True)
        assert eventually(lambda: len(first.seen) + len(second.seen) == 40)
        assert eventually(lambda: unaccounted(counters(lab)) == 0)
    assert first.seen
    assert second.seen
    assert counters(lab)["passed"] == 40


def test_the_number_of_workers_changes_under_fire_and_nothing_gets_through(lab: Lab) -> None:
    plan = CLOSED._replace(enforced=frozenset({DEVICE_MAC}))
    load(lab, plan)
    wire = Wire(lab, "outside")
    with contextlib.ExitStack() as stack:
        judges = [Recorder(False) for _ in range(3)]
        for number, judge in enumerate(judges):
            stack.enter_context(listening(lab, judge, FLOWS_QUEUE + number))
        with lab.at("device"):
            sender = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        for turn in range(30):
            load(lab, plan._replace(workers=1 + turn % 3))
            for port in range(7000, 7020):
                with contextlib.suppress(OSError):
                    sender.sendto(b"to be stopped", (ADDRESSES[4]["outside"], port))
        assert eventually(lambda: unaccounted(counters(lab)) == 0)
        assert sum(len(judge.seen) for judge in judges) == counters(lab)["queued_flows"] > 100
    assert not wire.arrived(b"to be stopped", 0.1)
    wire.close()
    assert counters(lab)["passed"] == counters(lab)["unjudged_down"] == 0


def test_of_mixed_traffic_everything_is_accounted_for(lab: Lab, sets: Sets, log: Log) -> None:
    load(lab, PLAN)
    sent = 600
    shares = {7: Know, 11: Block, 13: Deny}
    chosen = {
        port: change for port in range(6000, 6100) for step, change in shares.items() if port % step == 0
    }
    sets.change_pairs([change(to_outside(4, port, UDP_), 60.0) for port, change in chosen.items()])
    flows = Recorder(True)
    with listening(lab, flows):
        with lab.at("device"):
            senders = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(sent // 100)]
        for sender in senders:
            for port in range(6000, 6100):
                with contextlib.suppress(OSError):  # an earlier one's refusal
                    sender.sendto(b"x", (ADDRESSES[4]["outside"], port))
            sender.close()
        assert eventually(lambda: unaccounted(counters(lab)) == 0 and settled(lab) > 0)
        assert eventually(lambda: len(flows.seen) == counters(lab)["queued_flows"])
    found = counters(lab)
    assert found["known"] > 0
    assert found["blocked_again"] > 0
    assert found["denied"] > 0
    seen = [each.prefix for each in log.seen(settled(lab))]
    assert seen.count("known") == found["known"]
    assert seen.count("blocked") == found["blocked_again"]
    assert seen.count("denied") == found["denied"]
    assert found["passed"] == found["known"] + found["queued_flows"]


def settled(lab: Lab) -> int:
    found = counters(lab)
    return found["known"] + found["blocked_again"] + found["denied"]
