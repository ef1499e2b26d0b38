# SPDX-License-Identifier: GPL-2.0-or-later
"""The alert file: one line an alert, in a form that people and `grep` read.

    cc:44:63:ea:63:63 -> am2-005-edge.digitalhub.com @ 2018-03-27 20:21:25.473550

What has no destination that it could name says what it is instead: `-> scan (254 addresses, tcp/23) @`.
Times are the router's local ones. Names come from the network: whatever they hold, a line stays one line
of printable ASCII with exactly these parts. Knows nothing of the store, or of when to write.
"""

import contextlib
import os
import stat
from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address

from smartrouter.core.errors import Unavailable

FILE_MODE = 0o640
LONGEST_DETAIL = 200  # characters
LARGEST = 1 << 20  # bytes; some 10,000 alerts. On OpenWrt the file is in memory
OLDER = 3  # files that were full, `.1` the latest


def line(mac: str, what: str, at: float) -> str:
    """The line (without its end) that says: `mac` did `what` (see `destination`) at `at`, epoch seconds. No
    MAC: the router itself."""
    when = datetime.fromtimestamp(at).isoformat(sep=" ", timespec="microseconds")
    return f"{_inert(mac) or 'router'} -> {what} @ {when}"


def destination(name: str, group: str, kind: str, detail: str) -> str:
    """What stands between `->` and `@`: `name`, the exact one, if there is one; else the alert's destination
    `group`, with `UNRESOLVED(…)` around a bare address; without either, its `kind`, and `detail`."""
    if name:
        return _inert(name)
    if bare_address(group):
        return f"UNRESOLVED({_inert(group)})"
    if group:
        return _inert(group)
    # Spaces are welcome in it, but nothing that could pass for another part of the line.
    return _inert(kind) + (f" ({_inert(detail[:LONGEST_DETAIL], keep=' ', drop='@>()')})" if detail else "")


def bare_address(text: str) -> str:
    """`text` if it is an address, else ''."""
    try:
        ip_address(text)
    except ValueError:
        return ""
    return text


def append(path: str, lines: Iterable[str]) -> None:
    """Add `lines`, as `line` makes them, to the file: all of them or, when the disk is full, none.

    The file is opened anew each time, so that it may be rotated away at any moment, and is made with mode
    0640 if it is missing. One that is full becomes `PATH.1`, and that `PATH.2`, as far as the directory lets
    us: who keeps it from us rotates it himself. Raises Unavailable.
    """
    text = "".join(f"{_inert(each, keep=' ')}\n" for each in lines).encode("ascii")
    if not text:
        return
    try:
        handle = _open(path)
        if os.fstat(handle).st_size >= LARGEST and _rotate(path):
            os.close(handle)
            handle = _open(path)
        try:
            _append(handle, text)
        finally:
            os.close(handle)
    except OSError as error:
        raise Unavailable(
            f"cannot write the alert file {path}: {error.strerror}; mend that, or name another file in "
            "`option alert_file`"
        ) from error


def _rotate(path: str) -> bool:
    """Move the file out of the way; False if it cannot be."""
    try:
        for number in range(OLDER, 1, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{path}.{number - 1}", f"{path}.{number}")
        os.replace(path, f"{path}.1")
    except OSError:
        return False
    return True


def _open(path: str) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with contextlib.suppress(FileExistsError):
        handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, FILE_MODE)
        os.fchmod(handle, FILE_MODE)
        return handle
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise Unavailable(f"the alert file {path} is not a plain file; name another in `option alert_file`")
    return handle


def _append(handle: int, text: bytes) -> None:
    """A line that an earlier crash left unfinished is ended first."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        text = b"\n" + text
    try:
        while text:
            text = text[os.write(handle, text) :]
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(handle, size)
        raise


def _inert(text: str, keep: str = "", drop: str = "") -> str:
    """`text` with all but printable ASCII escaped in the manner of RFC 1035 section 5.1; further characters
    may be kept (a space), or not."""
    return "".join(
        character
        if ("!" <= character <= "~" and character not in drop) or character in keep
        else f"\\{ord(character):03d}"
        for character in text
    )
