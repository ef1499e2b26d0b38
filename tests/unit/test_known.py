# SPDX-License-Identifier: GPL-2.0-or-later
"""Which device a person means, and what to call one."""

import sqlite3
from pathlib import Path

import pytest
from unit.made_home import PHONE, PLUG, TV, Home

from smartrouter.core.errors import BadConfig, Unavailable
from smartrouter.listings.known import Known, UnknownDevice


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.fill()
    return home


def known(home: Home) -> Known:
    return Known.at(home.config)


def test_a_device_is_called_as_the_user_says_or_as_it_says_or_by_its_mac(home: Home) -> None:
    assert [known(home).label(mac) for mac in (TV, PLUG, "00:00:00:00:00:01")] == [
        "Living-room TV", "smart-plug", "00:00:00:00:00:01",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "mac"),
    [
        ("50:C7:BF:00:FC:A3", PLUG),
        ("50-c7-bf-00-fc-a3", PLUG),
        ("50c7bf00fca3", PLUG),
        ("00:00:00:00:00:01", "00:00:00:00:00:01"),
        ("pixel-8", PHONE),
        (" Living-room TV ", TV),
    ],
)
def test_a_mac_may_be_written_in_the_usual_ways_and_names_in_any_case(
    home: Home, text: str, mac: str
) -> None:
    assert known(home).mac_of(text) == mac


@pytest.mark.parametrize("text", ["", "nobody", "50:c7:bf:00:fc", "50:c7:bf:00:fc:a3:00", "12"])
def test_what_is_no_device_is_an_error(home: Home, text: str) -> None:
    with pytest.raises(UnknownDevice):
        known(home).mac_of(text)


def test_without_a_store_given_names_and_macs_still_work(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert known(home).mac_of("living-room tv") == TV
    assert known(home).label(PLUG) == PLUG


def test_a_configuration_with_faults_is_said_to_have_them(home: Home) -> None:
    home.config.write_text("nonsense\n")
    with pytest.raises(BadConfig):
        known(home)


def test_trouble_while_reading_the_store_is_one_of_ours(home: Home) -> None:
    with pytest.raises(Unavailable, match="disk I/O"), known(home).store():
        raise sqlite3.OperationalError("disk I/O error")


def test_writing_makes_no_store_where_there_is_none(tmp_path: Path) -> None:
    empty = Home(tmp_path)
    with pytest.raises(Unavailable, match="there is no store"), known(empty).writing():
        pass
    assert not Path(empty.database).exists()


def test_trouble_with_writing_says_who_may(home: Home) -> None:
    with pytest.raises(Unavailable, match="run this as root"), known(home).writing() as conn:
        conn.execute("DELETE FROM no_such_table")
