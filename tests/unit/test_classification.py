# SPDX-License-Identifier: GPL-2.0-or-later
"""What counts as an IoT device, what does not, and what cannot be told."""

import json
from collections import Counter
from pathlib import Path

import pytest

from smartrouter.core.classification import Evidence, classify, is_randomised
from smartrouter.makers import Makers

GIVEN, RANDOM = "00:17:88:24:76:ff", "42:b4:44:b4:f0:ee"


@pytest.mark.parametrize(
    ("hostname", "maker", "mac", "iot"),
    [
        ("Philips-hue", "", GIVEN, True),
        ("", "Espressif Inc.", GIVEN, True),
        ("shellyplug-s-7A8B", "", RANDOM, True),
        ("living-room-tv", "", GIVEN, True),
        ("cam2", "", GIVEN, True),
        ("ESP_07AEFB", "", GIVEN, True),
        ("BRW0080927AFBCE", "Hon Hai", GIVEN, True),
        ("user-iPhone", "Apple, Inc.", GIVEN, False),
        ("DESKTOP-V1FA0UQ", "", GIVEN, False),
        ("android-f7ca0f571270c52d", "", RANDOM, False),
        ("Galaxy-S23", "", GIVEN, False),
        ("MacBookPro", "", RANDOM, False),
        ("", "Dell Inc.", GIVEN, False),
        ("", "", RANDOM, False),
        ("", "", GIVEN, None),
        ("Living-Room", "Apple, Inc.", GIVEN, None),
        ("camilla", "", GIVEN, None),
        ("bring-it", "", GIVEN, None),
    ],
)
def test_a_host_name_or_a_maker_tells_the_kind(hostname: str, maker: str, mac: str, iot: bool | None) -> None:
    assert classify(Evidence(mac, hostname, maker)).iot is iot


def test_clues_that_agree_are_believed_more_than_one() -> None:
    one = classify(Evidence(GIVEN, "hue"))
    two = classify(Evidence(GIVEN, "hue", "Signify B.V."))
    assert one.confidence < two.confidence
    assert len(two.reasons) == 2


def test_an_appliance_that_calls_itself_a_phone_is_still_watched_but_with_little_confidence() -> None:
    kind = classify(Evidence(GIVEN, "iPhone", "Espressif Inc."))
    assert kind.iot is True
    assert kind.confidence <= 0.5


def test_every_answer_has_a_reason() -> None:
    for evidence in (
        Evidence(GIVEN),
        Evidence(RANDOM),
        Evidence(GIVEN, "roku"),
        Evidence(GIVEN, "", "Intel"),
    ):
        assert classify(evidence).reasons


def test_a_randomised_mac_has_its_local_bit_set() -> None:
    assert is_randomised("02:00:00:00:00:01")
    assert is_randomised("de:ad:be:ef:00:01")
    assert not is_randomised("00:17:88:00:00:01")


def test_real_clients_are_named_rightly_or_not_at_all(shared: Path) -> None:
    """The figures that the module's docstring gives."""
    makers = Makers()
    if not makers.of(GIVEN):
        pytest.skip("no registry of makers is installed")
    counts: Counter[str] = Counter()
    for line in (shared / "devices" / "clients.jsonl").read_text().splitlines():
        client = json.loads(line)
        mac = client["mac"]
        kind = classify(Evidence(mac, client["hostname"] or "", makers.of(mac)))
        right = kind.iot is (client["label"] == "iot")
        counts["undecided" if kind.iot is None else "right" if right else "wrong"] += 1
    assert counts == {"right": 32, "undecided": 8}
