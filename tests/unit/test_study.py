# SPDX-License-Identifier: GPL-2.0-or-later
"""Of whom more is looked at than what they say to everybody."""

import pytest

from smartrouter.analyzer.discovery import Found
from smartrouter.analyzer.study import LONG_ENOUGH, MAX_STUDIED, Study
from smartrouter.config import DeviceConfig, checked
from smartrouter.core.classification import Classification
from smartrouter.core.policy import Watching

MAC = "3c:2e:ff:29:4d:93"


def found(iot: bool | None, mac: str = MAC) -> Found:
    return Found(mac, (), "", "", "br-lan", False, Classification(iot, 0.9, ("why",)), 0.0)


def told(watch: Watching) -> list[DeviceConfig]:
    return [checked(DeviceConfig, {"mac": MAC, "watch": str(watch)}, "device")]


@pytest.mark.parametrize(
    ("iot", "watch", "is_studied"),
    [
        (True, Watching.AUTO, True),
        (None, Watching.AUTO, True),
        (False, Watching.AUTO, False),
        (False, Watching.ALWAYS, True),
        (True, Watching.NEVER, False),
        (None, Watching.NEVER, False),
    ],
)
def test_who_is_studied(iot: bool | None, watch: Watching, is_studied: bool) -> None:
    assert Study().wanted([found(iot)], told(watch), 0.0) == ([MAC] if is_studied else [])


def test_what_nobody_can_tell_is_looked_at_for_a_day() -> None:
    study = Study()
    assert study.wanted([found(None)], [], 0.0) == [MAC]
    assert study.wanted([found(None)], [], LONG_ENOUGH - 1) is None
    assert study.wanted([found(None)], [], LONG_ENOUGH) == []


def test_only_changes_are_told() -> None:
    study = Study()
    assert study.wanted([], [], 0.0) == []
    assert study.wanted([], [], 1.0) is None
    assert study.wanted([found(True)], [], 2.0) == [MAC]
    assert study.wanted([found(True)], [], 3.0) is None


def test_there_is_an_end_to_it() -> None:
    many = [found(None, f"02:00:00:00:{n >> 8:02x}:{n & 255:02x}") for n in range(3 * MAX_STUDIED)]
    assert len(Study().wanted(many, [], 0.0) or ()) == MAX_STUDIED
