# SPDX-License-Identifier: GPL-2.0-or-later
"""From an argument list to an exit status."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from unit.made_home import Home

from smartrouter.cli import main
from smartrouter.cli.commands import parser
from smartrouter.cli.reference import commands

RUN = [sys.executable, "-m", "smartrouter"]
WORDS = (
    "status devices device alerts alert digest allow deny forget learn same watch mode mute pause "
    "notify replay evaluate classify metrics doctor demo run guard analyzer web"
)
# What each command needs at least, besides its name.
NEEDED = {
    "device": ["x"], "alert": ["1"], "allow": ["x"], "deny": ["x"], "forget": ["x"], "learn": ["x"],
    "same": ["x"], "watch": ["x", "never"], "mute": ["x"], "mode": ["monitor"], "replay": ["x"],
    "evaluate": ["x"],
}  # fmt: skip


def test_there_are_exactly_these_commands() -> None:
    assert {name for name, _ in commands(parser())} == set(WORDS.split())


@pytest.mark.parametrize("command", WORDS.split())
def test_each_command_leads_to_a_function_that_exists(command: str) -> None:
    does = parser().parse_args([command, *NEEDED.get(command, [])]).does
    assert callable(getattr(import_module(does.module), does.function))


@pytest.mark.parametrize("command", WORDS.split())
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"smartrouter {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["status", "--jso"],
        ["alert", "x"],
        ["alert", "0"],
        ["alerts", "--kind", "nonsense"],
        ["alerts", "--severity", "loud"],
        ["mode", "loud"],
        ["replay"],
        ["devices", "extra"],
        ["pause"],
        ["pause", "1h", "--end"],
        ["pause", "soon"],
    ],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.strip()


def test_an_error_is_one_clear_line_and_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(Home(tmp_path).command("devices")) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("smartrouter: there is no store at ")
    assert len(captured.err.splitlines()) == 1


def test_each_fault_of_a_configuration_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path)
    home.config.write_text("config smartrouter 'main'\n\toption mode 'x\x1b[31m'\n\toption match 'y'\n")
    assert main(home.command("status")) == 1
    assert main(home.command("devices")) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("smartrouter: ") and "option m" in line for line in lines)
    assert "\x1b" not in "".join(lines)


def test_version_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("smartrouter ")


def test_a_reader_that_has_seen_enough_is_no_trouble(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.fill()
    done = subprocess.run(
        ["sh", "-c", '"$@" | true; echo "${PIPESTATUS:-0}"', "sh", *RUN, *home.command("status", "--json")],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stderr == ""


def test_interrupted_is_130(tmp_path: Path) -> None:
    """At the question, where a person is most likely to press Ctrl-C."""
    home = Home(tmp_path)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*RUN, *home.command("mode", "enforce")],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(ours, 4096)
    for _ in range(20):  # one that comes between the question and the reading is noticed with the next
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.5)
            break
    assert process.returncode == 130
    with contextlib.suppress(OSError):  # the terminal hung up, as nobody writes any more
        assert b"Traceback" not in os.read(ours, 65536)
    os.close(ours)


@pytest.mark.parametrize("command", ["guard", "status", "run"])
def test_a_command_imports_nothing_that_only_others_need(command: str) -> None:
    heavy = {"scapy", "pyroute2", "slack_sdk", "dns", "asyncio"}
    script = f"""if True:
        import sys
        from smartrouter.cli.commands import parser
        from importlib import import_module
        import smartrouter.cli
        import_module(parser().parse_args([{command!r}]).does.module)
        print(*sorted({heavy!r} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_what_the_terminal_cannot_show_is_an_escape_not_an_error(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.config.write_text(home.config.read_text().replace("Living-room TV", "Küche 电视"))
    home.fill()
    done = subprocess.run(
        [*RUN, *home.command("devices")],
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 0
    assert b"K\\xfcche" in done.stdout
