# SPDX-License-Identifier: GPL-2.0-or-later
"""Files are followed, whatever is done to them, to their folder, or to the kernel's watches."""

import ctypes
import errno
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartrouter.linux import inotify
from smartrouter.linux.inotify import CHECK, SLOW, Watch


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "lib" / "leases"


@pytest.fixture
def watch(path: Path) -> Iterator[Watch]:
    watch = Watch([path])
    assert watch.changed(0.0) == {path}
    yield watch
    watch.close()


def changed(watch: Watch, seconds: float = 1.0) -> set[Path]:
    """What it says when it wakes us; nothing if it does not."""
    if not select.select([watch], [], [], seconds)[0]:
        return set()
    return watch.changed(1.0)


def quiet(watch: Watch) -> None:
    while changed(watch, 0.05):
        pass


def test_a_file_is_followed_through_its_life(watch: Watch, path: Path) -> None:
    assert changed(watch, 0.05) == set()
    path.parent.mkdir(parents=True)
    quiet(watch)
    path.write_text("one")
    assert changed(watch) == {path}
    quiet(watch)
    with path.open("r+") as file:  # as dnsmasq does: it never closes it
        file.truncate(0)
        file.write("two")
        file.flush()
        assert changed(watch) == {path}
        quiet(watch)
        file.write("three")
        file.flush()
        assert changed(watch) == {path}
    quiet(watch)
    path.with_name("new").write_text("four")
    path.with_name("new").rename(path)
    assert changed(watch) == {path}
    quiet(watch)
    path.write_text("five")
    assert changed(watch) == {path}
    quiet(watch)
    path.unlink()
    assert changed(watch) == {path}


def test_what_was_written_before_the_folder_was_noticed_is_not_missed(watch: Watch, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("one")
    assert changed(watch) == {path}


def test_a_folder_that_is_removed_and_made_again_is_followed(watch: Watch, path: Path) -> None:
    for _ in range(3):
        path.parent.mkdir(parents=True)
        path.write_text("one")
        assert changed(watch) == {path}
        quiet(watch)
        path.unlink()
        path.parent.rmdir()
        path.parent.parent.rmdir()
        assert changed(watch) == {path}
        quiet(watch)


def test_a_folder_that_is_moved_away_takes_its_files_along(watch: Watch, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("one")
    quiet(watch)
    path.parent.rename(path.parent.with_name("old"))
    assert changed(watch) == {path}
    quiet(watch)
    path.parent.mkdir()
    path.write_text("two")
    assert changed(watch) == {path}


def test_other_files_of_the_folder_are_no_news(watch: Watch, path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_text("one")
    quiet(watch)
    path.with_name("other").write_text("one")
    assert changed(watch, 0.2) == set()


def test_watches_do_not_pile_up(watch: Watch, path: Path) -> None:
    path.parent.mkdir(parents=True)
    for _ in range(50):
        path.with_name("new").write_text("one")
        path.with_name("new").rename(path)
        changed(watch)
    assert len(watch._watches) == len(watch._watched) == 2


def test_more_events_than_the_kernel_keeps_lose_nothing(watch: Watch, path: Path) -> None:
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    if most > 50_000:
        pytest.skip("the kernel keeps too many events to overflow them")
    path.parent.mkdir(parents=True)
    quiet(watch)
    for _ in range(most // 2 + 10):
        path.with_name("a").touch()
        path.with_name("a").unlink()
    path.write_text("one")
    assert path in changed(watch)


def test_a_file_system_mounted_over_the_folder_is_noticed_soon(tmp_path: Path) -> None:
    if os.geteuid():
        pytest.skip("needs root to mount")
    script = f"""if True:
        import subprocess
        from pathlib import Path
        from smartrouter.linux.inotify import CHECK, Watch
        path = Path("{tmp_path}/leases")
        path.write_text("one")
        watch = Watch([path])
        watch.changed(0.0)
        subprocess.run(["mount", "-t", "tmpfs", "none", "{tmp_path}"], check=True)
        path.write_text("two")
        assert watch.changed(CHECK - 1) == set()
        assert watch.changed(CHECK) == {{path}}
        path.write_text("three")
        assert watch.changed(CHECK + 1) == {{path}}
        subprocess.run(["umount", "-l", "{tmp_path}"], check=True)
        assert watch.changed(2 * CHECK) == {{path}}
        assert path.read_text() == "one"
    """
    command = ["unshare", "--mount", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr


class NoMore:
    """A libc whose user has used up all watches, or all instances."""

    def __init__(self, instances: bool):
        self._instances = instances

    def inotify_init1(self, flags: int) -> int:
        if self._instances:
            ctypes.set_errno(errno.EMFILE)
            return -1
        return os.open("/dev/null", os.O_RDONLY)

    def inotify_add_watch(self, *_: object) -> int:
        ctypes.set_errno(errno.ENOSPC)
        return -1

    def inotify_rm_watch(self, *_: object) -> int:
        raise AssertionError


@pytest.mark.parametrize("instances", [True, False])
def test_without_inotify_it_looks_now_and_then_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instances: bool
) -> None:
    monkeypatch.setattr(inotify, "_libc", NoMore(instances))
    path = tmp_path / "leases"
    watch = Watch([path])
    assert "looked at every 3 s" in watch.problem
    assert watch.changed(0.0) == {path}
    assert watch.next_deadline() == SLOW
    assert watch.changed(SLOW) == set()
    path.write_text("one")
    assert watch.changed(SLOW + 1) == set()
    assert watch.changed(2 * SLOW) == {path}
    path.write_text("other")
    assert watch.changed(3 * SLOW) == {path}
    assert watch.changed(4 * SLOW) == set()
    path.unlink()
    assert watch.changed(5 * SLOW) == {path}
    watch.close()


def test_with_inotify_it_checks_only_now_and_then(watch: Watch) -> None:
    assert watch.problem == ""
    assert watch.next_deadline() == CHECK
    watch.changed(CHECK)  # which waits for nothing
