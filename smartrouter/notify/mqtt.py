# SPDX-License-Identifier: GPL-2.0-or-later
"""MQTT: alerts to a broker, and to Home Assistant behind it (see `home_assistant`), which can answer them and
switch a device's mode. With paho-mqtt, 1.6 or 2.

Below the prefix: `status` (online or offline, also as last will), `DEVICE/event` (each alert once),
`DEVICE/alert` (the last one, retained, kept up to date), `DEVICE/mode` (retained), and, from others,
`DEVICE/mode/set` and `answer` (`{"key": …, "answer": …}`). Everything is sent with QoS 1 and counts as handed
over when the broker has acknowledged it.
"""

import contextlib
import json
import logging
import os
import re
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import paho.mqtt.client as paho

from smartrouter.config import NotifyConfig
from smartrouter.core.policy import Mode
from smartrouter.notify import plain, repeats
from smartrouter.notify.channel import PATIENCE, NotDelivered
from smartrouter.notify.home_assistant import (
    EVENTS,
    OTHER,
    ROUTER,
    Topics,
    announcements,
    device_id,
    mac_of,
    withdrawals,
)
from smartrouter.notify.message import Answer, Message
from smartrouter.notify.switches import Standing
from smartrouter.notify.trouble import not_reached, refused

log = logging.getLogger("smartrouter.analyzer")

MOST_QUEUED = 1000  # messages that wait for the broker's acknowledgement
LONGEST_WAIT = 60  # seconds between two attempts to connect; the first is 1
LONGEST_COMMAND = 4096  # bytes
_PORTS = {"mqtt": 1883, "mqtts": 8883}
_ALLOWED = "`mqtt://HOST:1883/PREFIX` or `mqtts://HOST:8883/PREFIX`"


class Broker(NamedTuple):
    """Where the broker is, and what is ours there."""

    host: str
    port: int
    is_tls: bool
    user: str
    password: str
    topics: Topics

    def __repr__(self) -> str:
        return f"Broker({self.host!r}, {self.port}, {self.topics!r})"


class Mqtt:
    """See the module. Connects in a thread of paho's when it is needed, and again whenever the connection is
    lost. Only one that listens tells and hears for the router; another just hands messages over."""

    def __init__(self, broker: Broker):
        self._topics = broker.topics
        self._connected = threading.Event()
        self._trouble = NotDelivered("the MQTT broker does not answer")
        self._announced: set[str] = set()  # devices, on this connection
        self._shown: dict[str, Standing] = {}
        self._lock = threading.Lock()  # for the two above
        self._answered: Callable[[str, Answer, str], None] | None = None
        self._wanted: Callable[[str, Mode, str], None] | None = None
        self._client = _client(broker)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_message = self._on_message
        self._place = (broker.host, broker.port)
        self._is_begun = self._is_resident = False

    def send(self, message: Message, receipt: str) -> str:
        """See `channel.Channel`. Each revision renews the last alert; few are an event: see `repeats`."""
        self._begin()
        if not self._connected.wait(0 if self._trouble.is_final else PATIENCE):
            raise NotDelivered(str(self._trouble), is_final=self._trouble.is_final)
        device = device_id(message.mac)
        sent = [self._publish(*each, retain=True) for each in self._introduction(device, message)]
        said = plain.values(message)
        sent.append(self._publish(self._topics.of(device, "alert"), json.dumps(said), retain=True))
        is_due = repeats.is_due(message, receipt, time.time())
        if is_due:
            event = {"event_type": message.kind if message.kind in EVENTS else OTHER, **said}
            sent.append(self._publish(self._topics.of(device, "event"), json.dumps(event)))
        for each in sent:
            self._wait_for(each)
        return repeats.receipt_for(message, time.time()) if is_due else receipt

    def listen(self, answered: Callable[[str, Answer, str], None]) -> None:
        """See `channel.Answers`. To be called before anything is sent."""
        self._answered = answered
        self._is_resident = True
        self._client.will_set(self._topics.status, b"offline", qos=1, retain=True)
        self._begin()

    def obey(self, wanted: Callable[[str, Mode, str], None]) -> None:
        """See `switches.Switches`."""
        self._wanted = wanted

    def show(self, devices: Iterable[Standing]) -> None:
        """See `switches.Switches`."""
        now = {device_id(each.mac): each for each in devices}
        now.pop(ROUTER, None)
        with self._lock:
            before, self._shown = self._shown, now
        if not self._connected.is_set():
            return  # it is done when there is a connection
        for device in before.keys() - now.keys():
            self._announced.discard(device)
            for topic in withdrawals(self._topics, device):
                self._publish(topic, "", retain=True)
        for device, standing in now.items():
            if before.get(device) != standing:
                self._show(device, standing)

    def close(self) -> None:
        """See `channel.Channel`."""
        if self._is_resident and self._connected.is_set():
            with contextlib.suppress(NotDelivered):
                self._wait_for(self._publish(self._topics.status, "offline", retain=True), 1.0)
        self._client.disconnect()
        self._client.loop_stop()

    def _begin(self) -> None:
        if not self._is_begun:
            self._is_begun = True
            self._client.connect_async(*self._place, keepalive=30)
            self._client.loop_start()

    # Out

    def _introduction(self, device: str, message: Message) -> list[tuple[str, str]]:
        with self._lock:
            if device in self._announced:
                return []
            self._announced.add(device)
        return list(announcements(self._topics, device, message.device))

    def _show(self, device: str, standing: Standing) -> None:
        with self._lock:
            self._announced.add(device)
        name, maker, mode = standing.name, standing.maker, standing.mode
        for topic, payload in announcements(self._topics, device, name, maker, mode=mode):
            self._publish(topic, payload, retain=True)
        self._publish(self._topics.of(device, "mode"), mode.value, retain=True)

    def _publish(self, topic: str, payload: str, *, retain: bool = False) -> "paho.MQTTMessageInfo":
        return self._client.publish(topic, payload.encode(), qos=1, retain=retain)

    def _wait_for(self, sent: "paho.MQTTMessageInfo", patience: float = PATIENCE) -> None:
        if sent.rc == paho.MQTT_ERR_QUEUE_SIZE:
            raise NotDelivered("too much waits for the MQTT broker; it goes on later")
        with contextlib.suppress(RuntimeError, ValueError):  # of a connection that is lost
            sent.wait_for_publish(patience)
            if sent.is_published():
                return
        raise NotDelivered("the MQTT broker did not acknowledge the message")

    # In, in paho's thread. Its versions differ in what they give besides, and in what a reason is.

    def _on_connect(self, _client: Any, _data: Any, _flags: Any, reason: Any, *_: Any) -> None:
        code = int(getattr(reason, "value", reason))
        if code:
            self._trouble = _refusal(code)
            return
        with self._lock:
            self._announced.clear()
        self._connected.set()  # first: what `show` is given from now on, it publishes itself
        with self._lock:
            shown = dict(self._shown)
        if not self._is_resident:
            return
        self._client.subscribe([(self._topics.of("+", "mode/set"), 1), (f"{self._topics.prefix}/answer", 1)])
        self._publish(self._topics.status, "online", retain=True)
        for topic, payload in announcements(self._topics, ROUTER, ""):
            self._publish(topic, payload, retain=True)
        for device, standing in shown.items():
            self._show(device, standing)

    def _on_disconnect(self, *_: Any) -> None:
        if self._connected.is_set():
            self._trouble = NotDelivered("the MQTT broker broke the connection off")
        self._connected.clear()

    def _on_connect_fail(self, *_: Any) -> None:
        # paho tells not why, but calls this while it handles the error.
        error = sys.exc_info()[1]
        self._trouble = not_reached(error or ConnectionRefusedError(), "the MQTT broker")

    def _on_message(self, _client: Any, _data: Any, message: "paho.MQTTMessage") -> None:
        if message.retain or len(message.payload) > LONGEST_COMMAND:
            return  # a retained order would be obeyed again with each connection
        try:
            if message.topic == f"{self._topics.prefix}/answer":
                self._take_answer(bytes(message.payload))
            else:
                self._take_order(message.topic, bytes(message.payload))
        except Exception as fault:  # its text may hold anything
            log.error("channel mqtt: a fault of ours: %s", type(fault).__name__)

    def _take_answer(self, payload: bytes) -> None:
        try:
            given = json.loads(payload)
        except ValueError:
            return
        key, answer = (given.get("key"), given.get("answer")) if isinstance(given, dict) else (None, None)
        if self._answered and isinstance(key, str) and key and answer in list(Answer):
            self._answered(key, Answer(answer), "mqtt")

    def _take_order(self, topic: str, payload: bytes) -> None:
        device = topic.removeprefix(f"{self._topics.prefix}/").removesuffix("/mode/set")
        mode = payload.decode("ascii", errors="replace")
        with self._lock:
            is_known = device in self._shown
        if self._wanted and is_known and mode in list(Mode):
            self._wanted(mac_of(device), Mode(mode), "mqtt")


def open_channel(config: NotifyConfig) -> Mqtt:
    """See `channels`. Raises BadConfig."""
    return Mqtt(broker(config))


def broker(config: NotifyConfig) -> Broker:
    """What the options mean. Raises BadConfig."""
    try:
        parts = urlsplit(config.channel)
        port = parts.port
        given = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else {}
    except ValueError:
        raise refused(config, "channel", "something else", _ALLOWED) from None
    discovery = given.pop("discovery", ["homeassistant"])[-1]
    prefix = parts.path.strip("/") or "smartrouter"
    if parts.username is not None:
        raise refused(config, "channel", "a user in the address", "one in `option token`, as `USER:PASSWORD`")
    if parts.scheme not in _PORTS or not parts.hostname or port == 0 or given or "#" in config.channel:
        raise refused(config, "channel", "something else" if config.channel else "nothing", _ALLOWED)
    topics = "[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,7}"
    if not re.fullmatch(topics, prefix) or not re.fullmatch(f"({topics})?", discovery):
        raise refused(
            config,
            "channel",
            "a prefix that will not do",
            "one of letters, digits, `_`, `-` and `/`",
        )
    user, _, password = config.token.partition(":")
    return Broker(
        parts.hostname,
        port or _PORTS[parts.scheme],
        parts.scheme == "mqtts",
        user,
        password,
        Topics(prefix, discovery),
    )


def _client(broker: Broker) -> "paho.Client":
    name = f"smartrouter-{os.urandom(6).hex()}"
    versions: Any = getattr(paho, "CallbackAPIVersion", None)  # since 2.0
    make: Any = paho.Client
    made: paho.Client = make(versions.VERSION2, client_id=name) if versions else make(client_id=name)
    if broker.user:
        made.username_pw_set(broker.user, broker.password or None)
    if broker.is_tls:
        made.tls_set_context(ssl.create_default_context())
    made.reconnect_delay_set(1, LONGEST_WAIT)
    made.max_queued_messages_set(MOST_QUEUED)
    return made


def _refusal(code: int) -> NotDelivered:
    """For a CONNACK: MQTT 3.1.1 section 3.2.2.3, or what paho 2 makes of it (MQTT 5 section 3.2.2.2)."""
    if code in (4, 5, 0x86, 0x87):
        return NotDelivered(
            "the MQTT broker does not accept user and password; mend `option token` (`USER:PASSWORD`)",
            is_final=True,
        )
    return NotDelivered(f"the MQTT broker does not want us now (code {code})")
