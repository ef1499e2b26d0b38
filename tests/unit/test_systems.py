# SPDX-License-Identifier: GPL-2.0-or-later
"""When what uses a MAC speaks like another system, and when it only speaks a little differently."""

import json

import pytest

from smartrouter.core.classification.signs import DhcpAsked, SynShape
from smartrouter.core.identity.systems import MAX_SYSTEMS, SURE_AFTER, Systems

CAMERA = "3c:2e:ff:29:4d:93"
BUSYBOX = (1, 3, 6, 12, 15, 28, 42)
WINDOWS = (1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 121, 249, 252)
LWIP = (1, 3, 28, 6)


def said(vendor_class: str, params: tuple[int, ...], kind: int = 1, version: int = 4) -> DhcpAsked:
    return DhcpAsked(CAMERA, version, kind, vendor_class=vendor_class, params=params)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (said("udhcp 1.19.4", BUSYBOX), said("udhcp 1.22.1", (1, 3, 6, 12, 15, 17, 28, 42))),
        (said("udhcp 0.9.8", (1, 3, 6, 12, 15, 28, 44)), said("udhcp 1.30.1", BUSYBOX)),
        (said("", LWIP), said("", (1, 3, 6))),
        (said("", BUSYBOX), said("udhcp 1.19.4", BUSYBOX)),
        (said("MSFT 5.0", WINDOWS), said("MSFT 5.0", WINDOWS[:-3])),
    ],
)
def test_another_version_is_the_same_system(first: DhcpAsked, then: DhcpAsked) -> None:
    systems = Systems()
    assert not systems.asked(first)
    assert not systems.asked(then)


@pytest.mark.parametrize(
    ("first", "then", "words"),
    [
        (said("udhcp 1.19.4", BUSYBOX), said("MSFT 5.0", WINDOWS), ("'udhcp 1.19.4'", "'MSFT 5.0'")),
        (said("", LWIP), said("", WINDOWS), ("options 1, 3, 6, 28", "options 1, 3, 6, 15, 31")),
        (said("Withings00", LWIP), said("udhcp 1.22.1", BUSYBOX), ("'Withings00'", "'udhcp 1.22.1'")),
    ],
)
def test_another_system_is_told_of_once(first: DhcpAsked, then: DhcpAsked, words: tuple[str, str]) -> None:
    systems = Systems()
    systems.asked(first)
    detail = systems.asked(then)
    assert detail.index(words[0]) < detail.index(words[1])
    assert not systems.asked(then)
    assert not systems.asked(first)


@pytest.mark.parametrize(
    "other",
    [
        said("PXEClient:Arch:00000:UNDI:002001", tuple(range(1, 40))),
        said("U-Boot.armv7", (1, 3, 66, 67)),
        said("MSFT 5.0", WINDOWS, kind=8),
        said("MSFT 5.0", (), kind=3),
        said("MSFT 5.0", WINDOWS, version=6),
    ],
)
def test_boot_loaders_and_other_messages_are_not_compared(other: DhcpAsked) -> None:
    systems = Systems()
    systems.asked(said("udhcp 1.19.4", BUSYBOX))
    assert not systems.asked(other)


def test_packets_that_begin_with_other_hops_are_another_system_once_that_is_sure() -> None:
    systems = Systems()
    assert not systems.opened(SynShape(64, 5840, "M"))
    details = [systems.opened(SynShape(128, 64240, "MNWNNS")) for _ in range(SURE_AFTER)]
    assert not any(details[:-1])
    assert "64 hops" in details[-1]
    assert "128" in details[-1]
    assert not systems.opened(SynShape(128, 1, "M"))


def test_the_systems_of_one_mac_are_bounded() -> None:
    systems = Systems()
    for number in range(3 * MAX_SYSTEMS):
        systems.asked(said("", tuple(range(number * 10 + 1, number * 10 + 9))))
    assert len(systems.to_json()["dhcp"]) == MAX_SYSTEMS


def test_what_was_heard_outlasts_the_process() -> None:
    systems = Systems()
    systems.asked(said("udhcp 1.19.4", BUSYBOX))
    systems.opened(SynShape(64, 5840, "M"))
    again = Systems.from_json(json.loads(json.dumps(systems.to_json())))
    assert not again.asked(said("udhcp 1.22.1", BUSYBOX))
    assert again.asked(said("MSFT 5.0", WINDOWS))


@pytest.mark.parametrize(
    "junk",
    [None, 7, [], {}, {"dhcp": 1, "hops": 2}, {"dhcp": [[1, 2], ["x", ["y"]], "z"], "hops": ["a", True]}],
)
def test_junk_in_the_store_is_nothing(junk: object) -> None:
    systems = Systems.from_json(junk)
    assert systems.to_json() == {"dhcp": [], "hops": []}
