# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device does with a socket, and what it sees: connect, exchange a datagram, look a name up, ping.

Each function gets a socket that already belongs to the right namespace and answers with an `Outcome`
(or `Answer`) instead of raising: a refusal is a result here, not an error. Knows nothing of namespaces.

An ICMP error that comes back while connect() still holds the socket is ignored by the kernel until the SYN
is sent again a second later. On these wires, which take no time, that happens to refusals made by a rule of
the ruleset; a verdict of the guard comes late enough. A TCP reset is always seen at once.
"""

import errno
import socket
import struct
from collections.abc import Callable
from enum import StrEnum
from time import monotonic
from typing import NamedTuple

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

_BIGGEST = 65535


class Result(StrEnum):
    """How an attempt ended, as the device sees it."""

    CONNECTED = "connected"
    ANSWERED = "answered"
    REFUSED = "refused"  # a TCP reset in answer to the SYN, or an ICMP port-unreachable
    RESET = "reset"  # a TCP reset later in the connection
    CLOSED = "closed"  # the other side ended the connection without an answer
    PROHIBITED = "prohibited"  # ICMP admin-prohibited (the kernel reports host-unreachable alike)
    UNREACHABLE = "unreachable"  # ICMP net-unreachable, or no route in the device itself
    TIMED_OUT = "timed out"
    NO_ADDRESS = "no address"  # the name has none: there was no attempt


_RESULTS = {
    errno.ECONNREFUSED: Result.REFUSED,
    errno.ECONNRESET: Result.RESET,
    errno.EPIPE: Result.RESET,
    errno.EHOSTUNREACH: Result.PROHIBITED,  # ICMP type 3, code 13
    errno.EACCES: Result.PROHIBITED,  # ICMPv6 type 1, code 1
    errno.ENETUNREACH: Result.UNREACHABLE,
    errno.ETIMEDOUT: Result.TIMED_OUT,
}


class Outcome(NamedTuple):
    """How an attempt ended, after how many milliseconds, and what came back."""

    result: Result
    ms: float
    answer: bytes = b""

    @property
    def ok(self) -> bool:
        return self.result in (Result.CONNECTED, Result.ANSWERED)


class Answer(NamedTuple):
    """What a resolver said. `status`: the DNS rcode's name, or a `Result` where no answer came.

    `names`: the chain, from the question on. `addresses`: A and AAAA. `ttl`: seconds, the smallest.
    """

    status: str
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    ttl: int = 0
    ms: float = 0.0


def family_of(address: str) -> socket.AddressFamily:
    """AF_INET or AF_INET6, by the look of `address`."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(sock: socket.socket, address: str, port: int, timeout: float, say: bytes = b"") -> Outcome:
    """Open a TCP connection; with `say`, also send that and wait for an answer. Leaves `sock` open."""

    def attempt() -> tuple[Result, bytes]:
        sock.connect((address, port))
        if not say:
            return Result.CONNECTED, b""
        sock.sendall(say)
        answer = sock.recv(_BIGGEST)
        return (Result.CONNECTED if answer else Result.CLOSED), answer

    return _timed(sock, timeout, attempt)


def say(sock: socket.socket, data: bytes, timeout: float) -> Outcome:
    """Send `data` on an open connection and wait for an answer."""

    def attempt() -> tuple[Result, bytes]:
        sock.sendall(data)
        answer = sock.recv(_BIGGEST)
        return (Result.ANSWERED if answer else Result.CLOSED), answer

    return _timed(sock, timeout, attempt)


def udp(sock: socket.socket, address: str, port: int, data: bytes, timeout: float) -> Outcome:
    """Send one datagram and wait for one back. The socket is connected, so that ICMP errors arrive."""

    def attempt() -> tuple[Result, bytes]:
        sock.connect((address, port))
        sock.send(data)
        return Result.ANSWERED, sock.recv(_BIGGEST)

    return _timed(sock, timeout, attempt)


def ping(sock: socket.socket, address: str, timeout: float) -> Outcome:
    """One ICMP echo over a ping socket (SOCK_DGRAM, the kernel fills in identifier and checksum)."""
    echo_request = 128 if sock.family == socket.AF_INET6 else 8  # RFC 4443 section 4.1, RFC 792
    return udp(sock, address, 0, struct.pack("!BBHHH", echo_request, 0, 0, 0, 1) + b"smartrouter", timeout)


def resolve(sock: socket.socket, server: str, name: str, kind: str, timeout: float, port: int = 53) -> Answer:
    """Ask `server` for `name`; `kind`: 'A', 'AAAA', 'PTR' … Over TCP if `sock` is a stream socket."""
    query = dns.message.make_query(name, kind)
    if sock.type == socket.SOCK_STREAM:
        wire = query.to_wire()
        outcome = connect(sock, server, port, timeout, struct.pack("!H", len(wire)) + wire)
        message = outcome.answer[2:]
    else:
        outcome = udp(sock, server, port, query.to_wire(), timeout)
        message = outcome.answer
    if not message:
        return Answer(outcome.result, ms=outcome.ms)
    try:
        reply = dns.message.from_wire(message)
    except dns.exception.DNSException as error:
        return Answer(f"unreadable: {error}", ms=outcome.ms)
    return _answer(reply, name, outcome.ms)


def _answer(reply: dns.message.Message, name: str, ms: float) -> Answer:
    names, addresses, ttls = [name], [], []
    for rrset in reply.answer:
        ttls.append(rrset.ttl)
        for record in rrset:
            if rrset.rdtype in (dns.rdatatype.CNAME, dns.rdatatype.PTR):
                names.append(record.target.to_text(omit_final_dot=True))
            elif rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
                addresses.append(record.address)
    status = dns.rcode.to_text(reply.rcode())
    return Answer(status, tuple(names), tuple(addresses), min(ttls, default=0), ms)


def _timed(sock: socket.socket, timeout: float, attempt: Callable[[], tuple[Result, bytes]]) -> Outcome:
    begun = monotonic()
    sock.settimeout(timeout)
    try:
        result, answer = attempt()
    except TimeoutError:
        result, answer = Result.TIMED_OUT, b""
    except OSError as error:
        if error.errno not in _RESULTS:
            raise
        result, answer = _RESULTS[error.errno], b""
    return Outcome(result, (monotonic() - begun) * 1000, answer)
