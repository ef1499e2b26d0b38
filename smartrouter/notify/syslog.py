# SPDX-License-Identifier: GPL-2.0-or-later
"""Syslog: one record for each message and each revision of it, for machines that watch.

`channel` is `/dev/log` (or another Unix socket), `udp://host:514` or `tcp://host:514`; with `?format=cef`
(ArcSight's Common Event Format 0.1, the usual one) or `?format=json` (one object). The frame is RFC 5424's;
over TCP each record is a line (RFC 6587 section 3.4.2). A local socket gets what local daemons understand:
the older header without time and host (RFC 3164), which they add.
"""

import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import smartrouter
from smartrouter.config import NotifyConfig
from smartrouter.core.inert import cut, inert
from smartrouter.notify import plain
from smartrouter.notify.channel import PATIENCE, NotDelivered
from smartrouter.notify.message import Message
from smartrouter.notify.trouble import not_reached, refused

USUAL = "/dev/log"
LONGEST = 8000  # bytes of a record, which fits a datagram; RFC 5424 section 6.1 wants 480 and recommends 2048
# Characters of a value, the first with which a record is not too long; CEF allows 1023 for most of ours.
LONGEST_VALUES = (1000, 300, 100, 30)
_DAEMON = 3  # facility, RFC 5424 table 1
_PORTS = {"udp": 514, "tcp": 514}
_SEVERITIES = {"notice": 5, "warning": 4, "critical": 2}  # RFC 5424 table 2
_CEF_SEVERITIES = {"notice": 3, "warning": 6, "critical": 9}
_ALLOWED = "`/dev/log`, `udp://HOST:514` or `tcp://HOST:514`, with `?format=cef` or `?format=json` behind it"


class Place(NamedTuple):
    """Where records go. `how`: unix | udp | tcp; `path`: of the socket, `host` and `port` otherwise."""

    how: str
    path: str
    host: str
    port: int
    render: Callable[[Message, int], str]


class Syslog:
    """See the module. Keeps its connection, and makes it anew when it is broken."""

    def __init__(self, place: Place):
        self._place = place
        self._socket: socket.socket | None = None

    def send(self, message: Message, receipt: str) -> str:  # noqa: ARG002 - each revision is a record
        """See `channel.Channel`."""
        sent = record(message, self._place)
        whom = "the syslog socket" if self._place.how == "unix" else "the syslog server"
        try:
            if self._socket is not None and self._is_over(self._socket):
                self.close()
            if self._socket is None:
                self._socket = _connected(self._place)
            self._socket.sendall(sent)
        except OSError as error:
            self.close()
            failure: NotDelivered = not_reached(error, whom)
        else:
            return "sent"
        raise failure

    def close(self) -> None:
        """See `channel.Channel`."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _is_over(self, connection: socket.socket) -> bool:
        """Whether the other side has ended it: what is written then is lost without an error."""
        if self._place.how != "tcp":
            return False
        try:
            return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True


def open_channel(config: NotifyConfig) -> Syslog:
    """See `channels`. Raises BadConfig."""
    return Syslog(place(config))


def place(config: NotifyConfig) -> Place:
    """What `channel` means. Raises BadConfig."""
    try:
        parts = urlsplit(config.channel or USUAL)
        port = parts.port
        given = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
    except ValueError:
        raise refused(config, "channel", "something else", _ALLOWED) from None
    render = _FORMATS.get(given.pop("format", ["cef"])[-1])
    is_local = not parts.scheme and not parts.netloc and parts.path.startswith("/")
    is_remote = parts.scheme in _PORTS and bool(parts.hostname) and parts.username is None and port != 0
    if render is None or given or not (is_local or (is_remote and parts.path in ("", "/"))):
        raise refused(config, "channel", "something else", _ALLOWED)
    if is_local:
        return Place("unix", parts.path, "", 0, render)
    return Place(parts.scheme, "", parts.hostname or "", port or _PORTS[parts.scheme], render)


def record(message: Message, place: Place) -> bytes:
    """The message as the bytes that are sent."""
    priority = _DAEMON * 8 + _SEVERITIES.get(message.severity, 4)
    process = os.getpid()
    if place.how == "unix":
        head = f"<{priority}>smartrouter[{process}]: "
    else:
        when = datetime.fromtimestamp(message.at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        names = f"{_word(socket.gethostname(), 255)} smartrouter {process} {_word(message.kind, 32)}"
        head = f"<{priority}>1 {when} {names} - "
    made = b""
    for longest in LONGEST_VALUES:
        made = (head + place.render(message, longest)).encode()
        if len(made) <= LONGEST:
            break
    return made + b"\n" if place.how == "tcp" else made


def cef(message: Message, longest: int) -> str:
    """As `CEF:0|vendor|product|version|kind|title|severity|extension`, no value longer than `longest`. The
    extension's names are those of ArcSight's dictionary."""

    def head(text: str) -> str:
        return cut(inert(text), longest).replace("\\", "\\\\").replace("|", "\\|")

    def value(text: str) -> str:
        return cut(inert(text), longest).replace("\\", "\\\\").replace("=", "\\=")

    severity = _CEF_SEVERITIES.get(message.severity, 5)
    extension = {
        "rt": str(int(message.at * 1000)),
        "externalId": message.key,
        "cnt": str(message.revision),
        "smac": message.mac,
        "shost": message.device,
        "dhost": message.destination,
        "app": message.service,
        "act": "" if message.blocked is None else "blocked" if message.blocked else "reported",
        "outcome": message.outcome,
        "request": plain.link(message),
        "msg": "; ".join(f"{what}: {text}" for what, text in message.facts[: plain.MOST_FACTS]),
    }
    parts = ["CEF:0", "smartrouter", "smartrouter", smartrouter.__version__, message.kind, message.title]
    said = " ".join(f"{name}={value(text)}" for name, text in extension.items() if text)
    return "|".join([*map(head, parts), str(severity), said])


def json_line(message: Message, longest: int) -> str:
    """As one JSON object on one line, no value longer than `longest`."""
    return json.dumps(plain.values(message, longest), ensure_ascii=False)


_FORMATS: Mapping[str, Callable[[Message, int], str]] = {"cef": cef, "json": json_line}


def _word(text: str, longest: int) -> str:
    return re.sub("[^!-~]", "", text)[:longest] or "-"


def _connected(place: Place) -> socket.socket:
    if place.how == "tcp":
        return socket.create_connection((place.host, place.port), PATIENCE)
    if place.how == "udp":
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_DGRAM)[0]
        return _reached(socket.socket(found[0], socket.SOCK_DGRAM), found[4])
    return _reached(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), place.path)


def _reached(made: socket.socket, address: str | tuple[str | int | bytes, ...]) -> socket.socket:
    made.settimeout(PATIENCE)
    try:
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made
