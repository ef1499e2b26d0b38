# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel to syslog, over UDP, TCP and a Unix socket."""

import json
import re
import socket
import struct
from pathlib import Path

import pytest
from unit.made_alarms import HOSTILE, failure_of, hostile_message, message, nothing_secret_leaks, settings
from unit.standin_smtp import free_port

import smartrouter
from smartrouter.core.errors import BadConfig
from smartrouter.notify.syslog import LONGEST, Place, cef, json_line, open_channel, place, record

_leaks = pytest.fixture(autouse=True)(nothing_secret_leaks)
FRAME = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([!-~]+) smartrouter (\d+) ([!-~]+) - ([^\n]+)"
)


def to(how: str, form: str = "cef") -> Place:
    return Place(how, "", "", 0, {"cef": cef, "json": json_line}[form])


def parts(text: str) -> tuple[list[str], dict[str, str]]:
    """A CEF record as a parser reads it: head and extension, escapes undone."""
    fields = _split(text)
    extension = {}
    for found in re.finditer(r"([A-Za-z0-9]+)=((?:\\.|[^\\=])*?)(?= [A-Za-z0-9]+=|$)", fields[7]):
        extension[found[1]] = re.sub(r"\\(.)", r"\1", found[2])
    return [re.sub(r"\\(.)", r"\1", field) for field in fields[:7]], extension


def _split(text: str) -> list[str]:
    """At each bar that is not escaped, seven times."""
    fields: list[str] = []
    field, rest = "", iter(text)
    for character in rest:
        if character == "\\" and len(fields) < 7:
            field += character + next(rest)
        elif character == "|" and len(fields) < 7:
            fields.append(field)
            field = ""
        else:
            field += character
    return [*fields, field]


def test_a_record_as_cef() -> None:
    head, extension = parts(cef(message(), 1000))
    assert head == [
        "CEF:0",
        "smartrouter",
        "smartrouter",
        smartrouter.__version__,
        "new-destination",
        "Living-room TV tried to reach ads.example.net, which it has not learned",
        "6",
    ]
    assert extension == {
        "rt": "1522180885500",
        "externalId": "alert-17",
        "cnt": "1",
        "smac": "3c:2e:ff:29:4d:93",
        "shost": "Living-room TV",
        "dhost": "ads.example.net",
        "app": "web",
        "act": "reported",
        "request": "http://192.168.1.1:8081/alerts/17",
        "msg": "mode: monitor; evidence: named by the router's DNS; times: 3",
    }


def test_a_record_as_json() -> None:
    made = json.loads(json_line(message(blocked=True, outcome="Denied by cli"), 1000))
    assert (made["key"], made["alert"], made["blocked"]) == ("alert-17", 17, True)
    assert (made["device"], made["destination"], made["service"]) == (
        "Living-room TV",
        "ads.example.net",
        "web",
    )
    assert made["outcome"] == "Denied by cli"
    assert made["facts"][0] == {"name": "mode", "text": "monitor"}


@pytest.mark.parametrize(
    ("severity", "priority", "of_cef"),
    [("notice", 29, "3"), ("warning", 28, "6"), ("critical", 26, "9"), ("odd", 28, "5")],
)
def test_how_grave_it_is(severity: str, priority: int, of_cef: str) -> None:
    said = message(severity=severity)
    found = FRAME.fullmatch(record(said, to("udp")))
    assert found
    assert (int(found[1]), found[2], found[5]) == (
        priority,
        b"2018-03-27T20:01:25.500000Z",
        b"new-destination",
    )
    assert parts(cef(said, 100))[0][6] == of_cef


@pytest.mark.parametrize(
    ("how", "begins", "ends"),
    [("udp", b"<28>1 2018-", b""), ("tcp", b"<28>1 2018-", b"\n"), ("unix", b"<28>smartrouter[", b"")],
)
def test_the_frame_is_what_the_other_side_understands(how: str, begins: bytes, ends: bytes) -> None:
    made = record(message(), to(how))
    assert made.startswith(begins)
    assert made.count(b"\n") == len(ends)
    assert made.endswith(ends)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_stays_in_its_place(hostile: str) -> None:
    said = hostile_message(hostile)._replace(outcome=hostile, kind=hostile, mac=hostile)
    for form in ("cef", "json"):
        made = record(said, to("udp", form))
        assert len(made) <= LONGEST
        found = FRAME.fullmatch(made)
        assert found
        text = found[6].decode()
        assert text.isprintable()
        if form == "json":
            assert json.loads(text).keys() == json.loads(json_line(message(), 1000)).keys()
            continue
        head, extension = parts(text)
        assert (head[0], head[6]) == ("CEF:0", "6")
        usual = list(parts(cef(message(outcome="x"), 1000))[1])
        assert [name for name in extension if name not in usual] == []
        assert (extension["rt"], extension["cnt"], extension["act"]) == ("1522180885500", "1", "reported")


def test_it_is_sent_by_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        syslog = open_channel(settings("syslog", channel=f"udp://127.0.0.1:{server.getsockname()[1]}"))
        syslog.send(message(), "")
        assert FRAME.fullmatch(server.recv(65536))
        syslog.send(message(revision=2), "sent")
        assert b" cnt=2 " in server.recv(65536)
        syslog.close()


def test_it_is_sent_to_a_local_socket(tmp_path: Path) -> None:
    path = tmp_path / "log"
    syslog = open_channel(settings("syslog", channel=f"{path}?format=json"))
    error = failure_of(lambda: syslog.send(message(), ""))
    assert "cannot be reached" in str(error)
    assert not error.is_final
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(path))
        server.settimeout(20)
        syslog.send(message(), "")
        head, _, text = server.recv(65536).partition(b": ")
        assert re.fullmatch(rb"<28>smartrouter\[\d+\]", head)
        assert json.loads(text)["key"] == "alert-17"
    path.unlink()
    assert not failure_of(lambda: syslog.send(message(), "")).is_final
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:  # the daemon was restarted
        server.bind(str(path))
        server.settimeout(20)
        syslog.send(message(), "")
        assert server.recv(65536)


@pytest.mark.parametrize("with_reset", [False, True])
def test_a_tcp_connection_that_was_ended_is_made_anew(with_reset: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        syslog = open_channel(settings("syslog", channel=f"tcp://127.0.0.1:{server.getsockname()[1]}"))
        for number in range(3):
            syslog.send(message(revision=number), "")
            peer, _ = server.accept()
            line = peer.makefile("rb").readline()
            found = FRAME.fullmatch(line.removesuffix(b"\n"))
            assert found
            assert b" cnt=%d " % number in found[6]
            if with_reset:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                peer.shutdown(socket.SHUT_RDWR)
            peer.close()
        syslog.close()


def test_nobody_there() -> None:
    syslog = open_channel(settings("syslog", channel=f"tcp://127.0.0.1:{free_port()}"))
    error = failure_of(lambda: syslog.send(message(), ""))
    assert "refuses connections" in str(error)
    assert not error.is_final


@pytest.mark.parametrize(
    ("channel", "made"),
    [
        ("", Place("unix", "/dev/log", "", 0, cef)),
        ("/run/log?format=json", Place("unix", "/run/log", "", 0, json_line)),
        ("udp://192.168.1.5", Place("udp", "", "192.168.1.5", 514, cef)),
        ("udp://[fd00::1]:5140/?format=cef", Place("udp", "", "fd00::1", 5140, cef)),
        ("tcp://log.example:601?format=json", Place("tcp", "", "log.example", 601, json_line)),
    ],
)
def test_what_channel_means(channel: str, made: Place) -> None:
    assert place(settings("syslog", channel=channel)) == made


@pytest.mark.parametrize(
    "channel",
    [
        "log",
        "http://log.example",
        "udp://",
        "udp://log.example:0",
        "udp://log.example:99999",
        "udp://user@log.example",
        "udp://log.example/path",
        "udp://log.example?format=xml",
        "udp://log.example?colour=red",
        "udp://[::1",
        "/dev/log?format",
    ],
)
def test_what_cannot_be_used_is_said_when_the_channel_is_opened(channel: str) -> None:
    with pytest.raises(BadConfig, match="option channel: found something else; allowed is `/dev/log`"):
        open_channel(settings("syslog", channel=channel))
