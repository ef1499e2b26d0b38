# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdicts on their way to the kernel: how packets fare, as messages of nfnetlink_queue (see
include/uapi/linux/netfilter/nfnetlink_queue.h).

One message says what becomes of all packets that still wait, up to one of them; so packets that fare alike,
one after the other, need one message together, and all messages go in one call. Knows no packet's content.
"""

import errno
import socket
import struct
from time import sleep
from typing import NamedTuple

from smartrouter.linux.netlink import attribute
from smartrouter.linux.netlink import number as u32
from smartrouter.linux.nfnetlink_packets import message
from smartrouter.linux.rulings import DROPPED, FORWARD, Marks, Ruling

__all__ = ["Fate", "Fates", "FatesOf", "send"]

_VERDICTS = 0x303  # NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT_BATCH
_VERDICT, _MARK = 2, 3  # NFQA_VERDICT_HDR, NFQA_MARK
_DROP, _ACCEPT = 0, 1  # NF_DROP, NF_ACCEPT (linux/netfilter.h)
_words = struct.Struct(">II")  # nfqnl_msg_verdict_hdr: the verdict, the packet's number
_MAX_KINDS = 256  # marks of other programs that packets come with
_PASSING_ERRORS = frozenset({errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EINTR})


class Fate(NamedTuple):
    """What becomes of a packet, and of all before it that still wait: the message that says so is `before`,
    the packet's number as the kernel gave it (four bytes, the greatest first), and `behind`."""

    before: bytes
    behind: bytes


class Fates(dict[Ruling, Fate]):
    """By the ruling on a packet of this queue that came with this mark in that hook: what becomes of it."""

    def __init__(self, queue: int, hook: int, mark: int, marks: Marks):
        as_it_came = _fate(queue, _ACCEPT)
        passes = blocked = as_it_came
        if hook == FORWARD:
            others = mark & ~(marks.passing | marks.blocking)
            passes = _fate(queue, _ACCEPT, u32(_MARK, others | marks.passing))
            blocked = _fate(queue, _ACCEPT, u32(_MARK, others | marks.blocking))
        super().__init__({True: passes, False: blocked, DROPPED: _fate(queue, _DROP), None: as_it_came})


class FatesOf(dict[tuple[int, int], Fates]):
    """Those of the packets of a queue, by hook and mark."""

    def __init__(self, queue: int, marks: Marks):
        super().__init__()
        self._queue, self._marks = queue, marks

    def __missing__(self, came: tuple[int, int]) -> Fates:
        if len(self) >= _MAX_KINDS:
            self.clear()
        fates = self[came] = Fates(self._queue, *came, self._marks)
        return fates


def _fate(queue: int, verdict: int, behind: bytes = b"") -> Fate:
    whole = message(_VERDICTS, queue, attribute(_VERDICT, _words.pack(verdict, 0)) + behind)
    return Fate(whole[: len(whole) - len(behind) - 4], behind)


def send(link: socket.socket, said: bytes) -> None:
    """Have the kernel do what these messages say."""
    while True:
        try:
            link.send(said)
            return
        except OSError as error:
            if error.errno not in _PASSING_ERRORS:
                raise
            sleep(0.001)  # the kernel has no memory for it, and did none of it
