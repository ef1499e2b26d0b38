# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages for our table, and what is read out of the kernel's lists."""

from collections.abc import Iterator
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

    def stream(self, message: Message) -> Iterator[bytes]:
        self.asked = attributes(message.body)
        return iter(self.items)

    def ask(self, message: Message) -> bytes:
        return self.items[0]


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


def test_the_elements_of_a_set_are_read_from_all_parts_of_a_listing() -> None:
    def part(*keys: bytes) -> bytes:
        elements = (nested(1, attribute(1, key), attribute(5, bytes(8))) for key in keys)
        return text(1, "smartrouter") + text(2, "known4") + nested(3, *elements)

    kernel: Any = Kernel(part(b"1234", b"2345"), part(), part(b"3456"))
    listed = list(nftables.list_elements(kernel, "known4"))
    assert listed == [{1: key, 5: bytes(8)} for key in (b"1234", b"2345", b"3456")]
    assert kernel.asked == {1: b"smartrouter\0", 2: b"known4\0"}


def test_the_generation_is_a_number() -> None:
    kernel: Any = Kernel(attribute(1, (4711).to_bytes(4, "big")) + text(3, "a program"))
    assert nftables.generation(kernel) == 4711
