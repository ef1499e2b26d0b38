# SPDX-License-Identifier: GPL-2.0-or-later
"""What the ruleset does to real packets so that they can be named, and to those that lie: first data of
chosen connections, cut connections, forged sources, redirected DNS, resolvers of the local network."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator
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
    listening,
    send,
)
from netns.rules_lab import CLOSED, ENFORCED, NOBODY, PLAN, VERSIONS, Wire, counters, load, packet
from netns.sent_again import is_drained
from scapy.layers.inet import TCP, UDP

from smartrouter.core.effects import Flow
from smartrouter.linux import redirect_rule
from smartrouter.linux.netlink import Netlink
from smartrouter.linux.queue import DNS_QUEUE, FORWARD, LOCAL_IN, LOCAL_OUT, Ruling, Silently
from smartrouter.linux.ruleset import Plan
from smartrouter.linux.sets import Sets

pytestmark = pytest.mark.netns

BOTH = MARKS.passing | MARKS.blocking


@pytest.fixture
def sets(lab: Lab) -> Iterator[Sets]:
    with lab.at("router"):
        found = Sets()
    yield found
    found.close()


class Open:
    """A connection of the device's to the outside, and what the server has read of it."""

    def __init__(self, lab: Lab, version: int, port: int = 443) -> None:
        with bound(lab, "outside", version, socket.SOCK_STREAM, port) as server:
            with lab.at("device"):
                self.client = socket.socket(family(version), socket.SOCK_STREAM)
            self.client.settimeout(PATIENCE)
            self.client.connect((ADDRESSES[version]["outside"], port))
            self.peer, _ = server.accept()
        self.peer.settimeout(PATIENCE)
        client, client_port = self.client.getsockname()[:2]
        self.flow = Flow(client, client_port, ADDRESSES[version]["outside"], port, 6)

    def arrives(self, data: bytes) -> bool:
        """Does `data` reach the server when the client sends it?"""
        self.client.sendall(data)
        try:
            return self.peer.recv(1000) == data
        except (TimeoutError, ConnectionResetError):
            return False

    def is_reset(self) -> bool:
        try:
            self.client.recv(1)
        except ConnectionResetError:
            return True
        return False

    def __enter__(self) -> "Open":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.peer.close()


def connections(lab: Lab, flow: Flow) -> bool:
    """Does the router's kernel remember `flow`?"""
    with lab.at("router"):
        known = Path("/proc/thread-self/net/nf_conntrack").read_text()
    return any(f"sport={flow.client_port} dport={flow.port}" in line for line in known.splitlines())


# -- first data ----------------------------------------------------------------------------------------


@VERSIONS
def test_what_a_client_says_is_queued_for_chosen_connections_only(lab: Lab, sets: Sets, version: int) -> None:
    load(lab, CLOSED)
    flows = Recorder(True)
    with listening(lab, flows), Open(lab, version) as chosen, Open(lab, version, 8443) as other:
        assert is_drained(lab)
        flows.seen.clear()
        sets.inspect(chosen.flow, held=False)
        assert chosen.arrives(b"hello")
        assert other.arrives(b"hello")
        assert {(seen.port, seen.mac, seen.hook, seen.mark) for seen in flows.seen} == {
            (443, DEVICE_MAC, FORWARD, BOTH)
        }
        sets.release(chosen.flow)
        assert is_drained(lab)
        flows.seen.clear()
        assert chosen.arrives(b"more")
        assert flows.seen == []
    assert counters(lab)["queued_hellos"] >= 1


@VERSIONS
def test_what_is_withheld_reaches_nobody_until_it_is_let_go(lab: Lab, sets: Sets, version: int) -> None:
    load(lab, CLOSED)
    flows = Recorder(True)
    with listening(lab, flows), Open(lab, version) as chosen:
        assert is_drained(lab)
        sets.inspect(chosen.flow, held=True)
        flows.seen.clear()
        flows.verdict = Silently.DROPPED
        chosen.peer.settimeout(0.2)
        assert not chosen.arrives(b"hello")
        assert eventually(lambda: flows.seen)
        sets.release(chosen.flow)
        chosen.peer.settimeout(PATIENCE)
        assert chosen.peer.recv(100) == b"hello"  # TCP has sent it again
        assert is_drained(lab)
        lab.withheld = len(flows.seen)


@VERSIONS
def test_a_held_connection_that_nobody_releases_stays_cut(lab: Lab, sets: Sets, version: int) -> None:
    """As when its time is over, or the guard died over it."""
    load(lab, PLAN)
    with listening(lab, Recorder(True)), Open(lab, version) as chosen:
        sets.inspect(chosen.flow, held=True)
        with lab.at("router"):
            subprocess.run(["nft", "flush", "set", "inet", "smartrouter", f"hello{version}"], check=True)
        chosen.peer.settimeout(0.3)
        assert not chosen.arrives(b"too late")
        assert chosen.is_reset()
    assert counters(lab)["cut"] >= 1


@VERSIONS
def test_a_cut_connection_is_reset_and_what_ignores_that_gets_nothing_through(
    lab: Lab, sets: Sets, outside: Wire, version: int
) -> None:
    load(lab, PLAN)
    flows = Recorder(True)
    with listening(lab, flows), Open(lab, version) as chosen:
        assert chosen.arrives(b"so far")
        assert is_drained(lab)
        assert connections(lab, chosen.flow)
        sets.cut(chosen.flow)
        assert not connections(lab, chosen.flow)
        assert " timeout 1m expires " in lab.listed()  # it need not be longer
        chosen.peer.settimeout(0.3)
        assert not chosen.arrives(b"not any more")
        assert chosen.is_reset()
        stubborn = (
            TCP(sport=chosen.flow.client_port, dport=443, flags="PA", seq=99, ack=99) / b"in spite of it"
        )
        for _ in range(3):
            send(lab, "device", packet(version, "outside", stubborn))
        assert eventually(lambda: counters(lab)["cut"] >= 4)
        # When the cut is over it is a new connection like any other.
        flows.verdict = False
        with lab.at("router"):
            subprocess.run(["nft", "flush", "set", "inet", "smartrouter", f"cut{version}"], check=True)
        flows.seen.clear()
        send(lab, "device", packet(version, "outside", stubborn))
        assert eventually(lambda: flows.seen)
        assert flows.seen[0].mark == 0
    assert not outside.arrived(b"in spite of it", 0.2)


@VERSIONS
@pytest.mark.parametrize(("plan", "passes"), [(PLAN, True), (CLOSED, False)], ids=["open", "closed"])
def test_first_data_without_a_guard_fares_as_on_failure_says(
    lab: Lab, sets: Sets, version: int, plan: Plan, passes: bool
) -> None:
    """That the connection is established does not help it."""
    load(lab, plan)
    with contextlib.ExitStack() as stack:
        with listening(lab, Recorder(True)):
            chosen = stack.enter_context(Open(lab, version))
        sets.inspect(chosen.flow, held=False)
        chosen.peer.settimeout(PATIENCE if passes else 0.3)
        assert chosen.arrives(b"hello") is passes
        assert counters(lab)["unjudged_down"] >= 1


# -- forged sources ------------------------------------------------------------------------------------


@pytest.fixture
def loose(lab: Lab) -> None:
    """The kernel's own filter against forged sources is off, as there is none for IPv6."""
    with lab.at("router"):
        for path in Path("/proc/sys/net/ipv4/conf").glob("*/rp_filter"):
            path.write_text("0")


@pytest.mark.usefixtures("loose")
@pytest.mark.parametrize(
    ("version", "source"),
    [(4, "pc"), (6, "pc"), (4, "outside"), (6, "outside"), (6, "router")],  # IPv4 itself drops the last
)
@pytest.mark.parametrize("port", [9, 53])
def test_a_forged_source_is_told_to_the_guard_and_its_word_counts(
    lab: Lab, outside: Wire, version: int, source: str, port: int
) -> None:
    def forge(said: bytes) -> None:
        send(lab, "device", packet(version, "outside", UDP(sport=5, dport=port) / said, source))

    load(lab, CLOSED)
    flows = Recorder(True)
    with listening(lab, flows):
        forge(b"forged, and let go")
        assert outside.arrived(b"forged, and let go")
        flows.verdict = False
        forge(b"STOPPED")
        assert eventually(lambda: counters(lab)["blocked"] == 1)
    forge(b"STOPPED, for nobody judged it")
    assert eventually(lambda: counters(lab)["unjudged_down"] == 1)
    assert [(seen.mac, seen.mark) for seen in flows.seen] == [(DEVICE_MAC, BOTH)] * 2
    assert counters(lab)["queued_spoofed"] == 3
    assert not outside.arrived(b"STOPPED", 0.1)  # not even in an error message to the forged source


@VERSIONS
@pytest.mark.usefixtures("loose")
def test_a_forged_packet_is_no_part_of_the_connection_that_it_looks_like(
    lab: Lab, outside: Wire, version: int
) -> None:
    load(lab, PLAN)
    flows = Recorder(False)
    with echoing(lab, "outside", version, 5000), listening(lab, flows):
        with lab.at("pc"):
            owner = socket.socket(family(version), socket.SOCK_DGRAM)
        with owner:
            owner.settimeout(PATIENCE)
            owner.connect((ADDRESSES[version]["outside"], 5000))
            owner.send(b"mine")
            assert owner.recv(10) == b"mine"  # established
            port = owner.getsockname()[1]
            like = packet(version, "outside", UDP(sport=port, dport=5000) / b"not mine", "pc")
            send(lab, "device", like)
            assert eventually(lambda: counters(lab)["blocked"] == 1)
    assert [(seen.mac, seen.mark) for seen in flows.seen] == [(DEVICE_MAC, BOTH)]
    assert not outside.arrived(b"not mine", 0.1)


@pytest.mark.usefixtures("loose")
def test_a_forged_packet_that_fits_no_connection_is_dropped_as_any_other(lab: Lab, outside: Wire) -> None:
    odd = packet(4, "outside", TCP(sport=7, dport=7, flags="SF", seq=0x5A5A5A5A), "pc")
    flows = Recorder(True)
    load(lab, ENFORCED)
    with listening(lab, flows):
        send(lab, "device", odd)
        assert eventually(lambda: counters(lab)["invalid_dropped"] == 1)
    assert flows.seen == []
    assert not outside.arrived(b"ZZZZ", 0.1)


# -- DNS that is redirected ----------------------------------------------------------------------------

OWN = PLAN._replace(redirect_dns=True)


class Names(Recorder):
    """Lets queries pass, and leaves the marks of replies alone."""

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        super().judge(payload, mac, hook, mark)
        return self.verdict if self.seen[-1].port == 53 else None


def test_this_kernel_can_redirect(lab: Lab) -> None:
    with lab.at("router"), Netlink() as link:
        assert redirect_rule.has_redirect(link)
    assert lab.listed() == ""


@VERSIONS
def test_the_router_answers_whomever_a_watched_device_asks(lab: Lab, sets: Sets, version: int) -> None:
    load(lab, OWN)
    names = Names()
    sets.admit(ADDRESSES[version]["device"])
    with (
        echoing(lab, "router", version, 53),
        bound(lab, "router", version, socket.SOCK_STREAM, 53),
        listening(lab, names, DNS_QUEUE),
    ):
        assert ask(lab, "device", version, "outside", 53) == "answered"
        router = ADDRESSES[version]["router"]
        asked, answered = names.seen
        assert (asked.hook, asked.destination, asked.mac) == (LOCAL_IN, router, DEVICE_MAC)
        assert (answered.hook, answered.source_port) == (LOCAL_OUT, 53)
        assert connect(lab, "device", version, "outside", 53) == "connected"
        assert ask(lab, "device", version, "router", 53) == "answered"
        assert connect(lab, "pc", version, "outside", 53) == "reset"  # not watched: nobody is there


@VERSIONS
def test_what_is_exempt_or_a_resolver_itself_is_not_redirected(lab: Lab, version: int) -> None:
    device, pc = ADDRESSES[version]["device"], ADDRESSES[version]["pc"]
    exempt = OWN._replace(exempt=frozenset({DEVICE_MAC}))
    asking = OWN._replace(shared_resolvers=frozenset({device}))
    asked = OWN._replace(shared_resolvers=frozenset({pc}))
    with bound(lab, "router", version, socket.SOCK_STREAM, 53):
        for plan, to in ((exempt, "outside"), (asking, "outside"), (asked, "pc")):
            load(lab, plan)
            assert connect(lab, "device", version, to, 53) == "reset"  # arrived where nobody is
            load(lab, OWN)
            assert connect(lab, "device", version, to, 53) == "connected"


@VERSIONS
def test_dns_goes_where_it_is_sent_again_when_that_is_turned_off(lab: Lab, version: int) -> None:
    with bound(lab, "router", version, socket.SOCK_STREAM, 53):
        for plan, outcome in ((PLAN, "reset"), (OWN, "connected"), (PLAN, "reset"), (OWN, "connected")):
            load(lab, plan)
            assert connect(lab, "device", version, "outside", 53) == outcome


@VERSIONS
def test_dns_over_tls_is_refused_in_words_though_all_else_is_dropped(lab: Lab, version: int) -> None:
    load(lab, OWN._replace(block_action="drop"))
    with listening(lab, Recorder(False)):
        assert connect(lab, "device", version, "outside", 853) == "reset"
        assert ask(lab, "device", version, "outside", 853) == "prohibited"
        assert connect(lab, "device", version, "outside", 443, 0.3) == "silence"


# -- resolvers of the local network --------------------------------------------------------------------


def shared_by(plan: Plan, host: str) -> Plan:
    return plan._replace(shared_resolvers=frozenset(ADDRESSES[version][host] for version in (4, 6)))


@VERSIONS
def test_a_local_resolvers_own_queries_are_seen_though_it_is_not_watched(
    lab: Lab, sets: Sets, version: int
) -> None:
    load(lab, shared_by(CLOSED, "pc"))
    names = Names()
    client = ADDRESSES[version]["pc"]
    with echoing(lab, "outside", version, 53), echoing(lab, "outside", version, 5000):
        with listening(lab, names, DNS_QUEUE):
            assert ask(lab, "pc", version, "outside", 53) == "answered"
            assert [(seen.mac, seen.hook, seen.mark) for seen in names.seen] == [(PC_MAC, FORWARD, BOTH)]
            sets.admit(client)
            assert ask(lab, "pc", version, "outside", 53) == "answered"
            assert [seen.destination for seen in names.seen[2:]] == [client]
            assert ask(lab, "pc", version, "outside", 5000) == "answered"
            assert len(names.seen) == 3
            names.verdict = False
            assert ask(lab, "pc", version, "outside", 53) == "prohibited"  # the guard's word counts
        sets.dismiss(client)
        assert ask(lab, "pc", version, "outside", 53) == "answered"  # no guard, and yet
    found = counters(lab)
    assert (found["queued_shared"], found["queued_replies"]) == (4, 1)
    assert (found["passed"], found["blocked"], found["unjudged_down"]) == (3, 1, 0)


def test_no_mark_of_ours_leaves_with_a_local_resolvers_query_and_others_do(lab: Lab) -> None:
    load(lab, shared_by(CLOSED, "pc"))
    lab.nft(
        """table inet other {
            chain before { type filter hook prerouting priority mangle; meta mark set 0x10000; }
            chain after {
                type filter hook forward priority filter;
                udp dport 53 meta mark 0x10000 counter comment "kept";
            }
        }"""
    )
    with echoing(lab, "outside", 4, 53), listening(lab, Names(), DNS_QUEUE):
        assert ask(lab, "pc", 4, "outside", 53) == "answered"
    kept = next(line for line in lab.listed().splitlines() if '"kept"' in line)
    assert "counter packets 1" in kept


@VERSIONS
@pytest.mark.usefixtures("loose")
def test_who_forges_a_local_resolvers_address_is_no_resolver(lab: Lab, outside: Wire, version: int) -> None:
    load(lab, shared_by(CLOSED, "pc"))
    flows, names = Recorder(False), Names()
    with listening(lab, flows), listening(lab, names, DNS_QUEUE):
        query = packet(version, "outside", UDP(sport=5, dport=53) / b"smuggled", "pc")
        send(lab, "device", query)
        assert eventually(lambda: flows.seen)
    assert (names.seen, flows.seen[0].mark) == ([], BOTH)
    assert not outside.arrived(b"smuggled", 0.1)


def test_the_queries_of_a_local_resolver_have_a_limit_too(lab: Lab) -> None:
    load(lab, shared_by(PLAN._replace(watched=NOBODY), "pc"))
    sent = 0
    with listening(lab, Names(), DNS_QUEUE):
        with lab.at("pc"):
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
    assert found["queued_shared"] + found["over_limit_passed"] == found["passed"] == sent
