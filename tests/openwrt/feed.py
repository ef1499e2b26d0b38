# SPDX-License-Identifier: GPL-2.0-or-later
"""The feed's recipes under GNU make with stand-ins for OpenWrt's own makefiles (`buildroot`): what they say
of their packages, and what they would install, as files in a folder.
"""

import compileall
import glob
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FEED = CHECKOUT / "openwrt-package"
RECIPES = sorted(
    path.parent.name for path in FEED.glob("*/Makefile") if not path.parent.name.startswith("luci")
)
_BUILDROOT = Path(__file__).resolve().parent / "buildroot"
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
SITE = f"usr/lib/python{_PYTHON}/site-packages"


def make(recipe: str, *words: str, work: Path | None = None) -> subprocess.CompletedProcess[str]:
    """GNU make on a recipe."""
    variables = [f"TOPDIR={_BUILDROOT}", f"PYTHON3_VERSION={_PYTHON}", f"WORK={work or '/nonexistent'}"]
    return subprocess.run(
        ["make", "--no-print-directory", "-C", str(FEED / recipe), *variables, *words],
        capture_output=True,
        text=True,
        timeout=60,
    )


def scan(recipe: str) -> dict[str, dict[str, str]]:
    """What the recipe says of each of its packages."""
    done = make(recipe, "scan", "SCAN=1")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, dict[str, str]] = {}
    for line in done.stdout.splitlines():
        field, _, text = line.partition(":")
        if field == "Package":
            package = found[text.strip()] = {}
        elif line.strip():
            package[field] = text.strip()
    return found


def filespecs(recipe: str) -> dict[str, list[tuple[str, str]]]:
    """Of each package the lines of its filespec: sign and path below site-packages."""
    text = (FEED / recipe / "Makefile").read_text()
    found = re.findall(r"^define Py3Package/([\w-]+)/filespec\n(.*?)^endef", text, re.M | re.S)
    prefix = "$(SMARTROUTER_DIR)"
    return {
        name: [(line[0], "smartrouter" + line[2:].removeprefix(prefix)) for line in spec.splitlines()]
        for name, spec in found
    }


def install(packages: list[str], work: Path, *, sources: bool = False) -> Path:
    """Install these packages of the recipe `smartrouter` as OpenWrt would; gives the root. Without `sources`
    as bytecode alone."""
    done = make("smartrouter", "compile", work=work)
    assert done.returncode == 0, done.stderr
    built = next(work.glob("build/*/ipkg-install")) / SITE
    root = work / "root"
    for package in packages:
        root.mkdir(exist_ok=True)
        done = make("smartrouter", f"install-{package}", f"INTO={root}", work=work)
        assert done.returncode == 0, done.stderr
        part = work / package
        for sign, place in filespecs("smartrouter")[package]:
            found = glob.glob(str((built if sign == "+" else part) / place))
            if sign == "+":
                for path in found:
                    target = part / Path(path).relative_to(built)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _copy(Path(path), target)
            else:
                assert found or not (CHECKOUT / place).exists(), (
                    f"{package}: there is no {place} to leave out"
                )
                for path in found:
                    shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        if part.exists():
            _copy(part, root / SITE)
    _drop_empty(root)
    if not sources:
        assert compileall.compile_dir(root / SITE, quiet=2, legacy=True, stripdir=str(root), maxlevels=20)
        for source in (root / SITE).rglob("*.py"):
            source.unlink()
    return root


def script(package: str, name: str) -> str:
    """What a router runs at `name` (postinst, postrm) of a package of recipe `smartrouter`; '' if nothing."""
    done = make("smartrouter", "script", f"NAME={package}/{name}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def _drop_empty(root: Path) -> None:
    """A package of Python modules holds no empty folder: OpenWrt takes them away."""
    for folder, _, _ in os.walk(root, topdown=False):
        if folder != str(root) and not os.listdir(folder):
            os.rmdir(folder)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)
