# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter web --set-password`: from standard input, and as a hash to the running smartrouter."""

import io
from typing import Any

import pytest

from smartrouter.cli import main, web
from smartrouter.web.passwords import is_right

PASSWORD = "correct horse battery"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    def ask(_run_dir: str, request: dict[str, Any], _patience: float) -> dict[str, Any]:
        asked.append(request)
        return {"applied": True, "note": ""}

    monkeypatch.setattr(web, "ask", ask)
    return asked


def test_a_line_of_standard_input_is_the_password(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert main(["web", "--set-password"]) == 0
    (request,) = asked
    assert request["do"] == "set-password"
    assert is_right(PASSWORD, request["hash"])
    said = capsys.readouterr()
    assert PASSWORD not in said.out + said.err + str(request)


def test_what_is_no_password_is_refused(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("short\n"))
    assert main(["web", "--set-password"]) == 1
    assert asked == []
    assert "from 10 to 256" in capsys.readouterr().err


def test_on_a_terminal_it_is_asked_for_twice(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    answers = iter([PASSWORD, "another one"])
    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(answers))
    assert main(["web", "--set-password"]) == 1
    assert "not the same" in capsys.readouterr().err
    assert asked == []


@pytest.mark.parametrize(
    "end", ["", "\n", "\r\n"], ids=["no end of the line", "Unix", "Windows, or a terminal"]
)
def test_the_end_of_the_line_is_no_part_of_the_password(
    end: str, asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A form sends none, and would be refused."""
    monkeypatch.setattr("sys.stdin", io.StringIO(PASSWORD + end, newline=""))
    assert main(["web", "--set-password"]) == 0
    assert is_right(PASSWORD, asked[0]["hash"])
