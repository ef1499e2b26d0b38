# SPDX-License-Identifier: GPL-2.0-or-later
"""Sessions: their ends, their bound, and the form's token."""

from smartrouter.web.sessions import ABSOLUTE, IDLE, MOST, Flash, Sessions, is_masked, key_of, masked

NOW = 1_800_000_000.0


def test_the_browser_has_the_name_and_we_keep_its_hash() -> None:
    sessions = Sessions()
    name, session = sessions.open("192.168.1.50", "a browser", NOW)
    assert session.key == key_of(name) != name
    assert sessions.find(name, NOW) is session
    assert sessions.find(session.key, NOW) is None
    assert sessions.find("", NOW) is None
    assert sessions.find("x" * 5000, NOW) is None


def test_it_ends_when_it_is_not_used() -> None:
    sessions = Sessions()
    name, _ = sessions.open("", "", NOW)
    assert sessions.find(name, NOW + IDLE - 1)
    assert sessions.find(name, NOW + 2 * IDLE - 2)
    assert sessions.find(name, NOW + 3 * IDLE) is None
    assert sessions.find(name, NOW + 3 * IDLE - 1) is None, "what has ended does not come back"


def test_it_ends_even_if_it_is_used() -> None:
    sessions = Sessions()
    name, _ = sessions.open("", "", NOW)
    at = NOW
    while at < NOW + ABSOLUTE - IDLE:
        at += IDLE / 2
        assert sessions.find(name, at)
    assert sessions.find(name, NOW + ABSOLUTE) is None


def test_a_clock_that_jumps_back_by_years_ends_it() -> None:
    sessions = Sessions()
    name, _ = sessions.open("", "", NOW)
    assert sessions.find(name, 1000.0) is None


def test_the_one_that_was_not_used_for_longest_makes_room() -> None:
    sessions = Sessions()
    first, _ = sessions.open("", "", NOW)
    for number in range(MOST):
        sessions.open("", "", NOW + 1 + number)
    assert sessions.find(first, NOW + MOST + 1) is None
    assert len(sessions.all(NOW + MOST + 1)) == MOST


def test_everybody_can_be_logged_out_or_all_but_one() -> None:
    sessions = Sessions()
    (mine, session), (other, _) = sessions.open("", "", NOW), sessions.open("", "", NOW)
    sessions.close_all(but=session.key)
    assert sessions.find(mine, NOW)
    assert sessions.find(other, NOW) is None
    sessions.close_all()
    assert sessions.find(mine, NOW) is None


def test_a_message_is_told_once() -> None:
    _, session = Sessions().open("", "", NOW)
    for number in range(9):
        session.tell(Flash(str(number)))
    assert [flash.text for flash in session.told()] == ["5", "6", "7", "8"]
    assert session.told() == []


def test_a_token_looks_different_each_time_and_is_known_each_time() -> None:
    secret = bytes(range(32))
    one, other = masked(secret), masked(secret)
    assert one != other
    assert secret.hex() not in one
    assert is_masked(one, secret)
    assert is_masked(other, secret)


def test_what_is_no_token_is_none() -> None:
    secret = bytes(range(32))
    good = masked(secret)
    for wrong in (
        "",
        "zz",
        good[:-2],
        good + "00",
        "00" * 64,
        masked(bytes(32)),
        good[::-1],
    ):
        assert not is_masked(wrong, secret), wrong
