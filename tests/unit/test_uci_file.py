# SPDX-License-Identifier: GPL-2.0-or-later
"""Reading and replacing a file; the real `uci` where there is one, a stand-in for what it must be told."""

import os
import shutil
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from smartrouter.config.uci import MAX_TEXT, parse
from smartrouter.config.uci_edit import quoted
from smartrouter.config.uci_file import held, read_text, write_text
from smartrouter.core.errors import BadConfig, Unavailable

TEXT = "config a 'b'\n\toption x 'K\udcfcche'\n"


@pytest.fixture
def without_uci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")


@pytest.mark.usefixtures("without_uci")
def test_what_was_written_is_read_back_whatever_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "smartrouter"
    write_text(path, TEXT)
    assert read_text(path) == TEXT
    assert path.read_bytes() == TEXT.encode("utf-8", "surrogateescape")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600  # it may come to hold secrets
    assert os.listdir(tmp_path) == ["smartrouter"]


@pytest.mark.usefixtures("without_uci")
def test_mode_owner_and_link_are_kept(tmp_path: Path) -> None:
    path, link = tmp_path / "real", tmp_path / "link"
    path.write_text("old")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12345, 54321)
    link.symlink_to("real")
    before = path.stat()
    write_text(link, TEXT)
    after = path.stat()
    assert link.is_symlink()
    assert read_text(path) == TEXT
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino  # replaced in one step, not overwritten


@pytest.mark.usefixtures("without_uci")
def test_a_failure_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "smartrouter"
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left"):
        write_text(path, TEXT)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["smartrouter"]


@pytest.mark.usefixtures("without_uci")
def test_what_a_killed_writer_left_is_no_obstacle_and_goes(tmp_path: Path) -> None:
    path = tmp_path / "smartrouter"
    (tmp_path / ".smartrouter.new").write_text("half of i")
    write_text(path, TEXT)
    assert read_text(path) == TEXT
    assert os.listdir(tmp_path) == ["smartrouter"]


@pytest.mark.usefixtures("without_uci")
def test_of_changes_made_at_the_same_time_none_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "smartrouter"
    path.write_text("")

    def add(line: str) -> None:
        with held(path):
            write_text(path, f"{read_text(path)}{line}\n")

    wanted = [f"{writer}-{number}" for writer in range(4) for number in range(5)]
    with ThreadPoolExecutor(4) as pool:  # a lock of a file is one for each opening of it, threads included
        list(pool.map(add, wanted))
    assert sorted(read_text(path).split()) == sorted(wanted)


@pytest.mark.usefixtures("without_uci")
def test_a_folder_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"nowhere/smartrouter cannot be written: No such file"):
        write_text(tmp_path / "nowhere" / "smartrouter", TEXT)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path, Path("/dev/zero")):
        with pytest.raises(BadConfig):
            read_text(path)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "nothing")


def test_a_file_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(MAX_TEXT + 1)
    with pytest.raises(BadConfig, match="too large"):
        read_text(path)


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Put a `uci` on PATH that notes its arguments and then does as `script` says."""
    program = folder / "uci"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{folder}/arguments"\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_the_uci_command_is_given_the_text_and_the_owner_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, path = tmp_path / "bin", tmp_path / "smartrouter"
    folder.mkdir()
    path.write_text("old")
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 0, 54321)
    before = path.stat()
    stand_in(folder, monkeypatch, 'cat >"$3/.new"; chmod 600 "$3/.new"; mv "$3/.new" "$3/$5"')
    write_text(path, TEXT)
    arguments = (folder / "arguments").read_text().splitlines()
    assert arguments == ["-q", "-c", str(tmp_path), "import", "smartrouter"]
    assert read_text(path) == TEXT
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_a_failing_uci_command_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "exit 1")
    with pytest.raises(Unavailable, match="failed with status 1"):
        write_text(tmp_path / "smartrouter", TEXT)
    assert not (tmp_path / "smartrouter").exists()


def test_the_uci_command_is_not_used_where_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "exit 0")
    none = os.statvfs_result([4096, 4096, 100, 0, 0, 100, 100, 100, 0, 255])
    monkeypatch.setattr(os, "statvfs", lambda path: none)
    with pytest.raises(Unavailable, match="no room left"):
        write_text(tmp_path / "smartrouter", TEXT)
    assert not (tmp_path / "arguments").exists()


def test_a_name_that_uci_does_not_take_is_written_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "exit 1")
    write_text(tmp_path / "smartrouter.conf", TEXT)
    assert read_text(tmp_path / "smartrouter.conf") == TEXT


@pytest.mark.parametrize("sign", ["'", '"', "#", ";", "\\"])
def test_a_type_that_uci_would_write_without_its_quotes_is_written_without_uci(
    sign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, "exit 1")
    text = f"config {quoted(f'a{sign}b')} 'c'\n\toption x 'y'\n"
    write_text(tmp_path / "smartrouter", text)
    assert read_text(tmp_path / "smartrouter") == text
    with pytest.raises(Unavailable, match="failed with status 1"):
        write_text(tmp_path / "smartrouter", f"config a-b 'c'\n\toption x {quoted(sign)} # {sign}\n")


def test_what_does_not_parse_is_for_uci_to_refuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, "exit 1")
    with pytest.raises(Unavailable, match="failed with status 1"):
        write_text(tmp_path / "smartrouter", "config a 'b\n")


@pytest.mark.parametrize("kind", ['a"b', "a#b", "a;b", "a\\b", "a'b", "a-b", "!$@~"])
def test_no_type_of_a_section_is_lost(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "smartrouter"
    write_text(path, f"config {quoted(kind)} 'c'\n\toption x 'y'\n")
    assert [section.type for section in parse(read_text(path))] == [kind]
    if uci := shutil.which("uci"):
        done = subprocess.run([uci, "-c", tmp_path, "get", "smartrouter.c"], capture_output=True, check=True)
        assert done.stdout.decode() == kind + "\n"


def test_the_real_uci_command_keeps_every_value(tmp_path: Path) -> None:
    if shutil.which("uci") is None:
        pytest.skip("no uci command here")
    path = tmp_path / "smartrouter"
    write_text(path, "config a 'b'\n\toption x 'Bob'\\''s\n\"TV\" \\'\n\tlist y ''\n")
    assert parse(read_text(path))[0].options == {"x": 'Bob\'s\n"TV" \\', "y": [""]}
