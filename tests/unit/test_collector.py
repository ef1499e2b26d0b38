# SPDX-License-Identifier: GPL-2.0-or-later
"""The collector of garbage after the start: what is there is looked at no more, what is new now and then."""

import gc
from collections.abc import Iterator

import pytest

from smartrouter.guard import collector


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Whatever a test does to it, the collector of this process is its own again."""
    thresholds, was_frozen = gc.get_threshold(), gc.get_freeze_count()
    yield
    gc.set_threshold(*thresholds)
    if not was_frozen:
        gc.unfreeze()
        gc.collect()


class Node:
    """One that refers to itself: only the collector frees it."""

    alive = 0

    def __init__(self) -> None:
        self.itself = self
        Node.alive += 1

    def __del__(self) -> None:
        Node.alive -= 1


def test_what_is_there_after_the_start_is_looked_at_no_more() -> None:
    lasting = [Node() for _ in range(100)]
    collector.settle()
    assert gc.get_freeze_count() > 100
    assert not {id(each) for each in gc.get_objects()} & {id(each) for each in lasting}
    # Of the oldest, Python 3.14 decides by itself.
    assert gc.get_threshold()[:2] == (collector.MADE, collector.YOUNG)


def test_garbage_of_the_start_is_not_kept_for_good() -> None:
    before = Node.alive
    Node()
    collector.settle()
    assert Node.alive == before


def test_cycles_made_later_are_still_found() -> None:
    collector.settle()
    before = Node.alive
    assert gc.isenabled()
    for _ in range(3 * collector.MADE):
        Node()
    assert Node.alive - before < 3 * collector.MADE
    gc.collect()
    assert Node.alive == before
