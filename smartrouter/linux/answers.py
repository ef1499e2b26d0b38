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

from smartrouter.linux.netlink import attribute
from smartrouter.linux.netlink import number as u32
from smartrouter.linux.nfnetlink_packets import message
from smartrouter.linux.rulings import DROPPED, FORWARD, Marks, Ruling

__all__ = ["Answers", "Fates"]

_VERDICTS = 0x303  # NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT_BATCH
_VERDICT, _MARK = 2, 3  # NFQA_VERDICT_HDR, NFQA_MARK
_DROP, _ACCEPT = 0, 1  # NF_DROP, NF_ACCEPT (linux/netfilter.h)
VANISH, AS_IT_CAME = -2, -1  # what becomes of a packet; or the mark that it goes on with
# How a verdict's message ends: nfqnl_msg_verdict_hdr; and with the attribute of the mark behind it.
_bare, _marked = struct.Struct(">II"), struct.Struct(">II4sI")
_MARK_HEADER = u32(_MARK, 0)[:4]
_PASSING_ERRORS = frozenset({errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EINTR})


class Fates(dict[Ruling, int]):
    """By the ruling on a packet that came with this mark in that hook: what becomes of it. That is VANISH,
    AS_IT_CAME, or the mark that it goes on with."""

    def __init__(self, hook: int, mark: int, marks: Marks):
        others = mark & ~(marks.passing | marks.blocking)
        is_marked = hook == FORWARD
        super().__init__(
            {
                True: others | marks.passing if is_marked else AS_IT_CAME,
                False: others | marks.blocking if is_marked else AS_IT_CAME,
                DROPPED: VANISH,
                None: AS_IT_CAME,
            }
        )


class Answers:
    """Those to queue `number`: `put` what has come together, then `send` it."""

    def __init__(self, number: int):
        empty = attribute(_VERDICT, bytes(_bare.size))
        self._bare = message(_VERDICTS, number, empty)[: -_bare.size]
        self._marked = message(_VERDICTS, number, empty + u32(_MARK, 0))[: -_marked.size]
        self._messages: list[bytes] = []

    def put(self, last: int, fate: int) -> None:
        """What becomes of all packets that still wait, up to the one numbered `last`."""
        if fate >= 0:
            said = self._marked + _marked.pack(_ACCEPT, last, _MARK_HEADER, fate)
        else:
            said = self._bare + _bare.pack(_DROP if fate == VANISH else _ACCEPT, last)
        self._messages.append(said)

    def send(self, link: socket.socket) -> None:
        """Have the kernel carry out what was put."""
        said = b"".join(self._messages)
        self._messages.clear()
        while said:
            try:
                link.send(said)
                return
            except OSError as error:
                if error.errno not in _PASSING_ERRORS:
                    raise
                sleep(0.001)  # the kernel has no memory for it, and did none of it
