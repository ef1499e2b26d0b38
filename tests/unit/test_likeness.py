# SPDX-License-Identifier: GPL-2.0-or-later
"""Which device a new, random MAC probably is, and when nobody can tell."""

import pytest

from smartrouter.core.classification.evidence import Evidence
from smartrouter.core.classification.signs import SynShape
from smartrouter.core.identity.likeness import ENOUGH, Looks, likeliest, likeness

NEW, OLD, OTHER = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
ANDROID = (1, 3, 6, 15, 26, 28, 51, 58, 59, 43)
APPLE = (1, 121, 3, 6, 15, 114, 119, 252)
NEEDS = frozenset({"a.example", "b.example", "c.example"})


def looks(mac: str, *, ids: tuple[str, ...] = (), needs: frozenset[str] = frozenset(), **of: object) -> Looks:
    return Looks(Evidence(mac, **of), ids, needs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"ids": ("uuid-1",)}, "identifier"),
        ({"client_id": "ff00010002"}, "client identifier"),
        ({"hostname": "bobs-pixel", "params": ANDROID, "vendor_class": "android-dhcp-13"}, "host name"),
        ({"names": ("Bob's phone",), "params": APPLE}, "name"),
        ({"hostname": "bobs-pixel", "needs": NEEDS}, "destinations"),
    ],
)
def test_what_agrees_in_what_stays_is_probably_the_same(facts: dict[str, object], reason: str) -> None:
    found = likeliest(looks(NEW, **facts), [looks(OTHER), looks(OLD, **facts)])  # type: ignore[arg-type]
    assert found is not None
    assert found.mac == OLD
    assert any(reason in each for each in found.reasons)


@pytest.mark.parametrize(
    "facts",
    [
        {
            "params": ANDROID,
            "vendor_class": "android-dhcp-13",
            "stack": SynShape(64, 65535, "MSTNW"),
        },
        {"hostname": "iPhone", "params": APPLE},
        {"hostname": "bobs-pixel"},
        {"client_id": "01020000000001"},
        {"needs": NEEDS},
        {},
    ],
)
def test_what_many_devices_agree_in_is_not_enough(facts: dict[str, object]) -> None:
    assert likeliest(looks(NEW, **facts), [looks(OLD, **facts)]) is None  # type: ignore[arg-type]


def test_two_that_are_about_as_like_are_neither() -> None:
    facts: dict[str, object] = {"hostname": "bobs-pixel", "params": ANDROID}
    both = [looks(OLD, **facts), looks(OTHER, **facts)]  # type: ignore[arg-type]
    assert likeliest(looks(NEW, **facts), both) is None  # type: ignore[arg-type]


def test_another_system_is_hardly_the_same_device() -> None:
    new, old = (
        looks(NEW, hostname="bobs-pixel", names=("Bob",), params=ANDROID),
        looks(OLD, hostname="bobs-pixel", names=("Bob",), params=APPLE),
    )
    assert likeness(new, old).score < ENOUGH


def test_of_nothing_nothing_follows() -> None:
    assert likeliest(looks(NEW), []) is None
