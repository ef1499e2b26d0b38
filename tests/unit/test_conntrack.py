# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections as the kernel lists them, and what asks it to forget one; a real kernel does it in a network
test."""

import errno
import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from smartrouter.core.effects import Flow
from smartrouter.core.errors import Unavailable
from smartrouter.linux import conntrack
from smartrouter.linux.netlink import Message, attribute, attributes, nested, number

FLOWS = [
    Flow("10.1.0.2", 42978, "198.51.100.2", 5001, 17),
    Flow("10.1.0.2", 1, "198.51.100.2", 65535, 6),
    Flow("fd01::2", 42978, "2001:db8::2", 443, 6),
    Flow("10.1.0.2", 0, "198.51.100.2", 0, 1),
    Flow("fd01::2", 0, "2001:db8::2", 0, 58),
    Flow("10.1.0.2", 0, "198.51.100.2", 0, 47),
    Flow("10.1.0.2", 0, "198.51.100.2", 0, 253),
]
# What a kernel sends of a UDP connection, up to its CTA_TUPLE_REPLY.
PRINTED = bytes.fromhex(
    "34000180 14000180 08000100 0a010002 08000200 c6336402"
    "1c000280 05000100 11000000 06000200 a7e20000 06000300 13890000"
    "34000280 14000180 08000100 c6336402 08000200 0a010002"
)


class Kernel:
    """Lists `items`, then fails with `code` if there is one; keeps what it is asked to forget."""

    def __init__(self, *items: bytes, code: int = 0) -> None:
        self.items, self.code = items, code
        self.sends: list[int] = []
        self.bodies: list[bytes] = []

    def stream(self, message: Message) -> Iterator[bytes]:
        assert (message.kind, message.family) == (1 << 8 | 1, socket.AF_UNSPEC)
        yield from self.items
        if self.code:
            raise OSError(self.code, "no")

    def requests(self, messages: list[Message]) -> dict[int, int]:
        if self.code:
            raise OSError(self.code, "no")
        self.sends.append(len(messages))
        self.bodies += [message.body for message in messages]
        return {0: errno.ENOENT}


def listed(flow: Flow) -> bytes:
    """As the kernel would list `flow`: with the identifier of an echo, or a tunnel's keys."""
    six = ":" in flow.address
    family, source = (socket.AF_INET6, 3) if six else (socket.AF_INET, 1)
    ends = (flow.client, flow.address)
    addresses = [attribute(source + at, socket.inet_pton(family, end)) for at, end in enumerate(ends)]
    rest = {
        1: [attribute(4, b"\x12\x34"), attribute(5, b"\x08"), attribute(6, b"\0")],
        58: [attribute(7, b"\x12\x34"), attribute(8, b"\x80"), attribute(9, b"\0")],
        47: [attribute(2, b"\x12\x34"), attribute(3, b"\x56\x78")],
        253: [],
    }
    ports = [
        attribute(2 + at, struct.pack(">H", port)) for at, port in enumerate((flow.client_port, flow.port))
    ]
    protocol = nested(2, attribute(1, bytes((flow.protocol,))), *rest.get(flow.protocol, ports))
    return nested(1, nested(1, *addresses), protocol) + nested(2, number(1, 7)) + number(3, 8)


def test_a_connection_is_read_as_a_real_kernel_lists_it() -> None:
    kernel: Any = Kernel(PRINTED)
    assert list(conntrack.flows(kernel)) == [FLOWS[0]]


@pytest.mark.parametrize("flow", FLOWS)
def test_connections_of_any_protocol_are_read(flow: Flow) -> None:
    kernel: Any = Kernel(listed(flow), PRINTED)
    assert list(conntrack.flows(kernel)) == [flow, FLOWS[0]]


@pytest.mark.parametrize("flow", FLOWS)
def test_the_quick_way_reads_what_the_long_way_reads(flow: Flow) -> None:
    assert conntrack._flow(listed(flow)) == conntrack._unusual_flow(listed(flow)) == flow


def test_a_kernel_that_cannot_list_them_is_told_what_to_install() -> None:
    for code in (errno.EINVAL, errno.EOPNOTSUPP):
        kernel: Any = Kernel(code=code)
        with pytest.raises(Unavailable, match="kmod-nf-conntrack-netlink"):
            list(conntrack.flows(kernel))
    kernel = Kernel(code=errno.EPERM)
    with pytest.raises(Unavailable, match="CAP_NET_ADMIN"):
        list(conntrack.flows(kernel))
    kernel = Kernel(PRINTED, code=errno.EINTR)  # some may be missing
    assert list(conntrack.flows(kernel)) == [FLOWS[0]]


def test_many_are_forgotten_in_few_sends() -> None:
    kernel: Any = Kernel()
    assert conntrack.forget_all(kernel, [FLOWS[1]] * 1001) == 1001 - 3
    assert kernel.sends == [500, 500, 1]
    assert conntrack.forget(kernel, FLOWS[1]) is False
    kernel = Kernel(code=errno.EPERM)
    assert conntrack.forget_all(kernel, FLOWS) == 0


@pytest.mark.parametrize("flow", [FLOWS[0], FLOWS[2], FLOWS[6]])
def test_what_is_to_be_forgotten_is_named_as_it_is_listed(flow: Flow) -> None:
    kernel: Any = Kernel()
    conntrack.forget(kernel, flow)
    assert attributes(kernel.bodies[0])[1] == attributes(listed(flow))[1]


@pytest.mark.parametrize("length", [0, 11, 12, 30, 45])
def test_a_connection_that_is_cut_short_is_told_as_what_the_kernel_cannot_list(length: int) -> None:
    kernel: Any = Kernel(PRINTED[:length])
    with pytest.raises(Unavailable):
        list(conntrack.flows(kernel))
