# SPDX-License-Identifier: GPL-2.0-or-later
"""JSON lines over a UNIX stream socket: the framing of every local conversation, and the two ends of that
between the supervisor and a part.

Supervisor to part: `{"id": n, "do": WHAT, …}`. Part to supervisor: `{"id": n, "ok": {…}}` or
`{"id": n, "error": TEXT}` for each request, `{"beat": true}` twice a second, `{"tell": WHAT, …}` unasked.

Nothing here blocks, and every buffer has an end: a peer that is stopped, mad or gone costs its own
conversation. What the messages mean is not this module's business.
"""

import itertools
import json
import select
import socket
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple, TypeAlias

from smartrouter.core.errors import SmartrouterError, Unavailable

LONGEST_LINE = 4 << 20  # a share with thousands of rules stays far below
_LARGEST_OUTBOX = 2 * LONGEST_LINE
_CHUNK = 65536
_BEAT_EVERY = 0.45  # seconds; the supervisor loses patience after 2.5


class BadMessage(SmartrouterError):
    """The peer broke the form: too long a line, no JSON, or JSON that is no object."""


class Gone(Unavailable):
    """The peer is no longer there, or no longer reads."""


def encode(message: Mapping[str, object]) -> bytes:
    """`message` as one line. ASCII only, so that nothing in it can pose as the end of a line."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """The object that stands on `line`; raises only BadMessage, whatever the bytes."""
    try:
        message = json.loads(line.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"not JSON: {type(error).__name__}; send one JSON object a line") from error
    if not isinstance(message, dict):
        raise BadMessage("not a JSON object; send one JSON object a line")
    return message


def plain(text: object, longest: int = 1000) -> str:
    """What another process says as text, fit for one line of a log or a screen: no control characters."""
    return "".join(c if c.isprintable() else " " for c in str(text)[:longest]).strip()


def _refuse(constant: str) -> None:
    raise ValueError(constant)  # NaN and Infinity are Python's, not JSON's


class Lines:
    """One end of a stream socket that carries lines; takes the socket over and never blocks on it."""

    def __init__(self, sock: socket.socket, longest: int = LONGEST_LINE):
        sock.setblocking(False)
        self._socket = sock
        self._longest = longest
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._broken = ""

    def fileno(self) -> int:
        """The socket's descriptor, for poll."""
        return self._socket.fileno()

    @property
    def unsent(self) -> bool:
        """Does something wait to be sent? Then `flush` once the socket takes more."""
        return bool(self._outbox)

    def receive(self) -> list[bytes]:
        """The lines that have come, without their ends; [] if none is whole. One read a call.

        Raises Gone when the peer is, and BadMessage when its line is longer than allowed.
        """
        if self._broken:
            raise Gone(self._broken)
        try:
            chunk = self._socket.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError as error:
            raise Gone(f"the other end broke off: {error.strerror}") from error
        if not chunk:
            raise Gone("the other end hung up")
        start = len(self._inbox)
        self._inbox += chunk
        if self._inbox.find(b"\n", start) < 0:
            lines = []
        else:
            *lines, rest = bytes(self._inbox).split(b"\n")
            self._inbox = bytearray(rest)
        if len(self._inbox) > self._longest or any(len(line) > self._longest for line in lines):
            raise BadMessage(f"a line of more than {self._longest} bytes")
        return lines

    def send(self, message: Mapping[str, object]) -> None:
        """Send `message`, later if the socket is full. A peer that is gone shows in `receive`."""
        if self._broken:
            return
        self._outbox += encode(message)
        self.flush()
        if len(self._outbox) > _LARGEST_OUTBOX:
            self._outbox.clear()
            self._broken = "the other end does not read"

    def flush(self) -> None:
        """Send what the socket takes now."""
        while self._outbox:
            try:
                sent = self._socket.send(self._outbox[:_CHUNK])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._outbox.clear()  # it is gone; what it said before can still be read
                return
            del self._outbox[:sent]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


Answer: TypeAlias = Mapping[str, Any]  # {"ok": {…}} or {"error": TEXT}
Then: TypeAlias = Callable[[Answer], None]


class _Asked(NamedTuple):
    deadline: float
    then: Then


class Questions:
    """The supervisor's requests to one part that are on their way, and who waits for the answers.

    Each `then` is called once. Times are seconds of any one clock.
    """

    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._open: dict[int, _Asked] = {}

    def ask(
        self, lines: Lines, do: str, arguments: Mapping[str, object], deadline: float, then: Then
    ) -> None:
        """Send a request; `then` gets the answer."""
        ident = next(self._ids)
        self._open[ident] = _Asked(deadline, then)
        lines.send({**arguments, "id": ident, "do": do})

    def hear(self, message: Mapping[str, Any]) -> bool:
        """Hand `message` to whom it answers; False if it is no answer at all."""
        ident = message.get("id")
        if not isinstance(ident, int):
            return False
        asked = self._open.pop(ident, None)
        if asked is not None:  # else its time was up
            ok = message.get("ok")
            error = {"error": plain(message["error"])} if "error" in message else None
            asked.then(error or {"ok": ok if isinstance(ok, dict) else {}})
        return True

    def next_deadline(self) -> float | None:
        """When the first of them is overdue."""
        return min((asked.deadline for asked in self._open.values()), default=None)

    def expire(self, now: float, why: str) -> None:
        """Answer those that are overdue with the error `why`."""
        for ident in [ident for ident, asked in self._open.items() if now >= asked.deadline]:
            self._open.pop(ident).then({"error": why})

    def abandon(self, why: str) -> None:
        """Answer all with the error `why`: the part is gone."""
        asked, self._open = self._open, {}
        for _, then in asked.values():
            then({"error": why})


class Request(NamedTuple):
    """What the supervisor wants of a part; `id` goes back with the answer."""

    id: int
    do: str
    arguments: dict[str, Any]


class Channel:
    """A part's end of its channel; for one thread. As a context manager it tells the supervisor in words
    why the part fails, so open it before the imports that may be missing.
    """

    def __init__(self, fd: int):
        """`fd`: the inherited descriptor that `--channel` named. It is not inherited any further."""
        sock = socket.socket(fileno=fd)
        sock.set_inheritable(False)
        self._lines = Lines(sock)
        self._next_beat = 0.0

    def fileno(self) -> int:
        """The descriptor to poll for requests."""
        return self._lines.fileno()

    def requests(self, wait: float = 0.0) -> list[Request]:
        """The requests that have come; waits up to `wait` seconds for the first bytes.

        Raises Gone when the supervisor died or hung up: the part must then end by itself.
        """
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN | (select.POLLOUT if self._lines.unsent else 0))
        ready = poll.poll(wait * 1000)
        self._lines.flush()
        if not any(mask & ~select.POLLOUT for _, mask in ready):
            return []
        return [_request(decode(line)) for line in self._lines.receive()]

    def answer(self, request: int, ok: Mapping[str, object] | None = None, error: str | None = None) -> None:
        """Answer the request with the id `request`: with `ok`, or with `error` in words."""
        if error is not None:
            self._lines.send({"id": request, "error": error})
        else:
            self._lines.send({"id": request, "ok": {} if ok is None else ok})

    def beat(self) -> None:
        """Say "I am alive". May be called more often than needed; the first one says "configure me"."""
        now = time.monotonic()
        if now >= self._next_beat and not self._lines.unsent:
            self._next_beat = now + _BEAT_EVERY
            self._lines.send({"beat": True})

    def tell(self, what: str, **facts: object) -> None:
        """Tell the supervisor something unasked."""
        self._lines.send({"tell": what, **facts})

    def close(self) -> None:
        """Hang up."""
        self._lines.close()

    def __enter__(self) -> "Channel":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not isinstance(error, Gone):
            self.tell("failed", why=_in_words(error))
        self.close()


def _request(message: dict[str, Any]) -> Request:
    ident, do = message.pop("id", None), message.pop("do", None)
    if not isinstance(ident, int) or not isinstance(do, str):
        raise BadMessage("a request needs a number as id and a text as do")
    return Request(ident, do, message)


def _in_words(error: Exception) -> str:
    """What went wrong, for status. A foreign exception's own text may hold a secret: its type is told."""
    if isinstance(error, SmartrouterError):
        return str(error)
    if isinstance(error, ImportError) and error.name:
        return f"the Python module {error.name} is missing or broken: install it, see `smartrouter doctor`"
    return f"{type(error).__name__}; the log has the traceback"
