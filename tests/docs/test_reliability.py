# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/reliability.md says what the tests of faults go by, and names tests that exist."""

import ast
from pathlib import Path

import pytest
from netns.faults import FAULTS
from netns.faults_page import ELSEWHERE, Elsewhere, measured_on, page

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "reliability.md").read_text()


def test_the_page_is_what_is_written_from_the_table_of_faults() -> None:
    """Written anew by `make reliability`."""
    assert page(measured_on(PAGE)) == PAGE


def test_each_fault_was_measured_and_was_over_in_time() -> None:
    measured = measured_on(PAGE)
    assert set(measured) == {fault.key for fault in FAULTS}
    assert not [fault.key for fault in FAULTS if measured[fault.key] > 2 * fault.back + 1.0]


@pytest.mark.parametrize("each", ELSEWHERE, ids=lambda each: each.test.partition("::")[2])
def test_the_tests_that_it_names_exist(each: Elsewhere) -> None:
    file, _, name = each.test.partition("::")
    functions = [node.name for node in ast.parse((TESTS / file).read_text()).body if hasattr(node, "name")]
    assert name in functions
