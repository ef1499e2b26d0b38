# SPDX-License-Identifier: GPL-2.0-or-later
"""Verdicts, records and alerts as values: their severities, and what a part of a scan looks like."""

import pytest

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import Evidence, Kind, Severity
from smartrouter.core.events import FlowOpened, Moment, Scope
from smartrouter.core.notes import SEVERITY, about_device, about_flow, kind_of, part_of_scan, verdict
from smartrouter.core.policy import ROUTINE, Decision, Reason

MAC = "3c:2e:ff:29:4d:93"
NOW = Moment(5.0, 1.8e9)
FLOW = FlowOpened(MAC, "192.168.77.20", "203.0.113.9", 6, 4000, 443, 7, Scope.OUTSIDE)
NAMED = ("www.example.com", Evidence.DNS)
WHERE = Destination("example.com", "web")


def test_every_kind_has_a_severity() -> None:
    assert set(SEVERITY) == set(Kind)


@pytest.mark.parametrize("reason", Reason)
def test_a_verdict_says_what_was_decided(reason: Reason) -> None:
    for accept in (True, False):
        assert verdict(Decision(accept, reason)) == (accept, reason)


@pytest.mark.parametrize("reason", sorted(ROUTINE))
def test_routine_news_is_a_notice(reason: Reason) -> None:
    decision = Decision(False, reason, alert=True, routine=True)
    alert = about_flow(FLOW, kind_of(decision), decision, WHERE, NAMED, NOW)
    assert (alert.severity, alert.blocked) == (Severity.NOTICE, True)
    assert alert.kind is (Kind.NEW_PORT if reason is Reason.NEW_PORT else Kind.NEW_DESTINATION)


def test_an_alert_tells_where_to_and_by_what_name() -> None:
    decision = Decision(True, Reason.UNKNOWN_NAME, alert=True)
    alert = about_flow(FLOW, kind_of(decision), decision, WHERE, NAMED, NOW, "detail")
    assert alert == (
        NOW.wall, MAC, Kind.NEW_DESTINATION, Reason.UNKNOWN_NAME, Severity.WARNING, "example.com", "web",
        "www.example.com", Evidence.DNS, "203.0.113.9", 443, 6, False, "detail",
    )  # fmt: skip


def test_all_parts_of_a_scan_are_one_alert() -> None:
    decision = Decision(False, Reason.UNKNOWN_ADDRESS, alert=True)
    parts = [
        part_of_scan(
            about_flow(FLOW, Kind.NEW_DESTINATION, decision, Destination(f"h{n}", "tcp/23"), NAMED, NOW), "x"
        )
        for n in range(3)
    ]
    assert {each.key for each in parts} == {(MAC, Kind.SCAN, "", "")}
    assert {(each.severity, each.reason, each.blocked) for each in parts} == {
        (Severity.CRITICAL, Reason.SCAN, True)
    }


def test_an_alert_about_a_device_is_about_no_connection() -> None:
    alert = about_device(MAC, Kind.REPEATER, Reason.REPEATER, NOW, detail="x")
    assert (alert.protocol, alert.port, alert.blocked, alert.evidence) == (0, 0, False, Evidence.NONE)
