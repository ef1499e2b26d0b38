# SPDX-License-Identifier: GPL-2.0-or-later
"""Giving up root: who the parts run as, and how a part becomes that user with one capability or none.

A part imports what it needs first (its code may lie where only root may look) and drops before its first
packet, before its first thread. The numbers are those of linux/prctl.h and linux/capability.h.
"""

import grp
import os
import pwd
from typing import TYPE_CHECKING, NamedTuple

from smartrouter.core.errors import Unavailable

if TYPE_CHECKING:
    import ctypes

CAP_NET_ADMIN = 12
_HIGHEST_CAPABILITY = 63  # the kernel's own (CAP_LAST_CAP) is lower; beyond it, it answers EINVAL
_PR_SET_DUMPABLE, _PR_SET_KEEPCAPS, _PR_CAPBSET_DROP = 4, 8, 24
_PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT = 38, 47
_PR_CAP_AMBIENT_RAISE, _PR_CAP_AMBIENT_CLEAR_ALL = 2, 4
_CAPABILITY_VERSION_3 = 0x20080522
_REMEMBERED = "SMARTROUTER_USER"  # NAME:UID:GID
_UMASK = 0o007  # the store's files belong to the service group, and to nobody else


class User(NamedTuple):
    """Whom the parts run as."""

    name: str
    uid: int
    gid: int


def remember_service_user() -> None:
    """Look it up for whatever this process starts or becomes: the look-up takes up to 0.7 MB of a process."""
    os.environ[_REMEMBERED] = ":".join(map(str, service_user()))


def service_user() -> User:
    """The user `smartrouter` with its group where there is one, else `nobody`."""
    if remembered := os.environ.get(_REMEMBERED):
        name, uid, gid = remembered.split(":")
        return User(name, int(uid), int(gid))
    for name in ("smartrouter", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(name, entry.pw_uid, entry.pw_gid)
    raise Unavailable(
        "there is neither a user `smartrouter` nor `nobody`: add one, as with `useradd --system smartrouter`"
    )


def group_name(gid: int) -> str:
    """The group's name, or its number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def drop(user: User, keep_net_admin: bool) -> None:
    """Become `user` for good, with CAP_NET_ADMIN (programs started from here get it too) or nothing.

    Afterwards: no other capability in any set, no_new_privs, not dumpable (no core, no ptrace by equals),
    no supplementary group, umask 007. A process that is not root stays who it is and loses the rest.
    Raises Unavailable where CAP_NET_ADMIN is wanted and not there. Call it before any thread is started.
    """
    import ctypes  # not at the top: the supervisor needs this module, and never this

    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("capabilities belong to threads: drop them before the first one is started")
    libc = ctypes.CDLL(None, use_errno=True)
    kept = 1 << CAP_NET_ADMIN if keep_net_admin else 0
    if keep_net_admin and not _permitted() & kept:
        raise Unavailable(
            "this part needs CAP_NET_ADMIN and has not got it: start smartrouter as root (`smartrouter run`)"
        )
    if os.geteuid() == 0:
        for capability in range(_HIGHEST_CAPABILITY + 1):
            if not kept >> capability & 1:
                libc.prctl(_PR_CAPBSET_DROP, *_longs(capability, 0, 0, 0))
        _prctl(libc, _PR_SET_KEEPCAPS, 1)
        os.setgroups([])
        os.setresgid(user.gid, user.gid, user.gid)
        os.setresuid(user.uid, user.uid, user.uid)
    _prctl(libc, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    _set_capabilities(libc, kept)
    if keep_net_admin:
        _prctl(libc, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, CAP_NET_ADMIN)
    _prctl(libc, _PR_SET_NO_NEW_PRIVS, 1)
    _prctl(libc, _PR_SET_DUMPABLE, 0)
    os.umask(_UMASK)


def _permitted() -> int:
    """This thread's permitted capabilities, as bits (proc(5), CapPrm)."""
    # As bytes: a text's codec may be one of the modules that only root can read.
    with open("/proc/thread-self/status", "rb") as status:
        for line in status:
            if line.startswith(b"CapPrm:"):
                return int(line.split()[1], 16)
    return 0


def _longs(*values: int) -> "tuple[ctypes.c_ulong, ...]":
    """prctl(2) takes unsigned longs; ctypes would pass ints."""
    import ctypes

    return tuple(ctypes.c_ulong(value) for value in values)


def _prctl(libc: "ctypes.CDLL", option: int, first: int, second: int = 0) -> None:
    import ctypes

    if libc.prctl(option, *_longs(first, second, 0, 0)) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}, {first}): {os.strerror(ctypes.get_errno())}")


def _set_capabilities(libc: "ctypes.CDLL", bits: int) -> None:
    """Make `bits` (all below 32) the permitted, effective and inheritable set: capset(2), version 3."""
    import ctypes

    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)(bits, bits, bits, 0, 0, 0)
    if libc.capset(ctypes.byref(header), ctypes.byref(data)) != 0:
        raise OSError(ctypes.get_errno(), f"capset: {os.strerror(ctypes.get_errno())}")
