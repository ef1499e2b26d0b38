# SPDX-License-Identifier: GPL-2.0-or-later
"""Which element each call changes, and what the kernel's refusals mean."""

import errno
from collections.abc import Callable
from typing import Any

import pytest

from smartrouter.core.effects import Flow
from smartrouter.core.errors import Unavailable
from smartrouter.linux import sets
from smartrouter.linux.netlink import Message, attributes, string

MAC, KEY = "02:00:00:aB:cd:ef", bytes.fromhex("020000abcdef")
ADD, DELETE = 12, 14  # NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM
FLOW4 = Flow("10.1.2.3", 0x1234, "192.0.2.1", 443, 6)
FLOW6 = Flow("fd00::1", 0x1234, "2001:db8::1", 443, 6)
KEY4 = bytes.fromhex("0a010203 12340000 c0000201 01bb0000")
KEY6 = bytes.fromhex(f"fd00{'00' * 13}01 12340000 20010db8{'00' * 11}01 01bb0000")


class Kernel:
    """Stands where the socket would: keeps what is sent, and refuses if told to."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.refusal: OSError | None = None
        self.knows_connections = True
        self.forgotten: list[Message] = []

    def request(self, message: Message) -> None:
        self.forgotten.append(message)
        if not self.knows_connections:
            raise OSError(errno.ENOENT, "no such connection")

    def transaction(self, subsystem: int, messages: list[Message]) -> None:
        self.sent += messages
        if self.refusal:
            raise self.refusal


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(sets, "Netlink", lambda: kernel)
    return kernel


Call = Callable[[sets.Sets], Any]


@pytest.mark.parametrize(
    ("call", "kind", "name", "key"),
    [
        (lambda s: s.watch(MAC), ADD, "watched", KEY),
        (lambda s: s.unwatch(MAC), DELETE, "watched", KEY),
        (lambda s: s.enforce(MAC), ADD, "enforced", KEY),
        (lambda s: s.relax(MAC), DELETE, "enforced", KEY),
        (lambda s: s.exempt(MAC), ADD, "exempt", KEY),
        (lambda s: s.include(MAC), DELETE, "exempt", KEY),
        (lambda s: s.admit("10.1.2.3"), ADD, "dns_clients4", b"\x0a\x01\x02\x03"),
        (lambda s: s.dismiss("10.1.2.3"), DELETE, "dns_clients4", b"\x0a\x01\x02\x03"),
        (lambda s: s.admit("fd00::1"), ADD, "dns_clients6", b"\xfd" + bytes(14) + b"\x01"),
        (lambda s: s.dismiss("fd00::1"), DELETE, "dns_clients6", b"\xfd" + bytes(14) + b"\x01"),
    ],
)
def test_each_call_changes_one_element(kernel: Kernel, call: Call, kind: int, name: str, key: bytes) -> None:
    call(sets.Sets())
    (message,) = kernel.sent
    body = attributes(message.body)
    assert (message.kind & 255, string(body[1]), string(body[2])) == (kind, "smartrouter", name)
    assert attributes(attributes(attributes(body[3])[1])[1])[1] == key


def changes(kernel: Kernel) -> list[tuple[int, str, bytes, int | None]]:
    """What was sent: kind, set, key, and the element's own timeout in milliseconds."""
    found = []
    for message in kernel.sent:
        body = attributes(message.body)
        element = attributes(attributes(body[3])[1])
        timeout = int.from_bytes(element[4], "big") if 4 in element else None
        found.append((message.kind & 255, string(body[2]), attributes(element[1])[1], timeout))
    return found


@pytest.mark.parametrize(("flow", "key", "version"), [(FLOW4, KEY4, 4), (FLOW6, KEY6, 6)])
def test_a_held_connection_is_cut_behind_its_inspection_until_it_is_released(
    kernel: Kernel, flow: Flow, key: bytes, version: int
) -> None:
    mine = sets.Sets()
    hello, cut = f"hello{version}", f"cut{version}"
    mine.inspect(flow, held=False)
    assert changes(kernel) == [(ADD, hello, key, None)]
    kernel.sent.clear()
    mine.inspect(flow, held=True)
    assert changes(kernel) == [(ADD, cut, key, None), (ADD, hello, key, None)]
    kernel.sent.clear()
    mine.release(flow)
    assert changes(kernel) == [(DELETE, hello, key, None), (DELETE, cut, key, None)]
    assert kernel.forgotten == []


@pytest.mark.parametrize(
    ("knows", "timeout"), [(True, 60_000), (False, None)], ids=["forgotten", "still known"]
)
def test_a_cut_lasts_until_the_kernel_has_forgotten_the_connection(
    kernel: Kernel, knows: bool, timeout: int | None
) -> None:
    """For the set's own, long time where nobody can make it forget."""
    kernel.knows_connections = knows
    sets.Sets().cut(FLOW4)
    assert changes(kernel) == [
        (DELETE, "hello4", KEY4, None),
        (ADD, "cut4", KEY4, None),
        (DELETE, "cut4", KEY4, None),
        (ADD, "cut4", KEY4, timeout),
    ]
    (asked,) = kernel.forgotten
    original = attributes(attributes(asked.body)[1])
    assert (asked.kind, asked.family) == (1 << 8 | 2, 2)  # IPCTNL_MSG_CT_DELETE, AF_INET
    assert attributes(original[1]) == {1: b"\x0a\x01\x02\x03", 2: b"\xc0\x00\x02\x01"}
    assert attributes(original[2]) == {1: b"\x06", 2: b"\x12\x34", 3: b"\x01\xbb"}


def test_without_packet_rules_there_is_no_inspection_to_forget(kernel: Kernel) -> None:
    kernel.refusal = OSError(errno.ENOENT, "no table")
    sets.Sets().forget_inspections()
    kernel.refusal = OSError(errno.EPERM, "no")
    with pytest.raises(Unavailable):
        sets.Sets().forget_inspections()


@pytest.mark.parametrize(
    "call",
    [
        lambda s: s.watch("02:00:00:00:00"),
        lambda s: s.watch("02:00:00:00:00:0g"),
        lambda s: s.watch("02:00:00:00:00:01\n"),
        lambda s: s.admit("10.1.2"),
        lambda s: s.admit("host.example"),
        lambda s: s.dismiss("fd00::1::2"),
        lambda s: s.admit(""),
        lambda s: s.inspect(FLOW4._replace(client="fd00::1"), held=True),
        lambda s: s.cut(FLOW6._replace(address="2001:db8::x")),
    ],
)
def test_anything_else_is_refused_before_it_is_sent(kernel: Kernel, call: Call) -> None:
    with pytest.raises(ValueError, match="not a"):
        call(sets.Sets())
    assert kernel.sent == []


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.ENFILE, "what was tried: the set is full"),
        (errno.ENOSPC, "what was tried: the set is full"),
        (errno.ENOENT, "what was tried: the packet rules are not loaded"),
        (errno.EPERM, "CAP_NET_ADMIN"),
        (errno.ENOMEM, "what was tried"),
    ],
)
def test_a_refusal_says_what_to_do(kernel: Kernel, code: int, said: str) -> None:
    kernel.refusal = OSError(code, "what was tried")
    for call in (sets.Sets.watch, sets.Sets.enforce):
        with pytest.raises(Unavailable, match=said):
            call(sets.Sets(), MAC)


def test_taking_out_what_is_not_there_is_no_error(kernel: Kernel) -> None:
    kernel.refusal = OSError(errno.ENOENT, "gone")
    sets.Sets().unwatch(MAC)
    sets.Sets().dismiss("10.1.2.3")
    assert len(kernel.sent) == 2
    kernel.refusal = OSError(errno.EPERM, "no")
    with pytest.raises(Unavailable):
        sets.Sets().dismiss("10.1.2.3")
