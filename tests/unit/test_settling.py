# SPDX-License-Identifier: GPL-2.0-or-later
"""What is to be settled, on its way to the kernel: in which order, how many at once, and what is dropped."""

import threading
from collections.abc import Callable, Sequence

import pytest

from smartrouter.core.effects import Block, Deny, Know, Pair, Unsettle
from smartrouter.core.errors import Unavailable
from smartrouter.core.events import TCP, Shortcut
from smartrouter.guard.settling import A_TRANSACTION, MAX_WAITING, PairWriter, Settling
from smartrouter.linux.pairs import PairChange

SOON = 10.0  # seconds for what another thread does at once


class Kernel:
    """Sets of pairs that write down each transaction. `before` is called in the middle of one."""

    def __init__(self) -> None:
        self.transactions: list[list[PairChange]] = []
        self.pairs: dict[Pair, Settling] = {}
        self.no_room = 0
        self.before: Callable[[], object] = lambda: None

    def change_pairs(self, changes: Sequence[PairChange]) -> int:
        self.before()
        self.transactions.append(list(changes))
        for change in changes:
            if isinstance(change, Unsettle):
                self.pairs.pop(change.pair, None)
            else:
                self.pairs[change.pair] = change
        return self.no_room


class Door:
    """Where a thread stands until it is let through."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.reached.set()
        assert self.open.wait(SOON)


def pair(number: int) -> Pair:
    return Pair("02:00:00:00:00:01", f"203.0.{number >> 8}.{number & 255}", TCP, 443)


def know(number: int) -> Know:
    return Know(pair(number), 60.0)


def unsettle(number: int) -> Unsettle:
    return Unsettle(pair(number), Shortcut.KNOWN)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def writer(kernel: Kernel) -> PairWriter:
    return PairWriter(kernel)


def test_what_was_put_waits_and_is_sent_together(kernel: Kernel, writer: PairWriter) -> None:
    changes: list[Settling] = [know(1), Block(pair(2), 60.0), Deny(pair(3), 60.0)]
    for change in changes:
        writer.put(change)
    assert kernel.transactions == []
    writer.flush()
    assert kernel.transactions == [changes]
    writer.flush()
    assert kernel.transactions == [changes]  # nothing is said twice


def test_of_two_ways_for_a_pair_the_judge_says_which(kernel: Kernel) -> None:
    writer = PairWriter(kernel, lambda changes: [each for each in changes if isinstance(each, Deny)])
    for change in (Deny(pair(1), 60.0), know(1)):
        writer.put(change)
    writer.flush()
    assert kernel.transactions == [[Deny(pair(1), 60.0)]]


def test_no_transaction_is_long(kernel: Kernel, writer: PairWriter) -> None:
    for number in range(2 * A_TRANSACTION + 1):
        writer.put(know(number))
    writer.flush()
    assert [len(each) for each in kernel.transactions] == [A_TRANSACTION, A_TRANSACTION, 1]
    assert len(kernel.pairs) == 2 * A_TRANSACTION + 1


def test_what_is_to_be_asked_again_is_out_at_once(kernel: Kernel, writer: PairWriter) -> None:
    writer.put(know(2))
    writer.unsettle([unsettle(1), unsettle(3)])
    assert kernel.transactions == [[unsettle(1), unsettle(3)]]
    writer.flush()
    assert kernel.transactions[1:] == [[know(2)]]


def test_what_the_judge_no_longer_wants_is_not_said(kernel: Kernel) -> None:
    writer = PairWriter(kernel, still=lambda changes: [each for each in changes if each.pair != pair(1)])
    for number in (1, 2):
        writer.put(know(number))
    writer.flush()
    assert kernel.transactions == [[know(2)]]
    writer.put(know(1))
    writer.flush()
    assert kernel.transactions == [[know(2)]]


def test_the_judge_is_asked_when_nothing_else_is_on_its_way_to_the_kernel(kernel: Kernel) -> None:
    """So what is taken back from then on comes after it."""
    wanted = {pair(1)}
    writer = PairWriter(kernel, still=lambda changes: [each for each in changes if each.pair in wanted])
    writer.put(know(1))
    door = kernel.before = Door()
    asking = threading.Thread(target=writer.unsettle, args=([unsettle(2)],))
    asking.start()
    assert door.reached.wait(SOON)
    flushing = threading.Thread(target=writer.flush)
    flushing.start()
    flushing.join(0.05)
    wanted.clear()
    door.open.set()
    for thread in (asking, flushing):
        thread.join(SOON)
        assert not thread.is_alive()
    assert kernel.transactions == [[unsettle(2)]]


def test_what_is_said_after_it_was_asked_again_counts(kernel: Kernel, writer: PairWriter) -> None:
    writer.put(know(1))
    writer.unsettle([unsettle(1)])
    writer.put(Block(pair(1), 60.0))
    writer.flush()
    assert kernel.pairs == {pair(1): Block(pair(1), 60.0)}


@pytest.mark.parametrize("number", [0, A_TRANSACTION], ids=["on its way", "still waiting"])
def test_what_is_asked_again_in_the_middle_of_a_flush_is_out_afterwards(kernel: Kernel, number: int) -> None:
    """Whatever the flush has taken is in the kernel before it is taken out again."""
    wanted = {pair(each) for each in range(A_TRANSACTION + 2)}
    writer = PairWriter(kernel, still=lambda changes: [each for each in changes if each.pair in wanted])
    for each in range(A_TRANSACTION + 2):
        writer.put(know(each))
    door = kernel.before = Door()
    flushing = threading.Thread(target=writer.flush)
    flushing.start()
    assert door.reached.wait(SOON)
    wanted.discard(pair(number))
    asking = threading.Thread(target=writer.unsettle, args=([unsettle(number)],))
    asking.start()
    asking.join(0.05)
    assert asking.is_alive()  # it returns when the kernel asks again, and not before
    assert kernel.transactions == []
    door.open.set()
    for thread in (flushing, asking):
        thread.join(SOON)
        assert not thread.is_alive()
    assert kernel.transactions[0] == [know(each) for each in range(A_TRANSACTION)]
    assert set(kernel.pairs) == wanted


def test_putting_waits_for_no_kernel(kernel: Kernel, writer: PairWriter) -> None:
    writer.put(know(1))
    door = kernel.before = Door()
    flushing = threading.Thread(target=writer.flush)
    flushing.start()
    assert door.reached.wait(SOON)
    putting = threading.Thread(target=writer.put, args=(know(2),))
    putting.start()
    putting.join(SOON)
    assert not putting.is_alive()
    assert kernel.transactions == []
    door.open.set()
    flushing.join(SOON)
    assert [each for transaction in kernel.transactions for each in transaction] == [know(1), know(2)]


def test_a_bounded_number_waits_and_the_others_are_counted(kernel: Kernel, writer: PairWriter) -> None:
    for number in range(MAX_WAITING + 7):
        writer.put(know(number))
    assert writer.dropped == 7
    writer.flush()
    assert len(kernel.pairs) == MAX_WAITING
    writer.put(know(MAX_WAITING))
    writer.flush()
    assert pair(MAX_WAITING) in kernel.pairs


def test_what_found_no_room_in_the_kernel_is_counted(kernel: Kernel, writer: PairWriter) -> None:
    kernel.no_room = 2
    for number in range(3):
        writer.put(know(number))
    writer.flush()
    writer.refill(lambda: [know(1)])
    assert writer.dropped == 4


def test_sets_that_were_taken_away_are_filled_at_once(kernel: Kernel, writer: PairWriter) -> None:
    writer.put(know(1))
    wanted: list[Settling] = [know(2), Block(pair(3), 5.0)]
    writer.refill(lambda: wanted)
    assert kernel.transactions == [wanted]
    writer.flush()
    assert kernel.transactions[1:] == [[know(1)]]


def test_who_asks_hears_that_the_kernel_refused(kernel: Kernel, writer: PairWriter) -> None:
    def refuse() -> None:
        raise Unavailable("no table")

    kernel.before = refuse
    writer.put(know(1))
    asks: list[Callable[[], None]] = [
        lambda: writer.unsettle([unsettle(2)]),
        lambda: writer.refill(lambda: [know(2)]),
        writer.flush,
    ]
    for ask in asks:
        with pytest.raises(Unavailable, match="no table"):
            ask()
    kernel.before = lambda: None
    writer.put(know(3))
    writer.unsettle([unsettle(4)])  # no lock is held for ever
    writer.flush()
    assert pair(3) in kernel.pairs


class Serving:
    """A thread that serves `writer`, for as long as a test lasts."""

    def __init__(self, writer: PairWriter):
        self.stop = threading.Event()
        self.beats = 0
        self.thread = threading.Thread(target=writer.serve, args=(self.stop, self.beat))

    def beat(self) -> None:
        self.beats += 1

    def __enter__(self) -> "Serving":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(SOON)
        assert not self.thread.is_alive()


def eventually(condition: Callable[[], bool]) -> bool:
    for _ in range(round(SOON / 0.01)):
        if condition():
            return True
        threading.Event().wait(0.01)
    return False


def test_its_thread_sends_what_comes(kernel: Kernel, writer: PairWriter) -> None:
    with Serving(writer):
        for number in range(3):
            writer.put(know(number))
            assert eventually(lambda number=number: pair(number) in kernel.pairs)  # type: ignore[misc]


def test_its_thread_gives_signs_of_life_while_nothing_comes(kernel: Kernel, writer: PairWriter) -> None:
    with Serving(writer) as serving:
        assert eventually(lambda: serving.beats >= 3)
    assert kernel.transactions == []


@pytest.mark.parametrize("waiting", [1, A_TRANSACTION + 5])
def test_its_thread_goes_on_when_the_kernel_refused_once(
    kernel: Kernel, writer: PairWriter, waiting: int
) -> None:
    refused = threading.Event()

    def refuse_once() -> None:
        if not refused.is_set():
            refused.set()
            raise Unavailable("no table")

    kernel.before = refuse_once
    for number in range(waiting):
        writer.put(know(number))
    with Serving(writer):
        assert refused.wait(SOON)
        writer.put(know(waiting))
        assert eventually(lambda: pair(waiting) in kernel.pairs)
