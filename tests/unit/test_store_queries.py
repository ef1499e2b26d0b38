# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guard takes up again, and what people are shown."""

import sqlite3

import pytest
from unit.made_effects import NOON, PLUG, TV, alias, keep, learn, raised, record, told, write

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import Kind
from smartrouter.core.events import DeviceSeen, Moment
from smartrouter.core.judge import Judge
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.core.policy import Settings
from smartrouter.store import queries
from smartrouter.store.changes import Sighting, set_meta, upsert_devices


def test_an_empty_store_gives_an_empty_state(conn: sqlite3.Connection) -> None:
    assert queries.load_state(conn) == queries.State({}, {}, {}, {}, [], {})
    assert queries.devices(conn) == []
    assert queries.totals(conn)._replace(bytes=0) == queries.Totals(0, {}, 0, 0, 0, None, None, 0, 0, 0, 0)


def test_learning_is_taken_up_as_it_was_kept(conn: sqlite3.Connection) -> None:
    progress = Progress(State.PROTECTED, 90_000.5, 321, 9, 24, False, 6, 0, 1, True, 7)
    learned = learn(units=3, used=86_400.5), learn(name="203.0.113.7", service="tcp/23")
    write(conn, keep()._replace(progress=progress), *learned)
    state = queries.load_state(conn)
    assert state.progress == {TV: progress}
    assert [type(value) for value in state.progress[TV]] == [type(value) for value in progress]
    assert state.learned == {
        TV: {
            Destination("example.com", "web"): Seen(3, 2, 86_400.5),
            Destination("203.0.113.7", "tcp/23"): Seen(1, 0),
        }
    }


def test_a_device_that_learned_but_never_said_how_far_begins_anew(conn: sqlite3.Connection) -> None:
    write(conn, learn())
    assert queries.load_state(conn).progress == {TV: Progress()}


def test_names_come_back_in_the_order_in_which_they_were_told(conn: sqlite3.Connection) -> None:
    write(conn, told(name="b.example", at=NOON + 2), told(name="a.example", at=NOON + 1))
    write(conn, told(name="c.example", at=NOON), told(name="a.example", at=NOON + 3), told(PLUG))
    names = queries.load_state(conn).names
    assert [name.name for name in names[TV]] == ["c.example", "b.example", "a.example"]
    assert names[PLUG] == [queries.Told("203.0.113.7", "api.example.com", 60, NOON)]


def test_of_too_many_names_the_newest_come_back(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_NAMES", 3)
    monkeypatch.setattr(queries, "MAX_NAMES_IN_ALL", 5)
    write(conn, *(told(PLUG, name=f"{n}.example", at=NOON + n) for n in range(3)))
    write(conn, *(told(TV, name=f"{n}.example", at=NOON + 10 + n) for n in range(4)))
    names = queries.load_state(conn).names
    assert [name.name for name in names[TV]] == ["1.example", "2.example", "3.example"]
    assert [name.name for name in names[PLUG]] == ["2.example"]


def test_aliases_come_back_oldest_first(conn: sqlite3.Connection) -> None:
    write(conn, alias(at=NOON + 2), alias(head="a.example", at=NOON + 1), alias(PLUG))
    write(conn, alias(head="c.example", at=NOON), alias(head="a.example", at=NOON + 3))
    aliases = queries.load_state(conn).aliases
    assert aliases[TV] == [
        ("edge.cdn.example", "c.example", NOON),
        ("edge.cdn.example", "api.example.com", NOON + 2),
        ("edge.cdn.example", "a.example", NOON + 3),
    ]
    assert aliases[PLUG] == [queries.Led("edge.cdn.example", "api.example.com", NOON)]


def test_of_too_many_aliases_the_newest_come_back(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_ALIASES_IN_ALL", 3)
    write(conn, *(alias((TV, PLUG)[n % 2], f"{n}.example", at=NOON + n) for n in range(10)))
    aliases = queries.load_state(conn).aliases
    assert [led.target for led in aliases[TV]] == ["8.example"]
    assert [led.target for led in aliases[PLUG]] == ["7.example", "9.example"]


def test_what_led_to_a_name_is_told_latest_first(conn: sqlite3.Connection) -> None:
    write(conn, alias(at=NOON), alias(head="a.example", at=NOON + 1), alias(PLUG, head="b.example"))
    assert queries.heads_of(conn, TV, "edge.cdn.example") == ["a.example", "api.example.com"]
    assert queries.heads_of(conn, TV, "api.example.com") == []


def test_what_hides_devices_or_names_is_told_while_nobody_has_decided_about_it(
    conn: sqlite3.Connection,
) -> None:
    assert queries.household(conn) == queries.Household({}, {})
    write(
        conn,
        raised(TV, kind=Kind.HIDDEN_RESOLVER, destination="", service="", name=""),
        raised(PLUG, kind=Kind.REPEATER, destination="", service="", name="", detail="4 addresses"),
        raised(PLUG, kind=Kind.SCAN, destination="", service="", name=""),
    )
    assert queries.household(conn) == queries.Household({TV: ""}, {PLUG: "4 addresses"})
    conn.execute("UPDATE alerts SET state = 'dismissed' WHERE kind = 'repeater'")
    assert queries.household(conn) == queries.Household({TV: ""}, {})


def test_the_judge_takes_the_state_as_it_is(conn: sqlite3.Connection) -> None:
    write(conn, keep(state=State.PROTECTED), learn(), told())
    state = queries.load_state(conn)
    judge = Judge(Settings())
    moment = Moment(1000.0, NOON + 60)
    judge.restore(TV, state.progress[TV], state.learned[TV], state.names[TV], moment)
    device = judge.roster.devices[TV]
    assert tuple(device.book.names("203.0.113.7", 1000.0)) == ("api.example.com",)
    assert device.learning.progress == state.progress[TV]


def test_only_devices_that_were_discovered_are_said_to_have_been_seen(conn: sqlite3.Connection) -> None:
    write(conn, record(TV), record(PLUG))
    upsert_devices(conn, [Sighting(PLUG, "plug", "TP-Link", True, on_iot_network=True)], NOON)
    assert queries.load_state(conn).devices == [DeviceSeen(PLUG, True, True, "plug", "TP-Link")]


def test_a_listed_device_says_all_there_is_to_it(conn: sqlite3.Connection) -> None:
    write(conn, record(at=NOON), record(at=NOON + 60, accepted=False), keep(), learn(), raised())
    upsert_devices(
        conn,
        [
            Sighting(
                TV,
                "tv",
                "Roku, Inc",
                True,
                0.95,
                ("its host name", "its maker"),
                "br-lan",
                False,
                ("192.0.2.9",),
                present=False,
                port="lan3",
                called="Living-room TV",
                iot_since=NOON,
                probably=PLUG,
                probably_reasons=("the same host name",),
            )
        ],
        NOON + 30,
    )
    assert queries.devices(conn) == [
        queries.Device(
            TV, "tv", "Roku, Inc", True, 0.95, ("its host name", "its maker"), "br-lan", False,
            ("192.0.2.9",), NOON, NOON + 60, "learning", 2, 1, 1, 1, False, "lan3", "Living-room TV", NOON,
            PLUG, ("the same host name",), "",
        )
    ]  # fmt: skip
    assert queries.device(conn, TV) == queries.devices(conn)[0]
    assert queries.device(conn, PLUG) is None


def test_decided_alerts_are_not_counted_as_open(conn: sqlite3.Connection) -> None:
    write(conn, raised(), raised(destination="other.example"))
    conn.execute("UPDATE alerts SET state = 'allowed' WHERE id = 1")
    assert queries.devices(conn)[0].open_alerts == 1
    assert queries.totals(conn).open_alerts == 1


def test_learned_destinations_come_latest_used_first(conn: sqlite3.Connection) -> None:
    write(conn, learn(name="a.example", at=NOON), learn(name="b.example", at=NOON + 5), learn(PLUG))
    assert [each.destination.name for each in queries.learned(conn, TV)] == ["b.example", "a.example"]
    assert queries.learned(conn, "02:00:00:00:00:01") == []


def test_totals_add_up(conn: sqlite3.Connection) -> None:
    write(conn, record(at=NOON), record(PLUG, at=NOON + 9, accepted=False), keep(), learn(), told(), raised())
    totals = queries.totals(conn)
    assert totals._replace(bytes=0) == queries.Totals(
        2, {"new": 1, "learning": 1}, 2, 1, 2, NOON, NOON + 9, 1, 1, 1, 0
    )
    assert totals.bytes > 10_000


def test_notes_are_kept(conn: sqlite3.Connection) -> None:
    assert queries.meta(conn, "cursor") is None
    set_meta(conn, "cursor", "1")
    set_meta(conn, "cursor", "2")
    assert queries.meta(conn, "cursor") == "2"
