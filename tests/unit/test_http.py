# SPDX-License-Identifier: GPL-2.0-or-later
"""The host that an HTTP/1 request asks for."""

import http.client
import socket
import threading

import pytest
from counting import steps

from smartrouter.core.errors import BadPacket
from smartrouter.wire.http import parse_request

GET = b"GET /path?a=b HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "host"),
    [
        (GET + b"Host: www.Example.com\r\n\r\n", "www.example.com"),
        (GET + b"Host: www.example.com\r\n", "www.example.com"),  # no need to wait for the rest
        (GET + b"Accept: */*\r\nHOST:www.example.com:8080 \r\n\r\n", "www.example.com"),
        (GET + b"host:\twww.example.com.\t\r\n\r\nbody", "www.example.com"),
        (b"POST / HTTP/1.0\nHost: www.example.com\n\n", "www.example.com"),
        (b"M-SEARCH * HTTP/1.1\r\nHost: www.example.com\r\n\r\n", "www.example.com"),
        (b"GET http://www.Example.com:80/ HTTP/1.1\r\n", "www.example.com"),
        (b"GET HTTP://www.example.com?q HTTP/1.1\r\nHost: other.example\r\n\r\n", "www.example.com"),
        (b"GET https://www.example.com HTTP/1.1\r\nHost: other.example\r\n\r\n", "www.example.com"),
        (b"CONNECT www.example.com:443 HTTP/1.1\r\nHost: www.example.com:443\r\n\r\n", "www.example.com"),
        (GET + b"Host: first.example\r\nHost: second.example\r\n\r\n", "first.example"),
        # none is said, or it is no name
        (b"GET / HTTP/1.0\r\n\r\n", ""),
        (b"GET / HTTP/1.0\r\n\r\nHost: in.the.body.example\r\n", ""),
        (b"GET / HTTP/1.1\n\r\nHost: in.the.body.example\r\n", ""),
        (GET + b"Host:\r\n\r\n", ""),
        (GET + b"Host: 203.0.113.7:8080\r\n\r\n", ""),
        (GET + b"Host: [2001:db8::7]:80\r\n\r\n", ""),
        (GET + b"Host: a.example, b.example\r\n\r\n", ""),
        (GET + b"Host : a.example\r\n\r\n", ""),
        (GET + b"X-Host: a.example\r\n\r\n", ""),
        (GET + b"Host: a.example:http\r\n\r\n", ""),
        (GET + b"Host: a.example\0\r\n\r\n", ""),
        (b"GET http://user@a.example/ HTTP/1.1\r\n", ""),
        (b"GET http:///path HTTP/1.1\r\n", ""),
    ],
)
def test_the_host_is_read(request_bytes: bytes, host: str) -> None:
    assert parse_request(request_bytes) == host


def test_of_every_beginning_only_a_whole_host_line_tells() -> None:
    wire = GET + b"Accept: */*\r\nHost: www.example.com\r\nUser-Agent: tv\r\n\r\n"
    end = wire.index(b"User-Agent")
    assert [parse_request(wire[:size]) for size in range(end)] == [None] * end
    assert parse_request(wire[:end]) == "www.example.com"


@pytest.mark.parametrize(
    "wire",
    [
        b"\x16\3\1\0\5",
        b"\0",
        b"get / HTTP/1.1\r\n",
        b"GET\r\n",
        b"GET /\r\n",
        b"GET / HTTP/2.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / RTSP/1.0\r\n",
        b"GET / x",
        b"GET  / HTTP/1.1\r\n",
        b"GET /a b HTTP/1.1\r\n",
        b"A" * 21,
        b"SSH-2.0-dropbear",
        b"\r\nGET / HTTP/1.1\r\n",
        b"GET /\x7f\1 HTTP/1.1\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"GET /" + b"a" * 8192,
        GET + b"X: " + b"a" * 8192,
        GET + b"X: " + b"a" * 8192 + b"\r\nHost: late.example\r\n\r\n",
    ],
)
def test_what_is_no_request_is_refused(wire: bytes) -> None:
    with pytest.raises(BadPacket):
        parse_request(wire)


def test_nothing_yet_is_no_fault() -> None:
    assert parse_request(b"") is None


@pytest.mark.parametrize(
    "wire",
    [
        GET + b"\n" * 8000,
        GET + b"\r\n\r" * 2500,
        GET + b"host" * 2000,
        GET + b"Host:" + b" \t\r" * 2600 + b"\n",
        GET + b"\nhost:" * 1000,
        b"GET http://" + b":" * 8000,
        b"GET " + b"a" * 8000,
    ],
)
def test_no_request_costs_much(wire: bytes) -> None:
    def parse() -> None:
        try:
            parse_request(wire)
        except BadPacket:
            pass

    assert steps(parse) < 60


def test_pythons_own_client_is_understood() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = http.client.HTTPConnection("127.0.0.1", server.getsockname()[1], timeout=20)
        asking = threading.Thread(
            target=client.request, args=("GET", "/x"), kwargs={"headers": {"Host": "Real.example:81"}}
        )
        asking.start()
        with server.accept()[0] as connection:
            got = connection.recv(4096)
        asking.join()
        client.close()
    assert parse_request(got) == "real.example"
