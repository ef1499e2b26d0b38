# SPDX-License-Identifier: GPL-2.0-or-later
"""Each invariant, broken on purpose, makes the test fail that guards it. Here one fault of each that needs no
network, or in a long run all of these; `make mutants` has all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mutation.killing import CHECKOUT, copy_of_checkout, run, survived, table
from mutation.mutants import INVARIANTS, MUTANTS, Mutant

CHEAP = [mutant for mutant in MUTANTS if not mutant.network]
if float(os.environ.get("ROUNDS", "1")) <= 1:  # one of each invariant
    CHEAP = list({mutant.invariant: mutant for mutant in reversed(CHEAP)}.values())[::-1]


@pytest.fixture(scope="module")
def copy() -> Iterator[Path]:
    with copy_of_checkout() as folder:
        yield folder


def test_the_tests_pass_while_nothing_is_broken_and_run_the_copys_code(copy: Path) -> None:
    test = "tests/unit/test_inert.py"
    assert run(copy, test).returncode == 0
    code = copy / "smartrouter" / "core" / "inert.py"
    whole = code.read_text()
    code.write_text("raise SystemExit('the copy')")
    try:
        assert run(copy, test).returncode != 0
    finally:
        code.write_text(whole)


@pytest.mark.parametrize("mutant", CHEAP, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_fault_is_noticed(copy: Path, mutant: Mutant) -> None:
    assert survived(copy, mutant) == []


def test_every_invariant_is_broken_by_something() -> None:
    assert {mutant.invariant for mutant in MUTANTS} == set(INVARIANTS) == set(range(1, 13))
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_what_is_to_be_broken_is_there_once_and_so_is_its_test(mutant: Mutant) -> None:
    text = (CHECKOUT / mutant.file).read_text(encoding="utf-8")
    assert text.count(mutant.before) == 1
    assert mutant.before != mutant.after
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert f"def {name}(" in (CHECKOUT / path).read_text(encoding="utf-8") or not name
        assert ("/netns/" in path) is mutant.network


def test_the_documentation_says_which_test_guards_which_invariant() -> None:
    assert table() in (CHECKOUT / "docs" / "testing.md").read_text(encoding="utf-8")
