# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel has counted of connections, as its messages say it; a real kernel says them in
netns/test_volume.py."""

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from unit.made_counts import Ends, connection, packed, side

from smartrouter.core.errors import Unavailable
from smartrouter.linux.counted import Counted, all_open, open_connections, read
from smartrouter.linux.netlink import Message

ROUTER, DEVICE, WAN, SERVER = "192.168.77.1", "192.168.77.20", "198.51.100.1", "203.0.113.10"
DEVICE6, SERVER6 = "fd77::20", "2001:db8::10"
DEVICES = frozenset(map(packed, (DEVICE, DEVICE6)))
OUT: Ends = (DEVICE, 40000, SERVER, 443)
OUT6: Ends = (DEVICE6, 40000, SERVER6, 443)
CALLED: Ends = (SERVER, 5000, WAN, 8080)
MASQUERADED: Ends = (SERVER, 443, WAN, 61000)
# What a kernel told of a datagram of 100 bytes from 127.0.0.1 to its port 9 once it had forgotten it.
TOLD = bytes.fromhex(
    "3400018014000180080001007f000001080002007f0000011c000280050001001100000006000200e77c0000060003000009"
    "00003400028014000180080001007f000001080002007f0000011c0002800500010011000000060002000009000006000300"
    "e77c000008000c00e19bb8e70800030000000208080007000000001d1c0009800c00010000000000000000010c0002000000"
    "0000000000801c000a800c00010000000000000000000c0002000000000000000000"
)


def found(item: bytes) -> Counted:
    counted = read(item, DEVICES)
    assert counted is not None
    return counted


def test_a_connection_is_read_as_a_real_kernel_tells_of_it() -> None:
    counted = read(TOLD, {packed("127.0.0.1")})
    assert counted is not None
    assert counted[1:] == (*[packed("127.0.0.1")] * 3, 17, 9, False, 128, 0, 1, 0, False)
    assert read(TOLD, DEVICES) is None


@pytest.mark.parametrize(
    ("original", "reply", "protocol", "expected"),
    [
        (OUT, None, 6, (DEVICE, SERVER, SERVER, 443, False, 1000, 500)),
        (OUT6, None, 17, (DEVICE6, SERVER6, SERVER6, 443, False, 1000, 500)),
        (OUT, MASQUERADED, 6, (DEVICE, SERVER, SERVER, 443, False, 1000, 500)),
        # The router answers in the place of the server that was asked: that is where it really went.
        (OUT, (ROUTER, 443, DEVICE, 40000), 17, (DEVICE, SERVER, ROUTER, 443, False, 1000, 500)),
        (OUT, None, 1, (DEVICE, SERVER, SERVER, 0, False, 1000, 500)),
        # A forwarded port: the device is the one that answers, its port is the service.
        (CALLED, (DEVICE, 80, SERVER, 5000), 6, (DEVICE, SERVER, SERVER, 80, True, 500, 1000)),
    ],
    ids=["plain", "IPv6", "masqueraded", "redirected", "ICMP", "forwarded port"],
)  # fmt: skip
def test_a_connection_is_seen_from_the_devices_side(
    original: Ends, reply: Ends | None, protocol: int, expected: tuple[Any, ...]
) -> None:
    counted = found(connection(original, reply, protocol=protocol))
    device, address, end, port, inbound, bytes_out, bytes_in = expected
    assert counted[1:9] == (
        packed(device), packed(address), packed(end), protocol, port, inbound, bytes_out, bytes_in,
    )  # fmt: skip


def test_others_connections_are_none_of_ours() -> None:
    for item in (connection(MASQUERADED), connection((SERVER6, 1, "2001:db8::9", 2)), connection(OUT)):
        assert read(item, {packed("192.168.77.21")}) is None


def test_without_counts_there_are_none() -> None:
    assert found(connection(OUT, sent=None))[7:11] == (-1, -1, -1, -1)


def test_what_was_handed_to_the_hardware_is_known() -> None:
    assert not found(connection(OUT)).offloaded
    assert found(connection(OUT, status=1 << 14)).offloaded
    assert found(connection(OUT, status=1 << 15)).offloaded


def test_connections_have_numbers_of_their_own() -> None:
    one, same = found(connection(OUT)), found(connection(OUT, sent=(9, 9000)))
    again, other = found(connection(OUT, ident=8)), found(connection((DEVICE, 40001, SERVER, 443)))
    assert one.number == same.number
    assert len({one.number, again.number, other.number}) == 3


@pytest.mark.parametrize(
    "item",
    [b"", side(1, OUT, 6), side(1, OUT, 6) + b"\x02\0\x02\x80", side(1, OUT, 6)[:40] + side(2, OUT, 6)],
    ids=["nothing", "half", "too short", "cut"],
)
def test_what_no_kernel_says_is_refused(item: bytes) -> None:
    with pytest.raises(OSError, match=r"netlink attribute|a connection without"):
        read(item, DEVICES)


class Kernel:
    """Lists `items`, then fails with `code` if there is one."""

    def __init__(self, *items: bytes, code: int = 0) -> None:
        self.items, self.code = items, code

    def stream(self, message: Message) -> Iterator[bytes]:
        assert (message.kind, message.family) == (1 << 8 | 1, socket.AF_UNSPEC)
        yield from self.items
        if self.code:
            raise OSError(self.code, "no")


def test_of_what_is_open_devices_connections_are_given() -> None:
    kernel: Any = Kernel(connection(OUT), connection(MASQUERADED), connection(OUT6))
    assert [each.device for each in open_connections(kernel, DEVICES)] == [packed(DEVICE), packed(DEVICE6)]
    numbers = dict(all_open(kernel))
    assert len(numbers) == 3
    assert numbers[found(connection(OUT)).number] == (1000, 500, 3, 2)


def test_a_kernel_that_cannot_list_them_is_told_what_to_install() -> None:
    kernel: Any = Kernel(code=errno.EOPNOTSUPP)
    with pytest.raises(Unavailable, match="kmod-nf-conntrack-netlink"):
        list(open_connections(kernel, DEVICES))
    kernel = Kernel(code=errno.EPERM)
    with pytest.raises(Unavailable, match="CAP_NET_ADMIN"):
        list(all_open(kernel))
    kernel = Kernel(connection(OUT), code=errno.EINTR)
    with pytest.raises(InterruptedError):
        list(open_connections(kernel, DEVICES))
