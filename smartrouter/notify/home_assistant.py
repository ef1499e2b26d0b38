# SPDX-License-Identifier: GPL-2.0-or-later
"""What Home Assistant is told over MQTT, so that each IoT device appears there: its alerts as an event, the
last one as a sensor, its mode as a switch. Pure. https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery

Names of devices are somebody else's text: they stand only where Home Assistant takes text, never in a topic,
an identifier or a template.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from smartrouter.core.effects import Kind
from smartrouter.core.inert import cut, inert
from smartrouter.core.policy import Mode

ROUTER = "router"  # the id of what is said of no device
OTHER = "other"
EVENTS = (*(kind.value for kind in Kind), "flood", "digest", "test", OTHER)
LONGEST_NAME = 80  # characters


class Topics(NamedTuple):
    """Where things are. `prefix`: of ours; `discovery`: of Home Assistant's, '' for none."""

    prefix: str
    discovery: str

    @property
    def status(self) -> str:
        """Whether we are there: `online` or `offline`."""
        return f"{self.prefix}/status"

    def of(self, device: str, what: str) -> str:
        """`what`: event | alert | mode | mode/set."""
        return f"{self.prefix}/{device}/{what}"

    def config(self, kind: str, device: str, what: str) -> str:
        """Where an entity is announced."""
        return f"{self.discovery}/{kind}/{self.node(device)}/{what}/config"

    def node(self, device: str) -> str:
        """What the device is called in identifiers."""
        return re.sub("[^A-Za-z0-9_-]", "_", f"{self.prefix}_{device}")


def device_id(mac: str) -> str:
    """A MAC as a level of a topic; `ROUTER` for none, or for what is none."""
    found = mac.lower().replace(":", "")
    return found if re.fullmatch("[0-9a-f]{12}", found) else ROUTER


def mac_of(device: str) -> str:
    """The reverse; '' if it is none."""
    return ":".join(re.findall("..", device)) if re.fullmatch("[0-9a-f]{12}", device) else ""


def announcements(
    topics: Topics, device: str, name: str, maker: str = "", *, mode: Mode | None = None
) -> Iterator[tuple[str, str]]:
    """Topics and retained payloads that make the device known; with a switch if its `mode` is known."""
    if not topics.discovery:
        return
    for kind, what, entity in _entities(topics, device, with_switch=mode is not None):
        made = entity | {
            "unique_id": f"{topics.node(device)}_{what}",
            "device": _device(topics, device, name, maker),
            "availability_topic": topics.status,
            "qos": 1,
        }
        yield topics.config(kind, device, what), json.dumps(made)


def withdrawals(topics: Topics, device: str) -> Iterator[str]:
    """The topics to empty when a device is gone."""
    if topics.discovery:
        for kind, what, _ in _entities(topics, device, with_switch=True):
            yield topics.config(kind, device, what)
    for what in ("alert", "mode"):
        yield topics.of(device, what)


def _entities(topics: Topics, device: str, *, with_switch: bool) -> Iterator[tuple[str, str, dict[str, Any]]]:
    yield (
        "event",
        "alerts",
        {
            "name": "Alerts",
            "icon": "mdi:shield-alert",
            "state_topic": topics.of(device, "event"),
            "event_types": list(EVENTS),
        },
    )
    yield (
        "sensor",
        "last_alert",
        {
            "name": "Last alert",
            "icon": "mdi:shield-search",
            "state_topic": topics.of(device, "alert"),
            "value_template": "{{ value_json.title[:250] }}",  # a state may have 255 characters
            "json_attributes_topic": topics.of(device, "alert"),
        },
    )
    if with_switch:
        yield (
            "switch",
            "mode",
            {
                "name": "Block what is new",
                "icon": "mdi:shield-lock",
                "state_topic": topics.of(device, "mode"),
                "command_topic": topics.of(device, "mode/set"),
                **dict.fromkeys(("payload_on", "state_on"), Mode.ENFORCE.value),
                **dict.fromkeys(("payload_off", "state_off"), Mode.MONITOR.value),
                "entity_category": "config",
            },
        )


def _device(topics: Topics, device: str, name: str, maker: str) -> dict[str, Any]:
    mac = mac_of(device)
    made: dict[str, Any] = {
        "identifiers": [topics.node(device)],
        "name": cut(inert(name), LONGEST_NAME).strip() or mac or "smartrouter",
    }
    if mac:
        made |= {"connections": [["mac", mac]], "via_device": topics.node(ROUTER)}
        made |= {"manufacturer": cut(inert(maker), LONGEST_NAME)} if maker else {}
    else:
        made |= {"name": "smartrouter", "manufacturer": "smartrouter"}
    return made
