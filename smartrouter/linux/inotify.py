# SPDX-License-Identifier: GPL-2.0-or-later
"""Says when one of some files was written, made, replaced or removed, without looking again and again.

By inotify(7): the file itself is watched for writing, its directory for other files taking its place. Where
the directory is missing, the nearest one above it is watched until it comes. What inotify does not tell (a
file system mounted over the directory) is found out by comparing inodes every `CHECK` seconds; and where the
kernel gives us no more watches, looking at the files every `SLOW` seconds has to do (`problem` says so).
Knows nothing of what the files hold.
"""

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from pathlib import Path

CHECK = 10.0  # seconds between two comparisons
SLOW = 3.0  # seconds between two looks, without inotify

# linux/inotify.h
_MODIFY, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE, _DELETE = 0x2, 0x8, 0x40, 0x80, 0x100, 0x200
_DELETE_SELF, _MOVE_SELF, _ONLYDIR = 0x400, 0x800, 0x1000000
_FOLDER = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
_FILE = _MODIFY | _CLOSE_WRITE
_Q_OVERFLOW, _IGNORED = 0x4000, 0x8000
_event = struct.Struct("=iIII")  # watch, mask, cookie, length of the name that follows
_READ = 1 << 16  # bytes of events at a time
_MOST_READS = 16  # a turn: the kernel keeps no more than some half a megabyte

_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """Of `paths`. `problem`: why inotify is not used; '' if it is."""

    def __init__(self, paths: Sequence[Path]):
        self.problem = ""
        self._paths = tuple(dict.fromkeys(paths))
        self._stamps: dict[Path, object] = {}  # without inotify: what changes with a file
        self._watches: dict[int, tuple[Path, bool]] = {}  # number -> what is watched, is it a file of ours?
        self._watched: dict[Path, tuple[int, tuple[int, int]]] = {}  # and back, with its device and inode
        self._new = set(self._paths)
        self._due = 0.0
        self._fd = -1
        try:
            self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            self._give_up(error)
        else:
            self._arm()

    def fileno(self) -> int:
        """Readable when something changed; -1 if there is no inotify at all. Stays the same."""
        return self._fd

    def next_deadline(self) -> float:
        """When to call `changed`, if nothing happens before (CLOCK_MONOTONIC seconds)."""
        return self._due

    def changed(self, now: float) -> set[Path]:
        """The files of which something may have changed since the last call; at first, all."""
        changed, self._new = self._new, set()
        if not self.problem:
            changed |= self._read()
        if now >= self._due:
            changed |= self._compare() if self.problem else self._arm()
            self._due = now + (SLOW if self.problem else CHECK)
        return changed | self._new

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    # -- inotify ---------------------------------------------------------------------------------------

    def _read(self) -> set[Path]:
        changed: set[Path] = set()
        moved = False
        try:
            for _ in range(_MOST_READS):
                data = os.read(self._fd, _READ)
                at = 0
                while at < len(data):
                    number, mask, _, length = _event.unpack_from(data, at)
                    at += _event.size + length
                    moved |= bool(mask & ~_FILE)
                    if mask & _Q_OVERFLOW:
                        changed.update(self._paths)
                    elif mask & _IGNORED:  # what was watched is no more
                        path, is_file = self._watches.pop(number, (None, False))
                        if path is not None and self._watched.get(path, (-1,))[0] == number:
                            del self._watched[path]
                            changed.update([path] if is_file else self._below(path))
                    elif mask & _FILE and number in self._watches:
                        changed.add(self._watches[number][0])
        except BlockingIOError:
            pass
        return changed | self._arm() if moved else changed

    def _arm(self) -> set[Path]:
        """Watch what is there now, and nothing else; the files that are not what they were."""
        wanted: dict[Path, bool] = {}
        for path in self._paths:
            folder = path.parent
            while not folder.is_dir() and folder != folder.parent:
                folder = folder.parent
            wanted.setdefault(folder, False)
            if folder == path.parent:
                wanted[path] = True
        changed = set()
        for path in [path for path in self._watched if path not in wanted]:
            self._unwatch(path)
        for path, is_file in wanted.items():
            if not self.problem and self._watch(path, is_file):
                # Whatever was done before we watched it went by unseen.
                changed.update([path] if is_file else self._below(path))
        return changed

    def _watch(self, path: Path, is_file: bool) -> bool:
        """Is it watched from now on, and was not before, or has it gone?"""
        identity = _identity(path)
        number, known = self._watched.get(path, (-1, None))
        if identity == known:
            return False
        if number >= 0:
            self._unwatch(path)
        if identity is None:
            return number >= 0
        try:
            mask = _FILE if is_file else _FOLDER
            number = _checked(_libc.inotify_add_watch(self._fd, os.fsencode(path), mask))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self._give_up(error)
            return True  # gone again, or not for our eyes: the folder will tell when that changes
        self._watches[number] = (path, is_file)
        self._watched[path] = (number, identity)
        return True

    def _unwatch(self, path: Path) -> None:
        number, _ = self._watched.pop(path)
        if self._watches.pop(number, None) is not None:
            _libc.inotify_rm_watch(self._fd, number)

    def _below(self, folder: Path) -> list[Path]:
        return [path for path in self._paths if folder in path.parents]

    def _give_up(self, error: OSError) -> None:
        self.problem = f"inotify is not to be had ({error.strerror}): files are looked at every {SLOW:.0f} s"
        for path in list(self._watched):
            self._unwatch(path)
        self._due = 0.0
        self._new = set(self._paths)

    # -- without it ------------------------------------------------------------------------------------

    def _compare(self) -> set[Path]:
        changed = set()
        for path in self._paths:
            stamp = _stamp(path)
            if stamp != self._stamps.get(path):
                self._stamps[path] = stamp
                changed.add(path)
        return changed


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _stamp(path: Path) -> object:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size
