# SPDX-License-Identifier: GPL-2.0-or-later
"""Slack on loopback: as much of its Web API as we use, and a WebSocket for Socket Mode (RFC 6455)."""

import base64
import hashlib
import json
import socket
import struct
import threading
from queue import Queue
from typing import Any
from urllib.parse import parse_qs

from unit.standin_http import HttpStandIn, Reply, Request

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class SocketModeStandIn:
    """Takes one connection after the other. `acknowledged`: ids of envelopes."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}/link/?ticket=T0SECRETHOOK"
        self.acknowledged: Queue[str] = Queue()
        self.connections = 0
        self.connected = threading.Event()
        self._peer: socket.socket | None = None
        self._is_closed = False
        threading.Thread(target=self._run, daemon=True).start()

    def send(self, envelope: dict[str, Any]) -> None:
        assert self._peer
        self._peer.sendall(_frame(1, json.dumps(envelope).encode()))

    def drop(self) -> None:
        """Break the connection off, as an outage does."""
        assert self._peer
        self.connected.clear()
        self._peer.shutdown(socket.SHUT_RDWR)
        self._peer.close()

    def close(self) -> None:
        self._is_closed = True
        self._listener.close()
        if self._peer:
            self._peer.close()

    def _run(self) -> None:
        while not self._is_closed:
            try:
                peer, _ = self._listener.accept()
                self._serve(peer)
            except OSError:
                continue

    def _serve(self, peer: socket.socket) -> None:
        stream = peer.makefile("rb")
        lines = iter(stream.readline, b"\r\n")
        headers = dict(line.decode().strip().split(": ", 1) for line in lines if b": " in line)
        key = headers["Sec-WebSocket-Key"]
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
        peer.sendall(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        )
        self._peer = peer
        self.connections += 1
        self.connected.set()
        self.send({"type": "hello", "num_connections": 1})
        while frame := _read_frame(stream):
            opcode, data = frame
            if opcode == 9:
                peer.sendall(_frame(10, data))
            if opcode == 1:
                self.acknowledged.put(json.loads(data)["envelope_id"])


class SlackStandIn(HttpStandIn):
    """Knows the channel `#alerts` as C024BE91L, and what was posted."""

    def __init__(self, **options: Any) -> None:
        self.sockets = SocketModeStandIn()
        self._count = 0
        super().__init__(self._answer, **options)

    def calls(self, method: str) -> list[Any]:
        return [each.json for each in self.seen if each.path.endswith(method)]

    def close(self) -> None:
        super().close()
        self.sockets.close()

    def _answer(self, request: Request) -> Reply:
        if request.path.endswith("/apps.connections.open"):
            return Reply(body=json.dumps({"ok": True, "url": self.sockets.url}))
        if request.path.startswith("/services/"):
            return Reply(body="ok")
        asked = request.json if request.body.startswith(b"{") else parse_qs(request.body.decode())
        self._count += 1
        ts = asked.get("ts") or f"1522180885.{self._count:06}"
        return Reply(body=json.dumps({"ok": True, "channel": "C024BE91L", "ts": ts}))


def press(answer: str, key: str, envelope: str = "e1", at: str = "1522180900.1") -> dict[str, Any]:
    """The envelope of somebody's press on a button."""
    return {
        "type": "interactive",
        "envelope_id": envelope,
        "accepts_response_payload": False,
        "payload": {
            "type": "block_actions",
            "user": {"id": "U024BE7LH", "username": "mallory"},
            "actions": [
                {"type": "button", "action_id": f"smartrouter:{answer}", "value": key, "action_ts": at}
            ],
        },
    }


def _frame(opcode: int, data: bytes) -> bytes:
    if len(data) < 126:
        return bytes((0x80 | opcode, len(data))) + data
    return bytes((0x80 | opcode, 126)) + struct.pack("!H", len(data)) + data


def _read_frame(stream: Any) -> tuple[int, bytes] | None:
    head = stream.read(2)
    if len(head) < 2:
        return None
    length = head[1] & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", stream.read(2))
    mask = stream.read(4)
    data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(stream.read(length)))
    return head[0] & 0x0F, data
