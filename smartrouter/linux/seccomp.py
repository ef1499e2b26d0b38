# SPDX-License-Identifier: GPL-2.0-or-later
"""A filter of system calls for parts that have given up root: what none of them ever does is refused with
EPERM, so that a fault in one of them opens less of the kernel, and no way to the network where there is none.

A list of what is refused, not of what is allowed: that would break with each version of Python, of a C
library or of a kernel. Programs that are started from here (`nft`) are under the same filter. The numbers are
those of the kernel's tables for each architecture; where ours is none of these (`mips64`; 32 bits of x86,
whose C libraries go around a filter on `socket`) there is no filter, and `doctor` says so.
"""

import errno
import os
import struct
import sys
from collections.abc import Collection
from typing import NamedTuple

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16  # linux/socket.h
LOCAL = frozenset({_AF_UNIX, _AF_NETLINK})
"""Families of sockets for who talks to the kernel and to our own processes alone."""
NETWORK = LOCAL | {_AF_INET, _AF_INET6}

# Name, and number on x86_64, aarch64 and riscv64, arm (EABI), mips (o32); `-` where there is none.
_REFUSED = """
    ptrace 101 117 26 4026            process_vm_readv 310 270 376 4345
    process_vm_writev 311 271 377 4346  kcmp 312 272 378 4347
    pidfd_getfd 438 438 438 4438      userfaultfd 323 282 388 4357
    bpf 321 280 386 4355              perf_event_open 298 241 364 4333
    io_uring_setup 425 425 425 4425   io_uring_enter 426 426 426 4426
    io_uring_register 427 427 427 4427  unshare 272 97 337 4303
    setns 308 268 375 4344            chroot 161 51 61 4061
    pivot_root 155 41 218 4216        mount 165 40 21 4021
    umount - - - 4022                 umount2 166 39 52 4052
    open_tree 428 428 428 4428        move_mount 429 429 429 4429
    fsopen 430 430 430 4430           fsconfig 431 431 431 4431
    fsmount 432 432 432 4432          fspick 433 433 433 4433
    mount_setattr 442 442 442 4442    name_to_handle_at 303 264 370 4339
    open_by_handle_at 304 265 371 4340  fanotify_init 300 262 367 4336
    init_module 175 105 128 4128      finit_module 313 273 379 4348
    delete_module 176 106 129 4129    create_module 174 - - 4127
    kexec_load 246 104 347 4311       kexec_file_load 320 294 401 -
    reboot 169 142 88 4088            swapon 167 224 87 4087
    swapoff 168 225 115 4115          acct 163 89 51 4051
    quotactl 179 60 131 4131          quotactl_fd 443 443 443 4443
    settimeofday 164 170 79 4079      clock_settime 227 112 262 4262
    clock_settime64 - - 404 4404      adjtimex 159 171 124 4124
    clock_adjtime 305 266 372 4341    clock_adjtime64 - - 405 4405
    stime - - - 4025                  sethostname 170 161 74 4074
    setdomainname 171 162 121 4121    syslog 103 116 103 4103
    vhangup 153 58 111 4111           personality 135 92 136 4136
    add_key 248 217 309 4280          request_key 249 218 310 4281
    keyctl 250 219 311 4282           iopl 172 - - -
    ioperm 173 - - -                  modify_ldt 154 - - -
    uselib 134 - 86 4086              lookup_dcookie 212 18 249 4247
    syscall - - - 4000                socketcall - - - 4102
"""
_TOLD_APART = """
    socket 41 198 281 4183            clone 56 220 120 4120
    clone3 435 435 435 4435           seccomp 317 277 383 4352
"""
_NEW_NAMESPACES = (
    0x7E020000  # linux/sched.h: CLONE_NEWNS, _NEWCGROUP, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET
)
_X32 = 0x40000000  # __X32_SYSCALL_BIT: the same calls under other numbers

# linux/bpf_common.h and linux/seccomp.h
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_FIRST_ARGUMENT = 16 if sys.byteorder == "little" else 20  # its lower 32 bits
_SET_MODE_FILTER, _SPEC_ALLOW = 1, 4  # SECCOMP_SET_MODE_FILTER; do not slow the processor down for it

_instruction = struct.Struct("=HBBI")  # struct sock_filter: code, jump if true, if false, operand


class Architecture(NamedTuple):
    """`audit`: AUDIT_ARCH_*, linux/audit.h; `column`: of the tables above."""

    name: str
    audit: int
    column: int


_ARCHITECTURES = {
    ("x86_64", "little", 8): Architecture("x86_64", 0xC000003E, 0),
    ("aarch64", "little", 8): Architecture("aarch64", 0xC00000B7, 1),
    ("riscv64", "little", 8): Architecture("riscv64", 0xC00000F3, 1),
    ("arm", "little", 4): Architecture("arm", 0x40000028, 2),
    ("mips", "big", 4): Architecture("mips", 0x00000008, 3),
    ("mips", "little", 4): Architecture("mipsel", 0x40000008, 3),
}
ARCHITECTURES = tuple(_ARCHITECTURES.values())


def numbers(architecture: Architecture) -> tuple[dict[str, int], dict[str, int]]:
    """The system calls that are refused, and those that are told apart by more than their number, as this
    architecture counts them."""
    refused, others = (_numbers(table, architecture.column) for table in (_REFUSED, _TOLD_APART))
    return refused, others


def program(architecture: Architecture, families: Collection[int]) -> bytes:
    """The filter in the kernel's language. Sockets may only be of these families; a process of another
    architecture (as 32 bits on 64) may do nothing."""
    refused, others = numbers(architecture)
    checks = [(_EQUAL, number, "refuse") for number in refused.values()]
    if architecture.name == "x86_64":
        checks.insert(0, (_AT_LEAST, _X32, "refuse"))
    checks += [
        (
            _EQUAL,
            others["clone3"],
            "unknown",
        ),  # what it asks for lies where no filter looks: libraries use clone
        (_EQUAL, others["socket"], "socket"),
        (_EQUAL, others["clone"], "clone"),
    ]
    lines: list[tuple[int, int, str]] = [
        (_LOAD, _ARCHITECTURE, ""),
        (_EQUAL, architecture.audit, "ours"),
        (_RETURN, _ERRNO | errno.EPERM, ""),
        (_LOAD, _NUMBER, "= ours"),
        *checks,
        (_RETURN, _ALLOW, ""),
        (_LOAD, _FIRST_ARGUMENT, "= socket"),
        *((_EQUAL, family, "allow") for family in sorted(families)),
        (_RETURN, _ERRNO | errno.EPERM, "= refuse"),
        (_LOAD, _FIRST_ARGUMENT, "= clone"),
        (_ANY_BIT, _NEW_NAMESPACES, "refuse too"),
        (_RETURN, _ALLOW, "= allow"),
        (_RETURN, _ERRNO | errno.EPERM, "= refuse too"),
        (_RETURN, _ERRNO | errno.ENOSYS, "= unknown"),
    ]
    places = {label[2:]: at for at, (_, _, label) in enumerate(lines) if label.startswith("= ")}
    return b"".join(
        _instruction.pack(code, places[label] - at - 1 if label in places else 0, 0, operand)
        for at, (code, operand, label) in enumerate(lines)
    )


def architecture() -> Architecture | None:
    """Ours; None where its system calls are not in the tables."""
    machine = os.uname().machine
    family = "arm" if machine.startswith("armv") else machine
    return _ARCHITECTURES.get((family, sys.byteorder, struct.calcsize("P")))


def install(families: Collection[int]) -> str:
    """Put this process, and whatever it starts, under the filter for good. Gives '' or, where there cannot be
    one, why. Call it with no_new_privs set, and before any thread is started."""
    import ctypes

    ours = architecture()
    if ours is None:
        return f"no table of system calls for {os.uname().machine}"
    code = program(ours, families)
    held = ctypes.create_string_buffer(code, len(code))

    class Program(ctypes.Structure):
        """struct sock_fprog."""

        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    given = Program(len(code) // _instruction.size, ctypes.addressof(held))
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_long(numbers(ours)[1]["seccomp"])
    for flags in (_SPEC_ALLOW, 0):  # kernels before 4.17 know no flag of that name
        if (
            libc.syscall(number, ctypes.c_ulong(_SET_MODE_FILTER), ctypes.c_ulong(flags), ctypes.byref(given))
            == 0
        ):
            return ""
    return f"the kernel takes no filter: {os.strerror(ctypes.get_errno())}"


def _numbers(table: str, column: int) -> dict[str, int]:
    words = table.split()
    rows = (words[at : at + 5] for at in range(0, len(words), 5))
    return {name: int(columns[column]) for name, *columns in rows if columns[column] != "-"}
