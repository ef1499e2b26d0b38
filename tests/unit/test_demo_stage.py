# SPDX-License-Identifier: GPL-2.0-or-later
"""How the demonstration is shown: plainly without a terminal, and a claim that fails is never quiet."""

import io

import pytest

from smartrouter.lab.stage import ClaimError, Stage


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_claim_that_holds_is_shown_and_goes_on() -> None:
    out = io.StringIO()
    stage = Stage(out)
    stage.claim("it works", True, "not shown")
    assert out.getvalue() == "  ✓ it works\n"
    assert stage.failures == []


def test_a_claim_that_fails_says_what_was_seen_and_ends_the_show() -> None:
    out = io.StringIO()
    stage = Stage(out)
    with pytest.raises(ClaimError):
        stage.claim("it works", False, "a reset")
    assert "✗ it works" in out.getvalue()
    assert "a reset" in out.getvalue()
    assert stage.failures == ["it works"]


def test_a_claim_that_fails_is_counted_when_the_show_is_to_go_on() -> None:
    stage = Stage(io.StringIO(), keep_going=True)
    stage.claim("one", False)
    stage.claim("two", True)
    stage.claim("three", False)
    assert stage.failures == ["one", "three"]


@pytest.mark.parametrize(
    ("stream", "no_color", "coloured"),
    [(Terminal(), "", True), (Terminal(), "1", False), (io.StringIO(), "", False)],
)
def test_colours_are_for_terminals_whose_user_wants_them(
    stream: io.StringIO, no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    Stage(stream).deed("Camera calls home", "connected", good=True)
    assert ("\x1b[" in stream.getvalue()) is coloured


@pytest.mark.parametrize(("columns", "lines"), [("120", 1), ("60", 2)])
def test_a_deed_fits_the_screen(columns: str, lines: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    out = io.StringIO()
    Stage(out).deed("Camera calls home: api.lumicam.example", "IPv4 connected in 0.9 ms", good=True)
    assert out.getvalue().count("\n") == lines
    assert max(map(len, out.getvalue().splitlines())) <= int(columns)


def test_what_a_command_prints_cannot_act_on_the_terminal() -> None:
    out = Terminal()
    Stage(out).command("smartrouter devices", "a\x1b[2Jb\nc")
    assert "\x1b[2J" not in out.getvalue()
    assert "a\\x1b[2Jb" in out.getvalue()
