# SPDX-License-Identifier: GPL-2.0-or-later
"""Which slices of Python's standard library a package needs is what its recipe says: no less, and no more."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from openwrt.feed import FEED, scan

RECIPES = {
    "python3-netfilterqueue": "python-netfilterqueue",
    "python3-publicsuffixlist": "python-publicsuffixlist",
    "python3-slack-sdk": "python-slack-sdk",
}


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("slices", FEED / "slices.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


slices = loaded()
PACKAGES = [name for name, files in slices.packages().items() if files] + list(RECIPES)


@pytest.mark.parametrize("package", PACKAGES)
def test_the_recipe_names_exactly_what_is_imported(package: str) -> None:
    fields = scan(RECIPES.get(package, "smartrouter"))[package]
    named = {word.lstrip("+") for word in fields["DEPENDS"].split()} & slices.SLICES.keys()
    assert named == set(slices.needed(package))
    assert "+python3-light" in fields["DEPENDS"].split()


def test_a_slice_that_is_not_named_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An import at the top, one in a function, one hidden in a call, and one only for a type checker."""
    module = tmp_path / "needy.py"
    module.write_text(
        "import sqlite3, socket\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import asyncio\n"
        "def later():\n    import multiprocessing\n    socket.getaddrinfo('x', 1)\n"
    )
    monkeypatch.setattr(slices, "CHECKOUT", tmp_path)
    monkeypatch.setattr(slices, "packages", lambda: {"needy": [module]})
    found = slices.needed("needy")
    assert found == ["python3-codecs", "python3-multiprocessing", "python3-sqlite3"]


def test_a_module_that_nobody_has_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = tmp_path / "needy.py"
    module.write_text("import no_such_module_anywhere\n")
    monkeypatch.setattr(slices, "CHECKOUT", tmp_path)
    monkeypatch.setattr(slices, "packages", lambda: {"needy": [module]})
    with pytest.raises(RuntimeError, match="no_such_module_anywhere"):
        slices.needed("needy")


def test_every_slice_is_of_modules_that_some_python_has() -> None:
    gone = {"cgi", "cgitb", "distutils", "lib2to3"}  # since 3.12 and 3.13
    names = {name for names in slices.SLICES.values() for name in names if not name.startswith("_")}
    absent = {name for name in names - gone if importlib.util.find_spec(name) is None}
    assert absent <= {"readline"} | ({"dbm"} if sys.version_info >= (3, 14) else set())
