# SPDX-License-Identifier: GPL-2.0-or-later
"""A real mosquitto on loopback, and somebody who listens and speaks there."""

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from unit.standin_smtp import free_port

PROGRAM = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")


class Broker:
    """One that can be stopped and started again; keeps nothing. `options`: lines of its configuration."""

    def __init__(self, folder: Path, options: str = "allow_anonymous true"):
        if not PROGRAM:
            pytest.skip("no mosquitto here")
        self.port = free_port()
        self._file = folder / f"mosquitto-{self.port}.conf"
        self._file.write_text(f"user root\nlistener {self.port} 127.0.0.1\n{options}\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        assert PROGRAM
        self._process = subprocess.Popen(
            [PROGRAM, "-c", str(self._file)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: _answers(self.port))

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


class Listener:
    """Somebody on the broker: what was published, by topic, and with which flags."""

    def __init__(self, port: int):
        versions: Any = getattr(paho, "CallbackAPIVersion", None)
        make: Any = paho.Client
        self._client: paho.Client = make(versions.VERSION2) if versions else make()
        self.messages: list[tuple[str, bytes, bool]] = []
        self._client.on_message = lambda _client, _data, message: self.messages.append(
            (message.topic, bytes(message.payload), message.retain)
        )
        listens = threading.Event()
        self._client.on_subscribe = lambda *_: listens.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("#", qos=1)
        assert listens.wait(20)

    def of(self, topic: str) -> list[bytes]:
        return [payload for where, payload, _ in self.messages if where == topic]

    def wait(self, topic: str, count: int = 1) -> list[Any]:
        """The payloads that came there, as JSON where they are some, when there are `count`."""
        until(lambda: len(self.of(topic)) >= count)
        return [_read(payload) for payload in self.of(topic)]

    def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        self._client.publish(
            topic, payload.encode("utf-8", "surrogatepass"), qos=1, retain=retain
        ).wait_for_publish(20)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def listening(broker: Broker) -> Iterator[Listener]:
    listener = Listener(broker.port)
    try:
        yield listener
    finally:
        listener.close()


def until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def _read(payload: bytes) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(payload)
    return payload.decode()


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
