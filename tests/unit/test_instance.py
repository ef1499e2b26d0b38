# SPDX-License-Identifier: GPL-2.0-or-later
"""Being the only one, hearing signals, talking to the init system."""

import os
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.linux import process
from smartrouter.linux.instance import Instance, Signals, notify


def test_a_second_one_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    run_dir = str(tmp_path / "run" / "smartrouter")
    first = Instance(run_dir)
    with pytest.raises(Unavailable, match=f"runs already, as process {os.getpid()} .*another --run-dir"):
        Instance(run_dir)
    first.release()
    assert os.listdir(run_dir) == []
    Instance(run_dir).release()


def test_another_run_directory_is_another_matter(tmp_path: Path) -> None:
    one, two = Instance(str(tmp_path / "1")), Instance(str(tmp_path / "2"))
    one.release()
    two.release()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from smartrouter.linux.instance import Instance;"
        "held = Instance(sys.argv[1]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=process.environment(), check=False)
    assert (tmp_path / "lock").exists()
    instance = Instance(str(tmp_path))
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    instance.release()


def test_a_place_that_cannot_be_a_run_directory_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"cannot use .*choose one with --run-dir"):
        Instance(str(tmp_path / "file"))


def test_nobody_else_can_open_the_lock_and_so_hold_it(tmp_path: Path) -> None:
    (tmp_path / "lock").touch(0o644)  # an earlier version's
    instance = Instance(str(tmp_path))
    assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
    instance.release()


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to("/etc/passwd")
    with pytest.raises(Unavailable):
        Instance(str(tmp_path))


def test_signals_become_calls_while_they_are_listened_to() -> None:
    heard: list[signal.Signals] = []
    before = signal.getsignal(signal.SIGUSR1)
    with Signals((signal.SIGUSR1, signal.SIGHUP), lambda number, _: heard.append(number)) as signals:
        signals.ready(time.monotonic())
        assert heard == []
        for number in (signal.SIGUSR1, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert select.select([signals], [], [], 5)[0]
        signals.ready(time.monotonic())
    assert heard == [signal.SIGUSR1, signal.SIGHUP]
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.parametrize("abstract", [False, True])
def test_the_init_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool) -> None:
    name = f"@sr-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(name.replace("@", "\0"))
        listener.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify("READY=1")
        assert listener.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", [None, "", "nonsense", "/nonexistent/socket"])
def test_an_init_system_that_does_not_listen_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch, address: str | None
) -> None:
    if address is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify("READY=1")
