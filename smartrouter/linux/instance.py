# SPDX-License-Identifier: GPL-2.0-or-later
"""Being a service: the only one of its kind, deaf to no signal, on speaking terms with the init system."""

import contextlib
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

from smartrouter.core.errors import Unavailable

_NAME = "lock"
_DIRECTORY_MODE = 0o755  # what must be private in it has its own mode
_LOCK_MODE = 0o600


class Instance:
    """Holds the lock of a run directory: one supervisor for each. The kernel lets go of it when we die.

    Nobody else may even read the file: who can open it can lock it, and keep us from starting."""

    def __init__(self, run_dir: str):
        """Make the directory if need be, and take the lock. Raises Unavailable if somebody has it."""
        self._path = os.path.join(run_dir, _NAME)
        try:
            os.makedirs(run_dir, _DIRECTORY_MODE, exist_ok=True)
            self._fd = self._take()
        except OSError as error:
            raise Unavailable(f"cannot use {run_dir}: {error.strerror}; choose one with --run-dir") from error

    def release(self) -> None:
        """Leave no lock behind."""
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        os.close(self._fd)

    def _take(self) -> int:
        while True:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _LOCK_MODE)
            os.fchmod(fd, _LOCK_MODE)  # it may be there from before
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.read(fd, 20).decode(errors="replace").strip() or "unknown"
                os.close(fd)
                raise Unavailable(
                    f"smartrouter runs already, as process {pid} (it holds {self._path}): stop that one "
                    "first, or choose another --run-dir"
                ) from None
            if self._is_still_there(fd):
                os.ftruncate(fd, 0)
                os.write(fd, f"{os.getpid()}\n".encode())
                return fd
            os.close(fd)  # a predecessor took the file away between our open and our lock

    def _is_still_there(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self._path))
        except FileNotFoundError:
            return False


def notify(state: str) -> None:
    """Tell systemd our state, where it asked for it (sd_notify(3)): READY=1, STOPPING=1."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.setblocking(False)
        sock.sendto(state.encode(), name)


class Signals:
    """Turns signals into calls of `on_signal(number, now)` from a poll loop, while it is entered."""

    unsent = False

    def __init__(self, numbers: Sequence[signal.Signals], on_signal: Callable[[signal.Signals, float], None]):
        self._numbers = numbers
        self._on_signal = on_signal
        self._ours, self._kernels = socket.socketpair()
        for sock in (self._ours, self._kernels):
            sock.setblocking(False)
        self._before: dict[signal.Signals, Any] = {}

    def fileno(self) -> int:
        """The descriptor to poll; then call `ready`."""
        return self._ours.fileno()

    def ready(self, now: float) -> None:
        """Signals have come."""
        with contextlib.suppress(BlockingIOError):
            for number in self._ours.recv(256):
                self._on_signal(signal.Signals(number), now)

    def __enter__(self) -> "Signals":
        # The C handler writes the number; the Python one has only to be there.
        self._before = {number: signal.signal(number, lambda *_: None) for number in self._numbers}
        signal.set_wakeup_fd(self._kernels.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._ours.close()
        self._kernels.close()
