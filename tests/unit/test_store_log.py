# SPDX-License-Identifier: GPL-2.0-or-later
"""The log: what is looked for is found, on pages that stay as they are, however little of it there is."""

import sqlite3
from collections.abc import Callable

import pytest
from unit.made_effects import NOON, PLUG, TV, record, write

from smartrouter.store.attempts import StoredAttempt
from smartrouter.store.log import Page, Wanted, first_since, newer, page


def fill(conn: sqlite3.Connection, count: int = 40) -> None:
    """Every fourth of the plug, every fifth blocked, one a minute."""
    write(
        conn,
        *(
            record(
                PLUG if n % 4 == 3 else TV, at=NOON + 60 * n, name=f"host{n}.example", accepted=n % 5 > 0,
                service="web" if n % 2 else "tcp/8883", address=f"203.0.113.{n}",
            )
            for n in range(count)
        ),
    )  # fmt: skip


def ids(found: Page | list[StoredAttempt]) -> list[int]:
    return [each.id for each in (found if isinstance(found, list) else found.attempts)]


def all_pages(conn: sqlite3.Connection, wanted: Wanted, limit: int, scanned: int) -> list[int]:
    """What somebody sees who goes on to the end."""
    seen: list[int] = []
    before: int | None = None
    for _ in range(200):
        found = page(conn, wanted, limit, before, scanned)
        seen += ids(found)
        before = found.older
        if before is None:
            assert found.is_whole
            return seen
    raise AssertionError("no end")


CASES: dict[str, tuple[Wanted, Callable[[int], bool]]] = {
    "all": (Wanted(), lambda n: True),
    "a device": (Wanted(mac=PLUG), lambda n: n % 4 == 3),
    "blocked": (Wanted(accepted=False), lambda n: n % 5 == 0),
    "a device's blocked": (Wanted(mac=TV, accepted=False), lambda n: n % 4 != 3 and n % 5 == 0),
    "a reason": (Wanted(reason="learned"), lambda n: n % 5 > 0),
    "no such reason": (Wanted(reason="whim"), lambda n: False),
    "a service": (Wanted(service="web"), lambda n: n % 2 == 1),
    "a part of a name": (Wanted(destination="HOST3."), lambda n: n == 3),
    "an address": (Wanted(destination="203.0.113.17"), lambda n: n == 17),
    "what SQL and LIKE would read": (Wanted(destination="%' OR 1=1 --"), lambda n: False),
    "from then on": (Wanted(since=NOON + 60 * 30), lambda n: n >= 30),
    "before then": (Wanted(until=NOON + 60 * 5), lambda n: n < 5),
    "a device between": (
        Wanted(mac=PLUG, since=NOON + 60 * 7, until=NOON + 60 * 20), lambda n: n in (7, 11, 15, 19),
    ),
    "nobody": (Wanted(mac="00:00:00:00:00:09"), lambda n: False),
}  # fmt: skip


@pytest.mark.parametrize("scanned", [3, 7, 1000])
@pytest.mark.parametrize("limit", [2, 100])
@pytest.mark.parametrize("name", CASES)
def test_what_is_looked_for_is_found_once_newest_first_on_however_many_pages(
    conn: sqlite3.Connection, name: str, limit: int, scanned: int
) -> None:
    fill(conn)
    wanted, matches = CASES[name]
    assert all_pages(conn, wanted, limit, scanned) == [n + 1 for n in reversed(range(40)) if matches(n)]


def test_a_page_stays_as_it_is_while_more_comes(conn: sqlite3.Connection) -> None:
    fill(conn)
    first = page(conn, Wanted(), 10)
    second = page(conn, Wanted(), 10, first.older)
    write(conn, *(record(at=NOON + 9000 + n) for n in range(25)))
    assert page(conn, Wanted(), 10, first.older) == second
    assert ids(second) == list(range(30, 20, -1))


def test_an_attempt_is_told_in_full(conn: sqlite3.Connection) -> None:
    fill(conn, 1)
    [found] = page(conn, Wanted(), 10).attempts
    assert (found.mac, found.name, found.address, found.accepted, found.reason, found.evidence) == (
        TV, "host0.example", "203.0.113.0", False, "unknown-name", "dns",
    )  # fmt: skip


def test_an_empty_store_is_an_empty_page(conn: sqlite3.Connection) -> None:
    assert page(conn, Wanted(), 10) == Page([], None, True)
    assert page(conn, Wanted(mac=TV), 10) == Page([], None, True)
    assert newer(conn, Wanted(), 10, 0) == []


def test_what_is_newer_is_given_newest_first_and_only_what_is_wanted(conn: sqlite3.Connection) -> None:
    fill(conn)
    assert ids(newer(conn, Wanted(), 3, 35)) == [40, 39, 38]
    assert ids(newer(conn, Wanted(mac=PLUG), 9, 35)) == [40, 36]
    assert newer(conn, Wanted(), 9, 40) == []


def test_a_moment_is_found_by_halving(conn: sqlite3.Connection) -> None:
    fill(conn)
    assert [first_since(conn, NOON + s) for s in (-1, 0, 1, 60 * 39, 60 * 39 + 1)] == [1, 1, 2, 40, 41]
    conn.execute("DELETE FROM tries WHERE id < 11")
    assert [first_since(conn, NOON + s) for s in (0, 600, 601)] == [11, 11, 12]
