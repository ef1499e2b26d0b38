# SPDX-License-Identifier: GPL-2.0-or-later
"""Which element each call changes, and what the kernel's refusals mean."""

import errno
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from smartrouter.core.effects import Block, Deny, Flow, Know, Pair, Unsettle
from smartrouter.core.errors import Unavailable
from smartrouter.core.events import Shortcut
from smartrouter.linux import sets
from smartrouter.linux.netlink import Message, attributes, string
from smartrouter.linux.pairs import PairChange

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
        self.room = 1 << 20  # elements more than this are refused
        self.tries: list[list[Message]] = []
        self.forgotten: list[Message] = []

    def requests(self, messages: Sequence[Message]) -> dict[int, int]:
        self.forgotten += messages
        return {} if self.knows_connections else dict.fromkeys(range(len(messages)), errno.ENOENT)

    def attempt(self, subsystem: int, messages: Iterable[Message]) -> dict[int, int]:
        """Keeps no elements: what is added and taken out again in one transaction needs no room here."""
        self.tries.append(list(messages))
        if self.refusal:
            raise self.refusal
        kinds = [message.kind & 255 for message in self.tries[-1]]
        lasting = [at for at, kind in enumerate(kinds) if kind == ADD and kinds[at + 1 : at + 2] != [DELETE]]
        refused = dict.fromkeys(lasting[self.room :], errno.ENFILE)
        if not refused:
            self.sent += self.tries[-1]
        return refused

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
    assert changes(kernel) == [(DELETE, cut, key, None), (DELETE, hello, key, None)]
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


# -- pairs ---------------------------------------------------------------------------------------------

PAIR4, PAIR6 = Pair(MAC.lower(), "192.0.2.1", 6, 443), Pair(MAC.lower(), "2001:db8::1", 17, 443)
PING = Pair(MAC.lower(), "192.0.2.1", 1, 0)
PAIR_KEY4 = bytes.fromhex("020000abcdef 0000 c0000201 06000000 01bb0000")
PAIR_KEY6 = bytes.fromhex(f"020000abcdef 0000 20010db8{'00' * 11}01 11000000 01bb0000")
PING_KEY = bytes.fromhex("020000abcdef 0000 c0000201 01000000")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Know(PAIR4, 60.0), [(ADD, "known4", PAIR_KEY4, 60_000)]),
        (Block(PAIR6, 1.5), [(ADD, "blocked6", PAIR_KEY6, 1500)]),
        (Deny(PING, 60.0), [(ADD, "denied_portless4", PING_KEY, 60_000)]),
        (
            Know(PAIR4, 60.0, again=True),
            [
                (ADD, "known4", PAIR_KEY4, None),
                (DELETE, "known4", PAIR_KEY4, None),
                (ADD, "known4", PAIR_KEY4, 60_000),
            ],
        ),
        (
            Unsettle(PAIR6, Shortcut.DENIED),
            [(ADD, "denied6", PAIR_KEY6, None), (DELETE, "denied6", PAIR_KEY6, None)],
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_change_of_a_pair_is_a_change_of_one_element(
    kernel: Kernel, change: PairChange, expected: list[tuple[int, str, bytes, int | None]]
) -> None:
    assert sets.Sets().change_pairs([change]) == 0
    assert changes(kernel) == expected
    assert len(kernel.tries) == 1


def test_room_is_made_before_it_is_taken_and_the_last_word_counts(kernel: Kernel) -> None:
    orders: list[PairChange] = [Know(PAIR4, 60.0), Block(PAIR6, 60.0)]
    orders += [Unsettle(PAIR4, Shortcut.KNOWN), Block(PAIR6, 30.0)]
    sets.Sets().change_pairs(orders)
    assert [(kind, name) for kind, name, *_ in changes(kernel)] == [
        (ADD, "known4"),
        (DELETE, "known4"),
        (ADD, "blocked6"),
    ]
    assert changes(kernel)[-1][3] == 30_000


def test_a_full_set_keeps_nothing_else_from_being_done(kernel: Kernel) -> None:
    kernel.room = 3
    pairs = [PAIR4._replace(port=port) for port in range(10)]
    gone = Unsettle(PING, Shortcut.KNOWN)
    orders: list[PairChange] = [Know(pair, 60.0) for pair in pairs]
    assert sets.Sets().change_pairs([*orders, gone]) == 7
    assert [name for _, name, *_ in changes(kernel)] == ["known_portless4"] * 2 + ["known4"] * 3
    assert len(kernel.tries) == 2


def test_what_is_refused_for_another_reason_is_an_error(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for code, said in ((errno.ENOENT, "the packet rules are not loaded"), (errno.EINVAL, "adding a pair")):
        monkeypatch.setattr(kernel, "attempt", lambda *_, code=code: {0: code})
        with pytest.raises(Unavailable, match=said):
            sets.Sets().change_pairs([Know(PAIR4, 60.0)])


def test_what_is_too_much_for_one_transaction_is_cut_removals_first(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets, "_AT_ONCE", 3)
    orders: list[PairChange] = [Know(PAIR4._replace(port=port), 60.0) for port in range(4)]
    orders += [Unsettle(PAIR6._replace(port=port), Shortcut.KNOWN) for port in range(4)]
    sets.Sets().change_pairs(orders)
    assert [len(each) for each in kernel.tries] == [6, 4, 2]
    assert [message.kind & 255 for message in kernel.tries[0]] == [ADD, DELETE] * 3


@pytest.mark.parametrize(
    "pair",
    [
        PAIR4._replace(mac="02:00:00:00:00"),
        PAIR4._replace(mac="02:00:00:00:00:01\n"),
        PAIR4._replace(address="192.0.2"),
        PAIR6._replace(address="2001:db8::1::2"),
        PAIR4._replace(port=65536),
        PAIR4._replace(port=-1),
        PAIR4._replace(protocol=256, port=0),
        PAIR4._replace(protocol=-1, port=0),
        PING._replace(port=8),
    ],
)
def test_what_is_no_pair_is_refused_before_anything_is_sent(kernel: Kernel, pair: Pair) -> None:
    for change in (Know(pair, 1.0), Unsettle(pair, Shortcut.BLOCKED)):
        with pytest.raises(ValueError, match="not a"):
            sets.Sets().change_pairs([Know(PAIR4, 1.0), change])
    assert kernel.tries == []


def test_all_pairs_are_forgotten_at_once(kernel: Kernel) -> None:
    sets.Sets().forget_pairs()
    emptied = [string(attributes(message.body)[2]) for message in kernel.sent]
    assert len(set(emptied)) == len(emptied) == 12
    kernel.refusal = OSError(errno.ENOENT, "no table")
    sets.Sets().forget_pairs()
    kernel.refusal = OSError(errno.EPERM, "no")
    with pytest.raises(Unavailable):
        sets.Sets().forget_pairs()


def test_many_connections_are_forgotten_in_few_sends(kernel: Kernel) -> None:
    flows = [FLOW4._replace(client_port=port) for port in range(1, 1201)]
    assert sets.Sets().forget_flows(flows) == 1200
    assert len(kernel.forgotten) == 1200
    kernel.knows_connections = False
    assert sets.Sets().forget_flows(flows[:3]) == 0
