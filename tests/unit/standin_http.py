# SPDX-License-Identifier: GPL-2.0-or-later
"""A service that speaks HTTP on loopback, and does as it is told: answers, refuses, is slow, breaks off."""

import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple


class Request(NamedTuple):
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Reply(NamedTuple):
    """`slow`: seconds before it comes; `reset`: nothing comes, the connection is reset."""

    status: int = 200
    body: str = "{}"
    headers: tuple[tuple[str, str], ...] = ()
    slow: float = 0.0
    reset: bool = False


class HttpStandIn:
    """Answers with what is in `next`, in order, and with `usual` when that is empty."""

    def __init__(self, usual: Callable[[Request], Reply], tls: ssl.SSLContext | None = None):
        self.seen: list[Request] = []
        self.next: deque[Reply] = deque()
        self._usual = usual
        self._server = _server(self)
        if tls:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def reply(self, request: Request) -> Reply:
        self.seen.append(request)
        return self.next.popleft() if self.next else self._usual(request)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def _server(stand_in: HttpStandIn) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply = stand_in.reply(Request(self.path, dict(self.headers.items()), body))
            time.sleep(reply.slow)
            if reply.reset:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                return
            sent = reply.body.encode()
            self.send_response(reply.status)
            for name, value in (*reply.headers, ("Content-Length", str(len(sent))), ("Connection", "close")):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass

    return Server(("127.0.0.1", 0), Handler)
