# SPDX-License-Identifier: GPL-2.0-or-later
"""The scout where something fails; how it works on a network is in tests/netns."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartrouter.analyzer.gallery import Gallery
from smartrouter.analyzer.scout import WHOLE_RETRY, Scout
from smartrouter.core.errors import Unavailable
from smartrouter.linux import inotify
from smartrouter.linux.leases import LeaseFiles
from smartrouter.makers import Makers

PLUG = "50:c7:bf:00:00:02"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dhcp.leases"


@pytest.fixture
def scout(path: Path) -> Iterator[Scout]:
    """On the loopback, whose network every machine has."""
    scout = Scout(Makers(path.with_name("none")), LeaseFiles([path]), Gallery())
    scout.go(["lo"], [])
    yield scout
    scout.close()


def test_leases_are_read_even_if_the_kernel_does_not_answer(
    scout: Scout, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scout.look()
    scout.check()

    def refuses() -> None:
        raise Unavailable("the kernel is asleep")

    with monkeypatch.context() as context:
        context.setattr(scout._around, "changes", refuses)
        path.write_text(f"0 {PLUG} 127.0.0.20 smart-plug *\n")
        (found,) = scout.look()
        assert (found.mac, found.interface, found.hostname) == (PLUG, "lo", "smart-plug")
        with pytest.raises(Unavailable, match="asleep"):
            scout.check()
        assert time.monotonic() < scout.next_deadline() <= time.monotonic() + WHOLE_RETRY
    scout.look()
    scout.check()


def test_that_files_are_looked_at_only_now_and_then_is_said(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inotify._libc, "inotify_init1", lambda _: -1)
    scout = Scout(Makers(path.with_name("none")), LeaseFiles([path]), Gallery())
    scout.look()
    with pytest.raises(Unavailable, match="every 3 s"):
        scout.check()
    assert len(scout.filenos()) == 2
    scout.close()


def test_when_nothing_is_due_nothing_wakes_it(scout: Scout) -> None:
    scout.look()
    time.sleep(0.05)
    begun = time.monotonic()
    scout.look()  # what the first one has asked for
    assert scout.next_deadline() > begun + 1.0


def test_what_was_leased_before_is_known_but_not_there(scout: Scout, path: Path) -> None:
    path.write_text(f"0 {PLUG} 127.0.0.20 smart-plug *\n")
    (found,) = scout.look()
    assert not found.present
    path.write_text(f"5 {PLUG} 127.0.0.20 smart-plug *\n")  # renewed
    (found,) = scout.look()
    assert found.present
    assert scout.status() == {"devices": 1, "present": 1, "leases": [str(path)]}
