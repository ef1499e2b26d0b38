# SPDX-License-Identifier: GPL-2.0-or-later
"""From a packet that the guard judges to its alert, to the capture file that `smartrouter alert` writes, and
through `smartrouter replay` back to the same words about it."""

import json
import shlex
import struct
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from dns.message import make_query, make_response
from dns.rrset import from_text
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from unit.made_guard import MARKS, Guard
from unit.made_hellos import first_flight, from_openssl, quic_client
from unit.made_home import TV, Home

from smartrouter.cli import main
from smartrouter.core.destinations import Match
from smartrouter.core.events import OutageEnded
from smartrouter.core.policy import Mode
from smartrouter.guard.exhibits import Exhibits
from smartrouter.linux.queue import FORWARD, LOCAL_IN, LOCAL_OUT
from smartrouter.store.exhibits import MAX_OF_SCAN, MAX_PACKETS
from smartrouter.store.writer import Writer
from smartrouter.terminal import inert

HOME = {4: "192.168.0.10", 6: "2001:db8:77::10"}
ROUTER = {4: "192.168.0.1", 6: "fe80::1"}
SERVER = {4: "203.0.113.9", 6: "2001:db8:9::9"}
FOREIGN = {4: "198.51.100.53", 6: "2001:db8:53::53"}
KINDS = {4: "A", 6: "AAAA"}
BOTH = MARKS.passing | MARKS.blocking
VERSIONS = pytest.mark.parametrize("version", [4, 6])
MODES = pytest.mark.parametrize("mode", list(Mode))


class Scene:
    """A protected television, whose guard stores what it sees; packets of one IP version."""

    def __init__(self, folder: Path, version: int = 4, mode: Mode = Mode.MONITOR, **settings: Any):
        self.home = Home(folder)
        self.folder = folder
        self.version = version
        self.writer = Writer(self.home.database)
        resolvers = frozenset((ROUTER[version],))
        self.guard = Guard(TV, store=self.writer.put_all, mode=mode, resolvers=resolvers, **settings)
        self._port = 40000

    def ip(self, destination: str, source: str = "") -> Any:
        layer = IP if self.version == 4 else IPv6
        return layer(src=source or HOME[self.version], dst=destination)

    def port(self) -> int:
        self._port += 1
        return self._port

    def told(self, name: str, *records: str, tcp: int = 0) -> None:
        """It asks for `name`, and is told `records`; over TCP, in so many segments."""
        query = make_query(name, KINDS[self.version], id=7)
        reply = make_response(query)
        for record in records or (f"{name}. 60 IN {KINDS[self.version]} {SERVER[self.version]}",):
            owner, ttl, klass, kind, data = record.split()
            reply.answer.append(from_text(owner, int(ttl), klass, kind, data))
        port, router, dns = self.port(), ROUTER[self.version], self.guard.dns
        there, back = self.ip(router), self.ip(HOME[self.version], router)
        if not tcp:
            self._dns(there / UDP(sport=port, dport=53) / query.to_wire())
            self._answer(back / UDP(sport=53, dport=port) / reply.to_wire())
            return
        asked, answered = (struct.pack("!H", len(m)) + m for m in (query.to_wire(), reply.to_wire()))
        self._dns(there / TCP(sport=port, dport=53, flags="S", seq=99))
        self._answer(back / TCP(sport=53, dport=port, flags="SA", seq=499, ack=100))
        self._dns(there / TCP(sport=port, dport=53, flags="PA", seq=100, ack=500) / asked)
        size = -(-len(answered) // tcp)
        for at in range(0, len(answered), size):
            segment = TCP(sport=53, dport=port, flags="PA", seq=500 + at, ack=200)
            self._answer(back / segment / answered[at : at + size])
        assert not dns._parts

    def _dns(self, packet: Any, hook: int = LOCAL_IN, mark: int = MARKS.passing) -> None:
        self.guard.dns.judge(bytes(packet), TV, hook, mark)
        self.guard.dns.conclude()
        self.guard.dns.settle()

    def _answer(self, packet: Any) -> None:
        self.guard.dns.judge(bytes(packet), None, LOCAL_OUT, 0)
        self.guard.dns.conclude()
        self.guard.dns.settle()

    def ask(self, name: str, resolver: str) -> None:
        """It asks a server on the Internet."""
        query = make_query(name, KINDS[self.version], id=9).to_wire()
        self._dns(self.ip(resolver) / UDP(sport=self.port(), dport=53) / query, FORWARD, 0)

    def connect(self, address: str = "", port: int = 443, *data: bytes, mark: int = 0) -> None:
        """It opens a connection over TCP, and says `data` on it, where that is looked at."""
        source, address = self.port(), address or SERVER[self.version]
        there = self.ip(address)
        self._judge(there / TCP(sport=source, dport=port, flags="S", seq=999), mark)
        at = 1000
        for part in data:
            self._judge(there / TCP(sport=source, dport=port, flags="PA", seq=at, ack=1) / part, BOTH)
            at += len(part)

    def send(self, *data: bytes, port: int = 443) -> None:
        """It sends datagrams."""
        source = self.port()
        for part in data:
            self._judge(self.ip(SERVER[self.version]) / UDP(sport=source, dport=port) / part)

    def _judge(self, packet: Any, mark: int = 0) -> None:
        self.guard.flows.judge(bytes(packet), TV, FORWARD, mark)
        self.guard.flows.settle()

    def close(self) -> None:
        self.guard.flows.flush()
        assert self.writer.flush(20.0)
        assert self.writer.close()
        assert self.guard.bench.errors == 0

    def said(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
        assert main(self.home.command(*arguments, "--json")) == 0
        return json.loads(capsys.readouterr().out)

    def alert(self, capsys: pytest.CaptureFixture[str], **wanted: object) -> dict[str, Any]:
        """The one alert that is like this."""
        self.close()
        found = [
            each
            for each in self.said(capsys, "alerts")
            if all(each[key] == value for key, value in wanted.items())
        ]
        assert len(found) == 1, found
        alert: dict[str, Any] = self.said(capsys, "alert", str(found[0]["id"]))
        return alert


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    def begin(*arguments: Any, **settings: Any) -> Scene:
        made = Scene(tmp_path, *arguments, **settings)
        made.guard.protect()
        return made

    return begin  # type: ignore[return-value]


SAME = ("mac", "kind", "reason", "severity", "destination", "service", "evidence", "name", "detail")


def replayed(scene: Scene, capsys: pytest.CaptureFixture[str], alert: dict[str, Any]) -> dict[str, Any]:
    """What a replay of the exported packets says of the same, with the options that the command prints."""
    file = str(scene.folder / "it's an alert.pcap")
    exported = scene.said(capsys, "alert", str(alert["id"]), "--pcap", file)
    assert exported["file"] == file
    assert exported["packets"] == len(alert["packets"])
    program, *words = shlex.split(exported["replay"])
    assert (program, words[0], words[-1]) == ("smartrouter", "replay", file)
    assert main([*words, "--json"]) == 0
    found = [each for each in json.loads(capsys.readouterr().out)["alerts"] if each["kind"] == alert["kind"]]
    (again,) = found
    return {**again, "destination": again["destination"] or ""}


def assert_replays(scene: Scene, capsys: pytest.CaptureFixture[str], **wanted: object) -> dict[str, Any]:
    """It raised one such alert, of which its packets say the same again; gives it."""
    alert = scene.alert(capsys, **wanted)
    again = replayed(scene, capsys, alert)
    assert {key: again[key] for key in SAME} == {key: alert[key] for key in SAME}
    assert bool(again["blocked"]) is bool(alert["blocked"])
    assert set(again["addresses"]) == set(alert["addresses"])
    assert again["first"] == pytest.approx(alert["first"], abs=0.1)
    return alert


def roles(alert: dict[str, Any]) -> list[str]:
    return [each["role"] for each in alert["packets"]]


# -- each kind that has packets ----------------------------------------------------------------------------


@VERSIONS
@MODES
def test_a_new_destination_by_name(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], version: int, mode: Mode
) -> None:
    tv = scene(version, mode)
    tv.told("c2.evil.example")
    tv.connect()
    alert = assert_replays(tv, capsys, kind="new-destination", evidence="dns", name="c2.evil.example")
    assert roles(alert) == ["reply", "first"]
    assert alert["blocked"] == (mode is Mode.ENFORCE)
    reply, first = alert["packets"]
    assert (reply["from_device"], first["from_device"]) == (False, True)
    assert b64decode(first["base64"])[0] >> 4 == version


@VERSIONS
@MODES
def test_a_bare_address(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], version: int, mode: Mode
) -> None:
    tv = scene(version, mode)
    tv.connect(port=8443)
    alert = assert_replays(tv, capsys, reason="unknown-address", evidence="none", service="tcp/8443")
    assert roles(alert) == ["first"]


@VERSIONS
def test_a_chain_of_aliases(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], version: int
) -> None:
    tv = scene(version)
    kind, address = KINDS[version], SERVER[version]
    tv.told(
        "shop.evil.example", "shop.evil.example. 60 IN CNAME e7.edge.cdn.example.",
        "e7.edge.cdn.example. 60 IN CNAME a.edge.cdn.example.", f"a.edge.cdn.example. 60 IN {kind} {address}",
    )  # fmt: skip
    tv.connect()
    alert = assert_replays(tv, capsys, name="shop.evil.example", evidence="dns")
    assert roles(alert) == ["reply", "first"]


@VERSIONS
@pytest.mark.parametrize("segments", [1, 2, 3])
def test_a_name_that_was_told_over_tcp(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], version: int, segments: int
) -> None:
    tv = scene(version)
    tv.told("c2.evil.example", tcp=segments)
    tv.connect()
    alert = assert_replays(tv, capsys, name="c2.evil.example", evidence="dns")
    assert roles(alert) == ["reply"] * segments + ["first"]


@VERSIONS
@pytest.mark.parametrize("parts", [1, 2])
def test_a_server_name_in_a_hello(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], version: int, parts: int
) -> None:
    tv = scene(version)
    hello = from_openssl("c2.evil.example")
    size = -(-len(hello) // parts)
    tv.connect("", 443, *(hello[at : at + size] for at in range(0, len(hello), size)))
    alert = assert_replays(tv, capsys, evidence="hello", name="c2.evil.example")
    assert roles(alert) == ["first"] + ["hello"] * parts


@VERSIONS
def test_a_server_name_in_a_quic_hello(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], version: int
) -> None:
    tv = scene(version)
    tv.send(*first_flight(quic_client("c2.evil.example")))
    alert = assert_replays(tv, capsys, evidence="hello", name="c2.evil.example")
    assert roles(alert)[0] == "first"


@VERSIONS
def test_a_connection_that_was_judged_by_its_hello(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], version: int
) -> None:
    tv = scene(version, Mode.ENFORCE, judge_by_hello=True)
    tv.connect("", 443, from_openssl("c2.evil.example"))
    alert = assert_replays(tv, capsys, reason="unknown-hello", name="c2.evil.example")
    assert roles(alert) == ["first", "hello"]


@VERSIONS
def test_a_new_port_of_a_name_that_is_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], version: int
) -> None:
    tv = Scene(tmp_path, version)
    tv.told("api.cloud.example")
    tv.connect()
    tv.guard.protect()
    tv.guard.bench.exhibits = Exhibits()  # as of a guard that was started anew
    tv.told("api.cloud.example", f"api.cloud.example. 90000 IN {KINDS[version]} {SERVER[version]}")
    tv.connect(port=22)
    alert = assert_replays(tv, capsys, kind="new-port", reason="new-port", service="tcp/22")
    assert roles(alert) == ["reply", "first"]


@VERSIONS
@MODES
def test_a_foreign_resolver(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], version: int, mode: Mode
) -> None:
    tv = scene(version, mode)
    tv.ask("www.example.com", FOREIGN[version])
    alert = assert_replays(tv, capsys, kind="foreign-resolver")
    assert roles(alert) == ["query"]


@VERSIONS
@MODES
def test_a_scan(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], version: int, mode: Mode
) -> None:
    tv = scene(version, mode)
    base = SERVER[version][:-1]
    for host in range(1, 13):
        tv.connect(f"{base}{host}", 23)
    alert = assert_replays(tv, capsys, kind="scan")
    assert roles(alert) == ["first"] * 12
    assert alert["count"] == 12


def test_a_scan_of_the_local_network(scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]) -> None:
    tv = scene()
    for host in range(20, 45):
        tv.connect(f"192.168.0.{host}", 80, mark=MARKS.passing)
    assert roles(assert_replays(tv, capsys, kind="scan")) == ["first"] * 25


def test_of_a_wide_scan_the_first_packets_are_kept(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    tv = scene()
    for host in range(1, 255):
        tv.connect(f"203.0.113.{host}", 23)
    alert = tv.alert(capsys, kind="scan")
    assert alert["count"] == 254
    assert roles(alert) == ["first"] * MAX_OF_SCAN
    again = replayed(tv, capsys, alert)
    assert (again["kind"], again["count"]) == ("scan", MAX_OF_SCAN)


def test_a_scan_for_resolvers(scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]) -> None:
    tv = scene()
    for host in range(1, 13):
        tv.ask("www.example.com", f"198.51.100.{host}")
    alert = assert_replays(tv, capsys, kind="scan")
    assert set(roles(alert)) == {"query"}


@VERSIONS
def test_encrypted_dns(scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], version: int) -> None:
    tv = scene(version)
    tv.connect(port=853)
    assert_replays(tv, capsys, kind="encrypted-dns", reason="encrypted-dns")


def test_a_question_whether_dns_may_be_encrypted(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    tv = scene()
    tv.told("use-application-dns.net")
    assert roles(assert_replays(tv, capsys, kind="encrypted-dns", reason="dns-canary")) == ["query"]


def test_a_front(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tv = Scene(tmp_path)
    tv.connect()
    tv.guard.protect()
    tv.connect("", 443, from_openssl("c2.evil.example"))
    assert_replays(tv, capsys, kind="fronting")


def test_of_a_dns_tunnel_the_query_is_kept_that_made_it_one(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    tv = scene()
    for number in range(40):
        tv.told(f"{number * 7919:x}q8w7e6r5t4z3u2i1o0p9a8s7d6f5g4h3.{number:x}jk7l6m5n4.t.evil.example")
    alert = tv.alert(capsys, kind="dns-tunnel")
    assert roles(alert) == ["query"]
    exported = tv.said(capsys, "alert", str(alert["id"]), "--pcap", str(tv.folder / "tunnel.pcap"))
    assert exported["replay"] == ""  # it took more than that one


def test_a_scan_while_it_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tv = Scene(tmp_path)
    for host in range(1, 13):
        tv.connect(f"203.0.113.{host}", 23)
    assert roles(assert_replays(tv, capsys, kind="scan")) == ["first"] * 12


@pytest.mark.parametrize("match", list(Match))
def test_by_whatever_names_are_grouped(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], match: Match
) -> None:
    tv = scene(match=match)
    with tv.home.config.open("a") as config:
        config.write(f"config smartrouter 'main'\n\toption match '{match}'\n")
    tv.told("a.b.evil.example")
    tv.connect()
    alert = assert_replays(tv, capsys, name="a.b.evil.example")
    assert alert["destination"] == ("a.b.evil.example" if match is Match.HOST else "evil.example")


def test_news_of_a_routine_sort(scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]) -> None:
    tv = scene()
    tv.told("connectivitycheck.gstatic.com")
    tv.connect(port=80)
    assert_replays(tv, capsys, reason="connectivity-check", severity="notice")


def test_what_rests_on_more_than_its_packets_is_not_promised(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    tv = scene(4, Mode.ENFORCE)
    tv.guard.bench.handle(OutageEnded())
    tv.connect()
    tv.close()
    out = shown(tv, capsys, "alert", "1", "--pcap", str(tv.folder / "outage.pcap"))
    assert "Replaying it would not say the same" in out
    assert "smartrouter replay" not in out


# -- which packets are kept ----------------------------------------------------------------------------------


def test_a_hello_that_comes_after_the_alert_joins_it(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    tv = scene()
    tv.connect()
    assert tv.writer.flush(20.0)
    tv.connect("", 443, from_openssl("c2.evil.example"))
    alert = tv.alert(capsys, kind="new-destination")
    assert roles(alert) == ["first", "first", "hello"]
    assert (alert["name"], alert["evidence"]) == ("c2.evil.example", "hello")
    again = replayed(tv, capsys, alert)
    assert (again["name"], again["evidence"], again["count"]) == ("c2.evil.example", "hello", 2)


def test_of_what_is_tried_again_and_again_little_is_kept(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    tv = scene()
    tv.told("c2.evil.example")
    for _ in range(50):
        tv.connect()
    alert = tv.alert(capsys, kind="new-destination")
    assert alert["count"] == 50
    assert roles(alert) == ["reply", "first"]


def test_of_many_addresses_of_one_name_a_few_are_kept(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    tv = scene()
    for host in range(1, 30):
        tv.told("c2.evil.example", f"c2.evil.example. 60 IN A 203.0.113.{host}")
        tv.connect(f"203.0.113.{host}")
    alert = tv.alert(capsys, kind="new-destination")
    assert roles(alert) == ["reply", "first"] * (MAX_PACKETS // 2)


def test_of_what_is_known_nothing_is_kept(tmp_path: Path) -> None:
    tv = Scene(tmp_path)
    tv.told("api.cloud.example")
    tv.connect()
    tv.guard.protect()
    begun = tv.guard.bench.exhibits._begun.number
    for _ in range(3):
        tv.told("api.cloud.example")
        tv.connect()
    tv.close()
    assert tv.guard.bench.exhibits._begun.number == begun
    assert "Attach" not in tv.writer.counters()["put"]


# -- what is shown, and written ------------------------------------------------------------------------------


def shown(scene: Scene, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(scene.home.command(*arguments)) == 0
    return capsys.readouterr().out


def test_they_are_taken_apart_in_words(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    tv = scene()
    tv.told("c2.evil.example")
    tv.connect("", 443)
    tv.close()
    out = shown(tv, capsys, "alert", "1")
    assert "The packets behind it" in out
    assert "the DNS reply that named the address" in out
    assert "answer, no error, id 7: c2.evil.example A" in out
    assert "c2.evil.example A 203.0.113.9 (for 60 s)" in out
    assert "192.168.0.10 → 203.0.113.9, 40 bytes" in out
    assert "smartrouter alert 1 --pcap FILE" in out


def test_what_they_hold_is_inert(scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]) -> None:
    tv = scene()
    tv.send(b"\x1b]0;owned\x07\x9b31m" + "\u202e\r\n".encode(), port=9999)
    tv.close()
    out = shown(tv, capsys, "alert", "1")
    assert "bytes: .]0;owned" in out
    for line in out.splitlines():
        assert line == inert(line)
    said = tv.said(capsys, "alert", "1")
    assert said["packets"][0]["dissection"] == [inert(each) for each in said["packets"][0]["dissection"]]


def test_without_scapy_they_are_kept_and_exported_all_the_same(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tv = scene()
    tv.connect(port=8443)
    tv.close()
    monkeypatch.setitem(sys.modules, "smartrouter.cli.dissection", None)
    assert "Install scapy to see what is in it." in shown(tv, capsys, "alert", "1")
    assert "1 packet written" in shown(tv, capsys, "alert", "1", "--pcap", str(tv.folder / "x.pcap"))


def test_a_file_that_is_there_is_left_alone_unless_it_is_forced(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    tv = scene()
    tv.connect(port=8443)
    tv.close()
    file = tv.folder / "there.pcap"
    file.write_text("precious")
    assert main(tv.home.command("alert", "1", "--pcap", str(file))) == 1
    assert "there.pcap is there already" in capsys.readouterr().err
    assert file.read_text() == "precious"
    out = shown(tv, capsys, "alert", "1", "--pcap", str(file), "--force")
    assert "1 packet written" in out
    assert "smartrouter replay --learn 0h --mode monitor --mac " in out
    assert file.read_bytes()[:4] == b"\xd4\xc3\xb2\xa1"


def test_a_folder_that_is_missing_is_said(
    scene: Callable[..., Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    tv = scene()
    tv.connect(port=8443)
    tv.close()
    assert main(tv.home.command("alert", "1", "--pcap", str(tv.folder / "no" / "where.pcap"))) == 1
    assert f"there is no folder {tv.folder / 'no'}" in capsys.readouterr().err


def test_an_alert_without_packets_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    home.fill()
    assert main(home.command("alert", "1")) == 0
    assert "packets behind" not in capsys.readouterr().out
    assert main(home.command("alert", "1", "--pcap", str(tmp_path / "none.pcap"))) == 1
    assert "no packets are kept with alert 1" in capsys.readouterr().err
    assert not (tmp_path / "none.pcap").exists()


def test_a_name_that_no_shell_should_see_is_in_no_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tv = Scene(tmp_path)
    name = r"a\;reboot.evil.example"
    tv.told(name)
    tv.connect()
    tv.guard.protect()
    tv.connect(port=22)
    alert = tv.alert(capsys, kind="new-port")
    exported = tv.said(capsys, "alert", str(alert["id"]), "--pcap", str(tmp_path / "x.pcap"))
    assert "reboot" not in exported["replay"]
