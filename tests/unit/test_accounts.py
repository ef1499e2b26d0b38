# SPDX-License-Identifier: GPL-2.0-or-later
"""What the kernel counted is dealt with, or missing; and nothing that is on its way looks missing."""

import pytest
from netns.rules_lab import ENTERED as ENTERED_IN_TESTS
from netns.rules_lab import LEFT as LEFT_IN_TESTS

from smartrouter.guard.accounts import ENTERED, LEFT, SETTLED, Accounts, Ours
from smartrouter.linux.ruleset import template


def gaps(accounts: Accounts) -> tuple[int, int]:
    figures = accounts.figures()
    return figures["gap_at_gate"], figures["gap_in_log"]


def test_what_is_dealt_with_by_the_next_look_is_no_gap() -> None:
    accounts = Accounts({})
    accounts.look({"queued_flows": 10, "passed": 4, "known": 5}, Ours(recorded=2))
    assert gaps(accounts) == (0, 0), "it is on its way"
    accounts.look({"queued_flows": 30, "passed": 12, "blocked": 2, "known": 9}, Ours(withheld=1, recorded=5))
    assert gaps(accounts) == (0, 0)


def test_what_is_not_is_one_and_stays_one() -> None:
    accounts = Accounts({})
    for _ in range(3):
        accounts.look({"queued_flows": 10, "passed": 7, "known": 5}, Ours(recorded=3, unrecorded=1))
    assert gaps(accounts) == (10 + 5 - 7, 5 - 4)


def test_what_an_earlier_guard_left_is_not_counted_again() -> None:
    left = {"queued_flows": 100, "passed": 90, "known": 7}
    accounts = Accounts(left, Ours())
    for _ in range(2):
        accounts.look({"queued_flows": 101, "passed": 92, "known": 8}, Ours(recorded=1))
    assert gaps(accounts) == (0, 0)
    assert accounts.figures() == {
        "entered": 2, "left": 2, "withheld": 0, "settled": 1, "recorded": 1, "unrecorded": 0,
        "gap_at_gate": 0, "gap_in_log": 0,
    }  # fmt: skip


def test_a_table_that_was_made_anew_begins_at_nothing() -> None:
    accounts = Accounts({"queued_flows": 100})
    accounts.look({"queued_flows": 120, "passed": 1}, Ours(recorded=4))
    accounts.look({}, Ours(recorded=4))
    assert set(accounts.figures().values()) == {0}
    for _ in range(2):
        accounts.look({"known": 3, "passed": 3}, Ours(recorded=6))
    assert gaps(accounts) == (0, 1)


@pytest.mark.parametrize("name", [*ENTERED, *LEFT, *SETTLED])
def test_each_counter_is_the_rulesets(name: str) -> None:
    assert f"counter name {name}" in template()


def test_the_network_tests_count_by_the_same() -> None:
    assert (set(ENTERED), set(LEFT)) == (set(ENTERED_IN_TESTS), set(LEFT_IN_TESTS))
