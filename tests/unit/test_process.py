# SPDX-License-Identifier: GPL-2.0-or-later
"""Starting processes and hearing how they ended."""

import ast
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

import smartrouter
from smartrouter.linux import process


def start(code: str) -> tuple[int, socket.socket]:
    return process.start((sys.executable, "-c", code), process.environment())


def wait_for_end(pid: int) -> str:
    end = time.monotonic() + 10
    while not (how := process.ended(pid)):
        assert time.monotonic() < end
        time.sleep(0.01)
    return how


def test_a_process_gets_a_socket_and_nothing_else_of_ours() -> None:
    kept, other = socket.socketpair()
    code = (
        "import os, socket, sys; fd = int(sys.argv[sys.argv.index('--channel') + 1]);"
        "open_ = [n for n in range(1000) if os.path.exists(f'/proc/self/fd/{n}')];"
        "own_group = os.getpgrp() == os.getpid();"
        "socket.socket(fileno=fd).sendall(repr((fd, open_, own_group, sys.stdin.read())).encode())"
    )
    ours_to_give = {int(name) for name in os.listdir("/proc/self/fd") if inheritable(int(name))}
    pid, ours = start(code)
    with ours, kept, other:
        ours.settimeout(10)
        fd, opened, own_group, read = ast.literal_eval(ours.recv(9999).decode())
        assert ours.recv(100) == b""
    assert set(opened) == {0, 1, 2, fd} | ours_to_give
    assert own_group
    assert read == ""
    assert wait_for_end(pid) == "ended by itself with status 0; the log says why"


def inheritable(fd: int) -> bool:
    try:
        return os.get_inheritable(fd)
    except OSError:  # that of the listing itself
        return False


def test_signals_that_we_ignore_or_handle_are_the_usual_ones_again_in_it() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        pid, ours = start("import time; time.sleep(60)")
    finally:
        signal.signal(signal.SIGTERM, before)
    with ours:
        assert process.ended(pid) == ""
        assert process.rss_kib(pid) > 0
        os.kill(pid, signal.SIGTERM)
        assert wait_for_end(pid) == "killed by SIGTERM"


def test_a_real_time_signal_has_a_number() -> None:
    pid, ours = start("import time; time.sleep(60)")
    with ours:
        os.kill(pid, 40)
        assert wait_for_end(pid) == "killed by signal 40"


def test_a_missing_program_is_an_error_that_leaves_nothing_open() -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises(FileNotFoundError):
        process.start(("/nonexistent",), {})
    assert os.listdir("/proc/self/fd") == before


def test_no_process_has_no_memory() -> None:
    assert process.rss_kib(0) == 0


def test_the_environment_leads_to_our_code_and_holds_nothing_meant_for_us_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("LANG", "C")
    monkeypatch.setenv("PYTHONPATH", "/some/where:/else/where")
    environment = process.environment()
    assert environment["LANG"] == "C"
    assert environment["PYTHONPATH"] == f"{Path(smartrouter.__file__).parent.parent}:/some/where:/else/where"
    assert environment["MALLOC_ARENA_MAX"] == environment["PYTHONNODEBUGRANGES"] == "1"
    assert "NOTIFY_SOCKET" not in environment
