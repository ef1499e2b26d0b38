# SPDX-License-Identifier: GPL-2.0-or-later
"""A UCI file on disk: reading it, and replacing it in one step.

Where the `uci` command exists it does the replacing, by `uci import`: one process, one rename, locked
against other users of libuci, and changes that somebody has not committed yet stay uncommitted. It keeps
no comments. Elsewhere a temporary file beside the old one is written, synced and renamed; so it is for the
one thing that `uci` writes and cannot read: it puts no quotes around a section's type. Mode and owner are
kept either way. Knows nothing of what sections and options mean.

Who reads the file to change it holds it (`held`) until it is written: a supervisor that was killed may have
left somebody behind who is about to write, and the next one's change must not be lost under his.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from smartrouter.config.uci import MAX_TEXT, read
from smartrouter.core.errors import BadConfig, Unavailable

_PATIENCE = 10.0  # seconds for the `uci` command, which takes some milliseconds
_PACKAGE = re.compile(r"[A-Za-z0-9_-]+")  # what `uci` takes as a file's name
_NEEDS_QUOTES = re.compile(r"""['"#;\\]""")  # in a section's type


def read_text(path: str | Path) -> str:
    """The text of the file; bytes that are not UTF-8 become lone surrogates, as `os.fsdecode` does it.

    Raises FileNotFoundError; BadConfig for what cannot be read or is too large.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise BadConfig(f"{path} is not a file.")
            content = file.read(MAX_TEXT + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise BadConfig(f"{path} cannot be read: {error.strerror}.") from None
    if len(content) > MAX_TEXT:
        raise BadConfig(f"{path} is too large: allowed are {MAX_TEXT} bytes.")
    return content.decode("utf-8", "surrogateescape")


@contextlib.contextmanager
def held(path: str | Path) -> Iterator[None]:
    """One process at a time changes the file; whoever is killed lets go of it. Raises Unavailable."""
    try:
        folder = os.open(os.path.dirname(os.path.realpath(path)), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Unavailable(f"{path} cannot be changed: {error.strerror}.") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def write_text(path: str | Path, text: str) -> None:
    """Make `text` what the file holds, which the caller has `held` if it goes by what was there before.
    Raises Unavailable; then the file is as it was."""
    real = Path(os.path.realpath(path))  # a link stays a link
    content = text.encode("utf-8", "surrogateescape")
    try:
        before = real.stat() if real.exists() else None
        if (uci := shutil.which("uci")) and _PACKAGE.fullmatch(real.name) and _survives_export(text):
            _import(uci, real, content)
            _keep(real, before)
        else:
            _replace(real, content, before)
        _sync(real.parent)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}.") from None


def _survives_export(text: str) -> bool:
    """Would `uci` read what it makes of `text` as it was? One that it refuses is for it to refuse."""
    try:
        commands = [command for line in read(text) for command in line.commands]
    except BadConfig:
        return True
    return not any(c.keyword == "config" and _NEEDS_QUOTES.search(c.words[0]) for c in commands)


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe would wait for a writer


def _import(uci: str, path: Path, content: bytes) -> None:
    room = os.statvfs(path.parent)
    if room.f_bavail * room.f_frsize < 2 * len(content):  # libuci does not notice that it could not write all
        raise Unavailable(f"{path} was not written: there is no room left in {path.parent}.")
    command = [uci, "-q", "-c", str(path.parent), "import", path.name]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=_PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{path} was not written: `uci import` did not end. Is it locked?") from None
    if done.returncode != 0:
        raise Unavailable(f"{path} was not written: `uci import` failed with status {done.returncode}.")


def _keep(path: Path, before: os.stat_result | None) -> None:
    """Give the file at `path` the mode and owner that it had."""
    if before is None:
        return
    now = path.stat()
    if (now.st_uid, now.st_gid) != (before.st_uid, before.st_gid):
        os.chown(path, before.st_uid, before.st_gid)
    path.chmod(stat.S_IMODE(before.st_mode))


def _replace(path: Path, content: bytes, before: os.stat_result | None) -> None:
    # libuci's own choice for a new file is 0600 too: it may hold secrets. It does not see names with a dot.
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # of somebody who was killed
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            _keep(temporary, before)
            os.fsync(handle)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _sync(folder: Path) -> None:
    """Let the rename survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
