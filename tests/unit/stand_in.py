# SPDX-License-Identifier: GPL-2.0-or-later
"""A service that stands in for the ones that messages go to, on loopback: it takes what is posted, or behaves
as badly as a test wants. And certificates that nobody vouches for."""

import json
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Taken(NamedTuple):
    """What was posted, and taken."""

    at: float  # CLOCK_MONOTONIC
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


class StandIn:
    """See the module. `status`: what it answers; `headers`: with these. `slow`: seconds before it does.
    `resets`: it breaks off instead, having read all. `loses`: it takes the message, and breaks off then."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.tried = 0
        self.status = 204
        self.headers: dict[str, str] = {}
        self.slow = 0.0
        self.resets = self.loses = False
        self.port = 0

    @property
    def keys(self) -> list[str]:
        """Of the messages that were taken, in order."""
        return [f"{each.said['key']}/{each.said['revision']}" for each in list(self.taken)]

    def url(self, path: str = "/hook", scheme: str = "http", who: str = "") -> str:
        return f"{scheme}://{who}127.0.0.1:{self.port}{path}"

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        self.tried += 1
        time.sleep(self.slow)
        if not self.resets and (self.loses or 200 <= self.status < 300):
            self.taken.append(Taken(time.monotonic(), request.path, dict(request.headers), body))
        if self.resets or self.loses:
            linger = struct.pack("ii", 1, 0)  # so that closing resets
            request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            request.close_connection = True
            os.close(request.connection.detach())
            return
        request.send_response(self.status)
        for name, value in self.headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", "0")
        request.end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who breaks off is meant to."""


@contextmanager
def service(certificate: Path | None = None, port: int = 0) -> Iterator[StandIn]:
    """A service that runs; with a `certificate` (and key, in one file) over TLS."""
    stand_in = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            stand_in.handle(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its parent's name for it
            """Silence."""

    server = _Server(("127.0.0.1", port), Handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    stand_in.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()


def certificate(folder: Path, *, address: str = "127.0.0.1", is_old: bool = False) -> Path:
    """A certificate for `address` that signs itself, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stand-in")])
    now = datetime.now(UTC) - timedelta(days=30 if is_old else 1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=10))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, secret = serialization.Encoding.PEM, serialization.NoEncryption()
    path = folder / f"{address}{'-old' if is_old else ''}.pem"
    path.write_bytes(
        made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, secret)
    )
    return path
