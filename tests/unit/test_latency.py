# SPDX-License-Identifier: GPL-2.0-or-later
"""The histogram of how long packets waited for their verdicts."""

import pytest

from smartrouter.linux.latency import BOUNDS, Latency


@pytest.mark.parametrize(
    ("seconds", "end"),
    [(0.0, 0.00005), (0.00005, 0.00005), (0.00006, 0.0001), (0.003, 0.005), (1.0, 1.0), (1.5, None)],
)
def test_a_wait_is_counted_where_it_belongs(seconds: float, end: float | None) -> None:
    latency = Latency()
    latency.add(seconds, 64)
    found = Latency.together([latency])
    assert {bucket: count for bucket, count in found["buckets"] if count} == {end: 64}
    assert found["sum"] == pytest.approx(64 * seconds)
    assert found["count"] == 64


def test_those_of_several_readers_add_up() -> None:
    one, other = Latency(), Latency()
    one.add(0.00001, 1)
    other.add(0.00001, 2)
    other.add(0.04, 1)
    found = Latency.together([one, other])
    assert [end for end, _ in found["buckets"]] == [*BOUNDS, None]
    assert (found["count"], sum(count for _, count in found["buckets"])) == (4, 4)
    assert found["sum"] == pytest.approx(0.04003)
    assert Latency.together([])["count"] == 0
