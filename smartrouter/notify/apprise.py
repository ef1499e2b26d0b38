# SPDX-License-Identifier: GPL-2.0-or-later
"""A hundred more services (Telegram, Discord, Matrix, Pushover, Teams …), by the library apprise.

`channel` is apprise's own address of a service, see https://github.com/caronc/apprise/wiki. What each service
acts on in a text cannot be known here, so all signs that some mark-up gives a meaning become look-alikes.
"""

import contextlib
import logging
import os
import re
import time
from typing import Any

import apprise

from smartrouter.config import NotifyConfig
from smartrouter.core.inert import cut
from smartrouter.notify import plain, repeats
from smartrouter.notify.channel import NotDelivered
from smartrouter.notify.message import Message
from smartrouter.notify.trouble import refused

LONGEST = 1500  # characters; Discord takes 2000, others cut or split themselves
LONGEST_TITLE = 200
_TYPES = {"notice": "info", "warning": "warning", "critical": "failure"}
_LOOKS = str.maketrans("*_~`<>[]@#|&\\", "∗ˍ∼ˋ‹›［］＠＃￨＆＼")
_FINAL = frozenset({401, 403, 404, 410})
_ALLOWED = "an address as apprise has them, such as `tgram://TOKEN/CHAT`"


class Apprise:
    """See the module."""

    def __init__(self, client: Any):
        self._client = client

    def send(self, message: Message, receipt: str) -> str:
        """See `channel.Channel`."""
        if not repeats.is_due(message, receipt, time.time()):
            return receipt
        title, body = texts(message)
        kind = "success" if message.outcome else _TYPES.get(message.severity, "warning")
        failure = NotDelivered("apprise could not hand the message over")
        capture: Any = apprise.LogCapture
        with capture(level=logging.WARNING) as said:
            try:
                done = self._client.notify(body=body, title=title, notify_type=kind, body_format="text")
            except Exception as error:  # of one of a hundred plug-ins
                failure = NotDelivered(f"apprise could not hand the message over ({type(error).__name__})")
                done = False
            status = _status(said.getvalue())
        if done:
            return repeats.receipt_for(message, time.time())
        if status:
            failure = NotDelivered(
                f"the service does not take the message (status {status})"
                + ("; mend `option channel`" if status in _FINAL else ""),
                is_final=status in _FINAL,
            )
        raise failure

    def close(self) -> None:
        """See `channel.Channel`."""
        with contextlib.suppress(Exception):
            self._client.clear()


def open_channel(config: NotifyConfig) -> Apprise:
    """See `channels`. Raises BadConfig."""
    _hush()
    if authority := os.environ.get("SSL_CERT_FILE"):
        os.environ.setdefault("REQUESTS_CA_BUNDLE", authority)  # what apprise goes by
    address = config.channel
    if not address:
        raise refused(config, "channel", "nothing", _ALLOWED)
    client = apprise.Apprise(asset=apprise.AppriseAsset(app_id="smartrouter", async_mode=False))
    try:
        is_known = bool(client.add(address))
    except Exception:  # of one of a hundred plug-ins; its text may hold the address
        is_known = False
    if not is_known or len(client) != 1:
        raise refused(config, "channel", "something that it does not know", _ALLOWED)
    if not getattr(client[0], "verify_certificate", True):
        raise refused(config, "channel", "an address with `verify=no`", "one with certificates verified")
    return Apprise(client)


def texts(message: Message) -> tuple[str, str]:
    """Title and body. The address of its page is the only one that can be followed."""
    address = plain.link(message)
    body = [_inactive(line) for line in plain.lines(message) if line != address]
    text = cut("\n".join(body), LONGEST)
    return _inactive(plain.title(message, LONGEST_TITLE)), f"{text}\n{address}" if address else text


def _inactive(text: str) -> str:
    """Nothing that a mark-up acts on, and no address with a scheme."""
    return text.translate(_LOOKS).replace("://", "∶//")


def _status(said: str) -> int:
    """The HTTP status that a plug-in complained of, 0 if it did of none."""
    found = re.search(r"error=([1-5][0-9]{2})\b", said)
    return int(found[1]) if found else 0


def _hush() -> None:
    """apprise and what it stands on log addresses, and so secrets."""
    for name in ("apprise", "requests", "urllib3", "urllib3.connectionpool"):
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
