# SPDX-License-Identifier: GPL-2.0-or-later
"""Slack's Socket Mode: button presses come in through a connection that we opened, so that no port of the
router has to be open. https://docs.slack.dev/apis/events-api/using-socket-mode/

The frames are slack_sdk's business. Connecting anew is ours: its own way has no backoff, sleeps through a
rate limit, and reads on at full speed, for half a minute, from a connection that the other side has ended.
Slack delivers an envelope again where it saw no acknowledgement: each press counts once.
"""

import contextlib
import random
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from smartrouter.notify.channel import NotDelivered
from smartrouter.notify.loopback import is_here
from smartrouter.notify.message import Answer
from smartrouter.notify.slack_blocks import presses
from smartrouter.notify.trouble import not_reached

if TYPE_CHECKING:
    from slack_sdk.socket_mode import SocketModeClient
    from slack_sdk.socket_mode.client import BaseSocketModeClient
    from slack_sdk.socket_mode.request import SocketModeRequest

FIRST_WAIT = 1.0  # seconds before the second attempt to connect; doubled for each further one
LONGEST_WAIT = 60.0
HOPELESS_WAIT = 600.0  # where Slack said that it will not do
STEADY = 10.0  # seconds that a connection must have lasted to count as one
PRESSES_KEPT = 500
_ESTABLISHED = 1  # include/net/tcp_states.h


class AnswerSocket:
    """A thread that listens. `new_address`: asks Slack for an address to connect to, raises NotDelivered.
    `answered`: see `channel.Answers`; `trouble`: why it does not listen now, '' if it does."""

    def __init__(
        self,
        client: "SocketModeClient",
        new_address: Callable[[], str],
        answered: Callable[[str, Answer, str], None],
        first_wait: float = FIRST_WAIT,
    ):
        self._client = client
        self._new_address = new_address
        self._answered = answered
        self._first_wait = first_wait
        self._over = threading.Event()
        self._heard: OrderedDict[str, None] = OrderedDict()
        self._why = "the connection for buttons cannot be made; it is tried again"
        self.trouble = "not connected yet"
        client.socket_mode_request_listeners.append(self._hear)
        client.on_error_listeners.append(self._note)
        # Where Slack asks to be connected to anew, the library does it itself, and by this.
        client.issue_new_wss_url = self._address  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._run, name="slack-answers", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the connection and the thread."""
        self._over.set()
        if (connection := self._connection()) is not None:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes who waits for a message
        self._thread.join(timeout=5)
        self._client.close()

    def _run(self) -> None:
        wait, lasted = self._first_wait, 0.0
        while not self._over.is_set():
            if self._is_connected():
                self.trouble, lasted = "", lasted + self._first_wait
                wait = self._first_wait if lasted >= STEADY else wait
                self._over.wait(self._first_wait)
                continue
            lasted, is_hopeless = 0.0, self._connect()
            if self._client.is_connected():
                continue
            pause = HOPELESS_WAIT if is_hopeless else wait
            self._over.wait(pause * random.uniform(0.8, 1.2))  # noqa: S311 - nobody has to guess it
            wait = min(LONGEST_WAIT, wait * 2)

    def _connection(self) -> socket.socket | None:
        session = self._client.current_session
        return session.sock if session else None

    def _is_connected(self) -> bool:
        """Whether both sides are; lets go of what the other side has ended."""
        connection = self._connection()
        if connection is None:
            return False
        with contextlib.suppress(OSError):
            if connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _ESTABLISHED:
                return True
        self._client.disconnect()
        return False

    def _connect(self) -> bool:
        """Try it once; gives whether there is no hope."""
        try:
            with self._client.connect_operation_lock:
                if not self._is_connected():  # by the library, because Slack had asked for it
                    self._client.wss_uri = self._address()
                    self._client.connect()
        except NotDelivered as error:
            self.trouble = str(error)
            return error.is_final
        except Exception as error:  # of the library, or of what it was sent
            self.trouble = f"the connection for buttons cannot be made ({type(error).__name__})"
        if not self._client.is_connected():
            self.trouble = self._why
        return False

    def _note(self, error: Exception) -> None:
        """The library tells of errors, and goes on."""
        self._why = f"{not_reached(error, 'Slack (for buttons)')}; it is tried again"

    def _address(self) -> str:
        """One to connect to. Raises NotDelivered."""
        address = self._new_address()
        if is_safe(address):
            return address
        raise NotDelivered(
            "Slack named an address that is not reached by TLS; buttons have no effect", is_final=True
        )

    def _hear(self, client: "BaseSocketModeClient", request: "SocketModeRequest") -> None:
        client.send_socket_mode_response({"envelope_id": request.envelope_id})
        if request.type == "interactive":
            self.take(request.payload)

    def take(self, payload: Any) -> None:
        """Hand on the presses in `payload` that were not handed on before."""
        for press in presses(payload):
            if press.mark in self._heard:
                continue
            self._heard[press.mark] = None
            if len(self._heard) > PRESSES_KEPT:
                self._heard.popitem(last=False)
            self._answered(press.key, press.answer, press.user)


def is_safe(address: str) -> bool:
    """Whether slack_sdk speaks TLS to `address` (it does so on port 443 alone), or it is on this machine."""
    try:
        parts = urlsplit(address)
        if parts.scheme == "wss" and parts.port in (None, 443):
            return bool(parts.hostname)
        return parts.scheme in ("ws", "wss") and is_here(parts.hostname or "")
    except ValueError:
        return False
