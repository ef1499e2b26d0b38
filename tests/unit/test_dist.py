# SPDX-License-Identifier: GPL-2.0-or-later
"""What is handed out: the same bytes wherever and whenever it is built, of nothing but the sources; and the
files that pin what it is made of.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from supply.dist import build, epoch_of

CHECKOUT = Path(__file__).resolve().parents[2]
EPOCH = 1_800_000_000
LOCKS = CHECKOUT / "requirements"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    """Built twice: of two checkouts, at other times, under another umask, zone and language."""
    builds = []
    before = os.environ.copy(), os.umask(0o022)
    try:
        for number, (umask, zone) in enumerate([(0o022, "UTC"), (0o077, "Asia/Tokyo")]):
            folder = tmp_path_factory.mktemp("a" * (1 + 20 * number))
            os.umask(umask)
            os.environ |= {"TZ": zone, "LC_ALL": "C" if number else "C.UTF-8", "USER": f"user{number}"}
            for name in ("LICENSE", "README.md", "nft", "pyproject.toml", "setup.py", "smartrouter"):
                source = CHECKOUT / name
                if source.is_dir():
                    shutil.copytree(source, folder / name, symlinks=True)
                else:
                    shutil.copy2(source, folder / name)
            for path in folder.rglob("*"):
                os.utime(path, (number * 1e8, number * 1e8), follow_symlinks=False)
            (folder / "out").mkdir()
            builds.append(build(folder, folder / "out", EPOCH))
    finally:
        os.umask(before[1])
        os.environ.clear()
        os.environ.update(before[0])
    return builds[0], builds[1]


def test_two_builds_are_the_same_bytes(built: tuple[list[Path], list[Path]]) -> None:
    once, again = built
    assert [path.suffix for path in once] == [".whl", ".gz"]
    assert [path.name for path in once] == [path.name for path in again]
    assert [path.read_bytes() for path in once] == [path.read_bytes() for path in again]


def test_the_wheel_holds_the_package_whole_and_nothing_else(built: tuple[list[Path], list[Path]]) -> None:
    with zipfile.ZipFile(built[0][0]) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = CHECKOUT / "smartrouter"
    sources = {f"smartrouter/{path.relative_to(package)}" for path in package.rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == sources
    assert {name for name in names if not name.endswith(".py")} >= {
        "smartrouter/nft/smartrouter.nft", "smartrouter/makers/makers.table",
    }  # fmt: skip
    assert not any(name.endswith((".pyc", ".so")) for name in names)


def test_the_sdist_names_nobody_and_no_other_time(built: tuple[list[Path], list[Path]]) -> None:
    with tarfile.open(built[0][1]) as sdist:
        members = sdist.getmembers()
    assert {(each.uid, each.gid, each.uname, each.gname, each.mtime) for each in members} == {
        (0, 0, "", "", EPOCH)
    }
    assert [each.name for each in members] == sorted(each.name for each in members)


def test_the_time_is_the_last_commits_unless_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert epoch_of(tmp_path) == 1700000000
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SystemExit, match="SOURCE_DATE_EPOCH"):
        epoch_of(tmp_path)


def test_the_wheel_can_be_used_without_the_checkout(
    built: tuple[list[Path], list[Path]], tmp_path: Path
) -> None:
    with zipfile.ZipFile(built[0][0]) as wheel:
        wheel.extractall(tmp_path)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "smartrouter", "--version"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.search(r"\d+\.\d+\.\d+", done.stdout)


# -- what is pinned --------------------------------------------------------------------------------------


def pinned(lock: str) -> dict[str, tuple[str, list[str]]]:
    """Name -> (version, hashes)."""
    text = (LOCKS / lock).read_text()
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)(.*?)(?=^[A-Za-z0-9]|\Z)", text, re.MULTILINE | re.DOTALL)
    hashes = re.compile(r"--hash=sha256:([0-9a-f]{64})")
    return {canonicalize_name(name): (version, hashes.findall(rest)) for name, version, rest in found}


def wanted(*extras: str) -> list[Requirement]:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    texts = [*project["dependencies"]]
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize(
    ("lock", "extras"), [("release.lock", ()), ("develop.lock", ("dev", "mqtt", "apprise"))]
)
def test_whatever_the_project_asks_for_is_pinned_with_hashes(lock: str, extras: tuple[str, ...]) -> None:
    pins = pinned(lock)
    for requirement in wanted(*extras):
        version, _ = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} and {version}: make lock"
    assert all(hashes for _, hashes in pins.values())


@pytest.mark.parametrize("lock", ["release.lock", "develop.lock"])
def test_no_lock_says_where_packages_come_from(lock: str) -> None:
    """That is for whoever installs to decide."""
    text = (LOCKS / lock).read_text()
    assert "://" not in text
    assert "--index-url" not in text
    assert "--find-links" not in text


def test_both_locks_pin_the_same_versions() -> None:
    release, develop = pinned("release.lock"), pinned("develop.lock")
    assert release.items() <= develop.items()
