# SPDX-License-Identifier: GPL-2.0-or-later
"""Alerts that are dismissed or opened again, and rules that are taken back."""

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from unit.made_effects import NOON, PLUG, TV, raised, write
from unit.test_analyzer import raise_alert, share, tell_nobody

from smartrouter.analyzer.second_thoughts import SOON, CannotDecide, open_again, see, taken_back
from smartrouter.analyzer.work import Analyzer
from smartrouter.config import RuleConfig
from smartrouter.config.changes import make_rule
from smartrouter.core.errors import Unavailable
from smartrouter.linux.leases import LeaseFiles
from smartrouter.makers import Makers
from smartrouter.store import open_reader
from smartrouter.store.alerts import AlertState, alert, set_alert_state
from smartrouter.store.queries import devices


def rule(device: str = TV, by: str = "web:admin", at: float | None = NOON) -> RuleConfig:
    return make_rule("allow", device, "example.net", "web", by=by, at=at)


def stands(conn: sqlite3.Connection, number: int = 1) -> tuple[str, str, float | None]:
    found = alert(conn, number)
    assert found is not None
    return found.state, found.decided_by, found.decided_at


def test_an_alert_is_dismissed_by_whom_and_when_and_opened_again_by_nobody(conn: sqlite3.Connection) -> None:
    write(conn, raised())
    assert see(conn, "dismiss", 1, "web:admin", NOON + 5) == {"state": "dismissed"}
    assert stands(conn) == ("dismissed", "web:admin", NOON + 5)
    assert see(conn, "dismiss", 1, "web:other", NOON + 9) == {"state": "dismissed"}
    assert stands(conn) == ("dismissed", "web:admin", NOON + 5)
    assert see(conn, "reopen", 1, "web:admin", NOON + 9) == {"state": "open"}
    assert stands(conn) == ("open", "", None)


@pytest.mark.parametrize(
    ("state", "do", "why"),
    [
        (AlertState.ALLOWED, "dismiss", "take the rule back"),
        (AlertState.DENIED, "reopen", "take the rule back"),
        (AlertState.MERGED, "dismiss", "greater alert"),
        (AlertState.MERGED, "reopen", "greater alert"),
    ],
)
def test_what_a_rule_or_a_greater_alert_has_settled_is_not_reopened_by_hand(
    conn: sqlite3.Connection, state: AlertState, do: str, why: str
) -> None:
    write(conn, raised())
    set_alert_state(conn, 1, state, "cli:root", NOON)
    with pytest.raises(CannotDecide, match=why):
        see(conn, do, 1, "web:admin", NOON)
    assert stands(conn)[0] == state


def test_what_is_no_alert_is_said_to_be_none(conn: sqlite3.Connection) -> None:
    with pytest.raises(CannotDecide, match="no alert 7"):
        see(conn, "dismiss", 7, "web:admin", NOON)
    with pytest.raises(CannotDecide, match="has a number"):
        see(conn, "dismiss", "1", "web:admin", NOON)
    with pytest.raises(Unavailable, match="cannot write"):
        see(None, "dismiss", 1, "web:admin", NOON)


def test_only_a_rule_that_was_just_made_and_is_gone_was_taken_back() -> None:
    fresh, old, unknown = rule(), rule(at=NOON - SOON - 9), rule(at=None)
    assert taken_back([fresh, old, unknown], [], NOON + 60) == [fresh]
    assert taken_back([fresh], [fresh], NOON + 60) == []
    assert taken_back([fresh], [rule(at=NOON + 30)], NOON + 60) == [fresh], "another decision, though alike"


def test_a_rule_that_is_taken_back_opens_the_alerts_that_it_decided_and_no_others(
    conn: sqlite3.Connection,
) -> None:
    write(conn, raised(), raised(destination="other.example"), raised(PLUG))
    set_alert_state(conn, 1, AlertState.ALLOWED, "web:admin", NOON)
    set_alert_state(conn, 2, AlertState.ALLOWED, "web:admin", NOON + 1)
    set_alert_state(conn, 3, AlertState.ALLOWED, "web:admin", NOON)
    assert open_again(conn, [rule()]) == 1
    assert [stands(conn, number)[0] for number in (1, 2, 3)] == ["open", "allowed", "allowed"]
    assert open_again(conn, [rule(device="*")]) == 1
    assert stands(conn, 3)[0] == "open"


def rule_text(at: float) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return (
        "config rule\n\toption device '*'\n\toption destination 'new.example'\n\toption action 'allow'\n"
        f"\toption by 'web:admin'\n\toption at '{moment}'\n"
    )


def test_with_the_analyzer_a_rule_settles_an_alert_and_without_it_the_alert_is_open_again(
    tmp_path: Path,
) -> None:
    analyzer = Analyzer(share(tmp_path), Makers(), tell_nobody, LeaseFiles([tmp_path / "leases"]))
    try:
        analyzer.turn()
        raise_alert(tmp_path, "new.example")
        conn = open_reader(str(tmp_path / "store.db"))
        analyzer.configure(share(tmp_path, more=rule_text(time.time())))
        analyzer.turn()
        assert stands(conn)[:2] == ("allowed", "web:admin")
        analyzer.configure(share(tmp_path))
        analyzer.turn()
        assert stands(conn) == ("open", "", None)
        assert analyzer.see("dismiss", 1, "web:admin") == {"state": "dismissed"}
        assert stands(conn)[:2] == ("dismissed", "web:admin")
        conn.close()
    finally:
        analyzer.stop()


def test_the_analyzer_lists_a_device_under_its_new_mac_alone(tmp_path: Path) -> None:
    analyzer = Analyzer(share(tmp_path), Makers(), tell_nobody, LeaseFiles([tmp_path / "leases"]))
    try:
        analyzer.turn()
        raise_alert(tmp_path, "new.example")
        analyzer.succeeded(TV, PLUG)
        conn = open_reader(str(tmp_path / "store.db"))
        became: dict[str, Any] = {each.mac: each.became for each in devices(conn)}
        assert became == {TV: PLUG}
        conn.close()
    finally:
        analyzer.stop()
