# SPDX-License-Identifier: GPL-2.0-or-later
"""What one part says of devices is checked before another is told."""

import json
from typing import Any

import pytest

from smartrouter.core.events import AddressClaimed, DeviceSeen
from smartrouter.supervisor.seen import MAX_CLAIMS, MAX_DEVICES, Claims, Seen

PLUG: dict[str, Any] = {
    "mac": "02:5a:00:00:00:01",
    "iot": True,
    "on_iot_network": False,
    "hostname": "plug",
    "maker": "Acme",
}


def test_sound_devices_are_kept_and_handed_on() -> None:
    seen = Seen()
    unknown = {**PLUG, "mac": "02:5a:00:00:00:02", "iot": None}
    assert seen.update([PLUG, unknown]) == [PLUG, unknown]
    assert list(seen.batches()) == [[PLUG, unknown]]
    assert DeviceSeen(**PLUG).mac == PLUG["mac"]


def test_the_last_word_on_a_device_counts() -> None:
    seen = Seen()
    seen.update([PLUG])
    seen.update([{**PLUG, "hostname": "socket"}])
    assert [[device["hostname"] for device in batch] for batch in seen.batches()] == [["socket"]]


@pytest.mark.parametrize(
    "given",
    [
        None,
        "text",
        {"mac": PLUG["mac"]},
        [None],
        [[]],
        [{**PLUG, "mac": "02:5A:00:00:00:01"}],
        [{**PLUG, "mac": "02:5a:00:00:00:01\n"}],
        [{**PLUG, "mac": 1}],
        [{**PLUG, "iot": "yes"}],
        [{**PLUG, "on_iot_network": None}],
        [{**PLUG, "hostname": None}],
        [{**PLUG, "maker": ["Acme"]}],
    ],
)
def test_what_is_not_sound_is_left_out(given: object) -> None:
    seen = Seen()
    assert seen.update(given) == []
    assert list(seen.batches()) == []


def test_unknown_keys_and_endless_names_are_not_handed_on() -> None:
    (device,) = Seen().update([{**PLUG, "hostname": "x" * 9999, "root": True}])
    assert device == {**PLUG, "hostname": "x" * 253}


def test_a_flood_of_devices_fills_no_memory_and_the_last_mentioned_stay() -> None:
    seen = Seen()
    seen.update([PLUG])
    macs = [f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}" for number in range(3 * MAX_DEVICES)]
    for mac in macs:
        seen.update([{**PLUG, "mac": mac}, PLUG])
    kept = [device["mac"] for batch in seen.batches() for device in batch]
    assert len(kept) == MAX_DEVICES
    assert kept[-2:] == [macs[-1], PLUG["mac"]]
    assert all(len(json.dumps(batch)) < 100_000 for batch in seen.batches())


def test_sound_claims_are_kept_and_handed_on() -> None:
    claims, mac = Claims(), PLUG["mac"]
    said = [[mac, "192.168.1.20"], [mac, "2001:db8::5"]]
    sound = claims.update(said)
    assert json.loads(json.dumps(sound)) == said
    assert list(claims.batches()) == [sound]
    assert AddressClaimed(*sound[0]) == (mac, "192.168.1.20")


def test_the_last_word_on_an_address_counts_but_each_change_is_handed_on() -> None:
    claims, other = Claims(), "02:5a:00:00:00:02"
    said = [[PLUG["mac"], "192.168.1.20"], [other, "192.168.1.20"]]
    assert len(claims.update(said)) == 2
    assert list(claims.batches()) == [[(other, "192.168.1.20")]]


@pytest.mark.parametrize(
    "given",
    [
        None,
        "text",
        {PLUG["mac"]: "192.168.1.20"},
        [PLUG["mac"], "192.168.1.20"],
        [[]],
        [[PLUG["mac"]]],
        [[PLUG["mac"], "192.168.1.20", "more"]],
        [[PLUG["mac"].upper(), "192.168.1.20"]],
        [[PLUG["mac"], 1]],
        [[None, "192.168.1.20"]],
        [[PLUG["mac"], "192.168.1"]],
        [[PLUG["mac"], "192.168.1.20\x00"]],
        [[PLUG["mac"], "fe80::1%br-lan"]],
        [[PLUG["mac"], "\ud800:"]],
    ],
)
def test_claims_that_are_not_sound_are_left_out(given: object) -> None:
    claims = Claims()
    assert claims.update(given) == []
    assert list(claims.batches()) == []


def test_a_flood_of_claims_fills_no_memory_and_the_last_mentioned_stay() -> None:
    claims = Claims()
    for number in range(3 * MAX_CLAIMS):
        claims.update([[PLUG["mac"], f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"]])
    kept = [address for batch in claims.batches() for _, address in batch]
    assert len(kept) == MAX_CLAIMS
    number = 3 * MAX_CLAIMS - 1
    assert kept[-1] == f"10.0.{number >> 8 & 255}.{number & 255}"
    assert all(len(json.dumps(batch)) < 100_000 for batch in claims.batches())
