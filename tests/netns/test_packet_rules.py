# SPDX-License-Identifier: GPL-2.0-or-later
"""What the ruleset does to real packets: who is looked at, what is queued, what the gate lets through."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from netns.kernel_lab import (
    ADDRESSES,
    DEVICE_MAC,
    MARKS,
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
    flooding,
    listening,
    send,
)
from netns.rules_lab import (
    CLOSED,
    ENFORCED,
    PLAN,
    VERSIONS,
    Wire,
    counters,
    load,
    packet,
    unaccounted,
)
from netns.sent_again import once
from scapy.layers.inet import GRE, ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, ICMPv6ND_NS, IPv6

from smartrouter.core.errors import Unavailable
from smartrouter.linux import probe, ruleset
from smartrouter.linux.queue import DNS_QUEUE, FORWARD, LOCAL_IN, LOCAL_OUT, Marks, Ruling
from smartrouter.linux.ruleset import Plan
from smartrouter.linux.sets import Sets

pytestmark = pytest.mark.netns

# -- who is looked at ---------------------------------------------------------------------------------


@VERSIONS
def test_a_device_that_is_not_watched_is_in_no_queue(lab: Lab, version: int) -> None:
    load(lab, CLOSED)
    flows, names = Recorder(False), Recorder(False)
    with (
        bound(lab, "outside", version, socket.SOCK_STREAM, 443),
        echoing(lab, "outside", version, 53),
        listening(lab, flows),
        listening(lab, names, DNS_QUEUE),
    ):
        assert connect(lab, "pc", version, "outside", 443) == "connected"
        assert ask(lab, "pc", version, "outside", 53) == "answered"
    assert flows.seen == names.seen == []
    assert not any(counters(lab).values())


@VERSIONS
def test_marks_of_a_device_that_is_not_watched_are_left_alone(lab: Lab, version: int) -> None:
    load(lab, CLOSED)
    lab.nft(
        f"""table inet other {{
            chain before {{ type filter hook prerouting priority mangle; meta mark set {MARKS.blocking}; }}
            chain after {{ type filter hook forward priority filter; meta mark {MARKS.blocking} counter; }}
        }}"""
    )
    with bound(lab, "outside", version, socket.SOCK_STREAM, 443):
        assert connect(lab, "pc", version, "outside", 443) == "connected"
    assert "counter packets 0" not in lab.listed()


def test_a_watched_device_is_recognised_by_its_mac_alone(lab: Lab) -> None:
    load(lab, PLAN)
    flows = Recorder()
    with lab.at("device"):
        run = subprocess.run(["ip", "link", "set", "eth0", "address", "02:5a:00:00:00:99"], check=False)
    assert run.returncode == 0
    try:
        with bound(lab, "outside", 4, socket.SOCK_STREAM, 443), listening(lab, flows):
            assert connect(lab, "device", 4, "outside", 443) == "connected"
            assert flows.seen == []
            load(lab, PLAN._replace(iot=("lan0",)))  # where every device is watched
            assert connect(lab, "device", 4, "outside", 443) == "connected"
            assert [seen.mac for seen in once(flows.seen)] == ["02:5a:00:00:00:99"]
            load(lab, PLAN._replace(iot=("lan0",), exempt=frozenset({"02:5a:00:00:00:99"})))
            assert connect(lab, "device", 4, "outside", 443) == "connected"
            assert len(once(flows.seen)) == 1
    finally:
        with lab.at("device"):
            subprocess.run(["ip", "link", "set", "eth0", "address", DEVICE_MAC], check=True)


def test_a_device_behind_a_bridge_is_judged_with_its_own_mac(lab: Lab) -> None:
    load(lab, PLAN._replace(lan=("br-lan",)))
    flows = Recorder(False)
    bridge = [
        "link add br-lan type bridge",
        "address del 10.1.0.1/24 dev lan0",
        "link set dev lan0 master br-lan",
        "address add 10.1.0.1/24 dev br-lan",
        "link set dev br-lan up",
    ]
    undo = ["link del br-lan", "address add 10.1.0.1/24 dev lan0", "address add fd01::1/64 dev lan0 nodad"]
    with lab.at("router"):
        subprocess.run(["ip", "-batch", "-"], input="\n".join(bridge), text=True, check=True)
    try:
        with bound(lab, "outside", 4, socket.SOCK_STREAM, 443), listening(lab, flows):
            assert connect(lab, "device", 4, "outside", 443) == "reset"
        assert [seen.mac for seen in once(flows.seen)] == [DEVICE_MAC]
    finally:
        with lab.at("router"):
            subprocess.run(["ip", "-batch", "-", "-force"], input="\n".join(undo), text=True, check=False)


# -- what is queued, and what the gate does ------------------------------------------------------------


@VERSIONS
def test_new_connections_of_any_protocol_are_judged_with_the_mac(
    lab: Lab, outside: Wire, version: int
) -> None:
    load(lab, PLAN)
    flows = Recorder(True)
    echo = ICMP() if version == 4 else ICMPv6EchoRequest()
    packets = {
        socket.IPPROTO_TCP: TCP(sport=1025, dport=4444, flags="S") / b"to be judged: tcp",
        socket.IPPROTO_UDP: UDP(sport=1025, dport=4444) / b"to be judged: udp",
        (socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6): echo / b"to be judged: icmp",
        socket.IPPROTO_GRE: GRE() / b"to be judged: gre",
        253: b"to be judged: a protocol for experiments",
    }
    with listening(lab, flows):
        for protocol, payload in packets.items():
            layer = IP(proto=protocol) if version == 4 else IPv6(nh=protocol)
            layer.src, layer.dst = ADDRESSES[version]["device"], ADDRESSES[version]["outside"]
            send(lab, "device", bytes(layer / payload))
            assert outside.arrived(b"to be judged")
    assert {seen.protocol for seen in flows.seen} == set(packets)
    assert {(seen.mac, seen.hook, seen.mark) for seen in flows.seen} == {(DEVICE_MAC, FORWARD, 0)}
    found = counters(lab)
    assert found["queued_flows"] == found["passed"] == len(flows.seen) == len(packets)


@VERSIONS
def test_a_blocked_connection_is_refused_at_once_or_silently(lab: Lab, version: int) -> None:
    blocker = Recorder(False)
    with bound(lab, "outside", version, socket.SOCK_STREAM, 443), echoing(lab, "outside", version, 5000):
        with listening(lab, blocker):
            load(lab, PLAN)
            assert connect(lab, "device", version, "outside", 443) == "reset"
            assert ask(lab, "device", version, "outside", 5000) == "prohibited"
            load(lab, PLAN._replace(block_action="drop"))
            assert connect(lab, "device", version, "outside", 443, 0.3) == "silence"
            assert ask(lab, "device", version, "outside", 5000, 0.3) == "silence"
        assert counters(lab)["blocked"] == len(blocker.seen) >= 4
        with listening(lab, Recorder(True)):
            assert connect(lab, "device", version, "outside", 443) == "connected"
            assert ask(lab, "device", version, "outside", 5000) == "answered"


@VERSIONS
@pytest.mark.parametrize(
    ("plan", "outcome"), [(PLAN, "connected"), (CLOSED, "reset")], ids=["open", "closed"]
)
def test_without_a_guard_the_gate_does_what_on_failure_says(
    lab: Lab, version: int, plan: Plan, outcome: str
) -> None:
    load(lab, plan)
    with bound(lab, "outside", version, socket.SOCK_STREAM, 443):
        assert connect(lab, "device", version, "outside", 443) == outcome
        assert counters(lab)["unjudged_down"] == 1
        with listening(lab, undecided := Recorder(None)):  # a guard that cannot tell
            assert connect(lab, "device", version, "outside", 443) == outcome
    assert len(once(undecided.seen)) == 1
    assert counters(lab)["unjudged_down"] == 1 + len(undecided.seen)


@VERSIONS
def test_forged_marks_are_worthless(lab: Lab, version: int) -> None:
    load(lab, CLOSED)
    with bound(lab, "outside", version, socket.SOCK_STREAM, 443):
        for forged, verdict in ((MARKS.passing, False), (MARKS.blocking, True), (MARKS.passing, None)):
            lab.nft(
                f"""table inet forger {{
                    chain c {{ type filter hook prerouting priority mangle; meta mark set {forged}; }}
                }}"""
            )
            recorder = Recorder(verdict)
            with listening(lab, recorder):
                expected = "connected" if verdict else "reset"
                assert connect(lab, "device", version, "outside", 443) == expected
            assert [seen.mark for seen in once(recorder.seen)] == [0]
            lab.nft("delete table inet forger")


def test_foreign_mark_bits_survive_and_ours_do_not_leave_the_gate(lab: Lab) -> None:
    load(lab, PLAN)
    lab.nft(
        """table inet other {
            chain before { type filter hook prerouting priority mangle; meta mark set 0x10000; }
            chain after {
                type filter hook forward priority filter; meta mark 0x10000 counter comment "kept";
            }
        }"""
    )
    with bound(lab, "outside", 4, socket.SOCK_STREAM, 443), listening(lab, Recorder(True)):
        assert connect(lab, "device", 4, "outside", 443) == "connected"
    kept = next(line for line in lab.listed().splitlines() if '"kept"' in line)
    assert "counter packets 0" not in kept


def test_other_bits_do_as_well(lab: Lab) -> None:
    other = Marks(0x1, 0x200)
    load(lab, CLOSED._replace(pass_mark=other.passing, block_mark=other.blocking))
    judged = {}
    with bound(lab, "outside", 4, socket.SOCK_STREAM, 443):
        ways = {"passed": (True, "connected"), "blocked": (False, "reset"), "unjudged_down": (None, "reset")}
        for counter, (verdict, outcome) in ways.items():
            with listening(lab, judge := Recorder(verdict), marks=other):
                assert connect(lab, "device", 4, "outside", 443) == outcome
            assert len(once(judge.seen)) == 1
            judged[counter] = len(judge.seen)
    found = counters(lab)
    assert {counter: found[counter] for counter in judged} == judged


@VERSIONS
def test_established_connections_outlive_the_guard(lab: Lab, version: int) -> None:
    load(lab, CLOSED)
    with bound(lab, "outside", version, socket.SOCK_STREAM, 443) as server:
        with lab.at("device"):
            client = socket.socket(family(version), socket.SOCK_STREAM)
        with client:
            with listening(lab, Recorder(True)):
                client.connect((ADDRESSES[version]["outside"], 443))
            client.sendall(b"still there?")
            peer, _ = server.accept()
            with peer:
                assert peer.recv(100) == b"still there?"
    assert counters(lab)["unjudged_down"] == 0


@VERSIONS
def test_icmp_errors_of_a_device_pass(lab: Lab, version: int) -> None:
    load(lab, CLOSED)
    assert ask(lab, "outside", version, "device", 9) == "reset"  # the device's "port unreachable" came back
    assert counters(lab)["related"] == 1


@VERSIONS
def test_a_packet_that_fits_no_connection_passes_in_monitor_mode_only(
    lab: Lab, outside: Wire, version: int
) -> None:
    odd = packet(version, "outside", TCP(sport=7, dport=7, flags="SF", seq=0x5A5A5A5A))
    recorder = Recorder(False)
    with listening(lab, recorder):
        load(lab, PLAN)
        send(lab, "device", odd)
        assert outside.arrived(b"ZZZZ")
        load(lab, ENFORCED)
        send(lab, "device", odd)
        assert eventually(lambda: counters(lab)["invalid_dropped"] == 1)
    assert not outside.arrived(b"ZZZZ", 0.1)
    assert recorder.seen == []
    assert counters(lab)["invalid_passed"] == counters(lab)["passed"] == 1


@VERSIONS
def test_multicast_is_in_nobodys_way(lab: Lab, version: int) -> None:
    load(lab, CLOSED)
    group = "239.255.255.250" if version == 4 else "ff0e::c"
    header = IP(dst=group, ttl=9) if version == 4 else IPv6(dst=group, hlim=9)
    header.src = ADDRESSES[version]["device"]
    flows, names = Recorder(False), Recorder(False)
    with listening(lab, flows), listening(lab, names, DNS_QUEUE):
        with lab.at("device"):
            subprocess.run(["ip", "route", "add", "239.0.0.0/8", "dev", "eth0"], capture_output=True)
        for port in (1900, 53):
            send(lab, "device", bytes(header / UDP(sport=1900, dport=port) / b"anybody?"))
        assert ask(lab, "device", version, "router", 9) == "reset"  # by now they are through
    assert [seen.port for seen in flows.seen] == [9]
    assert names.seen == []


def test_neighbour_discovery_to_the_outside_is_no_way_out(lab: Lab, outside: Wire) -> None:
    load(lab, CLOSED)
    send(lab, "device", packet(6, "outside", ICMPv6ND_NS(tgt="2001:db8::5a5a") / b"smuggled"))
    assert eventually(lambda: counters(lab)["unjudged_down"] == 1)
    assert not outside.arrived(b"smuggled", 0.1)


@VERSIONS
def test_from_one_local_network_to_another_everything_passes_and_is_seen(lab: Lab, version: int) -> None:
    load(lab, CLOSED)
    with bound(lab, "pc", version, socket.SOCK_STREAM, 22), echoing(lab, "pc", version, 53):
        assert connect(lab, "device", version, "pc", 22) == "connected"  # nobody listens
        flows, names = Recorder(True), Recorder(True)
        with listening(lab, flows), listening(lab, names, DNS_QUEUE):
            assert connect(lab, "device", version, "pc", 22) == "connected"
            assert ask(lab, "device", version, "pc", 53) == "answered"
    assert [(seen.mac, seen.mark) for seen in once(flows.seen)] == [(DEVICE_MAC, MARKS.passing)]
    assert [(seen.mac, seen.mark) for seen in names.seen] == [(DEVICE_MAC, MARKS.passing)]
    assert counters(lab)["queued_lan"] == 1 + len(flows.seen)


def test_a_forwarded_port_that_leads_back_to_the_lan_counts_as_local(lab: Lab) -> None:
    load(lab, CLOSED)
    lab.nft(
        """table ip port_forward {
            chain c { type nat hook prerouting priority dstnat; ip daddr 198.51.100.1 dnat to 10.2.0.2; }
        }"""
    )
    with lab.at("device"):
        client = socket.socket()
    with client, bound(lab, "pc", 4, socket.SOCK_STREAM, 8080):
        client.settimeout(PATIENCE)
        client.connect(("198.51.100.1", 8080))
    assert counters(lab)["queued_lan"] == 1


@VERSIONS
@pytest.mark.parametrize("listener", [True, False], ids=["guard says no", "no guard"])
def test_nothing_to_the_router_itself_is_ever_blocked(lab: Lab, version: int, listener: bool) -> None:
    load(lab, CLOSED._replace(enforced=frozenset({DEVICE_MAC})))
    flows, names = Recorder(False), Recorder(False)
    with (
        bound(lab, "router", version, socket.SOCK_STREAM, 22),
        echoing(lab, "router", version, 53),
        echoing(lab, "router", version, 123),
    ):
        if listener:
            with listening(lab, flows), listening(lab, names, DNS_QUEUE):
                use_the_router(lab, version)
        else:
            use_the_router(lab, version)
    if listener:
        assert {(seen.protocol, seen.port) for seen in flows.seen} == {(6, 22), (17, 4242)}
        assert {(seen.mac, seen.hook) for seen in flows.seen + names.seen} == {(DEVICE_MAC, LOCAL_IN)}
        assert [seen.port for seen in names.seen] == [53]
    found = counters(lab)
    new = len(flows.seen) if listener else 2
    assert (found["router_flows"], found["router_queries"]) == (new, 1)
    assert found["blocked"] == found["unjudged_down"] == found["queued_flows"] == 0


def use_the_router(lab: Lab, version: int) -> None:
    assert connect(lab, "device", version, "router", 22) == "connected"
    assert ask(lab, "device", version, "router", 53) == "answered"
    assert ask(lab, "device", version, "router", 123) == "answered"
    assert ask(lab, "device", version, "router", 4242) == "reset"  # nobody listens there: heard at once
    for port in (67, 68, 546, 547, 5353):
        assert ask(lab, "device", version, "router", port) == "reset"
    echo = ICMP() if version == 4 else ICMPv6EchoRequest()
    send(lab, "device", packet(version, "router", echo / b"ping"))


# -- DNS -----------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize(
    ("resolver", "hooks"),
    [("outside", (FORWARD, FORWARD)), ("router", (LOCAL_IN, LOCAL_OUT))],
    ids=["outside resolver", "the router's own"],
)
def test_queries_are_queued_and_replies_to_admitted_clients_too(
    lab: Lab, version: int, resolver: str, hooks: tuple[int, int]
) -> None:
    load(lab, PLAN)
    names = Names()
    client = ADDRESSES[version]["device"]
    with lab.at("router"):
        sets = Sets()
    with echoing(lab, resolver, version, 53), listening(lab, names, DNS_QUEUE):
        assert ask(lab, "device", version, resolver, 53) == "answered"
        assert [(seen.hook, seen.mac, seen.port) for seen in names.seen] == [(hooks[0], DEVICE_MAC, 53)]
        sets.admit(client)
        sets.admit(client)
        assert ask(lab, "device", version, resolver, 53) == "answered"
        sets.dismiss(client)
        sets.dismiss(client)
        assert ask(lab, "device", version, resolver, 53) == "answered"
    sets.close()
    replies = [seen for seen in names.seen if seen.source_port == 53]
    assert [(seen.hook, seen.destination) for seen in replies] == [(hooks[1], client)]
    assert (replies[0].mac is None) == (hooks[1] == LOCAL_OUT)
    assert len(names.seen) == 4
    assert counters(lab)["queued_replies"] == 1


class Names(Recorder):
    """Lets queries pass, and leaves the marks of replies alone."""

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        super().judge(payload, mac, hook, mark)
        return True if self.seen[-1].port == 53 else None


@VERSIONS
def test_a_reply_waits_until_the_guard_has_dealt_with_it(lab: Lab, version: int) -> None:
    class Slow(Names):
        def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
            verdict = super().judge(payload, mac, hook, mark)
            if verdict is None:
                time.sleep(0.1)
                self.stored = time.monotonic()
            return verdict

    load(lab, PLAN)
    names = Slow()
    with lab.at("router"):
        sets = Sets()
    sets.admit(ADDRESSES[version]["device"])
    sets.close()
    with echoing(lab, "outside", version, 53), listening(lab, names, DNS_QUEUE):
        assert ask(lab, "device", version, "outside", 53) == "answered"
        assert names.stored < time.monotonic()


@VERSIONS
def test_later_segments_to_port_53_are_judged_too(lab: Lab, version: int) -> None:
    load(lab, PLAN)
    names = Names()
    with bound(lab, "outside", version, socket.SOCK_STREAM, 53), listening(lab, names, DNS_QUEUE):
        with lab.at("device"):
            client = socket.socket(family(version), socket.SOCK_STREAM)
        with client:
            client.settimeout(PATIENCE)
            client.connect((ADDRESSES[version]["outside"], 53))
            before = len(names.seen)
            client.sendall(b"a query in the third segment")
            assert eventually(lambda: len(names.seen) > before)


def test_what_only_looks_like_a_reply_is_a_new_connection(lab: Lab) -> None:
    """A device that sends from port 53 to another local device is not a resolver that was asked."""
    load(lab, PLAN)
    flows, names = Recorder(True), Recorder(True)
    with lab.at("router"):
        sets = Sets()
    sets.admit(ADDRESSES[4]["pc"])
    sets.close()
    with listening(lab, flows), listening(lab, names, DNS_QUEUE):
        send(lab, "device", packet(4, "pc", UDP(sport=53, dport=1053) / b"forged"))
        assert eventually(lambda: flows.at(1053))
    assert names.seen == []


# -- floods --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "rest"),
    [(PLAN, "over_limit_passed"), (ENFORCED, "over_limit_dropped")],
    ids=["monitor", "enforce"],
)
def test_a_flood_of_one_device_reaches_the_queue_only_up_to_its_limit(
    lab: Lab, plan: Plan, rest: str
) -> None:
    sent = 6000
    load(lab, plan._replace(watched=frozenset({DEVICE_MAC, PC_MAC})))
    flows = Recorder(True)
    with bound(lab, "outside", 4, socket.SOCK_STREAM, 443), listening(lab, flows):
        began = time.monotonic()
        with lab.at("device"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for number in range(sent):
                sender.sendto(b"x", ("198.51.100.77", 2000 + number % 1000))  # an address that never answers
        took = time.monotonic() - began
        assert eventually(lambda: counters(lab)["queued_flows"] + counters(lab)[rest] == sent)
        queued = counters(lab)["queued_flows"]
        assert 2000 <= queued <= 2000 + 500 * (took + 0.5)
        assert eventually(lambda: len(flows.seen) == queued)
        assert connect(lab, "pc", 4, "outside", 443) == "connected"  # another device has its own
        assert flows.seen[-1].mac == PC_MAC
    found = counters(lab)
    assert found["passed"] == found["queued_flows"] + found["over_limit_passed"]


def test_a_flood_of_queries_has_the_same_limit(lab: Lab) -> None:
    load(lab, PLAN)
    names, sent = Recorder(True), 0
    with listening(lab, names, DNS_QUEUE):
        with lab.at("device"):
            sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

        def is_over_limit() -> bool:
            nonlocal sent
            for _ in range(4000):
                sender.sendto(b"x", ("198.51.100.77", 53))
            sent += 4000
            return counters(lab)["over_limit_passed"] > 500

        with sender:
            assert eventually(is_over_limit)
    found = counters(lab)
    assert found["queued_queries"] + found["over_limit_passed"] == sent


# -- changing the ruleset ------------------------------------------------------------------------------


@pytest.mark.timeout(900)
@pytest.mark.parametrize("guarded", [True, False], ids=["guard says no", "no guard, closed"])
def test_reloads_under_fire_let_nothing_through(
    lab: Lab, rounds: Callable[[int], int], guarded: bool
) -> None:
    plans = [
        CLOSED._replace(enforced=frozenset({DEVICE_MAC})),
        CLOSED._replace(enforced=frozenset({DEVICE_MAC, PC_MAC}), block_action="drop", iot=("lan0",)),
        CLOSED._replace(enforced=frozenset({DEVICE_MAC}), flows_queue=7380),
    ]
    times = rounds(60)
    load(lab, plans[0])
    with lab.at("outside"):
        sink = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    judges = [Recorder(False), Recorder(False)]
    with contextlib.ExitStack() as stack:
        if guarded:
            stack.enter_context(listening(lab, judges[0]))
            stack.enter_context(listening(lab, judges[1], 7380))
        with flooding(lab, "device", ADDRESSES[4]["outside"], 6000), lab.at("router"):
            assert eventually(lambda: ruleset.read_counters()["queued_flows"] > 0)
            for number in range(times):
                ruleset.load(plans[number % len(plans)])
        assert eventually(lambda: unaccounted(counters(lab)) == 0)  # before the judges go
    assert leaked(sink) == 0
    sink.close()
    found = counters(lab)
    assert found["queued_flows"] + found["over_limit_dropped"] > 20 * times  # there was fire
    assert found["passed"] == 0
    if guarded:
        assert all(judge.seen for judge in judges)
        assert found["unjudged_down"] == 0


def leaked(sink: socket.socket) -> int:
    """How many of the flood's datagrams came out; ARP and the like do not count."""
    count = 0
    sink.setblocking(False)
    while True:
        try:
            data = sink.recv(2048)
        except BlockingIOError:
            return count
        count += len(data) > 20 and data[0] >> 4 == 4 and data[9] == socket.IPPROTO_UDP


def test_a_reload_keeps_counters_clients_and_members_that_the_plan_does_not_give(lab: Lab) -> None:
    load(lab, PLAN)
    with lab.at("router"):
        sets = Sets()
    sets.admit("10.1.0.2")
    sets.admit("fd01::2")
    sets.watch("02:5a:00:00:00:55")
    sets.close()
    with bound(lab, "outside", 4, socket.SOCK_STREAM, 443):
        connect(lab, "device", 4, "outside", 443)
    before = counters(lab)
    load(lab, PLAN._replace(watched=None))
    assert counters(lab) == before
    assert before["queued_flows"] == 1
    listed = lab.listed()
    for kept in ("10.1.0.2", "fd01::2", "02:5a:00:00:00:55", DEVICE_MAC):
        assert kept in listed
    with lab.at("router"):
        assert ruleset.is_present()  # the queues' chains too, whether nft can print their rules or not
    load(lab, PLAN)
    assert "02:5a:00:00:00:55" not in lab.listed()


def test_a_ruleset_that_nft_refuses_changes_nothing(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ruleset.render
    for broken in ("goto nowhere", "go judged"):
        monkeypatch.setattr(ruleset, "render", lambda *a, b=broken: whole(*a).replace("goto judged", b, 1))
        with pytest.raises(Unavailable, match=f"line \\d+: ether saddr @watched {broken}"):
            load(lab, PLAN)
        assert lab.listed() == ""
        monkeypatch.undo()
    load(lab, PLAN)
    before = lab.listed()
    monkeypatch.setattr(ruleset, "render", lambda *a: whole(*a).replace("goto judged", "goto nowhere", 1))
    with pytest.raises(Unavailable):
        load(lab, CLOSED._replace(flows_queue=99))
    assert lab.listed() == before


def test_a_flushed_table_is_noticed_and_removal_leaves_no_trace(lab: Lab) -> None:
    with lab.at("router"):
        assert not ruleset.is_present()
        ruleset.load(PLAN)
        assert ruleset.is_present()
        subprocess.run(["nft", "flush", "chain", "inet", "smartrouter", "to_guard"], check=True)
        assert not ruleset.is_present()
        ruleset.load(PLAN)
        assert ruleset.is_present()
        ruleset.remove()
        ruleset.remove()
        assert not ruleset.is_present()
        assert ruleset.read_counters() == {}
    assert lab.listed() == ""


def test_looking_at_the_system_leaves_no_trace(lab: Lab) -> None:
    with lab.at("router"):
        findings = {finding.name: finding for finding in probe.examine()}
        statement = findings["queue statement"].text
        assert ("nft_queue)" in statement) == probe.has_native_queue()
        assert probe.has_native_queue() or probe.has_xt_target()
    assert all(finding.ok for finding in findings.values())
    assert lab.listed() == ""


def test_an_unprivileged_user_with_one_capability_can_do_it_all(lab: Lab) -> None:
    program = f"""
from smartrouter.linux import probe, ruleset
from smartrouter.linux.queue import Marks, Queue
from smartrouter.linux.sets import Sets
from smartrouter.core.effects import Flow
ruleset.load(ruleset.Plan(("lan0",)))
assert ruleset.is_present() and ruleset.read_counters()
sets = Sets()
flow = Flow("10.1.0.2", 1, "198.51.100.2", 443, 6)
sets.inspect(flow, held=True); sets.cut(flow); sets.release(flow); sets.forget_inspections()
sets.watch({DEVICE_MAC!r}); sets.admit("10.1.0.2"); sets.dismiss_all(); sets.unwatch({DEVICE_MAC!r})
assert all(finding.ok for finding in probe.examine())
Queue(7371, None, Marks(1, 2)).close()
ruleset.remove()
"""
    confined = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"]
    python = [sys.executable, "-W", "error", "-c"]
    checkout = Path(ruleset.__file__).resolve().parents[2]
    if not shutil.which("setpriv"):
        pytest.skip("needs setpriv, of util-linux")
    with lab.at("router"):
        able = subprocess.run([*confined, *python, "import smartrouter"], cwd=checkout, capture_output=True)
        if able.returncode:
            pytest.skip(
                f"no other user can run {sys.executable} with our code: they lie where only root may look"
            )
        capable = [*confined, "--inh-caps=+net_admin", "--ambient-caps=+net_admin", *python, program]
        done = subprocess.run(capable, cwd=checkout, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        refused = subprocess.run([*confined, *python, program], cwd=checkout, capture_output=True, text=True)
        assert "Unavailable: Not allowed to change packet rules" in refused.stderr
    assert lab.listed() == ""
