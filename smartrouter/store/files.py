# SPDX-License-Identifier: GPL-2.0-or-later
"""The store's directory and files, made by root for a group of unprivileged processes.

SQLite shares its write-ahead log between processes through two more files; whoever opens the database
first makes them, and could lock the others out. So all of them belong to one group, in a directory whose
set-group-ID bit hands that group on. Root only makes the files here and never opens the database: those
whom the group lets in could have put anything in its place.
"""

import errno
import os
import stat

from smartrouter.core.errors import Unavailable
from smartrouter.store.connect import COMPANIONS

DIRECTORY_MODE, FILE_MODE = 0o2770, 0o660


def create(path: str, gid: int | None) -> None:
    """Make the directory of the database `path` (2770) and its files (0660), all of group `gid`.

    Files that exist keep their contents and get mode and group. `gid` None: groups stay as they are. A
    directory that serves others too is used if the group may write there, and never changed. A store that
    is there, on a disk that is read-only now, is left as it is: it can be read.
    Raises Unavailable if it cannot be done.
    """
    directory = os.path.dirname(os.path.abspath(path))
    try:
        handle = _directory(directory, gid)
        try:
            for suffix in COMPANIONS:
                _make_file(handle, os.path.basename(path) + suffix, gid)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno == errno.EROFS and os.path.exists(path):
            return
        raise Unavailable(
            f"cannot make the store {path}: {error.strerror}; check `option database`, and the disk"
        ) from error


def make_directory(path: str, gid: int) -> None:
    """Make a directory like the one of the store (2770, of group `gid`). Raises Unavailable."""
    try:
        os.close(_directory(path, gid))
    except OSError as error:
        raise Unavailable(
            f"cannot make the directory {path}: {error.strerror}; check `option snapshot`, and the disk"
        ) from error


def _directory(directory: str, gid: int | None) -> int:
    """A handle on `directory`, which is made if it is missing, and taken if it is empty."""
    os.makedirs(os.path.dirname(directory), exist_ok=True)
    try:
        os.mkdir(directory, 0o700)
        is_new = True
    except FileExistsError:
        is_new = False
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    status = os.fstat(handle)
    mode = stat.S_IMODE(status.st_mode)
    if is_new or mode == DIRECTORY_MODE or (gid is not None and not os.listdir(handle)):
        _adjust(handle, DIRECTORY_MODE, gid)
    elif gid is not None and not (status.st_gid == gid and mode & stat.S_IRWXG == stat.S_IRWXG):
        os.close(handle)
        raise Unavailable(
            f"{directory} holds other files and is not writable for the store's group {gid}; give the store "
            f"a directory of its own in `option database`, or run: chgrp {gid} {directory} && "
            f"chmod 2770 {directory}"
        )
    return handle


def _make_file(directory: int, name: str, gid: int | None) -> None:
    """An empty file is an empty database, and an empty write-ahead log."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(name, flags, FILE_MODE, dir_fd=directory)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise Unavailable(f"{name}, beside the store, is not a plain file; remove it")
        _adjust(handle, FILE_MODE, gid)
    finally:
        os.close(handle)


def _adjust(handle: int, mode: int, gid: int | None) -> None:
    if gid is not None:
        os.fchown(handle, -1, gid)
    os.fchmod(handle, mode)  # after fchown, which clears the set-group-ID bit of files
