# SPDX-License-Identifier: GPL-2.0-or-later
"""The filter of system calls: what it says on each architecture, and what this kernel makes of it."""

import ctypes
import errno
import json
import os
import socket
import struct
import subprocess
import sys

import pytest

from smartrouter.linux import process, seccomp
from smartrouter.linux.seccomp import ARCHITECTURES, LOCAL, NETWORK, Architecture, numbers, program

ALLOWED = 0x7FFF0000
REFUSED, UNKNOWN = 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
NEW_USER_NAMESPACE, A_THREAD = 0x10000000, 0x003D0F00  # flags of clone(2)

here = pytest.mark.skipif(seccomp.architecture() is None, reason="no table of system calls for this machine")


def verdict(code: bytes, number: int, argument: int = 0, audit: int | None = None) -> int:
    """What the kernel's interpreter (net/core/filter.c) would give."""
    data = struct.pack("=IIQ6Q", number, audit or 0, 0, argument, *[0] * 5)
    lines = list(struct.iter_unpack("=HBBI", code))
    at = loaded = 0
    while True:
        what, if_true, if_false, operand = lines[at]
        at += 1
        match what:
            case 0x20:
                (loaded,) = struct.unpack_from("=I", data, operand)
            case 0x15:
                at += if_true if loaded == operand else if_false
            case 0x35:
                at += if_true if loaded >= operand else if_false
            case 0x45:
                at += if_true if loaded & operand else if_false
            case 0x06:
                return int(operand)
            case _:
                raise AssertionError(what)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.name)
@pytest.mark.parametrize("families", [LOCAL, NETWORK], ids=["local", "network"])
def test_what_is_refused_and_what_is_not(architecture: Architecture, families: frozenset[int]) -> None:
    code = program(architecture, families)
    refused, others = numbers(architecture)

    def says(number: int, argument: int = 0) -> int:
        return verdict(code, number, argument, architecture.audit)

    assert {says(number) for number in refused.values()} == {REFUSED}
    everything = set(range(4000, 4500) if "mips" in architecture.name else range(500))
    rest = everything - set(refused.values()) - set(others.values())
    assert {says(number) for number in rest} == {ALLOWED}
    assert says(others["seccomp"]) == ALLOWED
    assert says(others["clone3"]) == UNKNOWN
    assert says(others["clone"], A_THREAD) == ALLOWED
    assert says(others["clone"], A_THREAD | NEW_USER_NAMESPACE) == REFUSED
    for family in range(50):
        assert (says(others["socket"], family) == ALLOWED) is (family in families)
    assert verdict(code, min(rest), audit=architecture.audit ^ 1) == REFUSED


def test_calls_of_the_x32_kind_are_refused() -> None:
    code = program(ARCHITECTURES[0], NETWORK)
    assert verdict(code, 0x40000000 | 1, audit=ARCHITECTURES[0].audit) == REFUSED


def test_the_families_are_the_kernels() -> None:
    assert {socket.AF_UNIX, socket.AF_NETLINK} == LOCAL
    assert {socket.AF_UNIX, socket.AF_NETLINK, socket.AF_INET, socket.AF_INET6} == NETWORK


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda each: each.name)
def test_the_numbers_are_those_of_libseccomp(architecture: Architecture) -> None:
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        pytest.skip("no libseccomp to compare with")
    resolve = library.seccomp_syscall_resolve_name_arch
    resolve.argtypes = [ctypes.c_uint32, ctypes.c_char_p]
    compared = 0
    for name, number in {**numbers(architecture)[0], **numbers(architecture)[1]}.items():
        theirs = resolve(architecture.audit, name.encode())
        if theirs >= 0:  # else they have it as part of socketcall, or not at all
            assert theirs == number, name
            compared += 1
    assert compared > 45


REPORT = """
import ctypes, errno, json, os, socket, subprocess, sys, threading
from smartrouter.linux import seccomp
assert ctypes.CDLL(None).prctl(38, 1, 0, 0, 0) == 0
why = seccomp.install(getattr(seccomp, sys.argv[1]))
libc = ctypes.CDLL(None, use_errno=True)

def tried(what):
    try:
        what()
    except OSError as error:
        return error.errno
    return 0

def called(number, *arguments):
    return 0 if libc.syscall(number, *map(ctypes.c_long, arguments)) >= 0 else ctypes.get_errno()

refused, others = seccomp.numbers(seccomp.architecture())
thread = threading.Thread(target=len, args=("",))
thread.start()
thread.join()
print(json.dumps({
    "why": why,
    "mode": next(line.split()[1] for line in open("/proc/self/status") if line.startswith("Seccomp:")),
    "families": {name: tried(lambda: socket.socket(getattr(socket, name), kind).close()) for name, kind in (
        ("AF_INET", socket.SOCK_STREAM), ("AF_INET6", socket.SOCK_DGRAM), ("AF_UNIX", socket.SOCK_STREAM),
        ("AF_NETLINK", socket.SOCK_RAW), ("AF_PACKET", socket.SOCK_RAW), ("AF_ALG", socket.SOCK_SEQPACKET))},
    "unshare": called(refused["unshare"], 0x10000000),
    "ptrace": called(refused["ptrace"], 0, 0, 0, 0),
    "child": subprocess.run([sys.executable, "-c", "import socket; socket.socket()"]).returncode,
}))
"""


@here
@pytest.mark.parametrize("families", ["LOCAL", "NETWORK"])
def test_this_kernel_takes_it_and_goes_by_it(families: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REPORT, families],
        env=process.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found = json.loads(done.stdout)
    if found["why"] and not os.path.exists("/proc/sys/kernel/seccomp"):
        pytest.skip(f"no filters of system calls here: {found['why']}")
    assert (found["why"], found["mode"]) == ("", "2")
    internet = 0 if families == "NETWORK" else errno.EPERM
    assert found["families"] == {
        "AF_INET": internet, "AF_INET6": internet, "AF_UNIX": 0, "AF_NETLINK": 0,
        "AF_PACKET": errno.EPERM, "AF_ALG": errno.EPERM,
    }  # fmt: skip
    assert found["unshare"] == found["ptrace"] == errno.EPERM
    assert bool(found["child"]) is (families == "LOCAL"), "what it starts is under the same filter"


def test_a_machine_that_is_not_in_the_tables_gets_no_filter_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(seccomp, "_ARCHITECTURES", {})
    assert "no table of system calls for" in seccomp.install(LOCAL)
