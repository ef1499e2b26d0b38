# SPDX-License-Identifier: GPL-2.0-or-later
"""The supervisor's log lines."""

import io
import sys

import pytest

from smartrouter.journal import Journal


def test_lines_are_those_of_logging(capsys: pytest.CaptureFixture[str]) -> None:
    journal = Journal("smartrouter.supervisor")
    journal.info("%s runs as process %d", "guard", 7)
    journal.warning("odd: %.3r", "abcdef")
    journal.error("%s", "100 % wrong")
    assert capsys.readouterr().err.splitlines() == [
        "INFO smartrouter.supervisor: guard runs as process 7",
        "WARNING smartrouter.supervisor: odd: 'ab",
        "ERROR smartrouter.supervisor: 100 % wrong",
    ]


def test_a_fault_comes_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("50 %s off")
    except ValueError:
        Journal("smartrouter.supervisor").exception("a fault in %s", "the loop")
    written = capsys.readouterr().err
    assert written.startswith("ERROR smartrouter.supervisor: a fault in the loop\nTraceback")
    assert written.endswith("ValueError: 50 %s off\n")


def test_a_fault_that_is_handed_over_comes_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ValueError("50 %s off")
    except ValueError as error:
        fault = error
    Journal("smartrouter.guard").error("fault %d", 3, exc_info=fault)
    Journal("smartrouter.guard").critical("gone")
    written = capsys.readouterr().err
    assert written.startswith("ERROR smartrouter.guard: fault 3\nTraceback")
    assert written.endswith("ValueError: 50 %s off\nCRITICAL smartrouter.guard: gone\n")


@pytest.mark.parametrize("closed", [True, False])
def test_nobody_to_read_it_is_no_reason_to_end(monkeypatch: pytest.MonkeyPatch, closed: bool) -> None:
    class Broken(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    stream = Broken()
    if closed:
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    Journal("smartrouter.supervisor").info("hello")
