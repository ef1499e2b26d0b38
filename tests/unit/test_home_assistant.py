# SPDX-License-Identifier: GPL-2.0-or-later
"""How devices are announced to Home Assistant."""

import json
import re
from typing import Any

import pytest
from unit.made_alarms import HOSTILE

from smartrouter.core.effects import Kind
from smartrouter.core.policy import Mode
from smartrouter.notify.home_assistant import ROUTER, Topics, announcements, device_id, mac_of, withdrawals

TOPICS = Topics("home/smartrouter", "homeassistant")
TV = "3c2eff294d93"


def announced(name: str = "Living-room TV", **options: Any) -> dict[str, Any]:
    return {topic: json.loads(payload) for topic, payload in announcements(TOPICS, TV, name, **options)}


def test_a_device_has_its_alerts_the_last_one_and_a_switch() -> None:
    made = announced(mode=Mode.ENFORCE, maker="Acme")
    node = f"home_smartrouter_{TV}"
    assert list(made) == [
        f"homeassistant/event/{node}/alerts/config",
        f"homeassistant/sensor/{node}/last_alert/config",
        f"homeassistant/switch/{node}/mode/config",
    ]
    for entity in made.values():
        assert entity["availability_topic"] == "home/smartrouter/status"
        assert entity["device"] == {
            "identifiers": [node],
            "name": "Living-room TV",
            "connections": [["mac", "3c:2e:ff:29:4d:93"]],
            "via_device": "home_smartrouter_router",
            "manufacturer": "Acme",
        }
    event, sensor, switch = made.values()
    assert event["state_topic"] == f"home/smartrouter/{TV}/event"
    assert {kind.value for kind in Kind} < set(event["event_types"])
    assert sensor["json_attributes_topic"] == sensor["state_topic"] == f"home/smartrouter/{TV}/alert"
    assert (switch["state_topic"], switch["command_topic"]) == (
        f"home/smartrouter/{TV}/mode",
        f"home/smartrouter/{TV}/mode/set",
    )
    assert (switch["payload_on"], switch["state_off"]) == ("enforce", "monitor")
    assert len({entity["unique_id"] for entity in made.values()}) == 3


def test_no_switch_where_the_mode_is_not_known() -> None:
    assert [topic.split("/")[1] for topic in announced()] == ["event", "sensor"]


def test_what_is_announced_can_be_withdrawn() -> None:
    gone = list(withdrawals(TOPICS, TV))
    assert set(announced(mode=Mode.MONITOR)) < set(gone)
    assert {f"home/smartrouter/{TV}/alert", f"home/smartrouter/{TV}/mode"} < set(gone)


def test_without_discovery_nothing_is_announced() -> None:
    assert list(announcements(Topics("smartrouter", ""), TV, "TV", mode=Mode.ENFORCE)) == []


def test_what_is_said_of_no_device_is_the_routers() -> None:
    (_, event), _ = announcements(TOPICS, ROUTER, "whatever")
    assert json.loads(event)["device"] == {
        "identifiers": ["home_smartrouter_router"],
        "name": "smartrouter",
        "manufacturer": "smartrouter",
    }


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_is_only_a_name(hostile: str) -> None:
    made, usual = announced(hostile, maker=hostile, mode=Mode.MONITOR), announced(mode=Mode.MONITOR)
    assert list(made) == list(usual)
    for topic, entity in made.items():
        device = entity.pop("device")
        usual[topic].pop("device")
        assert entity == usual[topic]
        assert device["name"].isprintable()
        assert 0 < len(device["name"]) <= 80
        assert device["identifiers"] == [f"home_smartrouter_{TV}"]


@pytest.mark.parametrize(
    ("mac", "device", "back"),
    [
        ("3C:2E:FF:29:4D:93", TV, "3c:2e:ff:29:4d:93"),
        ("", ROUTER, ""),
        ("home/+/#", ROUTER, ""),
        ("3c:2e:ff:29:4d:9", ROUTER, ""),
        ("3c:2e:ff:29:4d:93\n", ROUTER, ""),
    ],
)
def test_a_device_in_a_topic(mac: str, device: str, back: str) -> None:
    assert device_id(mac) == device
    assert mac_of(device) == back
    assert re.fullmatch("[a-z0-9]+", device)
