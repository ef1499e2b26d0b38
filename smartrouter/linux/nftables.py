# SPDX-License-Identifier: GPL-2.0-or-later
"""Our table's netlink messages: what `nft` cannot say, or says too slowly.

Only encodes and decodes (include/uapi/linux/netfilter/nf_tables.h); `netlink.py` sends. The ruleset
itself is text for `nft`, see `ruleset.py`. Standard library only.
"""

import struct
from collections.abc import Iterator, Sequence

from smartrouter.linux.netlink import (
    APPEND,
    CREATE,
    Message,
    Netlink,
    attribute,
    attributes,
    each_attribute,
    nested,
    number,
    string,
    text,
)

SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
FAMILY = 1  # NFPROTO_INET
TABLE = "smartrouter"

_NEWTABLE, _GETTABLE, _DELTABLE = 0, 1, 2
_NEWCHAIN = 3
_NEWRULE, _GETRULE, _DELRULE = 6, 7, 8
_NEWSETELEM, _GETSETELEM, _DELSETELEM = 12, 13, 14
_GETGEN = 16
_GETOBJ = 19
_LIST_ELEM = 1  # NFTA_LIST_ELEM
_OBJECT_COUNTER = 1  # NFT_OBJECT_COUNTER


def new_table(table: str = TABLE) -> Message:
    """Make the table if it is not there."""
    return _message(_NEWTABLE, CREATE, text(1, table), f"table {table}")


def delete_table(table: str = TABLE) -> Message:
    """Delete the table with all that is in it; ENOENT if it is not there."""
    return _message(_DELTABLE, 0, text(1, table), f"deleting table {table}")


def new_chain(chain: str, table: str = TABLE) -> Message:
    """Make a chain without a hook if it is not there."""
    return _message(_NEWCHAIN, CREATE, text(1, table) + text(3, chain), f"chain {chain}")


def new_base_chain(chain: str, kind: str, hook: int, priority: int, table: str = TABLE) -> Message:
    """Make a chain of type `kind` (`filter`, `nat`) at `hook` (enum nf_inet_hooks) if it is not there."""
    at = nested(4, number(1, hook), attribute(2, struct.pack(">i", priority)))
    body = text(1, table) + text(3, chain) + at + text(7, kind)
    return _message(_NEWCHAIN, CREATE, body, f"chain {chain}")


def flush_chain(chain: str, table: str = TABLE) -> Message:
    """Delete all rules of a chain; none there is no error."""
    return _message(_DELRULE, 0, text(1, table) + text(2, chain), f"flushing chain {chain}")


def append_rule(chain: str, expressions: Sequence[bytes], what: str, table: str = TABLE) -> Message:
    """Add a rule at the chain's end."""
    body = text(1, table) + text(2, chain) + nested(4, *expressions)
    return _message(_NEWRULE, CREATE | APPEND, body, f"{what} in chain {chain}")


def expression(name: str, *parts: bytes) -> bytes:
    """One expression of a rule: its name and its own attributes."""
    return nested(_LIST_ELEM, text(1, name), nested(2, *parts))


def add_element(name: str, key: bytes, what: str, timeout: float | None = None) -> Message:
    """Add `key` to the set `name`; one that is there already is no error. `timeout` in seconds, for sets
    that have timeouts: what the element gets if it is new."""
    parts = [nested(1, attribute(1, key))]
    if timeout is not None:
        parts.append(attribute(4, struct.pack(">Q", max(1, round(timeout * 1000)))))
    return _element(_NEWSETELEM, CREATE, name, parts, f"adding {what} to set {name}")


def delete_element(name: str, key: bytes, what: str) -> Message:
    """Take `key` out of the set `name`; ENOENT if it is not there, or the set is not."""
    return _element(_DELSETELEM, 0, name, [nested(1, attribute(1, key))], f"taking {what} out of set {name}")


def flush_set(name: str) -> Message:
    """Take everything out of the set `name`."""
    return _message(_DELSETELEM, 0, text(1, TABLE) + text(2, name), f"flushing set {name}")


def list_elements(link: Netlink, name: str) -> Iterator[dict[int, bytes]]:
    """The elements of the set `name` by attribute (enum nft_set_elem_attributes), as the kernel lists them.
    Raises FileNotFoundError if it is not there, InterruptedError at the end if it changed meanwhile."""
    asked = _message(_GETSETELEM, 0, text(1, TABLE) + text(2, name), f"listing set {name}")
    for item in link.stream(asked):
        for kind, elements in each_attribute(item):
            if kind == 3:  # NFTA_SET_ELEM_LIST_ELEMENTS
                yield from (attributes(element) for _, element in each_attribute(elements))


def generation(link: Netlink) -> int:
    """The number of the tables' state: another one after each transaction that changed something, whoever
    made it, we too."""
    answer = attributes(link.ask(_message(_GETGEN, 0, b"", "asking for the generation")))
    return int.from_bytes(answer[1], "big")  # NFTA_GEN_ID


def table_names(link: Netlink) -> set[str]:
    """The names of all tables of our family."""
    listed = link.dump(_message(_GETTABLE, 0, b"", "listing tables"))
    return {string(attributes(item)[1]) for item in listed}


def chains_with_rules(link: Netlink) -> set[str]:
    """The chains of our table that hold at least one rule; none if there is no table."""
    listed = (attributes(item) for item in link.dump(_message(_GETRULE, 0, text(1, TABLE), "listing rules")))
    return {string(rule[2]) for rule in listed if string(rule[1]) == TABLE}


def counter_packets(link: Netlink) -> dict[str, int]:
    """The packets of each named counter of our table; empty if there is no table."""
    body = text(1, TABLE) + number(3, _OBJECT_COUNTER)
    counters = (attributes(item) for item in link.dump(_message(_GETOBJ, 0, body, "listing counters")))
    return {
        string(counter[2]): int.from_bytes(attributes(counter[4])[2], "big")
        for counter in counters
        if string(counter[1]) == TABLE
    }


def _element(kind: int, flags: int, name: str, parts: list[bytes], what: str) -> Message:
    body = text(1, TABLE) + text(2, name) + nested(3, nested(_LIST_ELEM, *parts))
    return _message(kind, flags, body, what)


def _message(kind: int, flags: int, body: bytes, what: str) -> Message:
    return Message(SUBSYSTEM << 8 | kind, flags, FAMILY, body, what)
