# SPDX-License-Identifier: GPL-2.0-or-later
"""When what a device asks for looks like a person's phone or computer."""

import pytest

from smartrouter.core.detection.persons import HOUR, PersonWatch, Sign


def asking(*names: str, gap: float = 1.0, start: float = 1e6) -> list[Sign]:
    watch = PersonWatch()
    found = [watch.asked(name, start + gap * at) for at, name in enumerate(names)]
    return [sign for sign in found if sign is not None]


THINGS = [f"host{number}.maker{number}.example" for number in range(100)]


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["graph.facebook.com", "api.twitter.com", "www.bbc.co.uk"], 3),
        (["play.google.com", *THINGS[:7]], 8),
        (THINGS[:40], 40),
    ],
)
def test_a_sign_of_a_person(names: list[str], groups: int) -> None:
    (sign,) = asking(*names)
    assert sign.groups == groups


@pytest.mark.parametrize(
    "names",
    [
        ["graph.facebook.com", "api.twitter.com"],
        ["graph.facebook.com", *THINGS[:6]],
        THINGS[:39],
        [f"host{number}.maker.example" for number in range(1000)],
        [f"{number}.1.168.192.in-addr.arpa" for number in range(100)],
        [f"printer{number}.local" for number in range(100)],
        ["evilfacebook.com", "facebook.com.evil.example", "xtwitter.com", "t.co.example"],
        [],
    ],
)
def test_no_sign_of_a_person(names: list[str]) -> None:
    assert asking(*names) == []


def test_it_says_so_once_an_hour_with_the_domains_that_speak_for_it() -> None:
    names = ["graph.facebook.com", "api.twitter.com", "www.tripadvisor.com", "i.instagram.com"]
    (sign,) = asking(*names)
    assert sign.personal == ("facebook.com", "twitter.com", "tripadvisor.com")
    watch = PersonWatch()
    found = [watch.asked(name, 1e6 + hour * HOUR) for hour in range(3) for name in names]
    assert sum(sign is not None for sign in found) == 3


def test_what_is_asked_over_many_hours_does_not_add_up() -> None:
    assert asking(*THINGS, gap=HOUR / 10) == []


def test_a_flood_of_names_is_bounded() -> None:
    watch = PersonWatch()
    for number in range(10_000):
        watch.asked(f"host.made-up{number}.example", 1e6)
    assert len(watch._groups) <= 256
