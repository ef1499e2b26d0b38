# SPDX-License-Identifier: GPL-2.0-or-later
"""Imports point inwards only, and every package below smartrouter stands somewhere in that order."""

import subprocess
import sys
import tomllib
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FREE = {"__main__", "nft"}  # the entry, and a folder that holds no code


def test_imports_keep_the_contract() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports"))]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout


def test_every_module_has_its_floor() -> None:
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    floors = {module.strip() for layer in contracts[0]["layers"] for module in layer.split("|")}
    rooms = {path.stem for path in (CHECKOUT / "smartrouter").iterdir() if not path.stem.startswith("__")}
    assert {f"smartrouter.{room}" for room in rooms - FREE} == floors


def test_every_file_of_ours_names_its_licence() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.c", "Makefile"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = listed.stdout.split()
    assert files
    unmarked = [
        name
        for name in files
        if "SPDX-License-Identifier: GPL-2.0-or-later" not in (CHECKOUT / name).read_text()[:200]
    ]
    assert unmarked == []


def test_the_architecture_page_knows_every_room() -> None:
    page = (CHECKOUT / "ARCHITECTURE.md").read_text()
    rooms = {path.stem for path in (CHECKOUT / "smartrouter").iterdir() if not path.stem.startswith("__")}
    assert [room for room in sorted(rooms) if f"{room}/" not in page and f"{room}.py" not in page] == []
