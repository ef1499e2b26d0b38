# SPDX-License-Identifier: GPL-2.0-or-later
"""Which element each call changes, and what the kernel's refusals mean."""

import errno
from collections.abc import Callable
from typing import Any

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.linux import sets
from smartrouter.linux.netlink import Message, attributes, string

MAC, KEY = "02:00:00:aB:cd:ef", bytes.fromhex("020000abcdef")
ADD, DELETE = 12, 14  # NFT_MSG_NEWSETELEM, NFT_MSG_DELSETELEM


class Kernel:
    """Stands where the socket would: keeps what is sent, and refuses if told to."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.refusal: OSError | None = None

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
