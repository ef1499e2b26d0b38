# SPDX-License-Identifier: GPL-2.0-or-later
"""The service on other routers than OpenWrt's: systemd's word on its unit, and what the Makefile installs and
removes."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
UNIT = CHECKOUT / "systemd" / "smartrouter.service"
CAPABILITIES = CHECKOUT / "openwrt-package" / "smartrouter" / "files" / "smartrouter.capabilities.json"
HIGHEST_EXPOSURE = 30  # tenths


def capabilities() -> set[str]:
    line = re.search(r"^CapabilityBoundingSet=(.*)$", UNIT.read_text(), re.M)
    assert line is not None
    return set(line[1].split())


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there."""
    text = UNIT.read_text()
    assert text.count("@PREFIX@") == 1
    path = tmp_path / UNIT.name
    path.write_text(text.replace("@PREFIX@/bin/python3", shutil.which("python3") or "/bin/sh"))
    return path


def analyze(*words: str) -> "subprocess.CompletedProcess[str]":
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is missing (Debian's package systemd)")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, timeout=60)


def test_systemd_takes_the_unit_without_a_word(unit: Path) -> None:
    done = analyze("verify", str(unit))
    assert (done.returncode, done.stderr.replace("/usr/sbin/nft", "")) == (0, "")


def test_the_service_is_hardened(unit: Path) -> None:
    done = analyze("security", "--offline=true", f"--threshold={HIGHEST_EXPOSURE}", "--no-pager", str(unit))
    assert done.returncode == 0, done.stdout


def test_procd_and_systemd_leave_it_the_same_rights() -> None:
    found = json.loads(CAPABILITIES.read_text())
    assert set(found["bounding"]) == set(found["effective"]) == set(found["permitted"]) == capabilities()
    assert found["inheritable"] == found["ambient"] == []


def make(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["make", "-C", str(CHECKOUT), *words], capture_output=True, text=True, timeout=60)


def test_nothing_is_installed_over_or_removed_with_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "usr").mkdir()
    (tmp_path / "usr" / "something").write_text("of somebody else's")
    for verb in ("install-system", "uninstall-system"):
        done = make(verb, f"DESTDIR={tmp_path}", "PREFIX=/usr", "PACKAGES=")
        assert done.returncode != 0, verb
    assert [path.name for path in (tmp_path / "usr").iterdir()] == ["something"]


def test_what_was_installed_is_removed_whole(tmp_path: Path) -> None:
    program = tmp_path / "opt" / "smartrouter"
    for path in (
        program / "smartrouter.cfg",
        tmp_path / "etc/config/smartrouter",
        tmp_path / "etc/systemd/system/smartrouter.service",
        tmp_path / "usr/local/bin/smartrouter",
        tmp_path / "var/lib/smartrouter/smartrouter.db",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert make("uninstall-system", f"DESTDIR={tmp_path}", "KEEP=1").returncode == 0
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"etc/config/smartrouter", "var/lib/smartrouter/smartrouter.db"}
    assert make("uninstall-system", f"DESTDIR={tmp_path}").returncode == 0
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []
