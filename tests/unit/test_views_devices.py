# SPDX-License-Identifier: GPL-2.0-or-later
"""*Devices*, and one of them."""

import sqlite3
from datetime import UTC, datetime

import pytest
from unit.made_effects import NOON, PLUG, TV, learn, raised, record
from unit.made_screens import PHONE, furnish, known, sighting

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import AddVolume
from smartrouter.store.changes import upsert_devices
from smartrouter.web.views import device as one
from smartrouter.web.views.device import device
from smartrouter.web.views.devices import ON_A_PAGE, Devices, devices

NOW = NOON + 600
TODAY = datetime.fromtimestamp(NOON, UTC).date()


def seen(conn: sqlite3.Connection, **asked: object) -> Devices:
    return devices(known(conn), conn, NOW, **asked)  # type: ignore[arg-type]


def names(found: Devices) -> list[str]:
    return [row.label for row in found.rows]


def fill(conn: sqlite3.Connection) -> None:
    furnish(
        conn,
        raised(PLUG),
        raised(PLUG, destination="b.example"),
        raised(TV),
        learn(TV),
        learn(TV, "b.example"),
    )
    odd = sighting("02:00:00:00:00:09", "Odd", iot=None)
    again = sighting("02:00:00:00:00:0a", "Again", probably=TV)
    upsert_devices(conn, [odd, again], NOON + 60)


def test_the_watched_ones_are_shown_by_name(conn: sqlite3.Connection) -> None:
    fill(conn)
    found = seen(conn)
    assert names(found) == ["Again", "Plug", "Telly"]
    assert (found.show, found.sort, found.found, found.pages) == ("watched", "name", 3, 1)


def test_a_row_has_what_there_is_to_know(conn: sqlite3.Connection) -> None:
    fill(conn)
    again, plug, telly = seen(conn).rows
    assert (telly.maker, telly.kind, telly.sure, telly.state, telly.mode) == (
        "LG", "iot", 0.9, "protected", "monitor",
    )  # fmt: skip
    assert (telly.destinations, telly.alerts, telly.address, telly.present) == (2, 1, "192.168.1.20", True)
    assert telly.share is None
    assert plug.share is not None
    assert 0 < plug.share < 1
    assert plug.ends is not None
    assert plug.ends > NOW
    assert again.probably == "Telly"


@pytest.mark.parametrize(
    ("show", "expected"),
    [
        ("all", ["Again", "Odd", "Phone", "Plug", "Telly"]),
        ("alerts", ["Plug", "Telly"]),
        ("learning", ["Again", "Plug"]),
        ("protected", ["Telly"]),
        ("undecided", ["Odd"]),
        ("ignored", ["Odd", "Phone"]),
        ("away", ["Phone"]),
        ("nonsense", ["Again", "Plug", "Telly"]),
    ],
)
def test_who_is_shown_and_how_many_there_are(
    conn: sqlite3.Connection, show: str, expected: list[str]
) -> None:
    fill(conn)
    found = seen(conn, show=show)
    assert names(found) == expected
    assert found.counts[found.show] == len(expected)


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("alerts", ["Plug", "Telly", "Again"]),
        ("destinations", ["Telly", "Again", "Plug"]),
        ("state", ["Again", "Plug", "Telly"]),
        ("maker", ["Telly", "Again", "Plug"]),
        ("seen", ["Again", "Plug", "Telly"]),
        ("kind", ["Again", "Plug", "Telly"]),
        ("nonsense", ["Again", "Plug", "Telly"]),
    ],
)
def test_they_are_sorted_as_wanted_and_the_other_way_round(
    conn: sqlite3.Connection, sort: str, expected: list[str]
) -> None:
    fill(conn)
    assert names(seen(conn, sort=sort)) == expected
    assert names(seen(conn, sort=sort, falling=True)) == expected[::-1]


@pytest.mark.parametrize("text", ["tell", "TELLY", "lg elec", TV, "192.168.1.20"])
def test_they_are_found_by_name_maker_mac_and_address(conn: sqlite3.Connection, text: str) -> None:
    fill(conn)
    assert "Telly" in names(seen(conn, text=text))
    assert "Plug" not in names(seen(conn, text=text))
    assert names(seen(conn, text="nobody is called so")) == []


def test_many_come_on_several_pages(conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [sighting(f"02:00:00:00:00:{n:02x}", f"{n:03}") for n in range(120)], NOON)
    pages = [seen(conn, page=page) for page in (1, 2, 3)]
    assert [len(page.rows) for page in pages] == [ON_A_PAGE, ON_A_PAGE, 20]
    assert [name for page in pages for name in names(page)] == [f"{n:03}" for n in range(120)]
    assert seen(conn, page=99).page == 3


def test_where_nobody_is_watched_all_are_shown(conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [sighting(PHONE, "Phone", iot=False)], NOON)
    assert names(seen(conn)) == ["Phone"]


# -- one of them -------------------------------------------------------------------------------------------


def test_one_device_is_shown_in_full(conn: sqlite3.Connection) -> None:
    furnish(
        conn, learn(TV), raised(TV), record(at=NOON - 4000, accepted=False), record(at=NOON + 5),
    )  # fmt: skip
    rules = (
        f"config device\n\toption mac '{TV}'\n\toption name 'Living-room TV'\n\toption watch 'always'\n"
        "\toption mode 'enforce'\n\toption mute_until '2026-11-21T13:00:00Z'\n\toption muted_by 'web:admin'\n"
        f"config rule\n\toption device '{TV}'\n\toption destination 'ads.example'\n\toption action 'deny'\n"
        "config rule\n\toption device '*'\n\toption destination 'ntp.example'\n\toption action 'allow'\n"
        f"config rule\n\toption device '{PLUG}'\n\toption destination 'x.example'\n\toption action 'allow'\n"
    )
    found = device(known(conn, rules), conn, TV, NOW, TODAY)
    assert found is not None
    assert (found.facts["label"], found.facts["state"], found.watch, found.own_mode) == (
        "Living-room TV", "protected", "always", "enforce",
    )  # fmt: skip
    assert (found.muted_until, found.muted_by) == (NOON + 3600, "web:admin")
    assert found.learning == "Over: observed for 1 d 1 h, 40 attempts; settled."
    assert "new destinations expected in the next day" in found.outlook
    assert [(each.name, each.service, each.volume) for each in found.destinations] == [
        ("example.com", "web", None)
    ]
    assert [rule.destination for rule in found.rules] == ["ads.example"]
    assert [rule.destination for rule in found.common] == ["ntp.example"]
    assert [(hour.attempts, hour.blocked) for hour in found.hours[-3:]] == [(1, 1), (0, 0), (1, 0)]
    assert found.whole_day
    assert len(found.days) == one.DAYS
    assert [each.where for each in found.latest] == ["api.example.com", "api.example.com"]
    assert [each.id for each in found.alerts] == [1]


def test_what_was_carried_lately_stands_beside_what_it_needs(conn: sqlite3.Connection) -> None:
    hour, place = int(NOON // 3600), Destination("example.com", "web")
    week, month = (AddVolume(TV, hour - back, place, 5, 70, 1, 1, 1) for back in (2, 30 * 24))
    furnish(conn, learn(TV), learn(TV, "quiet.example"), week, month)
    found = device(known(conn), conn, TV, NOW, TODAY)
    assert found is not None
    carried = {each.name: each.volume and each.volume[:2] for each in found.destinations}
    assert carried == {"example.com": (5, 70), "quiet.example": (0, 0)}
    assert found.volume is not None
    assert found.volume[:2] == (5, 70)


def test_one_that_learns_says_how_far_it_is(conn: sqlite3.Connection) -> None:
    furnish(conn)
    found = device(known(conn), conn, PLUG, NOW, TODAY)
    assert found is not None
    assert found.facts["learning"]["share"] > 0
    assert found.learning == (
        "So far observed for 2 h, 5 attempts in 2 different hours, the last 0 without anything new."
    )
    assert found.outlook == ""


def test_one_that_is_not_watched_learns_nothing(conn: sqlite3.Connection) -> None:
    furnish(conn)
    found = device(known(conn), conn, PHONE, NOW, TODAY)
    assert found is not None
    assert (found.facts["watched"], found.learning, found.known) == (False, "", 0)


def test_what_was_never_seen_is_none(conn: sqlite3.Connection) -> None:
    furnish(conn)
    assert device(known(conn), conn, "00:00:00:00:00:01", NOW, TODAY) is None


def test_many_destinations_come_on_several_pages(conn: sqlite3.Connection) -> None:
    furnish(conn, *(learn(TV, f"d{n}.example", at=NOON + n) for n in range(one.ON_A_PAGE + 5)))
    found = device(known(conn), conn, TV, NOW, TODAY, page=2)
    assert found is not None
    assert (found.known, found.page, found.pages, len(found.destinations)) == (one.ON_A_PAGE + 5, 2, 2, 5)
