# SPDX-License-Identifier: GPL-2.0-or-later
"""Names on real packets: who names an address, and who, whatever he sends, does not."""

import json
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any

import dns.message
import dns.rrset
import pytest
from netns.guard_lab import (
    CAMERA,
    KINDS,
    NAMES,
    PATIENCE,
    PRINTER,
    VERSIONS,
    Home,
    Resolver,
    answer,
    assert_nothing_is_lost,
    eventually,
    framed,
    learned_home,
    query,
)

from smartrouter.lab import packets
from smartrouter.lab.hosts import Host
from smartrouter.lab.plan import WAN_INTERNET
from smartrouter.lab.traffic import Result, family_of

pytestmark = pytest.mark.netns

both = pytest.mark.parametrize("version", VERSIONS)

RESOLVER = {4: "192.0.2.200", 6: "2001:db8:200::53"}  # trusted, and in the test's hands
FOREIGN = {4: "192.0.2.201", 6: "2001:db8:201::53"}
TRUSTED = "".join(f"\tlist resolver '{address}'\n" for address in (*RESOLVER.values(), *PRINTER.values()))


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    more = f"config smartrouter 'main'\n{TRUSTED}"  # sections of one name are one
    with learned_home(more=more) as running:
        yield running


@pytest.fixture(autouse=True)
def _the_guard_lives(home: Home) -> Iterator[None]:
    pid = home.guard_pid()
    yield
    assert home.guard_pid() == pid, home.product.last_words()
    assert home.guard()["faults"] == 0


def own_address(device: Host, version: int) -> str:
    return device.ipv6 if version == 6 else device.ipv4


def known(home: Home, address: str, port: int = 443) -> bool:
    """Does the guard let the camera through to `address`, and only there because of a name?"""
    result = home.camera.connect(address, port).result
    assert result in (Result.CONNECTED, Result.REFUSED), result
    return result == Result.CONNECTED


class Client:
    """A socket of a device, on which it asks."""

    def __init__(self, device: Host, resolver: str, port: int = 0) -> None:
        self.socket = device.new_socket(family_of(resolver), socket.SOCK_DGRAM)
        self.socket.settimeout(PATIENCE)
        if port:
            self.socket.bind(("", port))
        self.resolver = resolver

    def ask(self, message: bytes) -> None:
        self.socket.sendto(message, (self.resolver, 53))

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def hear(self) -> bytes:
        return self.socket.recv(65535)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


# -- who names -----------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("way", ["router", "forward"])
def test_names_come_with_replies_of_the_router_and_of_public_resolvers(
    home: Home, version: int, tcp: bool, way: str
) -> None:
    resolvers = {
        ("router", 4): "192.168.77.1",
        ("router", 6): "fd77::1",
        ("forward", 4): "8.8.8.8",
        ("forward", 6): "2606:4700:4700::1111",
    }
    name = (
        ("other.example", "third.example")[tcp]
        if way == "router"
        else ("fourth.example", "time.maker.example")[tcp]
    )
    answered = home.camera.resolve(name, KINDS[version], server=resolvers[way, version], tcp=tcp)
    assert answered.addresses == (NAMES[name][version == 6],), answered
    address = answered.addresses[0]
    home.store()
    before = len(home.attempts(home.camera, address))
    port = 443 if name == "time.maker.example" else 22
    result = home.camera.connect(address, port).result
    seen = home.attempt(home.camera, address, before + 1)
    assert (seen["name"], seen["evidence"]) == (name, "dns")
    assert result == (Result.CONNECTED if port == 443 else Result.REFUSED)


def test_no_connection_is_judged_before_the_name_of_its_address(
    home: Home, rounds: Callable[[int], int]
) -> None:
    """A device that connects the moment the answer is there, 300 times, each time to another address."""
    races = rounds(300)
    home.mode("monitor")
    with Resolver(home.internet, RESOLVER[4]) as resolver:
        stop = threading.Event()

        def serve() -> None:
            resolver.socket.settimeout(0.2)
            while not stop.is_set():
                try:
                    asked = resolver.take()
                except TimeoutError:
                    continue
                label = asked.data[13 : 13 + asked.data[12]].decode()
                resolver.say(asked, answer(f"{label}.race.example", [race_address(int(label))], asked.ident))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            for number in range(races):
                if number > 500:
                    sleep(0.004)  # beyond the burst, a device has 500 packets a second to be judged
                with Client(home.camera, RESOLVER[4]) as client:
                    client.ask(query(f"{number}.race.example", ident=number))
                    racer = home.camera.new_socket(socket.AF_INET, socket.SOCK_STREAM)
                    with racer:
                        racer.settimeout(PATIENCE)
                        client.hear()
                        racer.connect((race_address(number), 443))
        finally:
            stop.set()
            thread.join()
            home.mode("enforce")

    def stored() -> list[Any]:
        return home.product.rows(
            "SELECT name, evidence, count(*) FROM timeline WHERE name LIKE '%.race.example'"
            " AND evidence = 'dns' AND mac = ?",
            CAMERA,
        )

    assert eventually(lambda: stored()[0][2] == races), f"{stored()[0][2]} of {races} had their name"
    assert home.kernel()["over_limit_passed"] == 0
    addresses = {race_address(number) for number in range(races)}
    rows = home.product.rows("SELECT address, name FROM timeline WHERE port = 443 AND mac = ?", CAMERA)
    assert not [row for row in rows if row[0] in addresses and not row[1]]


def race_address(number: int) -> str:
    return f"198.51.100.{number % 200 + 1}" if number < 200 else f"203.0.113.{100 + number % 150}"


@both
def test_a_resolver_on_another_local_network_names_and_nobody_else_for_it(home: Home, version: int) -> None:
    there = PRINTER[version]
    address, forged = forged_address(version, 31), forged_address(version, 32)
    with Resolver(home.printer, there) as resolver, Client(home.camera, there) as client:
        client.ask(query(NAME, KINDS[version]))
        asked = resolver.take()
        way = home.network.way_out(home.pc, own_address(home.camera, version), source=there)
        home.pc.send(packets.dns_reply(way, NAME, forged, port=client.port))
        sleep(0.05)
        assert not known(home, forged)
        resolver.say(asked, answer(NAME, [address], asked.ident))
        while client.hear() != answer(NAME, [address], asked.ident):
            pass
    assert known(home, address)


def test_two_devices_are_each_told_their_own(home: Home) -> None:
    with Resolver(home.internet, RESOLVER[4]) as resolver:
        for device, address in ((home.camera, "192.0.2.91"), (home.tv, "192.0.2.92")):
            with Client(device, RESOLVER[4]) as client:
                client.ask(query("api.maker.example"))
                asked = resolver.take()
                resolver.say(asked, answer("api.maker.example", [address], asked.ident))
                client.hear()
    assert home.camera.connect("192.0.2.91", 443).ok
    assert home.tv.connect("192.0.2.92", 443).ok
    assert home.camera.connect("192.0.2.92", 443).result == Result.REFUSED
    assert home.tv.connect("192.0.2.91", 443).result == Result.REFUSED


PIECES = {
    "one": lambda wire: [wire],
    "length apart": lambda wire: [wire[:2], wire[2:]],
    "byte by byte": lambda wire: [wire[at : at + 1] for at in range(len(wire))],
    "in the middle of the name": lambda wire: [wire[:17], wire[17:30], wire[30:]],
}


@both
@pytest.mark.parametrize("pieces", PIECES)
def test_a_reply_over_tcp_counts_however_it_is_cut(home: Home, version: int, pieces: str) -> None:
    number = list(PIECES).index(pieces)
    address = (f"192.0.2.{110 + number}", f"2001:db8:110::{number + 1}")[version == 6]
    name = f"n{number}.maker.example"
    with serving_tcp(home, RESOLVER[version]) as server, stream(home.camera, RESOLVER[version]) as client:
        client.sendall(framed(query(name, KINDS[version])))
        connection, _ = server.accept()
        with connection:
            connection.settimeout(PATIENCE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.recv(1000)
            reply = framed(answer(name, [address], 4711))
            for piece in PIECES[pieces](reply):
                connection.sendall(piece)
                sleep(0.002)  # so that each is a segment of its own
            got = b""
            while len(got) < len(reply):
                got += client.recv(1000)
    assert got == reply
    assert known(home, address)


def test_several_messages_in_one_segment_all_count(home: Home) -> None:
    with serving_tcp(home, RESOLVER[4]) as server, stream(home.camera, RESOLVER[4]) as client:
        asked = [(f"m{number}.maker.example", f"192.0.2.{120 + number}", number) for number in range(7)]
        client.sendall(b"".join(framed(query(name, ident=ident)) for name, _, ident in asked))
        connection, _ = server.accept()
        with connection:
            connection.settimeout(PATIENCE)
            connection.recv(1000)
            connection.sendall(b"".join(framed(answer(name, [to], ident)) for name, to, ident in asked))
            client.recv(1000)
    assert all(known(home, address) for _, address, _ in asked)


def serving_tcp(home: Home, address: str) -> socket.socket:
    server = home.internet.new_socket(family_of(address), socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((address, 53))
    server.listen()
    server.settimeout(PATIENCE)
    return server


def stream(device: Host, address: str) -> socket.socket:
    client = device.new_socket(family_of(address), socket.SOCK_STREAM)
    client.settimeout(PATIENCE)
    client.connect((address, 53))
    return client


# -- who does not --------------------------------------------------------------------------------------

NAME = "cloud.maker.example"  # learned: an address under this name is let through


def test_the_forgeries_below_would_work_if_they_were_no_forgeries(home: Home) -> None:
    for version in VERSIONS:
        address = forged_address(version, 1)
        with (
            Resolver(home.internet, RESOLVER[version]) as resolver,
            Client(home.camera, RESOLVER[version]) as client,
        ):
            client.ask(query(NAME, KINDS[version]))
            asked = resolver.take()
            resolver.say(asked, answer(NAME, [address], asked.ident))
            client.hear()
        assert known(home, address)


def forged_address(version: int, number: int) -> str:
    return (f"198.51.100.{20 + number}", f"2001:db8:f0::{number}")[version == 6]


FORGERIES: dict[str, dict[str, Any]] = {
    "id": {"ident": 4712},
    "port": {"port": 1},
    "question": {"name": "api.maker.example"},
    "source": {"source": "192.0.2.202"},
    "source port": {"source_port": 5353},
}


@both
@pytest.mark.parametrize("wrong", FORGERIES)
def test_a_reply_that_is_wrong_in_one_thing_names_nothing(home: Home, version: int, wrong: str) -> None:
    address = forged_address(version, 2 + list(FORGERIES).index(wrong))
    fault = FORGERIES[wrong]
    with (
        Resolver(home.internet, RESOLVER[version]) as resolver,
        Client(home.camera, RESOLVER[version]) as client,
    ):
        client.ask(query(NAME, KINDS[version]))
        resolver.take()
        source = fault.get("source", RESOLVER[version])
        if version == 6 and "source" in fault:
            source = "2001:db8:202::53"
        way = home.network.way_in(source, home.camera)
        home.internet.send(
            packets.dns_reply(
                way,
                fault.get("name", NAME),
                address,
                ident=fault.get("ident", 4711),
                port=client.port + fault.get("port", 0),
                source_port=fault.get("source_port", 53),
            ),
            interface="wan",
        )
        sleep(0.05)
        assert not known(home, address)


@both
def test_a_reply_that_nobody_asked_for_names_nothing(home: Home, version: int) -> None:
    address = forged_address(version, 10)
    for source in (RESOLVER[version], ("8.8.8.8", "2001:4860:4860::8888")[version == 6]):
        way = home.network.way_in(source, home.camera)
        home.internet.send(packets.dns_reply(way, NAME, address), interface="wan")
    sleep(0.05)
    assert not known(home, address)


@both
def test_the_second_answer_to_one_question_names_nothing(home: Home, version: int) -> None:
    first, second = forged_address(version, 11), forged_address(version, 12)
    with (
        Resolver(home.internet, RESOLVER[version]) as resolver,
        Client(home.camera, RESOLVER[version]) as client,
    ):
        client.ask(query(NAME, KINDS[version]))
        asked = resolver.take()
        for address in (first, second):
            resolver.say(asked, answer(NAME, [address], asked.ident))
            client.hear()
    assert known(home, first)
    assert not known(home, second)


@both
@pytest.mark.parametrize("sender", ["itself", "another device", "a PC"])
def test_a_reply_that_comes_from_the_local_network_names_nothing(
    home: Home, version: int, sender: str
) -> None:
    """A device that is taken over asks, and answers itself in the resolver's name."""
    number = 13 + ["itself", "another device", "a PC"].index(sender)
    address = forged_address(version, number)
    forger = {"itself": home.camera, "another device": home.tv, "a PC": home.pc}[sender]
    with (
        Resolver(home.internet, RESOLVER[version]) as resolver,
        Client(home.camera, RESOLVER[version]) as client,
    ):
        client.ask(query(NAME, KINDS[version]))
        resolver.take()
        way = home.network.way_out(forger, own_address(home.camera, version), source=RESOLVER[version])
        for mac in (forger.mac, "02:00:00:00:99:99"):
            forger.send(packets.dns_reply(way._replace(mac=mac), NAME, address, port=client.port))
        sleep(0.05)
        assert not known(home, address)


def test_a_reply_in_the_routers_name_from_a_local_host_names_nothing(home: Home) -> None:
    address = forged_address(4, 17)
    with Client(home.camera, "192.168.77.1") as client:
        client.ask(query("slow.maker.example"))
        for forger in (home.camera, home.pc):
            way = home.network.way_out(forger, home.camera.ipv4, source="192.168.77.1")
            forger.send(packets.dns_reply(way, "slow.maker.example", address, port=client.port))
        sleep(0.05)
    assert not known(home, address)


@pytest.mark.parametrize(
    "inside", ["192.168.77.1", "10.0.0.1", "127.0.0.1", "169.254.1.1", "fd77::1", "fe80::1", "::1"]
)
def test_a_public_name_for_an_address_inside_names_nothing(home: Home, inside: str) -> None:
    version = 6 if ":" in inside else 4
    with Resolver(home.internet, RESOLVER[4]) as resolver, Client(home.camera, RESOLVER[4]) as client:
        client.ask(query(f"rebind{version}.maker.example", KINDS[version]))
        asked = resolver.take()
        resolver.say(asked, answer(f"rebind{version}.maker.example", [inside], asked.ident))
        client.hear()
    home.store()
    assert inside not in dict(home.told(home.camera))


@both
@pytest.mark.parametrize("section", ["answer", "authority", "additional"])
def test_a_record_of_a_name_that_was_not_asked_for_names_nothing(
    home: Home, version: int, section: str
) -> None:
    """Out of bailiwick: a server that is asked for its own name says where the maker's is, too."""
    kind, own, forged = KINDS[version], forged_address(version, 40), forged_address(version, 41)
    with (
        Resolver(home.internet, RESOLVER[version]) as resolver,
        Client(home.camera, RESOLVER[version]) as client,
    ):
        client.ask(query("evil.example", kind))
        asked = resolver.take()
        said = dns.message.from_wire(answer("evil.example", [own], asked.ident))
        getattr(said, section).append(dns.rrset.from_text(f"{NAME}.", 300, "IN", kind, forged))
        resolver.say(asked, said.to_wire())
        client.hear()
    assert eventually(lambda: (own, "evil.example") in home.told(home.camera)), "the reply itself is sound"
    assert not known(home, forged)
    assert not {(forged, NAME), (forged, "evil.example")} & home.told(home.camera)


@both
def test_an_attackers_name_that_leads_into_a_shared_map_gets_nobody_out(home: Home, version: int) -> None:
    """A content network's name and addresses serve many: known is what the device asked for by its own
    name, at the very address that it was told for that."""
    kind, shared = KINDS[version], f"map{version}.cdn.example"
    own, others = forged_address(version, 42), forged_address(version, 43)
    with (
        Resolver(home.internet, RESOLVER[version]) as resolver,
        Client(home.camera, RESOLVER[version]) as client,
    ):
        for name, address in ((NAME, own), ("evil.example", others)):
            client.ask(query(name, kind))
            asked = resolver.take()
            said = dns.message.from_wire(answer(shared, [address], asked.ident))
            said.question = dns.message.from_wire(asked.data).question
            said.answer.insert(0, dns.rrset.from_text(f"{name}.", 300, "IN", "CNAME", f"{shared}."))
            resolver.say(asked, said.to_wire())
            client.hear()
    assert known(home, own)
    assert not known(home, others)


@both
def test_an_answer_to_another_device_names_nothing_for_this_one(home: Home, version: int) -> None:
    address = forged_address(version, 18)
    with Resolver(home.internet, RESOLVER[version]) as resolver, Client(home.tv, RESOLVER[version]) as client:
        client.ask(query(NAME, KINDS[version]))
        asked = resolver.take()
        resolver.say(asked, answer(NAME, [address], asked.ident))
        client.hear()
    assert not known(home, address)
    assert home.tv.connect(address, 443).ok


@both
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_a_foreign_resolver_is_recorded_in_monitor_mode_and_blocked_in_enforce_mode(
    home: Home, version: int, tcp: bool
) -> None:
    foreign = FOREIGN[version]
    address = forged_address(version, 19)

    def passed() -> int:
        return [each["verdict"] for each in home.attempts(home.camera, foreign)].count("accepted")

    home.store()
    before = passed()
    if tcp:
        assert home.camera.connect(foreign, 53, timeout=PATIENCE).result == Result.REFUSED
    else:
        with Resolver(home.internet, foreign) as resolver, Client(home.camera, foreign) as client:
            client.ask(query(NAME, KINDS[version]))
            resolver.socket.settimeout(0.3)
            with pytest.raises(TimeoutError):
                resolver.take()
    assert home.attempt(home.camera, foreign)["reason"] == "foreign-resolver"
    home.mode("monitor")
    try:
        with Resolver(home.internet, foreign) as resolver, Client(home.camera, foreign) as client:
            client.ask(query(NAME, KINDS[version]))
            asked = resolver.take()
            resolver.say(asked, answer(NAME, [address], asked.ident))
            client.hear()
    finally:
        home.mode("enforce")
    assert eventually(lambda: passed() > before)
    assert {each["reason"] for each in home.attempts(home.camera, foreign)} == {"foreign-resolver"}
    assert not known(home, address)


def test_a_foreign_resolver_is_an_alert() -> None:
    with learned_home() as quiet:
        for version, foreign in FOREIGN.items():
            with Client(quiet.camera, foreign) as client:
                client.ask(query(NAME, KINDS[version]))
        told = [("foreign-resolver", [foreign]) for foreign in FOREIGN.values()]
        assert eventually(
            lambda: (
                sorted((alert["kind"], alert["addresses"]) for alert in quiet.alerts(quiet.camera)) == told
            )
        )


def test_a_query_from_port_53_makes_no_device_of_the_gateway(home: Home) -> None:
    watched = home.guard()["devices"]["watched"]
    with (
        Resolver(home.internet, RESOLVER[4]) as resolver,
        Client(home.camera, RESOLVER[4], port=53) as client,
    ):
        client.ask(query(NAME))
        asked = resolver.take()
        assert asked.peer[1] == 53
        resolver.say(asked, answer(NAME, [forged_address(4, 30)], asked.ident))
        client.hear()
    home.store()
    assert home.guard()["devices"]["watched"] == watched
    assert WAN_INTERNET.mac not in {device["mac"] for device in home.product.json("devices")}


# -- what is no message at all -------------------------------------------------------------------------


@pytest.fixture
def messages(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "badinput" / "crafted.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_hostile_replies_teach_what_they_should_and_no_more(
    home: Home, messages: list[dict[str, Any]]
) -> None:
    """Each message as the reply to its own question, where it has one; else to some question."""
    wrong: dict[str, Any] = {}
    before = home.told(home.tv)
    expected: set[tuple[str, str]] = set()
    unchecked: set[str] = set()
    with Resolver(home.internet, RESOLVER[4]) as resolver:
        for case in messages:
            wire = bytes.fromhex(case["hex"])
            with Client(home.tv, RESOLVER[4]) as client:
                client.ask(question_of(wire))
                asked = resolver.take()
                resolver.say(asked, wire)
                try:
                    heard = client.hear()
                except TimeoutError:
                    heard = b"lost"
                if heard != wire:
                    wrong[case["name"]] = heard
            if case["names"] is None:
                unchecked.add(case["name"])
            else:
                expected |= set(case["names"].items())
    assert not wrong, "every reply is delivered, whatever is in it"
    assert eventually(lambda: expected <= home.told(home.tv)), expected - home.told(home.tv)
    if not unchecked:
        assert home.told(home.tv) - before == expected
    assert len(expected) > 20


def question_of(wire: bytes) -> bytes:
    """A query with the id and the question of this reply, as far as it has one."""
    end = 12
    while end < len(wire) and wire[end] and wire[end] < 64:
        end += 1 + wire[end]
    question = wire[12 : end + 5]
    if len(wire) < 17 or len(question) < 5 or wire[end : end + 1] != b"\0":
        return query("some.maker.example", ident=int.from_bytes(wire[:2], "big"))
    return wire[:2] + b"\x01\0\0\1\0\0\0\0\0\0" + question


def test_mangled_queries_and_replies_end_nothing(home: Home, rounds: Callable[[int], int]) -> None:
    chance = random.Random(20261122)
    with Resolver(home.internet, RESOLVER[4]) as resolver:
        for number in range(rounds(150)):
            ident = chance.randrange(1 << 16)
            asking = mangled(chance, query(f"m{number}.maker.example", ident=ident))
            with Client(home.camera, RESOLVER[4]) as client:
                client.ask(asking)
                asked = resolver.take()
                assert asked.data == asking
                reply = mangled(chance, answer(f"m{number}.maker.example", ["203.0.113.240"], ident))
                resolver.say(asked, reply)
                assert client.hear() == reply
    assert home.visit(home.camera, NAME).ok


def mangled(chance: random.Random, message: bytes) -> bytes:
    data = bytearray(message)
    for _ in range(chance.randrange(1, 6)):
        match chance.randrange(4):
            case 0:
                data[chance.randrange(len(data))] = chance.randrange(256)
            case 1:
                del data[chance.randrange(1, 1 + len(data)) :]
            case 2:
                data += chance.randbytes(chance.randrange(1, 40))
            case _:
                at = chance.randrange(len(data))
                data[at:at] = b"\xc0\x0c"
    return bytes(data)


def test_tcp_that_is_no_dns_ends_nothing(home: Home) -> None:
    chance = random.Random(4)
    for size in (1, 2, 3, 1400, 20000):
        with serving_tcp(home, RESOLVER[4]) as server, stream(home.camera, RESOLVER[4]) as client:
            client.sendall(chance.randbytes(size))
            connection, _ = server.accept()
            with connection:
                connection.settimeout(PATIENCE)
                connection.sendall(chance.randbytes(size))
                assert client.recv(65535)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    assert home.visit(home.camera, NAME).ok


def test_many_addresses_of_one_device_push_out_its_own_only(home: Home) -> None:
    """At most 16 addresses of a device wait for replies at a time: it can shut out nobody else."""
    for number in range(40):
        way = home.network.way_out(home.camera, RESOLVER[4], source=f"192.168.77.{150 + number}")
        home.camera.send(packets.dns_query(way, "flood.example", ident=number))
    assert home.visit(home.tv, NAME).ok
    assert home.visit(home.camera, NAME).ok


def test_every_packet_that_was_queued_was_judged(home: Home) -> None:
    assert_nothing_is_lost(home)
