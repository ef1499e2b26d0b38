# SPDX-License-Identifier: GPL-2.0-or-later
"""The statement that hands a packet to a queue: its two encodings, and which of them this kernel takes.

A kernel with nft_queue takes nft's own `queue`. One without takes the xtables target NFQUEUE, which goes
into a chain of the `inet` family as well, but only through netlink: `nft` cannot write it. Standard
library only; knows nothing of the rest of the ruleset.
"""

import errno
import struct

from smartrouter.linux.netlink import Message, Netlink, attribute, number, text, unavailable
from smartrouter.linux.nftables import (
    FAMILY,
    SUBSYSTEM,
    append_rule,
    expression,
    flush_chain,
    new_chain,
    new_table,
)

DNS_QUEUE = 7370  # DNS queries and replies
FLOWS_QUEUE = 7371  # new connections; with several workers the first one's, the others' follow
LOG_GROUP = 7372  # what the kernel settled by itself; groups are numbered apart from queues
OVERHEARD_GROUP = 7373  # what devices say of themselves

_IPV4 = 2  # NFPROTO_IPV4
_BYPASS = 1  # NFT_QUEUE_FLAG_BYPASS and NFQ_FLAG_BYPASS: nobody listens -> accept
_FANOUT = 2  # NFT_QUEUE_FLAG_CPU_FANOUT and NFQ_FLAG_CPU_FANOUT: the queue of the CPU that has the packet
_QUEUE_SUBSYSTEM = 3  # NFNL_SUBSYS_QUEUE
_QUEUE_CONFIG = 2  # NFQNL_MSG_CONFIG
# How the kernel says that it does not know what was asked for.
_UNKNOWN = frozenset({errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL, errno.EPROTONOSUPPORT})
_PF_UNBIND = struct.pack(">BxH", 4, 2)  # nfqnl_msg_config_cmd: a command that does nothing since 3.8


def native(queue: int, workers: int = 1) -> str:
    """The statement as `nft` writes it: to `queue`, or to as many from there on as there are `workers`."""
    if workers == 1:
        return f"queue flags bypass to {queue}"
    return f"queue flags bypass,fanout to {queue}-{queue + workers - 1}"


def native_expression(queue: int, workers: int = 1) -> bytes:
    """The same as a netlink expression (enum nft_queue_attributes)."""
    numbers = (queue, workers, _flags(workers))
    return expression("queue", *(attribute(i, struct.pack(">H", n)) for i, n in enumerate(numbers, 1)))


def xtables_expression(queue: int, workers: int = 1) -> bytes:
    """The xtables target NFQUEUE, revision 3 (xt_NFQUEUE.h: struct xt_NFQ_info_v3, in host order)."""
    info = struct.pack("=HHH", queue, workers, _flags(workers))
    return expression("target", text(1, "NFQUEUE"), number(2, 3), attribute(3, info + bytes(-len(info) % 8)))


def place_xtables(link: Netlink, queues: dict[str, tuple[int, int]]) -> None:
    """Make each chain of `queues` hold the xtables target to its queue, for so many workers, and no more.

    One transaction: a packet meets the old rule or the new one, never an empty chain. The table and the
    chains are made where they are missing.
    """
    _load_xtables(link)
    messages = [new_table()]
    for chain, (queue, workers) in queues.items():
        target = xtables_expression(queue, workers)
        messages.append(new_chain(chain))
        messages.append(flush_chain(chain))
        messages.append(append_rule(chain, [target], f"xtables target to queue {queue}"))
    link.transaction(SUBSYSTEM, messages)


def has_native_queue(link: Netlink) -> bool:
    """Whether this kernel takes nft's `queue`. Loads the module if there is one."""
    return takes(link, native_expression(FLOWS_QUEUE))


def has_xt_target(link: Netlink) -> bool:
    """Whether this kernel takes the xtables target in a chain of nft's. Loads the modules, if any."""
    _load_xtables(link)
    return takes(link, xtables_expression(FLOWS_QUEUE))


def has_queues(link: Netlink) -> bool:
    """Whether a process can listen on a queue at all (nfnetlink_queue)."""
    kind = _QUEUE_SUBSYSTEM << 8 | _QUEUE_CONFIG
    try:
        link.request(Message(kind, 0, 0, attribute(1, _PF_UNBIND), "asking for queues"))
    except OSError as error:
        if error.errno in _UNKNOWN:
            return False
        raise unavailable(error) from error
    return True


def has_log(link: Netlink) -> bool:
    """Whether this kernel takes `log group` (nft_log, nfnetlink_log). Loads the modules, if any."""
    return takes(link, expression("log", attribute(1, struct.pack(">H", LOG_GROUP))))  # NFTA_LOG_GROUP


def _flags(workers: int) -> int:
    return _BYPASS if workers == 1 else _BYPASS | _FANOUT


def _load_xtables(link: Netlink) -> None:
    """Have the kernel load the target's module, if it is one (xt_NFQUEUE). Asked in a table of ours it
    looks for one it has no such name for; asked for IPv4 it finds it, and keeps it for every family."""
    takes(link, xtables_expression(FLOWS_QUEUE), _IPV4)


def takes(link: Netlink, statement: bytes, family: int = FAMILY) -> bool:
    """Whether this kernel would take a rule made of one expression. Changes nothing."""
    table = "smartrouter_probe"  # a name of its own: the answer must not depend on what ours holds now
    rule = append_rule("probe", [statement], "a probe", table)
    messages = [new_table(table), new_chain("probe", table), rule]
    try:
        link.transaction(SUBSYSTEM, [each._replace(family=family) for each in messages], check=True)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return False
        raise unavailable(error) from error
    return True
