# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device usually sends, and what is far above that."""

import pytest

from smartrouter.core import uploads
from smartrouter.core.destinations import Destination
from smartrouter.core.uploads import AGAIN, ENOUGH, FACTOR, FLOOR, OTHERS, Excess, Uploads, Usual

CLOUD, OTHER = Destination("maker.example", "web"), Destination("other.example", "web")
MB = 1_000_000


def hours(device: Uploads, *sizes: int, start: int = 0, learning: bool = True, known: bool = True) -> None:
    """So much was sent to the cloud in hours that follow each other."""
    for hour, size in enumerate(sizes, start):
        device.closed(hour)
        assert device.sent(CLOUD, size, learning=learning, known=known) is None
    device.closed(start + len(sizes))


def test_the_busiest_hour_is_what_is_usual() -> None:
    device = Uploads()
    hours(device, 3 * MB, 8 * MB, 0, 5 * MB)
    assert device.usual == {CLOUD: Usual(3, 8 * MB)}


def test_what_is_usual_is_given_when_an_hour_is_over() -> None:
    device = Uploads()
    assert device.closed(5) == {}
    device.sent(CLOUD, 10, learning=True, known=True)
    device.sent(CLOUD, 20, learning=True, known=True)
    assert device.closed(5) == {}
    assert device.closed(6) == {CLOUD: Usual(1, 30)}
    assert device.closed(7) == {}


@pytest.mark.parametrize("most", [0, 1 * MB, 40 * MB])
def test_far_above_is_a_multiple_and_never_little(most: int) -> None:
    device = Uploads({CLOUD: Usual(ENOUGH, most)})
    device.closed(9)
    limit = max(FLOOR, FACTOR * most)
    assert device.sent(CLOUD, limit, learning=False, known=True) is None
    found = device.sent(CLOUD, 1, learning=False, known=True)
    assert found == Excess(limit + 1, Usual(ENOUGH, most))


def test_each_hour_begins_anew() -> None:
    device = Uploads({CLOUD: Usual(ENOUGH, 0)})
    for hour in range(4):
        device.closed(hour)
        assert device.sent(CLOUD, FLOOR, learning=False, known=True) is None


def test_the_same_is_told_once_a_day() -> None:
    device = Uploads({CLOUD: Usual(ENOUGH, 0)})
    told = []
    for hour in range(2 * AGAIN):
        device.closed(hour)
        for _ in range(3):
            if device.sent(CLOUD, 2 * FLOOR, learning=False, known=True):
                told.append(hour)
    assert told == [0, AGAIN]


def test_nothing_is_told_while_learning() -> None:
    device = Uploads()
    hours(device, 1000 * MB, 1 * MB)
    assert device.usual[CLOUD].most == 1000 * MB


def test_a_known_destination_that_was_seldom_used_is_learned_on() -> None:
    device = Uploads({CLOUD: Usual(ENOUGH - 2, 1 * MB)})
    hours(device, 90 * MB, 70 * MB, learning=False)
    assert device.usual[CLOUD] == Usual(ENOUGH, 90 * MB)
    device.closed(10)
    assert device.sent(CLOUD, FACTOR * 90 * MB + 1, learning=False, known=True) is not None


def test_what_the_device_does_not_know_is_never_learned() -> None:
    device = Uploads()
    device.closed(0)
    assert device.sent(OTHER, FLOOR + 1, learning=False, known=False) == Excess(FLOOR + 1, None)
    assert device.closed(1) == {}


def test_nothing_is_learned_after_learning() -> None:
    device = Uploads({CLOUD: Usual(ENOUGH, 5 * MB)})
    hours(device, *[9 * MB] * 10, learning=False)
    assert device.usual == {CLOUD: Usual(ENOUGH, 5 * MB)}


def test_an_hour_in_which_learning_ends_teaches_nothing() -> None:
    device = Uploads({CLOUD: Usual(ENOUGH, 5 * MB)})
    device.closed(0)
    device.sent(CLOUD, 1 * MB, learning=True, known=True)
    assert device.sent(CLOUD, 500 * MB, learning=False, known=True) is not None
    assert device.closed(1) == {}


def test_what_is_forgotten_is_usual_no_more() -> None:
    device = Uploads({CLOUD: Usual(ENOUGH, 5 * MB)})
    device.closed(0)
    device.sent(CLOUD, 1, learning=True, known=True)
    device.forget(CLOUD)
    assert device.usual == {}
    assert device.closed(1) == {}


def test_of_two_devices_that_are_one_the_larger_counts() -> None:
    one, other = Uploads({CLOUD: Usual(2, 50)}), Uploads({CLOUD: Usual(3, 40), OTHER: Usual(1, 7)})
    assert one.joined(other).usual == {CLOUD: Usual(5, 50), OTHER: Usual(1, 7)}


def test_there_is_room_for_so_many_destinations_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_DESTINATIONS", 2)
    monkeypatch.setattr(uploads, "MAX_USUAL", 1)
    device = Uploads()
    device.closed(0)
    for destination in (CLOUD, OTHER):
        assert device.place(destination) == destination
        device.sent(destination, 1, learning=True, known=True)
    assert device.place(Destination("third.example", "web")) == Destination(OTHERS, "")
    assert device.place(CLOUD) == CLOUD
    device.closed(1)
    assert len(device.usual) == 1
