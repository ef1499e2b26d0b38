# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages for our table, and what is read out of the kernel's lists."""

from typing import Any

from smartrouter.linux import nftables
from smartrouter.linux.netlink import Message, attribute, attributes, nested, number, text
from smartrouter.linux.nftables import add_element, append_rule, delete_element, expression


def test_messages_name_what_they_do() -> None:
    assert append_rule("c", [expression("counter")], "a rule").what == "a rule in chain c"
    assert add_element("watched", b"123456", "a device").what == "adding a device to set watched"
    assert delete_element("watched", b"123456", "a device").what == "taking a device out of set watched"


def test_an_element_carries_its_timeout_in_milliseconds() -> None:
    body = attributes(add_element("s", b"1234", "x", timeout=1.5).body)
    element = attributes(attributes(body[3])[1])
    assert element[4] == (1500).to_bytes(8, "big")
    assert attributes(element[1])[1] == b"1234"


class Kernel:
    """Lists what it was given."""

    def __init__(self, *items: bytes) -> None:
        self.items = list(items)

    def dump(self, message: Message) -> list[bytes]:
        return self.items


def rule(table: str, chain: str, *names: str) -> bytes:
    return text(1, table) + text(2, chain) + nested(4, *(expression(name) for name in names))


def test_only_rules_of_our_table_count() -> None:
    kernel: Any = Kernel(
        rule("fw4", "input"), rule("smartrouter", "gate", "ct", "cmp"), rule("smartrouter", "gate")
    )
    assert nftables.chains_with_rules(kernel) == {"gate"}


def test_only_counters_of_our_table_are_read() -> None:
    def counter(table: str, name: str, packets: int) -> bytes:
        data = nested(4, attribute(1, bytes(8)), attribute(2, packets.to_bytes(8, "big")))
        return text(1, table) + text(2, name) + number(3, 1) + data

    kernel: Any = Kernel(counter("other", "passed", 1), counter("smartrouter", "passed", 2**40))
    assert nftables.counter_packets(kernel) == {"passed": 2**40}
