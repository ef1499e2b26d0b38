# SPDX-License-Identifier: GPL-2.0-or-later
"""What discovery and the analyzer write."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.made_effects import NOON, PLUG, TV, learn

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import Forget, Learn
from smartrouter.store import batch, changes, open_writer
from smartrouter.store.changes import (
    Sighting,
    forget_presence,
    keep_portraits,
    mark_used,
    note_successor,
    upsert_devices,
)
from smartrouter.store.pending import empty
from smartrouter.store.queries import device, devices, learned, learned_names, portraits
from smartrouter.store.transaction import transaction


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    conn = open_writer(str(tmp_path / "store.db"))
    yield conn
    conn.close()


def test_a_later_sighting_adds_to_an_earlier_one(conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [Sighting(TV, "tv", "Roku", True, 0.8, ("maker",), "br-lan", True)], NOON)
    upsert_devices(conn, [Sighting(TV, iot=None, addresses=("192.0.2.1",))], NOON + 60)
    found = device(conn, TV)
    assert found is not None
    assert (found.hostname, found.maker, found.interface) == ("tv", "Roku", "br-lan")
    assert (found.iot, found.reasons, found.on_iot_network) == (None, (), False)
    assert (found.first_seen, found.last_seen, found.addresses) == (NOON, NOON + 60, ("192.0.2.1",))


def test_a_clock_that_was_set_back_does_not_make_a_device_unseen(conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [Sighting(TV)], NOON)
    upsert_devices(conn, [Sighting(TV)], 60.0)
    found = device(conn, TV)
    assert found is not None
    assert found.last_seen == NOON


def test_the_addresses_of_a_device_are_bounded_and_the_latest_stay(
    conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "MAX_ADDRESSES", 3)
    for n in range(9):
        upsert_devices(
            conn,
            [Sighting(TV, addresses=(f"2001:db8::{n}",)), Sighting(PLUG, addresses=("192.0.2.1",))],
            NOON + n,
        )
    by_mac = {each.mac: each.addresses for each in devices(conn)}
    assert by_mac == {TV: ("2001:db8::8", "2001:db8::7", "2001:db8::6"), PLUG: ("192.0.2.1",)}


def test_devices_are_bounded(conn: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "MAX_DEVICES", 5)
    upsert_devices(conn, [Sighting(f"02:00:00:00:00:{n:02x}") for n in range(20)], NOON)
    assert len(devices(conn)) == 5


def test_a_host_name_that_is_no_text_is_stored_as_far_as_it_is(conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [Sighting(TV, hostname="tv\udcff\n<b>")], NOON)
    found = device(conn, TV)
    assert found is not None
    assert found.hostname == "tv?\n<b>"


def test_use_is_noted_and_never_goes_back(conn: sqlite3.Connection) -> None:
    with transaction(conn):
        batch.write(conn, empty()._replace(destinations={(TV, learn().destination): learn(at=NOON)}), NOON)
    mark_used(
        conn,
        [(TV, Destination("example.com", "web"), NOON + 60), (TV, Destination("no.example", "web"), NOON)],
    )
    mark_used(
        conn,
        [(TV, Destination("example.com", "web"), NOON + 30), (PLUG, Destination("example.com", "web"), NOON)],
    )
    assert [(each.learned_at, each.last_used) for each in learned(conn, TV)] == [(NOON, NOON + 60)]


def test_after_a_start_nobody_is_known_to_be_there(conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [Sighting(TV), Sighting(PLUG)], NOON)
    forget_presence(conn)
    upsert_devices(conn, [Sighting(PLUG)], NOON + 1)
    assert {each.mac: each.present for each in devices(conn)} == {TV: False, PLUG: True}


def test_portraits_are_kept_of_devices_that_are_known(conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [Sighting(TV)], NOON)
    keep_portraits(conn, {TV: "{}", PLUG: "{}"})
    keep_portraits(conn, {TV: '{"hostname": "tv"}'})
    assert portraits(conn) == {TV: '{"hostname": "tv"}'}


def test_a_device_that_has_another_mac_is_noted_at_both(conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [Sighting(TV), Sighting(PLUG, probably=TV, probably_reasons=("its name",))], NOON)
    note_successor(conn, TV, PLUG)
    before, now = device(conn, TV), device(conn, PLUG)
    assert before is not None
    assert now is not None
    assert (before.became, now.became, now.probably, now.probably_reasons) == (PLUG, "", "", ())


def test_what_devices_have_learned_is_told_by_mac(conn: sqlite3.Connection) -> None:
    with transaction(conn):
        for effect in (learn(name="a.example"), learn(PLUG, name="b.example")):
            destinations: dict[tuple[str, Destination], Learn | Forget] = {
                (effect.mac, effect.destination): effect
            }
            batch.write(conn, empty()._replace(destinations=destinations), NOON)
    assert learned_names(conn) == {TV: frozenset({"a.example"}), PLUG: frozenset({"b.example"})}
