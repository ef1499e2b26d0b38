# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard's table in a real kernel: whether it sees that somebody else took it away, and looks no more
often than it must."""

from collections.abc import Iterator
from functools import partial

import pytest
from netns.kernel_lab import DEVICE_MAC, Lab, run

from smartrouter.core.errors import BadConfig
from smartrouter.guard.table import Table
from smartrouter.linux import ruleset
from smartrouter.linux.ruleset import Plan

pytestmark = pytest.mark.netns

PLAN = Plan(("lan0",))


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def table(lab: Lab) -> Iterator[Table]:
    """Loaded, in the router's namespace, where the test is, too."""
    with lab.at("router"):
        run("nft", "flush", "ruleset")
        table = Table(PLAN)
        table.load(PLAN)
        yield table
        table.close()
        ruleset.remove()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What each search for the table found."""
    found: list[bool] = []
    search = ruleset.is_present

    def is_present() -> bool:
        found.append(search())
        return found[-1]

    monkeypatch.setattr(ruleset, "is_present", is_present)
    return found


def nft(*command: str) -> None:
    run("nft", *command)


def test_a_table_that_is_there_was_not_taken_away(table: Table) -> None:
    assert not table.was_taken_away()
    assert not table.was_taken_away()


@pytest.mark.parametrize(
    "command",
    ["flush ruleset", "delete table inet smartrouter", "flush table inet smartrouter"],
)
def test_a_table_that_is_gone_or_empty_is_seen_and_can_be_put_back(table: Table, command: str) -> None:
    assert not table.was_taken_away()
    nft(*command.split())
    assert table.was_taken_away()
    table.load(table.loaded)
    assert not table.was_taken_away()
    assert ruleset.is_present()
    nft(*command.split())
    assert table.was_taken_away()


def test_what_was_taken_away_before_the_first_question_is_seen(table: Table) -> None:
    nft("flush", "ruleset")
    assert table.was_taken_away()


def test_it_stays_taken_away_until_it_is_put_back(table: Table) -> None:
    assert not table.was_taken_away()
    nft("flush", "ruleset")
    assert [table.was_taken_away() for _ in range(3)] == [True, True, True]
    table.load(PLAN)
    assert not table.was_taken_away()


def test_the_table_is_looked_for_only_when_rules_have_changed(table: Table, looks: list[bool]) -> None:
    for _ in range(5):
        assert not table.was_taken_away()
    assert looks == [True]
    nft("add", "table", "inet", "somebody")
    for _ in range(5):
        assert not table.was_taken_away()
    assert looks == [True, True]
    nft("flush", "ruleset")
    assert table.was_taken_away()
    assert looks == [True, True, False]


def test_a_plan_that_was_loaded_is_remembered_and_one_that_was_not_is_not(table: Table) -> None:
    other = PLAN._replace(watched=frozenset({DEVICE_MAC}))
    table.load(other)
    assert table.loaded == other
    assert DEVICE_MAC in run("nft", "list", "table", "inet", "smartrouter")
    with pytest.raises(BadConfig):
        table.load(PLAN._replace(on_failure="perhaps"))
    assert table.loaded == other
    assert not table.was_taken_away()


@pytest.fixture
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two looks there was time enough."""
    monkeypatch.setattr("smartrouter.guard.table.SETTLES", 0.0)


@pytest.mark.usefixtures("_settled")
def test_sets_count_as_emptied_where_the_same_is_lacking_at_two_looks_in_a_row(table: Table) -> None:
    looks = [({"one"}, False), (set(), False), ({"one"}, False), ({"another"}, False), ({"another"}, True)]
    for lacking, expected in looks:
        nft("add", "table", "inet", "somebody")
        nft("delete", "table", "inet", "somebody")  # something has changed, so it is worth a look
        assert not table.was_taken_away()
        assert table.was_emptied(partial(frozenset, lacking)) is expected


def test_sets_are_looked_at_only_when_rules_have_changed(table: Table) -> None:
    looked: list[bool] = []

    def lack() -> frozenset[object]:
        looked.append(True)
        return frozenset()

    for _ in range(3):
        assert not table.was_taken_away()
        assert not table.was_emptied(lack)
    assert len(looked) == 1


def test_what_lacks_is_given_time_to_be_put_in(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartrouter.guard.table.SETTLES", 3600.0)
    lacking = [frozenset({1}), frozenset({1})]
    assert not table.was_taken_away()
    for _ in range(3):
        assert not table.was_emptied(lacking.pop)
    assert len(lacking) == 1


@pytest.mark.usefixtures("_settled")
def test_what_lacks_though_it_was_filled_again_is_left_alone_for_a_while(table: Table) -> None:
    nft("add", "table", "inet", "somebody")
    assert not table.was_taken_away()
    found = [table.was_emptied(lambda: frozenset({1})) for _ in range(8)]
    assert found == [False, True, False, True, False, False, False, False]
