# SPDX-License-Identifier: GPL-2.0-or-later
"""When a MAC is in two places."""

from smartrouter.core.identity.places import AT_ONCE, MAX_DEVICES, Places

CAMERA = "3c:2e:ff:29:4d:93"


def test_one_place_is_nothing_to_tell_of() -> None:
    places = Places()
    assert not places.heard(CAMERA, "br-lan", 0.0)
    assert not places.heard(CAMERA, "br-lan", 50.0)


def test_a_second_place_is_told_of_once() -> None:
    places = Places()
    places.heard(CAMERA, "br-lan", 0.0)
    assert places.heard(CAMERA, "br-iot", 10.0) == ("br-iot", "br-lan")
    assert not places.heard(CAMERA, "br-lan", 20.0)
    assert not places.heard(CAMERA, "br-iot", 30.0)


def test_who_left_long_ago_or_is_said_to_have_left_has_moved() -> None:
    places = Places()
    places.heard(CAMERA, "br-lan", 0.0)
    assert not places.heard(CAMERA, "br-iot", AT_ONCE + 1)
    places.left(CAMERA)
    assert not places.heard(CAMERA, "br-lan", AT_ONCE + 2)


def test_made_up_macs_are_bounded() -> None:
    places = Places()
    for number in range(MAX_DEVICES + 100):
        places.heard(f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}", "br-lan", 0.0)
    assert len(places._places) == MAX_DEVICES
