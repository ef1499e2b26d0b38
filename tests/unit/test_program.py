# SPDX-License-Identifier: GPL-2.0-or-later
"""Running a program with a text as its input."""

import os
import time
from pathlib import Path

import pytest

from smartrouter.linux import program
from smartrouter.linux.program import Done


def _shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_it_reads_the_text_and_we_read_what_it_complains_of() -> None:
    script = "cat >&2; echo printed"
    assert program.run(_shell(script), "gewiß\n", 5.0) == Done(0, "gewiß\n")


def test_the_input_can_be_opened_by_its_name_too() -> None:
    assert program.run(_shell("cat /dev/stdin >&2"), "a rule", 5.0).errors == "a rule"


def test_neither_a_long_text_nor_a_long_complaint_blocks() -> None:
    text = "element\n" * 100_000
    assert program.run(_shell("cat >&2; cat /dev/stdin >/dev/null"), text, 20.0).errors == text


@pytest.mark.parametrize(("script", "status"), [("exit 3", 3), ("kill -9 $$", -9)])
def test_how_it_ended_is_told(script: str, status: int) -> None:
    assert program.run(_shell(script), "", 20.0).status == status


def _children() -> set[str]:
    """Our child processes, those that ended and were not waited for too."""
    lists = Path("/proc/self/task").glob("*/children")
    return {pid for children in lists for pid in children.read_text().split()}


def test_what_does_not_end_is_killed() -> None:
    before = _children()  # others' tests may have left some
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        program.run(_shell("exec sleep 60"), "", 0.05)
    assert time.monotonic() - began < 30
    assert _children() <= before


def test_a_program_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(OSError):
        program.run(["/nowhere/nft"], "", 5.0)


def test_it_leaves_no_descriptor_open() -> None:
    before = os.listdir("/proc/self/fd")
    program.run(_shell("true"), "", 5.0)
    assert len(os.listdir("/proc/self/fd")) == len(before)


def test_a_program_is_found_on_the_path_or_among_roots_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "_ROOTS_OWN", (str(tmp_path / "sbin"),))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin::{tmp_path}/none")
    assert program.find("tool") is None
    for folder in ("sbin", "bin"):
        (tmp_path / folder).mkdir()
        path = tmp_path / folder / "tool"
        path.touch()
        assert program.find("tool") != str(path)
        path.chmod(0o755)
        assert program.find("tool") == str(path)
