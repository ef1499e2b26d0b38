# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket: how commands and the web interface reach the supervisor. Both ends.

One JSON object a line, one answer for each: `{"ok": {…}}` or `{"error": TEXT}`. Only root and the service
user (or its group) get in: the socket's mode says so, and the kernel's word on the peer is checked again.
What a request means is decided elsewhere.
"""

import contextlib
import os
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from smartrouter.channel import BadMessage, Gone, Lines, decode, encode
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.journal import Journal
from smartrouter.linux.privileges import User, group_name

log = Journal("smartrouter.control")

NAME = "control.sock"
MODE = 0o660
MAX_CLIENTS = 32
LONGEST_REQUEST = 65536  # bytes
IDLE = 10.0  # seconds that a client may take for its next request
_MAX_WAITING = 16  # requests of one client that wait behind the one in work
_SO_PEERGROUPS = 59  # asm-generic/socket.h: the peer's supplementary groups
_MAX_GROUPS = 256  # as many as Python's getsockopt takes

Reply: TypeAlias = Callable[[Mapping[str, Any]], None]


class Peer(NamedTuple):
    """Who asks, by the kernel's word. `groups`: all of them, the primary one too."""

    uid: int
    groups: frozenset[int]


Handle: TypeAlias = Callable[[dict[str, Any], Peer, Reply, float], None]


class Server:
    """The supervisor's end. `handle(request, peer, reply, now)` must call `reply` once, now or later."""

    unsent = False

    def __init__(self, run_dir: str, user: User, handle: Handle):
        """Make and open the socket in `run_dir`, for root and the group of `user`. Raises Unavailable."""
        self._path = os.path.join(run_dir, NAME)
        self._user = user
        self._handle = handle
        self._clients: list[_Client] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._path)  # a killed predecessor's; nobody listens there, we hold the lock
            before = os.umask(0o777)
            try:
                self._socket.bind(self._path)
            finally:
                os.umask(before)
            if os.geteuid() == 0:
                os.chown(self._path, 0, user.gid)
            os.chmod(self._path, MODE)
            self._socket.listen(MAX_CLIENTS)
        except OSError as error:
            self._socket.close()
            raise Unavailable(f"cannot make {self._path}: {error.strerror or error}") from error

    def fileno(self) -> int:
        """The descriptor to poll; then call `ready`."""
        return self._socket.fileno()

    @property
    def clients(self) -> "tuple[_Client, ...]":
        """Its conversations: to be polled too."""
        return tuple(self._clients)

    def ready(self, now: float) -> None:
        """Somebody knocks."""
        try:
            sock, _ = self._socket.accept()
        except OSError:
            return  # gone again, or no descriptor left: the next one may have more luck
        peer = _peer_of(sock)
        if peer is None or not self._lets_in(peer):
            log.warning("refused a peer with uid %s", "unknown" if peer is None else peer.uid)
            _dismiss(sock, f"only root and the group {group_name(self._user.gid)} may ask")
        elif len(self._clients) >= MAX_CLIENTS:
            _dismiss(sock, "too many are asking at once; try again in a moment")
        else:
            self._clients.append(_Client(sock, peer, self._handle, now))

    def step(self, now: float) -> None:
        """Forget the clients that are gone, or ask nothing."""
        for client in self._clients:
            client.step(now)
        self._clients = [client for client in self._clients if client.fileno() >= 0]

    def close(self) -> None:
        """Hang up on everybody and leave no socket behind."""
        for client in self._clients:
            client.close()
        self._clients = []
        self._socket.close()
        with contextlib.suppress(OSError):
            os.unlink(self._path)

    def _lets_in(self, peer: Peer) -> bool:
        return peer.uid in (0, self._user.uid) or self._user.gid in peer.groups


class _Client:
    """One conversation: requests are worked on one after another."""

    def __init__(self, sock: socket.socket, peer: Peer, handle: Handle, now: float):
        self._lines = Lines(sock, LONGEST_REQUEST)
        self._peer = peer
        self._handle = handle
        self._waiting: deque[bytes] = deque()
        self._busy = False
        self._last = now
        self._leave_when_sent = False

    @property
    def unsent(self) -> bool:
        return self._lines.unsent

    def fileno(self) -> int:
        return self._lines.fileno()  # -1 once closed

    def ready(self, now: float) -> None:
        self._lines.flush()
        if self._leave_when_sent:
            if not self._lines.unsent:
                self.close()
            return
        try:
            self._waiting.extend(self._lines.receive())
            if len(self._waiting) > _MAX_WAITING:
                raise BadMessage("too many requests at once")
        except Gone:
            self.close()
        except BadMessage as error:
            self._give_up(str(error))
        self._next(now)

    def step(self, now: float) -> None:
        if self.fileno() >= 0 and not self._busy and now - self._last >= IDLE:
            self.close()

    def close(self) -> None:
        self._waiting.clear()
        self._lines.close()

    def _next(self, now: float) -> None:
        while self._waiting and not self._busy:
            line = self._waiting.popleft()
            if not line.strip():
                continue
            try:
                request = decode(line)
            except BadMessage as error:
                self._reply({"error": str(error)})
                continue
            self._busy = True
            self._handle(request, self._peer, self._reply, now)

    def _reply(self, answer: Mapping[str, Any]) -> None:
        self._busy = False
        now = time.monotonic()
        self._last = now
        if self.fileno() >= 0:
            self._lines.send(answer)
            self._next(now)

    def _give_up(self, why: str) -> None:
        self._waiting.clear()
        self._lines.send({"error": why})
        self._leave_when_sent = True
        if not self._lines.unsent:
            self.close()


def _peer_of(sock: socket.socket) -> Peer | None:
    try:
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, gid = struct.unpack("3i", credentials)
    except OSError:
        return None
    try:
        packed = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, 4 * _MAX_GROUPS)
    except OSError:
        packed = b""  # more groups than anybody has: the primary one has to do
    return Peer(
        uid & 0xFFFFFFFF, frozenset((gid & 0xFFFFFFFF, *struct.unpack(f"{len(packed) // 4}I", packed)))
    )


def _dismiss(sock: socket.socket, why: str) -> None:
    with sock, contextlib.suppress(OSError):
        sock.setblocking(False)
        sock.send(encode({"error": why}))


def ask(run_dir: str, request: Mapping[str, object], timeout: float = 5.0) -> dict[str, Any]:
    """Ask the running smartrouter; gives what stands under `ok` in its answer.

    Raises Unavailable if it does not run or does not answer within `timeout` seconds, and
    SmartrouterError with its own words if it answers with an error.
    """
    path = os.path.join(run_dir, NAME)
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.settimeout(timeout)
            sock.connect(path)
            with contextlib.suppress(BrokenPipeError):  # who does not want us has said why, and hung up
                sock.sendall(encode(request))
            answer = decode(_line(sock, deadline))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise Unavailable(
                f"smartrouter is not running (nobody listens at {path}): start it with `smartrouter run`, "
                "or as a service"
            ) from error
        except PermissionError as error:
            raise Unavailable(f"{path} is for root and smartrouter's own group: try with sudo") from error
        except TimeoutError as error:
            raise Unavailable(
                f"smartrouter did not answer within {timeout:.0f} s: it is busy or hangs; its log says more"
            ) from error
        except (OSError, BadMessage) as error:
            raise Unavailable(f"smartrouter did not answer: {error}; is it stopping?") from error
    if "error" in answer:
        raise SmartrouterError(str(answer["error"]))
    ok = answer.get("ok")
    return ok if isinstance(ok, dict) else {}


def _line(sock: socket.socket, deadline: float) -> bytes:
    """The first line that comes. Raises OSError (TimeoutError after `deadline`)."""
    received = bytearray()
    while b"\n" not in received:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        sock.settimeout(left)
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionError("it hung up")
        received += chunk
    return bytes(received).partition(b"\n")[0]
