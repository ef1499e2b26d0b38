# SPDX-License-Identifier: GPL-2.0-or-later
"""A message as JSON to an address of yours: `option channel 'https://…'`.

docs/notifications.md describes the JSON. With a `token`, the body is signed with it (HMAC-SHA256), so that
the receiver knows who sent it. Certificates are verified; redirects are not followed: they would take a
message, and its signature, to where nobody configured. Nothing of the address stands in an error: it may be
secret.
"""

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import ssl
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import SplitResult, unquote, urlsplit

import smartrouter
from smartrouter.config.sections import NotifyConfig
from smartrouter.core.errors import BadConfig
from smartrouter.notify.channel import PATIENCE, NotDelivered
from smartrouter.notify.message import Message

VERSION = 1  # of the JSON
SIGNATURE, DELIVERY = "X-Smartrouter-Signature", "X-Smartrouter-Delivery"
_WHOLE = 3 * PATIENCE  # seconds for all of a hand-over, however slowly the other side speaks
_FINAL = {
    401: "it wants another token",
    403: "it refuses us",
    404: "there is nothing at that address",
    410: "there is nothing at that address any more",
}


class Webhook:
    """See the module. A connection for each message: they are rare."""

    def __init__(self, url: SplitResult, secret: str, context: ssl.SSLContext | None = None):
        self._url = url
        self._secret = secret
        self._context = context

    def send(self, message: Message, receipt: str) -> str:  # noqa: ARG002 - a revision is told as it is
        """See `Channel`. The receipt is empty: whoever receives goes by key and revision."""
        body = json.dumps(body_of(message)).encode()
        connection = self._connection()
        overdue = threading.Timer(_WHOLE, _cut, (connection,))
        overdue.daemon = True
        overdue.start()
        try:
            connection.request("POST", self._target(), body, self._headers(message, body))
            _judge(connection.getresponse(), time.time())
        except NotDelivered:
            raise
        except (OSError, HTTPException, ValueError) as error:
            raise NotDelivered(_why(error)) from None  # the cause may hold the address
        finally:
            overdue.cancel()
            connection.close()
        return ""

    def close(self) -> None:
        """There is nothing to let go of."""

    def _connection(self) -> HTTPConnection:
        host, port = self._url.hostname or "", self._url.port
        if self._url.scheme == "http":
            return HTTPConnection(host, port, timeout=PATIENCE)
        return HTTPSConnection(
            host, port, timeout=PATIENCE, context=self._context or ssl.create_default_context()
        )

    def _target(self) -> str:
        return (self._url.path or "/") + (f"?{self._url.query}" if self._url.query else "")

    def _headers(self, message: Message, body: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"smartrouter/{smartrouter.__version__}",
            DELIVERY: f"{message.key}/{message.revision}",
        }
        if self._secret:
            headers[SIGNATURE] = "sha256=" + hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        if self._url.username is not None:
            pair = f"{unquote(self._url.username)}:{unquote(self._url.password or '')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        return headers


def open_channel(config: NotifyConfig) -> Webhook:
    """The channel that is configured so. Raises BadConfig."""
    try:
        url = urlsplit(config.channel)
        sound = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
        sound = sound and config.channel.isascii() and " " not in config.channel
    except ValueError:
        sound = False
    if not sound:
        raise BadConfig(
            "notify: option channel: found a value that is not shown; a webhook wants an address such as "
            "`https://example.org/hook`"
        )
    return Webhook(url, config.token)


def body_of(message: Message) -> dict[str, object]:
    """What is sent, see docs/notifications.md."""
    return {
        "version": VERSION,
        "key": message.key,
        "revision": message.revision,
        "at": message.at,
        "time": datetime.fromtimestamp(message.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "severity": message.severity,
        "kind": message.kind,
        "title": message.title,
        "device": message.device,
        "mac": message.mac,
        "destination": message.destination,
        "service": message.service,
        "facts": [{"name": what, "text": text} for what, text in message.facts],
        "blocked": message.blocked,
        "alert": message.alert,
        "link": message.link,
        "outcome": message.outcome,
    }


def _judge(response: HTTPResponse, now: float) -> None:
    """Raises NotDelivered unless it was taken."""
    status = response.status
    if 200 <= status < 300:
        return
    said = f"it answered {status}"
    if 300 <= status < 400:
        raise NotDelivered(
            f"{said}, and wants us to go elsewhere: write the new address into `option channel`",
            is_final=True,
        )
    if status in _FINAL:
        raise NotDelivered(f"{said}: {_FINAL[status]}", is_final=True)
    raise NotDelivered(said, retry_after=_retry_after(response.getheader("Retry-After"), now))


def _retry_after(text: str | None, now: float) -> float | None:
    """Seconds, from a number of them or a date (RFC 9110 section 10.2.3)."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text.strip()[:9])
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    return None


def _why(error: Exception) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not to be trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"no TLS with it: {error.reason or 'it broke off'}"
        case TimeoutError():
            return f"it did not answer within {PATIENCE:.0f} s"
        case socket.gaierror():
            return "its name leads nowhere"
        case OSError() if error.strerror:
            return f"no connection: {error.strerror}"
        case _:
            return f"it broke off ({type(error).__name__})"


def _cut(connection: HTTPConnection) -> None:
    """It has had its time."""
    sock: socket.socket | None = connection.sock
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
