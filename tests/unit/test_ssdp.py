# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices announce by SSDP, as small ones write it."""

import pytest
from counting import steps

from smartrouter.core.classification.signs import Announced
from smartrouter.core.errors import BadPacket
from smartrouter.wire.ssdp import MAX_MESSAGE, parse_notice

NOTIFY, ANSWER = "NOTIFY * HTTP/1.1", "HTTP/1.1 200 OK"
RENDERER = "urn:schemas-upnp-org:device:MediaRenderer:1"
UUID = "2f402f80-da50-11e1-9b23-001788255acc"


def notice(*headers: str, start: str = NOTIFY, newline: str = "\r\n", end: str = "") -> bytes:
    return newline.join([start, "HOST: 239.255.255.250:1900", *headers, end, ""]).encode()


def test_a_notice_is_read() -> None:
    payload = notice(
        "CACHE-CONTROL: max-age=100",
        "LOCATION: http://192.168.1.9:80/description.xml",
        "SERVER: Linux/3.14.0 UPnP/1.0 IpBridge/1.9.0",
        "NTS: ssdp:alive",
        f"NT: {RENDERER}",
        f"USN: uuid:{UUID}::{RENDERER}",
    )
    assert parse_notice(payload) == Announced(
        services=(RENDERER,), models=("Linux/3.14.0 UPnP/1.0 IpBridge/1.9.0",), ids=(UUID,)
    )


@pytest.mark.parametrize(
    ("start", "header", "announced"),
    [
        (NOTIFY, f"NT: {RENDERER}", Announced(services=(RENDERER,))),
        (NOTIFY, f"nt:{RENDERER}  ", Announced(services=(RENDERER,))),
        (NOTIFY, f"ST: {RENDERER}", Announced()),
        (ANSWER, f"ST: {RENDERER}", Announced(services=(RENDERER,))),
        ("HTTP/1.0 200", f"St:\t{RENDERER}", Announced(services=(RENDERER,))),
        (ANSWER, f"NT: {RENDERER}", Announced()),
        (NOTIFY, "NT: upnp:rootdevice", Announced()),
        (NOTIFY, "NT: URN:Belkin:device:1", Announced(services=("URN:Belkin:device:1",))),
        (NOTIFY, f"NT: uuid:{UUID}", Announced(ids=(UUID,))),
        (NOTIFY, f"USN: uuid:{UUID.upper()}::upnp:rootdevice", Announced(ids=(UUID,))),
        (NOTIFY, f"USN: uuid:{UUID}::{RENDERER}", Announced(services=(RENDERER,), ids=(UUID,))),
        (NOTIFY, "USN: nothing", Announced()),
        (NOTIFY, "USN: uuid:", Announced()),
        (NOTIFY, "X-User-Agent: redsonic", Announced(models=("redsonic",))),
        (NOTIFY, "hue-bridgeid: 001788FFFE2476FF", Announced(ids=("001788fffe2476ff",))),
        (NOTIFY, "model: color", Announced(models=("color",))),
        (NOTIFY, "SERVER:", Announced()),
        (NOTIFY, "a line that is no header", Announced()),
        ("M-SEARCH * HTTP/1.1", f"ST: {RENDERER}", Announced()),
    ],
)
def test_headers(start: str, header: str, announced: Announced) -> None:
    for newline in ("\r\n", "\n"):
        assert parse_notice(notice(header, start=start, newline=newline)) == announced


def test_a_notice_that_it_goes_says_the_same() -> None:
    assert parse_notice(notice("NTS: ssdp:byebye", f"NT: {RENDERER}")).services == (RENDERER,)


def test_the_first_of_two_headers_counts_and_nothing_behind_the_last_one() -> None:
    payload = notice("NT: urn:a", "nt: urn:b") + b"SERVER: late\r\n"
    assert parse_notice(payload) == Announced(services=("urn:a",))


def test_the_last_empty_line_may_be_missing() -> None:
    assert parse_notice(f"{NOTIFY}\r\nNT: {RENDERER}".encode()).services == (RENDERER,)


def test_texts_are_cut_and_what_is_no_text_is_replaced() -> None:
    payload = notice("SERVER: ").replace(b"SERVER: ", b"SERVER: \xff" + b"x" * 300)
    assert parse_notice(payload).models == ("\ufffd" + "x" * 252,)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\0" * 100,
        b"GET / HTTP/1.1\r\n\r\n",
        b"NOTIFY * HTTP/2.0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 2000\r\n\r\n",
        notice(*["a: b"] * 64),
        notice("a: " + "b" * MAX_MESSAGE),
    ],
)
def test_what_is_no_notice_is_refused(payload: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_notice(payload)


COSTLY = {
    "newlines": NOTIFY.encode() + b"\n" * (MAX_MESSAGE - len(NOTIFY)),
    "colons": notice("a" + ":" * 4000),
    "headers": notice(*[f"h{n}: {n}" for n in range(60)]),
    "an endless first line": b"HTTP/1.1 200 " + b" " * (MAX_MESSAGE - 13),
}


@pytest.mark.parametrize("payload", COSTLY.values(), ids=COSTLY.keys())
def test_no_message_costs_more_than_bounded_work(payload: bytes) -> None:
    def read() -> None:
        try:
            parse_notice(payload)
        except BadPacket:
            pass

    assert len(payload) <= MAX_MESSAGE
    assert steps(read) < 2_000
