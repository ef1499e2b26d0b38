# SPDX-License-Identifier: GPL-2.0-or-later
"""The queue statement, byte by byte; whether a kernel takes it is a network test."""

import errno
import struct
from typing import Any

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.linux import queue_rule
from smartrouter.linux.netlink import Message, attributes
from smartrouter.linux.queue_rule import native, native_expression, xtables_expression


def test_the_queue_statement_in_all_its_forms() -> None:
    assert native(7370) == "queue flags bypass to 7370"
    numbers = attributes(attributes(native_expression(7370)[4:])[2])
    assert numbers == {1: b"\x1c\xca", 2: b"\0\x01", 3: b"\0\x01"}  # number, total, flags: big-endian
    target = attributes(attributes(xtables_expression(7370)[4:])[2])
    assert target[1] == b"NFQUEUE\0"
    assert target[2] == (3).to_bytes(4, "big")
    assert len(target[3]) == 8  # struct xt_NFQ_info_v3, aligned
    assert struct.unpack("=HHHH", target[3]) == (7370, 1, 1, 0)


def test_several_workers_share_the_connections_by_processor() -> None:
    assert native(7371, 3) == "queue flags bypass,fanout to 7371-7373"
    numbers = attributes(attributes(native_expression(7371, 3)[4:])[2])
    assert numbers == {1: b"\x1c\xcb", 2: b"\0\x03", 3: b"\0\x03"}
    target = attributes(attributes(xtables_expression(7371, 3)[4:])[2])
    assert struct.unpack("=HHHH", target[3]) == (7371, 3, 3, 0)


class Kernel:
    """Answers every message with `code`."""

    def __init__(self, code: int) -> None:
        self.code = code
        self.checked: list[bool] = []
        self.families: list[set[int]] = []

    def transaction(self, subsystem: int, messages: list[Message], *, check: bool = False) -> None:
        self.checked.append(check)
        self.families.append({message.family for message in messages})
        self.request(messages[0])

    def request(self, message: Message) -> None:
        if self.code:
            raise OSError(self.code, "no")


@pytest.mark.parametrize(
    "ask",
    [
        queue_rule.has_native_queue,
        queue_rule.has_xt_target,
        queue_rule.has_queues,
        queue_rule.has_log,
    ],
)
def test_a_kernel_that_does_not_know_it_is_told_from_one_that_refuses(ask: Any) -> None:
    assert ask(Kernel(0)) is True
    for unknown in (errno.ENOENT, errno.EOPNOTSUPP):
        assert ask(Kernel(unknown)) is False
    for refused in (errno.EPERM, errno.ENOMEM):
        with pytest.raises(Unavailable):
            ask(Kernel(refused))


def test_asking_changes_nothing() -> None:
    kernel: Any = Kernel(0)
    queue_rule.has_native_queue(kernel)
    queue_rule.has_xt_target(kernel)
    assert len(kernel.checked) >= 2
    assert all(kernel.checked)


@pytest.mark.parametrize(
    "ask", [queue_rule.has_xt_target, lambda link: queue_rule.place_xtables(link, {"to_guard": (7371, 2)})]
)
def test_the_targets_module_is_first_asked_for_by_a_family_that_has_a_name_for_it(ask: Any) -> None:
    kernel = Kernel(0)
    ask(kernel)
    assert kernel.families == [{2}, {1}]  # IPv4, inet
    assert kernel.checked[0]
