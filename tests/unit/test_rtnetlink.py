# SPDX-License-Identifier: GPL-2.0-or-later
"""rtnetlink's messages: those on neighbours, which are read here, beside pyroute2's reading of the same; and
what becomes of an overflow. What the kernel really says is in test_surroundings."""

import errno
import socket
from typing import Any

import pytest
from pyroute2.netlink.rtnl.marshal import MarshalRtnl
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from smartrouter.core.errors import Unavailable
from smartrouter.linux import rtnetlink
from smartrouter.linux.rtnetlink import LINKS, NEIGHBOURS, Rtnetlink

MAC = "00:17:88:00:00:05"


def encoded(kind: int = 28, family: int = 2, state: int = 2, **attributes: Any) -> bytes:
    """A message on a neighbour as pyroute2 writes it."""
    message = ndmsg()
    message["header"]["type"] = kind
    message["family"], message["ifindex"], message["state"] = family, 7, state
    message["attrs"] = list(attributes.items())
    message.encode()
    return bytes(message.data)


@pytest.mark.parametrize(
    "data",
    [
        encoded(NDA_DST="192.0.2.5", NDA_LLADDR=MAC),
        encoded(family=10, NDA_DST="2001:db8::5", NDA_LLADDR=MAC, state=4),
        encoded(29, NDA_DST="192.0.2.5", state=0x20),
        encoded(family=7, NDA_LLADDR=MAC, NDA_VLAN=10, NDA_MASTER=3),
        encoded(
            NDA_DST="192.0.2.5",
            NDA_CACHEINFO={"ndm_confirmed": 1, "ndm_used": 2, "ndm_updated": 3, "ndm_refcnt": 4},
        ),
    ],
    ids=["ARP", "NDP", "lost", "bridge", "cache"],
)
def test_a_neighbour_is_read_as_pyroute2_reads_it(data: bytes) -> None:
    (theirs,) = MarshalRtnl().parse(data)
    ((kind, ours),) = Rtnetlink()._read(data)
    assert kind == theirs["header"]["type"]
    for key in ("event", "family", "ifindex", "state"):
        assert ours[key] == theirs[key]
    expected = dict(theirs["attrs"])
    for name, value in ours["attrs"]:
        assert value == expected[name] or value.items() <= expected[name].items()
    assert dict(ours["attrs"]).keys() == expected.keys()


def test_messages_of_one_datagram_are_all_read() -> None:
    data = encoded(NDA_DST="192.0.2.5") + encoded(NDA_DST="192.0.2.6") + encoded(NDA_DST="192.0.2.7")
    found = [dict(message["attrs"])["NDA_DST"] for _, message in Rtnetlink()._read(data)]
    assert found == ["192.0.2.5", "192.0.2.6", "192.0.2.7"]


@pytest.mark.parametrize("length", range(0, 60, 3))
def test_a_message_that_is_cut_short_ends_the_reading(length: int) -> None:
    data = encoded(NDA_DST="192.0.2.5", NDA_LLADDR=MAC)
    assert len(list(Rtnetlink()._read(data[:length]))) <= (length >= len(data))


def test_lengths_that_cannot_be_end_the_reading() -> None:
    data = bytearray(encoded(NDA_DST="192.0.2.5", NDA_LLADDR=MAC))
    data[28:30] = b"\0\0"  # of the first attribute
    ((_, message),) = Rtnetlink()._read(bytes(data))
    assert message["attrs"] == []
    data[0:4] = b"\1\0\0\0"
    assert list(Rtnetlink()._read(bytes(data))) == []


def test_dumps_come_to_an_end_and_can_be_left_early() -> None:
    source = Rtnetlink()
    links = list(source.dump(LINKS))
    assert {message["event"] for message in links} == {"RTM_NEWLINK"}
    assert next(source.dump(LINKS))["index"] == links[0]["index"]
    assert {message["event"] for message in source.dump(NEIGHBOURS, socket.AF_INET)} <= {"RTM_NEWNEIGH"}
    source.close()


def test_what_the_kernel_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rtnetlink._BODY, 9999, 16)
    with pytest.raises(Unavailable, match="does not tell its links"):
        list(Rtnetlink().dump(9999))


class Overflowing:
    """A socket whose buffer has overflown."""

    def __init__(self) -> None:
        full = OSError(errno.ENOBUFS, "full")
        self.waiting: list[bytes | OSError] = [full, b"old", b"old", full, b"old"]
        self.options: list[int] = []

    def recv(self, _: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError
        first = self.waiting.pop(0)
        if isinstance(first, OSError):
            raise first
        return first

    def setsockopt(self, _level: int, option: int, _group: int) -> None:
        self.options.append(option)


def test_after_an_overflow_it_is_deaf_until_somebody_listens_again() -> None:
    source = Rtnetlink()
    source.listen()
    sock = Overflowing()
    source._events = sock  # type: ignore[assignment]
    assert source.events() == ([], True)
    assert sock.waiting == []
    assert set(sock.options) == {2}  # NETLINK_DROP_MEMBERSHIP
    assert source.events() == ([], False)
    source.listen()
    source.listen()
    assert sock.options.count(1) == 4  # NETLINK_ADD_MEMBERSHIP, of each group once


@pytest.mark.parametrize(
    "unreadable",
    [
        "10000000 1c000000 0000000000000000",  # of a neighbour, and nothing of it
        "14000000 13000000 0000000000000000 00000000",  # pyroute2 reads on behind its end
        "10000000 02000000 0000000000000000",  # an error without its number
        "14000000 0f270000 0000000000000000 00000000",  # of a type that nobody knows
    ],
)
def test_a_message_that_cannot_be_read_is_passed_over(unreadable: str) -> None:
    data = bytearray.fromhex(unreadable)
    data[0] = len(data)
    read = list(Rtnetlink()._read(bytes(data) + encoded(NDA_DST="192.0.2.5")))
    assert [dict(message["attrs"]) for _, message in read] == [{"NDA_DST": "192.0.2.5"}]
