# SPDX-License-Identifier: GPL-2.0-or-later
"""Which name led to which: how long, how many, and what is worth storing."""

from smartrouter.core.told.aliases import LIFETIME, MAX_HEADS, MAX_TARGETS, Aliases

DAY = 86400.0


def test_a_target_is_called_by_its_heads_the_newest_first() -> None:
    aliases = Aliases()
    aliases.tell("a.example", ["edge.example"], 1.0)
    aliases.tell("b.example", ["edge.example", "map.example"], 2.0)
    assert aliases.heads("edge.example", 3.0) == ("b.example", "a.example")
    aliases.tell("a.example", ["edge.example"], 4.0)
    assert aliases.heads("edge.example", 5.0) == ("a.example", "b.example")
    assert aliases.heads("map.example", 5.0) == ("b.example",)
    assert aliases.heads("other.example", 5.0) == ()


def test_heads_live_for_thirty_days_each_by_itself() -> None:
    aliases = Aliases()
    aliases.tell("old.example", ["edge.example"], 0.0)
    aliases.tell("new.example", ["edge.example"], DAY)
    assert aliases.heads("edge.example", LIFETIME) == ("new.example", "old.example")
    assert aliases.heads("edge.example", LIFETIME + 1) == ("new.example",)
    assert aliases.heads("edge.example", LIFETIME + DAY + 1) == ()


def test_a_pair_is_worth_storing_once_a_day() -> None:
    aliases = Aliases()
    assert aliases.tell("a.example", ["x.example", "y.example"], 0.0) == ["x.example", "y.example"]
    assert aliases.tell("a.example", ["x.example"], DAY - 1) == []
    assert aliases.tell("a.example", ["x.example"], DAY) == ["x.example"]
    assert aliases.tell("b.example", ["x.example"], DAY) == ["x.example"]


def test_the_head_that_was_not_seen_for_longest_goes_first() -> None:
    aliases = Aliases()
    for number in range(MAX_HEADS + 2):
        aliases.tell(f"h{number}.example", ["edge.example"], float(number))
    assert aliases.heads("edge.example", 100.0) == tuple(
        f"h{number}.example" for number in range(MAX_HEADS + 1, 1, -1)
    )


def test_the_target_that_was_not_seen_for_longest_goes_first() -> None:
    aliases = Aliases()
    for number in range(MAX_TARGETS):
        aliases.tell("a.example", [f"t{number}.example"], 0.0)
    aliases.tell("a.example", ["t0.example"], 1.0)
    aliases.tell("a.example", ["new.example"], 2.0)
    assert aliases.heads("t0.example", 3.0)
    assert not aliases.heads("t1.example", 3.0)
    assert len(aliases) == MAX_TARGETS


def test_a_flood_is_bounded() -> None:
    aliases = Aliases()
    for number in range(2 * MAX_TARGETS):
        for head in range(MAX_HEADS + 3):
            aliases.tell(f"h{number}-{head}.example", [f"t{number % (MAX_TARGETS + 50)}.example"], 0.0)
    assert len(aliases) <= MAX_TARGETS
    assert all(
        len(aliases.heads(f"t{number}.example", 1.0)) <= MAX_HEADS for number in range(MAX_TARGETS + 50)
    )
