# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS hellos: of real clients, of real devices, and as no client would send them."""

import random
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from counting import steps
from scapy.layers.tls.handshake import TLSClientHello
from scapy.layers.tls.record import TLS
from unit.made_hellos import (
    ECH,
    ESNI,
    KEY_SHARE,
    extension,
    from_openssl,
    message,
    protocols,
    records,
    server_name,
    vector,
)

from smartrouter.core.errors import BadPacket
from smartrouter.replay.captures import Capture
from smartrouter.wire.hello import Hello, parse_message, parse_records
from smartrouter.wire.packet import parse_ethernet, parse_ip

NAME = "www.example.com"
OLD = "ALL:@SECLEVEL=0"


@pytest.mark.parametrize(
    ("only", "ciphers"),
    [
        (None, "DEFAULT"),
        (ssl.TLSVersion.TLSv1, OLD),
        (ssl.TLSVersion.TLSv1_1, OLD),
        (ssl.TLSVersion.TLSv1_2, "DEFAULT"),
        (ssl.TLSVersion.TLSv1_3, "DEFAULT"),
    ],
)
@pytest.mark.parametrize("alpn", [(), ("h2", "http/1.1")])
@pytest.mark.parametrize("name", ["WWW.Example.com", "xn--bcher-kva.example", "a" * 63 + ".example", None])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_pythons_own_client_is_understood(
    only: ssl.TLSVersion | None, ciphers: str, alpn: tuple[str, ...], name: str | None
) -> None:
    wire = from_openssl(name, *alpn, only=only, ciphers=ciphers)
    assert parse_records(wire) == Hello(name.lower() if name else "", False, alpn)


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command")
@pytest.mark.parametrize(
    ("options", "hello"),
    [
        (["-servername", NAME], Hello(NAME, False, ())),
        (["-servername", NAME, "-tls1_3", "-alpn", "mqtt,x"], Hello(NAME, False, ("mqtt", "x"))),
        (["-servername", NAME, "-tls1_2", "-no_ticket", "-nextprotoneg", "a"], Hello(NAME, False, ())),
        (["-servername", NAME, "-tls1", "-cipher", OLD], Hello(NAME, False, ())),
        (["-noservername", "-tls1_2", "-cipher", "AES128-SHA"], Hello("", False, ())),
    ],
)
def test_openssls_client_is_understood(options: list[str], hello: Hello) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.getsockname()[1]}", *options]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as client:
            try:
                with server.accept()[0] as connection:
                    connection.settimeout(20)
                    assert parse_records(connection.recv(16384)) == hello
            finally:
                client.kill()


def sni_by_scapy(hello: Any) -> str:
    found = [one for one in hello.ext or [] if one.type == 0]
    return bytes(found[0].servernames[0].servername).decode().lower() if found else ""


def test_the_hellos_of_real_devices_are_read_as_by_scapy(shared: Path) -> None:
    count, names = 0, set()
    for path in sorted((shared / "traces").glob("*/*.pcap.gz")):
        for captured in Capture(path).packets():
            frame = parse_ethernet(captured.data)
            try:
                packet = parse_ip(captured.data[frame.payload :])
            except BadPacket:
                continue
            payload = captured.data[frame.payload + packet.payload : frame.payload + packet.end]
            if packet.protocol != 6 or payload[:1] != b"\x16" or payload[5:6] != b"\1":
                continue
            theirs = TLS(payload).msg[0]
            assert isinstance(theirs, TLSClientHello)
            hello = parse_records(payload)
            assert hello is not None
            assert hello.name == sni_by_scapy(theirs)
            count += 1
            names.add(hello.name)
    assert count > 500
    assert len(names) > 5


def test_of_every_beginning_only_the_whole_tells() -> None:
    wire = from_openssl(NAME, "h2")
    assert [parse_records(wire[:size]) for size in range(len(wire))] == [None] * len(wire)
    assert parse_records(wire) == parse_records(wire + b"\x14\3\3\0\1\1") == Hello(NAME, False, ("h2",))


@pytest.mark.parametrize("size", [40, 100, 300])
def test_a_hello_may_span_records(size: int) -> None:
    handshake = from_openssl(NAME)[5:]
    wire = records(handshake, size)
    assert [parse_records(wire[:end]) for end in range(len(wire))] == [None] * len(wire)
    assert parse_records(wire) == Hello(NAME, False, ())


def test_a_hello_with_large_keys_is_read() -> None:
    large = message(extension(KEY_SHARE, vector(2, bytes(1900))), server_name(NAME.encode()))
    assert parse_records(records(large)) == Hello(NAME, False, ())


@pytest.mark.parametrize(
    ("handshake", "hello"),
    [
        (message(plain=True, version=b"\3\1", session=b""), Hello("", False, ())),
        (message(), Hello("", False, ())),
        (message(server_name(NAME.encode())), Hello(NAME, False, ())),
        (message(server_name(b"203.0.113.7")), Hello("", False, ())),
        (message(server_name(b"a\0b.example")), Hello("", False, ())),
        (message(server_name(NAME.encode(), kind=7)), Hello("", False, ())),
        (message(server_name(b"")), Hello("", False, ())),
        (message(server_name()), Hello("", False, ())),
        # the real one and the noise in its place (GREASE) look the same
        (message(server_name(NAME.encode()), extension(ECH, bytes(200))), Hello(NAME, True, ())),
        (message(extension(ECH, b"")), Hello("", True, ())),
        (message(extension(ESNI, bytes(300)), server_name(NAME.encode())), Hello(NAME, True, ())),
        (
            message(extension(0x0A0A, b""), protocols(b"h2", b"\x0a\x0a", b"h\xff")),
            Hello("", False, ("h2", "\n\n", "h\\xff")),
        ),
    ],
)
def test_what_a_hello_says_is_read(handshake: bytes, hello: Hello) -> None:
    assert parse_message(handshake) == parse_records(records(handshake)) == hello


@pytest.mark.parametrize(
    "handshake",
    [
        message(server_name(b"a.example"), server_name(b"b.example")),
        message(server_name(b"a.example", b"b.example")),
        message(extension(0, vector(2, b"\0\0\5a.exa") + b"?")),
        message(extension(0, b"")),
        message(extension(0, b"\0\5\0\0\1")),
        message(*[extension(1000 + number, b"") for number in range(65)]),
        message(protocols(b"h2", b"")),
        message(protocols(*[b"x"] * 33)),
        message(extension(16, vector(2, b"\2h2") + b"?")),
        message(version=b"\2\0"),
        message(version=b"\xfe\xfd"),  # DTLS
        message(session=bytes(33)),
        message(ciphers=b""),
        message(ciphers=b"\0\1\0"),
        message(compressions=b""),
        message(behind=b"?"),
        message(plain=True, behind=b"\0"),
        b"\1\0\0\0",
        b"\2" + message()[1:],  # a server's
        b"\1\xff\xff\xff",  # too long
        b"\1\0\x3f\xfd",
    ],
)
def test_what_no_client_sends_is_refused(handshake: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_message(handshake)
    with pytest.raises(BadPacket):
        parse_records(records(handshake))


@pytest.mark.parametrize(
    "wire",
    [
        b"\x17\3\3",
        b"\x15\3\1\0\2\2\x28",
        b"\x16\2",
        b"\x16\3\1\0\0",
        b"\x16\3\1\x40\1",
        b"\x16\3\1\0\1\1\x17",
        records(from_openssl(NAME)[5:], 10),  # too many
        b"\x80\x2e\1\3\1\0\x15\0\0\0\x10" + bytes(37),  # SSL 2's
        b"SSH-2.0-dropbear",
    ],
    ids=range(9),  # what OpenSSL makes is another in each worker
)
def test_what_is_no_tls_is_refused(wire: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_records(wire)


def mangled(chance: random.Random, wire: bytes) -> bytes:
    bent = bytearray(wire)
    for _ in range(chance.choice([1, 1, 2, 3])):
        at = chance.randrange(min(len(bent), 200))
        match chance.randrange(5):
            case 0:
                bent[at] = chance.randrange(256)
            case 1:
                bent[at] = (bent[at] + chance.choice([-2, -1, 1, 2])) % 256
            case 2:
                del bent[at]
            case 3:
                bent.insert(at, chance.randrange(256))
            case _:
                bent[at:at] = bent[at : at + chance.randrange(40)]
    return bytes(bent)


def test_mangled_hellos_give_a_value_or_bad_packet_in_few_steps(rounds: Callable[[int], int]) -> None:
    chance = random.Random(7)
    whole = [
        from_openssl(NAME, "h2", "http/1.1"),
        records(message(server_name(b"a.example"), extension(ECH, bytes(50)), protocols(b"x")), 60),
        records(message(*[extension(number, b"") for number in range(1, 60)])),
    ]
    read = 0

    def parse(wire: bytes) -> None:
        nonlocal read
        try:
            read += parse_records(wire) is not None
        except BadPacket:
            pass

    for _ in range(rounds(4000)):
        wire = mangled(chance, chance.choice(whole))
        assert steps(lambda wire=wire: parse(wire)) < 1500  # type: ignore[misc]
    assert read > 300
