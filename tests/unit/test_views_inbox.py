# SPDX-License-Identifier: GPL-2.0-or-later
"""*Inbox*, and one alert in full: what waits, in plain words, and what a decision would name."""

import sqlite3

import pytest
from unit.made_alerts import ALERT, SCAN
from unit.made_effects import NOON, PLUG, TV, raised, write
from unit.made_screens import furnish, known

from smartrouter.core.effects import THE_ROUTER, Evidence, Kind, Severity
from smartrouter.listings.decisions import NoRule
from smartrouter.store.alerts import AlertState, StoredAlert, set_alert_state
from smartrouter.store.exhibits import Attach, Exhibit, Role
from smartrouter.web.views import inbox as screen
from smartrouter.web.views import words
from smartrouter.web.views.alert import full
from smartrouter.web.views.inbox import Inbox, inbox, row, rule_of, scopes

NOW = NOON + 600
RULE = f"""\
config rule
	option device '{TV}'
	option destination 'example.net'
	option service 'web'
	option action 'allow'
	option by 'web:admin'
	option at '2026-11-21T12:01:00Z'
	option until '2026-11-21T13:01:00Z'
"""
AT = NOON + 60


def seen(conn: sqlite3.Connection, extra: str = "", **asked: object) -> Inbox:
    return inbox(known(conn, extra), conn, NOW, **asked)  # type: ignore[arg-type]


def test_each_kind_of_alert_and_of_evidence_has_a_title() -> None:
    assert set(words.KINDS) == set(Kind)
    assert set(words.EVIDENCE) == set(Evidence)


def test_open_alerts_come_by_device_and_destination(conn: sqlite3.Connection) -> None:
    furnish(
        conn,
        raised(TV), raised(TV, at=NOON + 1, blocked=False),
        raised(TV, at=NOON + 2, service="tcp/22", port=22),
        raised(PLUG, destination="", kind=Kind.SCAN, severity=Severity.CRITICAL, detail="254 addresses"),
    )  # fmt: skip
    found = seen(conn)
    assert [(block.label, block.alerts, block.more) for block in found.blocks] == [
        ("Plug", 1, 0),
        ("Telly", 2, 0),
    ]
    [place] = found.blocks[1].places
    assert place.destination == "example.net"
    assert [(each.service, each.times, each.verdict) for each in place.rows] == [
        ("tcp/22", 1, "blocked"), ("web", 2, "partly blocked"),
    ]  # fmt: skip
    assert (found.open, found.decided, found.pages) == (3, 0, 1)


def test_a_row_says_why_in_plain_words(conn: sqlite3.Connection) -> None:
    furnish(conn, raised(TV))
    [place] = seen(conn).blocks[0].places
    [found] = place.rows
    assert found.title == "New destination"
    assert found.why.startswith(
        "The device has not used this name and service before. It tried c2.example.net,"
    )
    assert (found.evidence, found.believed) == ("told by DNS", "A trusted resolver told this device so.")
    assert (found.first, found.last, found.severity) == (NOON, NOON, "warning")
    assert found.can_rule
    assert not found.can_cut


def test_what_no_rule_can_decide_can_be_cut_off_or_dismissed(conn: sqlite3.Connection) -> None:
    found = row(known(conn), SCAN, NOW)
    assert (found.can_rule, found.can_cut, found.scopes, found.what) == (
        False,
        True,
        [],
        "254 addresses, tcp/23",
    )


def test_what_is_about_the_router_can_be_dismissed_only(conn: sqlite3.Connection) -> None:
    about = {"kind": Kind.ACCOUNTING, "destination": "", "service": "", "name": "", "detail": "3 packets"}
    furnish(conn, raised(THE_ROUTER, **about))  # type: ignore[arg-type]
    [block] = seen(conn).blocks
    assert (block.mac, block.label) == ("", "the router")
    [found] = block.places[0].rows
    assert (found.title, found.can_rule, found.can_cut, found.can_mute) == (
        "Missing packets", False, False, False,
    )  # fmt: skip


def test_a_device_with_much_shows_what_matters_most_and_how_much_more(conn: sqlite3.Connection) -> None:
    furnish(conn, *(raised(TV, at=NOON + n, destination=f"d{n}.example") for n in range(30)))
    [block] = seen(conn).blocks
    assert [place.destination for place in block.places] == ["d29.example", "d28.example", "d27.example"]
    assert (block.alerts, block.more) == (30, 27)
    first, second = (seen(conn, device=TV, page=page) for page in (1, 2))
    assert [len(each.blocks[0].places) for each in (first, second)] == [screen.ALONE, 10]
    assert (first.pages, first.device_label, first.blocks[0].more) == (2, "Telly", 0)
    assert second.blocks[0].places[-1].destination == "d0.example"


def test_many_devices_come_on_several_pages(conn: sqlite3.Connection) -> None:
    write(conn, *(raised(f"02:00:00:00:00:{n:02x}", at=NOON + n) for n in range(20)))
    pages = [seen(conn, page=page) for page in (1, 2, 3)]
    assert [len(page.blocks) for page in pages] == [8, 8, 4]
    assert len({block.mac for page in pages for block in page.blocks}) == 20
    assert seen(conn, page=99).page == 3


@pytest.mark.parametrize("asked", [{"show": "nonsense"}, {"page": 0}, {"page": -5}])
def test_what_makes_no_sense_shows_what_is_usual(conn: sqlite3.Connection, asked: dict[str, object]) -> None:
    furnish(conn, raised(TV))
    found = inbox(known(conn), conn, NOW, **asked)  # type: ignore[arg-type]
    assert (found.show, found.page, len(found.blocks)) == ("open", 1, 1)
    assert seen(conn, device="nobody").blocks == []
    assert seen(conn, kind="nothing").blocks == []


def test_what_was_decided_is_shown_with_by_whom_and_can_be_undone(conn: sqlite3.Connection) -> None:
    furnish(conn, raised(TV))
    set_alert_state(conn, 1, AlertState.ALLOWED, "web:admin", AT)
    assert seen(conn, RULE).blocks == []
    [block] = seen(conn, RULE, show="decided").blocks
    [found] = block.places[0].rows
    assert (found.state, found.decided_by, found.decided_at, found.until) == (
        "allowed", "web:admin", AT, NOON + 3660,
    )  # fmt: skip
    assert found.undo is not None
    assert found.undo.destination == "example.net"
    assert seen(conn, show="decided").blocks[0].places[0].rows[0].undo is None, "that rule is gone"
    over = inbox(known(conn, RULE), conn, NOON + 4000, show="decided")
    assert over.blocks[0].places[0].rows[0].undo is None, "that rule has ended"


@pytest.mark.parametrize(
    ("destination", "action", "covered"),
    [
        ("example.net", "allow", "allow"),
        ("*.example.net", "deny", "deny"),
        ("203.0.113.9", "allow", "allow"),
        ("other.example", "allow", ""),
    ],
)
def test_what_a_new_rule_is_about_to_decide_is_not_asked_again(
    conn: sqlite3.Connection, destination: str, action: str, covered: str
) -> None:
    furnish(conn, raised(TV), raised(PLUG))
    text = f"config rule\n\toption device '{TV}'\n\toption destination '{destination}'\n"
    blocks = {b.mac: b for b in seen(conn, f"{text}\toption action '{action}'\n").blocks}
    assert [blocks[mac].places[0].rows[0].covered for mac in (TV, PLUG)] == [covered, ""]


def test_that_a_device_is_muted_is_said(conn: sqlite3.Connection) -> None:
    furnish(conn, raised(TV))
    muted = f"config device\n\toption mac '{TV}'\n\toption mute_until '2026-11-21T13:00:00Z'\n"
    assert seen(conn, muted).blocks[0].muted_until == NOON + 3600
    assert inbox(known(conn, muted), conn, NOON + 4000).blocks[0].muted_until is None


BARE = ALERT._replace(destination="203.0.113.9", name="", evidence="none")
CDN = ALERT._replace(destination="d1.cloudfront.net", name="d1.cloudfront.net")


@pytest.mark.parametrize(
    ("alert", "offered"),
    [
        (ALERT, ["example.net", "only c2.example.net", "only the address 203.0.113.9"]),
        (BARE, ["203.0.113.9"]),
        (BARE._replace(reverse="c2.evil.example", evidence="reverse"), ["203.0.113.9"]),
        (ALERT._replace(destination="a.b.example.net", name="a.b.example.net"),
         ["a.b.example.net", "all below example.net", "only the address 203.0.113.9"]),
        (CDN, ["d1.cloudfront.net", "only the address 203.0.113.9"]),
        (SCAN, []),
    ],
)  # fmt: skip
def test_what_a_rule_may_name_is_offered_the_usual_first(alert: StoredAlert, offered: list[str]) -> None:
    assert [scope.label for scope in scopes(alert)] == offered


@pytest.mark.parametrize(
    ("alert", "scope", "action", "named"),
    [
        (ALERT, "group", "allow", "example.net"),
        (ALERT, "name", "allow", "c2.example.net"),
        (ALERT, "domain", "allow", "*.example.net"),
        (ALERT, "address", "deny", "203.0.113.9"),
        (ALERT._replace(kind=Kind.FRONTING), "group", "deny", "203.0.113.9"),
        (ALERT._replace(kind=Kind.FRONTING), "group", "allow", "example.net"),
    ],
)
def test_a_rule_names_what_its_scope_says(alert: StoredAlert, scope: str, action: str, named: str) -> None:
    rule = rule_of(alert, action, scope, all_devices=False)
    assert (rule.device, rule.destination, rule.service) == (TV, named, "web")
    assert rule_of(alert, action, scope, all_devices=True).device == "*"


@pytest.mark.parametrize(
    ("alert", "scope"), [(BARE, "name"), (BARE, "domain"), (ALERT, "universe"), (SCAN, "group")]
)
def test_a_rule_that_would_name_nothing_is_refused_in_words(alert: StoredAlert, scope: str) -> None:
    with pytest.raises(NoRule, match="alert 12"):
        rule_of(alert, "allow", scope, all_devices=False)


def test_one_alert_is_shown_with_what_was_tried_and_the_packets(conn: sqlite3.Connection) -> None:
    syn = bytes.fromhex("4500002800010000400600000a000001cb0071099c4001bb00000000000000005002200000000000")
    key = (TV, "new-destination", "example.net", "web")
    packets = (Exhibit(Role.FIRST, NOON, True, syn), Exhibit(Role.HELLO, NOON, True, b"\x00"))
    furnish(conn, raised(TV))
    write(conn, Attach(key, packets))
    found = full(known(conn), conn, 1, NOW)
    assert found is not None
    assert found.sentence == "Telly tried to reach example.net (web), which is new to it: blocked."
    assert [each.text for each in found.reached] == ["203.0.113.9 tcp/443"]
    assert [(each.what, each.ends, each.size) for each in found.packets] == [
        ("the packet that began it", "10.0.0.1 port 40000 → 203.0.113.9 port 443, tcp", 40),
        ("the first data of it", "", 1),
    ]
    assert full(known(conn), conn, 99, NOW) is None
