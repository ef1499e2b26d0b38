# SPDX-License-Identifier: GPL-2.0-or-later
"""What of the supervisor needs no process of its own; the rest is in tests/netns."""

import os
import subprocess
import sys
import time
from argparse import Namespace

import pytest

from smartrouter.cli import commands
from smartrouter.core.errors import Unavailable
from smartrouter.linux import process
from smartrouter.supervisor import daemon as supervisor


def test_without_root_it_says_why_it_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Unavailable, match="needs root"):
        supervisor.main(Namespace(config="x", run_dir="y"))


def test_parts_are_started_with_command_lines_that_the_command_understands() -> None:
    parts = supervisor.usual_parts("/etc/config/smartrouter", "/run/smartrouter")
    assert [part.name for part in parts] == ["guard", "analyzer", "web"]
    for part in parts:
        program, *options = part.command
        assert program == sys.executable
        assert options[:4] == ["-S", "-P", "-m", "smartrouter.supervisor.part"]
        arguments = commands.parser().parse_args([*options[4:], "--channel", "5"])
        assert (arguments.config, arguments.channel) == ("/etc/config/smartrouter", 5)


def test_it_begins_anew_without_what_the_command_line_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[tuple[str, ...]] = []

    class Gone(BaseException):
        """What does not come back."""

    def execv(program: str, command: tuple[str, ...]) -> None:
        began.append((program, *command))
        raise Gone

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.chdir("/tmp")
    with pytest.raises(Gone):
        supervisor.main(Namespace(config="conf", run_dir="run"))
    ((program, *command),) = began
    assert program == sys.executable
    assert command == [program, "-S", "-P", "-m", "smartrouter.supervisor.daemon", "/tmp/conf", "/tmp/run"]
    assert os.environ["PYTHONPATH"].startswith(process.home())


def test_it_imports_nothing_but_the_standard_library_and_little_of_that() -> None:
    code = "import sys, smartrouter.supervisor.daemon; print(' '.join(sys.modules))"
    command = [sys.executable, "-S", "-c", code]
    loaded = subprocess.check_output(command, env=process.environment(), text=True).split()
    assert "smartrouter.supervisor.orders" in loaded
    heavy = {"asyncio", "subprocess", "logging", "threading", "pathlib", "argparse", "sqlite3", "dataclasses"}
    heavy |= {"glob", "importlib.util"}
    foreign = {"netfilterqueue", "scapy", "pyroute2", "slack_sdk", "dns", "publicsuffixlist"}
    assert not (heavy | foreign) & set(loaded)


def test_a_fault_of_ours_is_said_and_survived(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_now: float) -> None:
        raise ZeroDivisionError

    before = time.monotonic()
    supervisor._survive(fail, before)
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert time.monotonic() - before > 0.1  # one that comes back at once must not eat the processor
