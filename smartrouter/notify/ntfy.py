# SPDX-License-Identifier: GPL-2.0-or-later
"""ntfy, of ntfy.sh or on a server of one's own: notifications on phones. https://docs.ntfy.sh/publish/

Servers from 2.16 on put a later message with the same sequence id in the earlier one's place. Others say
nothing of the id in their answer, and what happens again is then said once an hour.
"""

import base64
import json
import re
import ssl
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from smartrouter.config import NotifyConfig
from smartrouter.notify import plain, repeats
from smartrouter.notify.channel import NotDelivered
from smartrouter.notify.message import Message
from smartrouter.notify.posting import Response, post
from smartrouter.notify.trouble import refused, retry_after

USUAL = "https://ntfy.sh"
LONGEST = 3500  # bytes of text; a server makes an attachment of 4,096 and more
_REPLACES = "replaces:"  # begins the receipts of servers that put a message in another's place
_PRIORITIES = {"notice": 2, "warning": 3, "critical": 5}  # low, default, max
_TAGS = {"notice": "information_source", "warning": "warning", "critical": "rotating_light"}
_FINAL: Mapping[int, str] = {
    401: "ntfy does not accept the token; mend `option token`",
    403: "ntfy does not let us write to the topic; mend `option token`, or the topic's rules on the server",
    404: "there is no ntfy at that address; mend `option channel` or `option url`",
    405: "there is no ntfy at that address; mend `option channel` or `option url`",
}


class Ntfy:
    """See the module. Raises BadConfig for options that cannot be used."""

    def __init__(self, config: NotifyConfig):
        self._server, self._topic = _place(config)
        self._headers = {"Content-Type": "application/json", **_authorization(config.token)}
        self._tls = ssl.create_default_context()

    def send(self, message: Message, receipt: str) -> str:
        """See `channel.Channel`."""
        is_replacing = receipt.startswith(_REPLACES)
        if not is_replacing and not repeats.is_due(message, receipt, time.time()):
            return receipt
        made = notification(message, self._topic)
        answer = post(self._server, json.dumps(made).encode(), self._headers, "the ntfy server", self._tls)
        if answer.status != 200:
            raise _refusal(answer)
        if is_replacing or _sequence(answer.body) == made["sequence_id"]:
            return _REPLACES + repeats.receipt_for(message, time.time())
        return repeats.receipt_for(message, time.time())

    def close(self) -> None:
        """See `channel.Channel`; each message has a connection of its own."""


def open_channel(config: NotifyConfig) -> Ntfy:
    """See `channels`."""
    return Ntfy(config)


def notification(message: Message, topic: str) -> dict[str, Any]:
    """The message as ntfy's JSON. No text in it is read as Markdown."""
    made: dict[str, Any] = {
        "topic": topic,
        "title": plain.title(message),
        "message": _cut_bytes("\n".join(plain.lines(message)), LONGEST),
        "priority": 2 if message.outcome else _PRIORITIES.get(message.severity, 3),
        "tags": ["white_check_mark" if message.outcome else _TAGS.get(message.severity, "warning")],
        "sequence_id": sha256(message.key.encode("utf-8", "surrogatepass")).hexdigest()[:24],
    }
    if address := plain.link(message):
        made["click"] = address
        made["actions"] = [{"action": "view", "label": "Open its page", "url": address}]
    return made


def _place(config: NotifyConfig) -> tuple[str, str]:
    """The server's address, and the topic."""
    server, topic = config.url or USUAL, config.channel
    if "/" in topic:
        server, _, topic = topic.rstrip("/").rpartition("/")
        server = server if "://" in server else "https://" + server
    if not re.fullmatch("[-_A-Za-z0-9]{1,64}", topic):
        raise refused(
            config,
            "channel",
            "no topic" if not topic else "something else",
            "a topic of up to 64 letters, digits and the signs `-_`, or its address, such as "
            "`https://ntfy.sh/TOPIC`",
        )
    try:
        parts = urlsplit(server)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.query or parts.fragment or not server.isascii() or " " in server:
        raise refused(
            config,
            "channel" if "/" in config.channel else "url",
            "no address of a server",
            "one that begins with `https://` or `http://`",
        )
    if parts.username is not None:
        raise refused(
            config,
            "channel" if "/" in config.channel else "url",
            "an address with a user",
            "one without; `option token` takes `user:password`",
        )
    return server.rstrip("/") + "/", topic


def _authorization(token: str) -> dict[str, str]:
    if not token:
        return {}
    if ":" in token:
        return {"Authorization": "Basic " + base64.b64encode(token.encode()).decode()}
    return {"Authorization": "Bearer " + token}


def _sequence(body: bytes) -> object:
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer.get("sequence_id") if isinstance(answer, dict) else None


def _refusal(answer: Response) -> NotDelivered:
    status, wait = answer.status, retry_after(answer.headers)
    if 300 <= status < 400:
        return NotDelivered(
            "the ntfy server sends us to another address, where we do not follow; name that one in "
            f"`option channel` or `option url` (HTTP status {status})",
            is_final=True,
        )
    if status in _FINAL:
        return NotDelivered(f"{_FINAL[status]} (HTTP status {status})", is_final=True)
    if status in (400, 413):
        return NotDelivered(f"ntfy does not take the message; please report this (HTTP status {status})")
    if status == 429:
        return NotDelivered("ntfy wants fewer messages; it goes on later", retry_after=wait)
    return NotDelivered(f"the ntfy server answered with HTTP status {status}", retry_after=wait)


def _cut_bytes(text: str, longest: int) -> str:
    sent = text.encode()
    return text if len(sent) <= longest else sent[: longest - 3].decode(errors="ignore") + "…"
