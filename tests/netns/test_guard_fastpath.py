# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel settles without asking the guard: only what is known, and never a moment longer than that.

Whether a connection was settled by the kernel is told by its own counters: `known` and `blocked_again` count
what it settled, `queued_flows` what it asked about.
"""

import os
import random
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic, sleep, time
from typing import Any

import pytest
from netns.guard_lab import (
    CAMERA,
    KNOWN,
    NAMES,
    PATIENCE,
    STRANGER,
    VERSIONS,
    Home,
    Resolver,
    answer,
    assert_nothing_is_lost,
    assert_what_came_went,
    eventually,
    learned_home,
    logged,
    opened,
    query,
    queued,
)
from netns.test_guard_life import dead_guard, until_another_guard_runs
from tries import within

from smartrouter.lab import traffic
from smartrouter.lab.hosts import Host
from smartrouter.lab.traffic import Result
from smartrouter.linux import conntrack
from smartrouter.linux.netlink import Netlink
from smartrouter.linux.queue_rule import DNS_QUEUE, FLOWS_QUEUE

pytestmark = pytest.mark.netns

both = pytest.mark.parametrize("version", VERSIONS)

RESOLVER = "192.0.2.200"  # trusted, and in the test's hands
MORE = f"config smartrouter 'main'\n\tlist resolver '{RESOLVER}'\n"  # sections of one name are one
NAME = "cloud.maker.example"  # learned, with all that is called so below maker.example


@pytest.fixture(scope="module")
def running() -> Iterator[Home]:
    with learned_home(more=MORE) as home:
        yield home


@pytest.fixture
def home(running: Home) -> Iterator[Home]:
    pid = running.guard_pid()
    yield running
    assert running.guard_pid() == pid, running.product.last_words()
    assert running.guard()["faults"] == 0


@pytest.fixture
def resolver(home: Home) -> Iterator[Resolver]:
    with Resolver(home.internet, RESOLVER) as found:
        yield found


def change(home: Home, what: Callable[[], object]) -> dict[str, int]:
    """Which of the kernel's counters rise while `what` is done, and by how much."""
    before = home.counters()
    what()
    after = home.counters()
    return {name: after[name] - before[name] for name in after if after[name] != before[name]}


def passes_in_the_kernel(home: Home, device: Host, address: str, port: int = 443) -> bool:
    """Does a connection of `device` pass without a question?"""
    found = change(home, lambda: device.connect(address, port))
    return found.get("known", 0) == 1 and "queued_flows" not in found


def is_held(home: Home, device: Host, address: str) -> bool:
    """Does the kernel hold a known pair of the two?"""
    name = f"known{6 if ':' in address else 4}"
    listed = home.router.run(["nft", "list", "set", "inet", "smartrouter", name]).stdout
    return f"{device.mac} . {address} " in listed


def until_known(home: Home, device: Host, address: str, port: int = 443) -> None:
    """Connect until the kernel lets it through by itself."""
    assert eventually(lambda: passes_in_the_kernel(home, device, address, port)), home.pairs()


def recorded(home: Home) -> dict[str, int]:
    """What the guard has recorded of what the kernel settled, once that is all."""

    def counts() -> dict[str, int]:
        found: dict[str, int] = home.guard()["recorded"]
        return found

    eventually(lambda: sum(counts().values()) == logged(home.counters()))
    return counts()


def configure(home: Home, text: str) -> None:
    home.product.config.write_text(text)
    assert eventually(lambda: home.ask("reload")["applied"])


# -- what was learned ----------------------------------------------------------------------------------


@both
def test_a_learned_destination_is_judged_once_and_then_passes_in_the_kernel(home: Home, version: int) -> None:
    camera, address = home.camera, KNOWN[version == 6]
    begun = home.judged().get("learned", 0)
    assert home.visit(camera, NAME, version, port=80).ok  # the first of this pair
    assert eventually(lambda: home.judged().get("learned", 0) > begun)
    until_known(home, camera, address, 80)
    assert home.pairs()["known"] > 0
    before = recorded(home)["known"]
    home.store()
    stored = len(home.attempts(camera, address))
    found = change(home, lambda: [camera.connect(address, 80) for _ in range(20)])
    assert found["known"] == found["passed"] == 20
    assert "queued_flows" not in found
    assert recorded(home)["known"] == before + 20
    home.store()
    assert eventually(lambda: len(home.attempts(camera, address)) >= stored + 20)
    for seen in home.attempts(camera, address)[-20:]:
        assert (seen["verdict"], seen["reason"], seen["service"]) == ("accepted", "learned", "web")
        assert (seen["name"], seen["evidence"], seen["port"]) == (NAME, "dns", 80)


@both
def test_another_port_and_another_device_are_still_asked_about(home: Home, version: int) -> None:
    address = KNOWN[version == 6]
    until_known(home, home.camera, address)
    found = change(home, lambda: home.camera.connect(address, 8883))
    assert found["queued_flows"] > 0
    assert found["blocked"] > 0
    assert "known" not in found
    other = NAMES["time.maker.example"][version == 6]
    assert home.visit(home.camera, "time.maker.example", version).ok
    until_known(home, home.camera, other)
    assert "known" not in change(home, lambda: home.tv.connect(other, 443))
    assert home.tv.connect(other, 443).result == Result.REFUSED


@both
def test_pings_too_are_known_by_the_kernel(home: Home, version: int) -> None:
    address = KNOWN[version == 6]
    home.learn(home.tv)
    assert home.tv.ping(address).ok
    home.protect(home.tv)
    before = recorded(home)["known"]

    def in_the_kernel() -> bool:
        found = change(home, lambda: home.tv.ping(address))
        return found.get("known", 0) == 1 and "queued_flows" not in found

    assert eventually(in_the_kernel)
    assert recorded(home)["known"] > before

    # Pings have no ports: for some minutes all of them are one attempt, that by which it was learned.
    of_pings = [seen for seen in home.attempts(home.tv, address) if seen["service"] == "icmp"]
    assert [(seen["verdict"], seen["reason"], seen["name"]) for seen in of_pings] == [
        ("accepted", "learning", NAME)
    ]
    home.ask("forget", device=home.tv.mac, destination="maker.example", service="icmp")
    assert not home.tv.ping(address, timeout=0.5).ok


# -- names that change ---------------------------------------------------------------------------------

CHURNED = [f"198.51.100.{number}" for number in range(1, 17)]  # now known, now unknown
NEVER = [f"203.0.113.{number}" for number in range(200, 216)]  # never told under a known name
A_SECOND = 400  # packets that a device has judged in this test; 500 and a burst of 2000 are its limit


class Churn:
    """A camera that is told ever other names of the same addresses, and connects there all the while."""

    def __init__(self, home: Home, resolver: Resolver) -> None:
        self.home, self.resolver, self.camera = home, resolver, home.camera
        self.one_at_a_time = threading.Lock()  # so that the kernel's counters speak of one connection
        self.stop = threading.Event()
        self.told: list[str] = []  # addresses that have had a known name
        self.in_the_kernel = 0
        self.trouble: list[object] = []
        self._begun = monotonic()
        self._asked_before = queued(home.counters())

    def known(self, address: str, number: int) -> None:
        """The address gets a known name: the device gets there at once."""
        self.resolver.tell(self.camera, f"n{number % 40}.maker.example", address)
        assert self.camera.connect(address, 443).ok, address
        self.told = list({*self.told, address})

    def unknown(self, address: str, number: int) -> None:
        """It gets an unknown one: from the moment when the device has heard that, it is asked for again."""
        with self.one_at_a_time:
            found = change(self.home, lambda: self.camera.connect(address, 443))
            self.in_the_kernel += found.get("known", 0)
        self.resolver.tell(self.camera, f"u{number % 50}.stranger.example", address)
        with self.one_at_a_time:
            found = change(self.home, lambda: self.camera.connect(address, 443))
        assert "known" not in found, (address, number, found)

    def still_unknown(self, address: str) -> None:
        """The same some time later: nothing that was on its way has put it in again."""
        with self.one_at_a_time:
            found = change(self.home, lambda: self.camera.connect(address, 443))
        assert "known" not in found, (address, found)

    def never(self, address: str, number: int) -> None:
        self.resolver.tell(self.camera, f"v{number % 50}.other.example", address)
        assert self.camera.connect(address, 443).result == Result.REFUSED, address

    def pace(self) -> None:
        """Wait, so that no packet is beyond the device's limit."""
        asked = queued(self.home.counters()) - self._asked_before
        ahead = (asked - 1000) / A_SECOND - (monotonic() - self._begun)
        if ahead > 0:
            sleep(ahead)

    @contextmanager
    def disturbed(self) -> Iterator[None]:
        """Meanwhile the camera connects to the same addresses, and so does the TV, which knows the name, but
        was told it of none of them."""
        threads = [threading.Thread(target=self._in_thread, args=(what,)) for what in (self._own, self._tv)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
        assert not self.trouble

    def _in_thread(self, what: Callable[[random.Random], object]) -> None:
        chance = random.Random(1)
        while not self.stop.wait(0.005):
            try:
                what(chance)
            except Exception as error:  # shown by the main thread
                self.trouble.append(error)
                return

    def _own(self, chance: random.Random) -> None:
        if self.told:
            with self.one_at_a_time:
                found = self.camera.connect(chance.choice(self.told), 443)
            assert found.ok, found

    def _tv(self, chance: random.Random) -> None:
        address = chance.choice(CHURNED)
        found = self.home.tv.connect(address, 443)
        assert found.result == Result.REFUSED, (address, found)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("at_once", [1, 4])
def test_a_name_that_comes_while_the_pair_is_becoming_known_wins(
    home: Home, resolver: Resolver, rounds: Callable[[int], int], at_once: int
) -> None:
    """The first connections by a known name, and the reply with an unknown one, at the same moment."""
    chance, address = random.Random(at_once), "198.51.100.33"

    def connect(begin: threading.Event) -> None:
        begin.wait()
        home.camera.connect(address, 443)

    def unknown(name: str, begin: threading.Event) -> None:
        with home.camera.new_socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(PATIENCE)
            sock.sendto(query(name), (RESOLVER, 53))
            asked = resolver.take()
            reply = answer(name, [address], asked.ident)
            begin.set()
            sleep(chance.random() * 0.0005)
            resolver.say(asked, reply)
            sock.recv(65535)

    for number in range(rounds(150)):
        resolver.tell(home.camera, f"n{number % 40}.maker.example", address)
        begin = threading.Event()
        threads = [threading.Thread(target=connect, args=(begin,)) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        unknown(f"u{number % 50}.stranger.example", begin)
        for thread in threads:
            thread.join()
        sleep(0.03)  # what was on its way to the kernel has arrived
        found = change(home, lambda: home.camera.connect(address, 443))
        assert "known" not in found, (number, found)


@pytest.mark.timeout(900)
def test_no_pair_is_known_longer_than_its_newest_name(
    home: Home, resolver: Resolver, rounds: Callable[[int], int]
) -> None:
    changes = rounds(300)
    churn, behind = Churn(home, resolver), len(CHURNED) // 2
    with churn.disturbed():
        for number in range(changes):
            churn.known(CHURNED[number % 16], number)
            if number >= behind:
                churn.unknown(CHURNED[(number - behind) % 16], number)
            if number > behind + 4:
                churn.still_unknown(CHURNED[(number - behind - 4) % 16])
            churn.never(NEVER[number % 16], number)
            churn.pace()
    kernel = home.counters()
    assert kernel["over_limit_dropped"] == kernel["unjudged_down"] == 0
    assert churn.in_the_kernel > changes / 2 or changes < 2 * behind
    assert not any(home.network.servers.arrived(address) for address in NEVER)


# -- decisions count at once ---------------------------------------------------------------------------


def until_learned(home: Home, name: str) -> None:
    home.learn(home.tv)
    assert home.visit(home.tv, name).ok
    home.protect(home.tv)


def assert_refused_and_stays_so(device: Host, address: str) -> None:
    """At once, and after what may have been on its way to the kernel."""
    assert device.connect(address, 443).result == Result.REFUSED
    sleep(0.03)
    assert device.connect(address, 443).result == Result.REFUSED


@pytest.mark.timeout(300)
def test_what_is_forgotten_is_refused_at_once(home: Home, rounds: Callable[[int], int]) -> None:
    address = NAMES["third.example"][0]
    for number in range(rounds(20)):
        until_learned(home, "third.example")
        assert home.tv.connect(address, 443).ok
        sleep(number % 5 * 0.01)  # on its way to the kernel, or there
        home.ask("forget", device=home.tv.mac, destination="third.example")
        assert_refused_and_stays_so(home.tv, address)


@pytest.mark.timeout(300)
def test_what_is_denied_is_refused_at_once(home: Home, rounds: Callable[[int], int]) -> None:
    before, address = home.product.config.read_text(), KNOWN[0]
    assert home.visit(home.camera, NAME).ok
    try:
        for number in range(rounds(20)):
            assert home.camera.connect(address, 443).ok
            sleep(number % 5 * 0.01)
            home.ask("deny", device=CAMERA, destination=(address, NAME)[number % 2])
            assert_refused_and_stays_so(home.camera, address)
            assert home.tv.connect(address, 443).ok
            configure(home, before)
    finally:
        configure(home, before)
    assert home.camera.connect(address, 443).ok


@pytest.mark.timeout(300)
def test_what_is_no_longer_allowed_is_refused_at_once(home: Home, rounds: Callable[[int], int]) -> None:
    before, address = home.product.config.read_text(), NAMES["other.example"][0]
    home.camera.resolve("other.example")
    try:
        for number in range(rounds(20)):
            assert home.camera.connect(address, 443).result == Result.REFUSED
            home.ask("allow", device=CAMERA, destination=(address, "other.example")[number % 2])
            assert home.camera.connect(address, 443).ok
            sleep(number % 5 * 0.01)
            assert home.camera.connect(address, 443).ok
            configure(home, before)
            assert_refused_and_stays_so(home.camera, address)
    finally:
        configure(home, before)


@both
def test_a_rule_that_ends_ends_in_the_kernel_too(home: Home, version: int) -> None:
    address = NAMES["fourth.example"][version == 6]

    def is_known_until_it_ends(seconds: int) -> bool:
        until = int(time()) + seconds
        home.ask("allow", device=CAMERA, destination=address, service="web", until=float(until))
        return eventually(lambda: passes_in_the_kernel(home, home.camera, address), until - time())

    assert any(map(is_known_until_it_ends, (2, 10, 40)))
    assert eventually(lambda: home.camera.connect(address, 443).result == Result.REFUSED, 60.0)
    assert_refused_and_stays_so(home.camera, address)


# -- denied connections that are open ------------------------------------------------------------------


def ends(sock: socket.socket) -> tuple[int, str]:
    """Its own port, and the other side's address."""
    return sock.getsockname()[1], sock.getpeername()[0]


def tracked(home: Home, connection: tuple[int, str]) -> bool:
    """Does the router's kernel remember this connection?"""

    def found() -> bool:
        with Netlink() as link:
            return connection in [(flow.client_port, flow.address) for flow in conntrack.flows(link)]

    return home.router.inside(found)


@both
@pytest.mark.parametrize("by", ["address", "name"])
def test_a_denial_resets_open_connections_at_their_next_packet(home: Home, version: int, by: str) -> None:
    before, address = home.product.config.read_text(), KNOWN[version == 6]
    assert home.visit(home.camera, NAME, version).ok
    until_known(home, home.camera, address)
    with opened(home.camera, address) as old, opened(home.tv, address) as others, home.wire() as wire:
        connection = ends(old)
        assert tracked(home, connection)
        try:
            home.ask("deny", device=CAMERA, destination=address if by == "address" else NAME)
            assert not tracked(home, connection)
            crossed = len(wire.pressing(address))
            assert traffic.say(old, b"still there", PATIENCE).result == Result.RESET
            assert len(wire.pressing(address)) == crossed
            assert not tracked(home, connection)
            assert traffic.say(others, b"still there", PATIENCE).ok
            assert home.camera.connect(address, 443).result == Result.REFUSED
        finally:
            configure(home, before)
    assert home.camera.connect(address, 443).ok
    until_known(home, home.camera, address)


def test_a_denial_is_silent_where_what_is_blocked_is_dropped(home: Home) -> None:
    before, address = home.product.config.read_text(), KNOWN[0]
    assert home.visit(home.camera, NAME).ok
    configure(home, f"{before}config smartrouter 'main'\n\toption block_action 'drop'\n")
    try:
        with opened(home.camera, address) as old, home.wire() as wire:
            home.ask("deny", device=CAMERA, destination=address)
            crossed = len(wire.pressing(address))
            assert traffic.say(old, b"still there", 0.5).result == Result.TIMED_OUT
            assert home.camera.connect(address, 443, timeout=0.3).result == Result.TIMED_OUT
            assert len(wire.pressing(address)) == crossed
            assert not tracked(home, ends(old))
    finally:
        configure(home, before)
    assert home.camera.connect(address, 443).ok


# -- blocked a moment ago ------------------------------------------------------------------------------


@both
def test_what_was_blocked_is_refused_by_the_kernel_for_a_while_and_counted(home: Home, version: int) -> None:
    camera, address, port = home.camera, STRANGER[version == 6], 9527
    home.store()
    before, stored = home.product.config.read_text(), len(home.attempts(camera, address))
    assert home.visit(camera, "stranger.example", version, port).result == Result.REFUSED

    def again() -> bool:
        found = change(home, lambda: camera.connect(address, port))
        return found.get("blocked_again") == 1 and "queued_flows" not in found

    assert eventually(again)
    blocked = recorded(home)["blocked"]
    found = change(home, lambda: [camera.connect(address, port).result for _ in range(10)])
    assert found["blocked_again"] == 10
    assert "queued_flows" not in found
    assert recorded(home)["blocked"] == blocked + 10
    home.store()
    assert eventually(lambda: len(home.attempts(camera, address)) >= stored + 12)
    seen = home.attempts(camera, address)[stored:]
    assert {(each["verdict"], each["reason"], each["name"]) for each in seen} == {
        ("blocked", "unknown-name", "stranger.example")
    }

    def counted() -> bool:
        of_it = [
            target["count"]
            for alert in home.alerts(camera)
            for target in alert["targets"]
            if (target["address"], target["port"]) == (address, port)
        ]
        return of_it == [len(seen)]

    assert eventually(counted), home.alerts(camera)
    try:
        home.ask("allow", device=CAMERA, destination=address)
        assert camera.connect(address, port).ok
    finally:
        configure(home, before)
    assert_refused_and_stays_so(camera, address)


def test_of_all_that_only_mode_enforce_blocks_nothing_stays_blocked(home: Home) -> None:
    address = "198.51.100.240"
    for _ in range(2):
        assert home.camera.connect(address, 443).result == Result.REFUSED
        sleep(0.05)
    home.mode("monitor")
    try:
        assert home.camera.connect(address, 443).ok
    finally:
        home.mode("enforce")
    assert home.camera.connect(address, 443).result == Result.REFUSED


def test_everything_was_judged_or_recorded(home: Home) -> None:
    """The books of all above, and of some more."""
    before = home.product.config.read_text()
    for name in (NAME, "stranger.example"):
        home.visit(home.camera, name)
    for address in (KNOWN[0], STRANGER[0]):
        until_settled(home, address)
    for address in KNOWN:
        home.tv.connect(address, 443)
        home.tv.udp(address, 5683)
        home.tv.ping(address)
    with opened(home.camera, KNOWN[0]) as old:
        home.ask("deny", device=CAMERA, destination=KNOWN[0])
        traffic.say(old, b"still there", PATIENCE)
        until_settled(home, KNOWN[0])
    configure(home, before)
    assert_nothing_is_lost(home)
    kernel = assert_what_came_went(home)
    found = recorded(home)
    assert found["known"] == kernel["known"] > 0
    assert found["blocked"] == kernel["blocked_again"] > 0
    assert found["denied"] == kernel["denied"] > 0


def until_settled(home: Home, address: str) -> None:
    """Have the camera connect until the kernel settles it, whichever way."""

    def unasked() -> bool:
        return "queued_flows" not in change(home, lambda: home.camera.connect(address, 443))

    assert eventually(unasked)


# -- sets that somebody takes away, guards that die ----------------------------------------------------


@pytest.fixture(scope="module")
def battered() -> Iterator[Home]:
    with learned_home(more=MORE) as home:
        for device in (home.camera, home.tv):
            for address in KNOWN:
                until_known(home, device, address)
        yield home


def test_after_a_flush_the_known_pairs_are_back_within_a_second(battered: Home) -> None:
    home, pairs = battered, battered.pairs()["known"]
    assert pairs >= 4

    def back() -> float:
        assert home.router.run(["nft", "flush", "ruleset"]).returncode == 0
        begun = monotonic()
        assert eventually(home.counters)
        assert eventually(lambda: passes_in_the_kernel(home, home.camera, KNOWN[0]))
        return monotonic() - begun

    assert within(1.0, back)
    for device in (home.camera, home.tv):
        for address in KNOWN:
            assert eventually(partial(is_held, home, device, address))
            assert passes_in_the_kernel(home, device, address)
    assert home.pairs()["known"] == pairs
    assert home.visit(home.camera, "stranger.example").result == Result.REFUSED


@pytest.mark.parametrize("on_failure", ["open", "closed"])
def test_known_pairs_pass_without_a_guard(battered: Home, on_failure: str) -> None:
    home, before = battered, battered.product.config.read_text()
    configure(home, f"{before}config smartrouter 'main'\n\toption on_failure '{on_failure}'\n")
    pairs = home.pairs()["known"]
    try:
        with dead_guard(home):
            for device in (home.camera, home.tv):
                for address in KNOWN:
                    assert passes_in_the_kernel(home, device, address)
                    assert device.connect(address, 443).ok
            assert home.camera.connect("198.51.100.90", 443).ok == (on_failure == "open")
        assert home.pairs()["known"] == pairs
        for device in (home.camera, home.tv):
            for address in KNOWN:
                assert passes_in_the_kernel(home, device, address)
    finally:
        configure(home, before)


def test_what_is_forgotten_right_after_a_restart_is_refused(battered: Home) -> None:
    home, pid = battered, battered.guard_pid()
    until_known(home, home.tv, KNOWN[0])
    home.store()
    os.kill(pid, signal.SIGKILL)
    until_another_guard_runs(home, pid)
    pairs = home.pairs()["known"]
    home.ask("forget", device=home.tv.mac, destination="maker.example")
    for address in KNOWN:
        assert_refused_and_stays_so(home.tv, address)
    assert home.pairs()["known"] == pairs - 2
    assert passes_in_the_kernel(home, home.camera, KNOWN[0])


# -- other readers, more workers -----------------------------------------------------------------------

READERS: dict[str, dict[str, str]] = {
    "netlink": {"reader": "netlink"},
    "two workers": {"workers": "2"},
    "netlink, two workers": {"reader": "netlink", "workers": "2"},
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_and_number_of_workers_judges_alike(reader: str, rounds: Callable[[int], int]) -> None:
    options = READERS[reader]
    workers = int(options.get("workers", "1"))
    with learned_home(options, more=MORE) as home, Resolver(home.internet, RESOLVER) as resolver:
        assert eventually(lambda: bound(home) == {DNS_QUEUE, *range(FLOWS_QUEUE, FLOWS_QUEUE + workers)})
        until_known(home, home.camera, KNOWN[0])
        for number in range(rounds(100)):  # who connects the moment the answer is there
            address = f"198.51.100.{number % 200 + 1}"
            resolver.tell(home.camera, f"r{number}.maker.example", address)
            assert home.camera.connect(address, 443).ok, number
        wrong = at_once(home, rounds(200))
        assert not wrong
        if workers > 1 and len(os.sched_getaffinity(0)) > 1:
            flows = [home.whole_status()["queues"][str(FLOWS_QUEUE + at)] for at in range(workers)]
            assert all(queue["queued"] for queue in flows), flows
        resolver.tell(home.camera, "else.stranger.example", "198.51.100.1")
        assert "known" not in change(home, lambda: home.camera.connect("198.51.100.1", 443))
        until_learned(home, "third.example")
        assert home.tv.connect(NAMES["third.example"][0], 443).ok
        home.ask("forget", device=home.tv.mac, destination="third.example")
        assert_refused_and_stays_so(home.tv, NAMES["third.example"][0])
        assert home.counters()["over_limit_dropped"] == 0
        assert_nothing_is_lost(home)


def bound(home: Home) -> set[int]:
    listed = home.router.run(["cat", "/proc/net/netfilter/nfnetlink_queue"]).stdout
    return {int(line.split()[0]) for line in listed.splitlines()}


def at_once(home: Home, connections: int) -> list[Any]:
    """Two devices at once, each from a core of its own: what was judged wrong of their connections."""
    wrong: list[Any] = []
    cores = sorted(os.sched_getaffinity(0))

    def judge(device: Host, core: int) -> None:
        os.sched_setaffinity(0, {core})  # of this thread; the packets go on where they were sent
        for number in range(connections):
            there = KNOWN[number % 2] if number % 4 < 2 else STRANGER[number % 2]
            found = device.connect(there, 443 if there in KNOWN else 1024 + number)
            if found.ok != (there in KNOWN):
                wrong.append((device.name, there, found))

    threads = [
        threading.Thread(target=judge, args=(device, cores[at % len(cores)]))
        for at, device in enumerate((home.camera, home.tv))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong
