# SPDX-License-Identifier: GPL-2.0-or-later
"""The store's directory and files belong to one group, and root touches nothing else."""

import os
import stat
from pathlib import Path

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.store import open_reader, open_writer
from smartrouter.store.files import create

NOBODY = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files to a group")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_everything_is_made_for_the_group(tmp_path: Path) -> None:
    directory = tmp_path / "var" / "smartrouter"
    create(str(directory / "store.db"), os.getegid())
    assert mode(directory) == 0o2770
    assert {entry.name: mode(entry) for entry in directory.iterdir()} == {
        "store.db": 0o660,
        "store.db-wal": 0o660,
        "store.db-shm": 0o660,
    }


def test_what_exists_is_kept(tmp_path: Path) -> None:
    path = str(tmp_path / "own" / "store.db")
    create(path, os.getegid())
    conn = open_writer(path)
    conn.execute("INSERT INTO meta VALUES ('kept', 'yes')")
    conn.close()
    os.chmod(path, 0o600)
    create(path, os.getegid())
    assert mode(Path(path)) == 0o660
    reader = open_reader(path)
    assert reader.execute("SELECT value FROM meta").fetchone() == ("yes",)
    reader.close()


def test_a_directory_with_other_files_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    tmp_path.chmod(0o755)
    with pytest.raises(Unavailable, match="a directory of its own"):
        create(str(tmp_path / "store.db"), os.getegid())
    assert mode(tmp_path) == 0o755
    assert not (tmp_path / "store.db").exists()


def test_a_directory_that_the_group_may_write_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    tmp_path.chmod(0o775)
    create(str(tmp_path / "store.db"), os.stat(tmp_path).st_gid)
    assert mode(tmp_path) == 0o775
    assert mode(tmp_path / "store.db") == 0o660


def test_without_a_group_an_existing_directory_is_left_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    create(str(tmp_path / "store.db"), None)
    assert mode(tmp_path) == 0o700


@as_root
def test_group_and_mode_hold_for_files_that_others_made(tmp_path: Path) -> None:
    path = tmp_path / "own" / "store.db"
    create(str(path), NOBODY)
    path.unlink()
    path.write_bytes(b"")
    os.chown(path, 1, 1)
    path.chmod(0o604)
    create(str(path), NOBODY)
    assert path.stat().st_gid == NOBODY
    assert mode(path) == 0o660
    assert path.parent.stat().st_gid == NOBODY


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_link_to_another_file_is_not_followed(tmp_path: Path, suffix: str) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("secret")
    secret.chmod(0o600)
    path = tmp_path / "own" / "store.db"
    create(str(path), os.getegid())
    Path(f"{path}{suffix}").unlink()
    os.symlink(secret, f"{path}{suffix}")
    with pytest.raises(Unavailable):
        create(str(path), os.getegid())
    assert mode(secret) == 0o600
    Path(f"{path}{suffix}").unlink()
    os.link(secret, f"{path}{suffix}")
    with pytest.raises(Unavailable, match="not a plain file"):
        create(str(path), os.getegid())
    assert mode(secret) == 0o600


def test_a_pipe_in_the_files_place_does_not_stop_the_start(tmp_path: Path) -> None:
    path = tmp_path / "own" / "store.db"
    create(str(path), os.getegid())
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Unavailable, match="not a plain file"):
        create(str(path), os.getegid())


def test_it_says_what_to_do_where_it_cannot(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="option database"):
        create(str(tmp_path / "file" / "own" / "store.db"), None)
