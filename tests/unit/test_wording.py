# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person is told of an alert: one sentence, then all that helps to decide."""

import time

import pytest
from unit.made_alerts import ALERT, SCAN, told
from unit.made_effects import NOON, TV

from smartrouter.core.effects import THE_ROUTER, Kind
from smartrouter.core.explanations import EXPLANATIONS
from smartrouter.core.policy import Reason
from smartrouter.notify.message import Answer
from smartrouter.notify.wording import (
    About,
    answers,
    commands,
    decided,
    flood,
    message,
    news_of,
    numbers,
    quiet,
    sample,
    title,
)

ABOUT = About("TV", "enforce")
ABOUT_THE_ROUTER = (Kind.ACCOUNTING, Kind.OVERFLOW, Kind.NOT_STORED)


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize(("fields", "said"), [
    ({}, "TV tried to reach example.net (web), which is new to it: blocked."),
    ({"blocked": 0}, "TV tried to reach example.net (web), which is new to it: let through."),
    ({"occurrences": 4}, "TV tried to reach example.net (web), which is new to it: partly blocked."),
    ({"name": "", "destination": "203.0.113.9", "reverse": "a.example"},
     "TV tried to reach 203.0.113.9 [a.example] (web), which is new to it: blocked."),
    ({"kind": Kind.NEW_PORT, "service": "tcp/22"},
     "TV tried another service of example.net (tcp/22): blocked."),
    ({"kind": Kind.ENCRYPTED_DNS, "destination": "", "service": "", "targets": ()},
     "TV asks whether it may use encrypted DNS."),
    ({"kind": Kind.REPEATER, "destination": "", "targets": ()},
     "TV seems to hide several devices behind it."),
    ({"kind": "of-the-future"}, "TV: of-the-future example.net (web): blocked."),
])  # fmt: skip
def test_the_title_is_one_sentence(fields: dict[str, object], said: str) -> None:
    assert title(ALERT._replace(**fields), "TV") == said  # type: ignore[arg-type]


def test_a_scan_says_how_wide_it_is() -> None:
    assert title(SCAN, "TV") == "TV looks as if it scans: 254 addresses, tcp/23: blocked."


def test_an_alert_about_the_router_names_no_device_and_offers_none_to_be_muted() -> None:
    alert = ALERT._replace(
        mac=THE_ROUTER, kind="accounting", destination="", service="", name="", evidence="none",
        reason="unaccounted", targets=(), detail="3 packets were dealt with by nobody",
    )  # fmt: skip
    said = message(alert, About("the router", "enforce"))
    assert said.title == (
        "Packets are missing in smartrouter's accounts: 3 packets were dealt with by nobody."
    )
    assert (said.mac, said.device, said.blocked) == ("", "the router", None)
    assert said.answers == (Answer.KEEP_BLOCKING,)
    assert said.facts[0] == ("device", "the router")
    assert {what for what, _ in said.facts} == {
        "device",
        "why",
        "it may be",
        "what to do",
        "seen",
        "to decide",
    }
    assert commands(alert) == [("smartrouter alert 12 --dismiss", "reports it no more")]


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_has_a_sentence(kind: Kind) -> None:
    said = title(ALERT._replace(kind=kind, detail="details"), "TV")
    assert ("TV" in said) is (kind not in ABOUT_THE_ROUTER)
    assert not said.startswith("TV: ")
    assert said.endswith(".")


def test_a_long_name_leaves_room_for_the_rest() -> None:
    assert len(told("x" * 5000, destination="y" * 5000).title) < 500


def test_the_facts_are_what_one_needs_to_decide() -> None:
    assert told(occurrences=2, last=NOON + 60).facts == (
        ("device", f"TV ({TV})"),
        ("destination", "example.net (web)"),
        ("name", "c2.example.net"),
        ("evidence", "A trusted resolver told this device so."),
        ("why", "The device has not used this name and service before. It tried c2.example.net, "
                "203.0.113.9 tcp/443."),
        ("it may be", EXPLANATIONS[Kind.NEW_DESTINATION].perhaps),
        ("what to do", EXPLANATIONS[Kind.NEW_DESTINATION].advice),
        ("mode", "enforce"),
        ("seen", "2 times, 1 of them blocked, first 2026-11-21 12:00, last 2026-11-21 12:01"),
        ("to decide", "smartrouter allow 12: allows this destination and service"),
        ("to decide", "smartrouter deny 12: blocks it in every mode"),
        ("to decide", "smartrouter alert 12 --dismiss: reports it no more"),
    )  # fmt: skip


def test_what_comes_from_the_network_stands_in_no_command() -> None:
    hostile = "$(reboot)`reboot`';reboot"
    made = told(hostile, destination=hostile, name=hostile, service=hostile, detail=hostile)
    assert not [text for what, text in made.facts if what == "to decide" and "reboot" in text]


@pytest.mark.parametrize(("fields", "ways"), [
    ({}, (Answer.ALLOW, Answer.ALLOW_HOUR, Answer.KEEP_BLOCKING, Answer.MUTE)),
    ({"state": "allowed"}, ()),
    ({"kind": Kind.SCAN, "destination": ""}, (Answer.KEEP_BLOCKING, Answer.MUTE)),
    ({"kind": Kind.ENCRYPTED_DNS, "reason": Reason.DNS_CANARY}, (Answer.KEEP_BLOCKING, Answer.MUTE)),
])  # fmt: skip
def test_only_what_a_rule_can_decide_can_be_allowed(
    fields: dict[str, object], ways: tuple[Answer, ...]
) -> None:
    assert answers(ALERT._replace(**fields)) == ways  # type: ignore[arg-type]


@pytest.mark.parametrize(("fields", "ends", "said"), [
    ({"state": "open"}, None, ""),
    ({"state": "allowed", "decided_by": "slack:U1", "decided_at": NOON}, None,
     "allowed by slack:U1 at 2026-11-21 12:00"),
    ({"state": "allowed", "decided_by": "cli:root", "decided_at": NOON}, NOON + 3600,
     "allowed until 2026-11-21 13:00 by cli:root at 2026-11-21 12:00"),
    ({"state": "dismissed"}, None, "dismissed"),
    ({"state": "merged"}, None, "part of a greater alert, which stands in its place"),
])  # fmt: skip
def test_the_outcome_says_who_and_when(fields: dict[str, object], ends: float | None, said: str) -> None:
    found = ALERT._replace(**fields)  # type: ignore[arg-type]
    assert decided(found, ends) == said
    assert message(found, ABOUT._replace(ends=ends)).outcome == said


@pytest.mark.parametrize(("fields", "is_news"), [
    ({"occurrences": 9, "last": NOON + 9}, False),
    ({"occurrences": 10}, True),
    ({"occurrences": 99, "blocked": 99}, True),
    ({"severity": "critical"}, True),
    ({"name": "", "reverse": "a.example"}, True),
    ({"blocked": 0}, True),
    ({"state": "denied"}, True),
    ({"decided_by": "cli:root"}, False),  # of something that is open
    ({"detail": "more"}, False),
])  # fmt: skip
def test_only_what_matters_is_news(fields: dict[str, object], is_news: bool) -> None:
    assert (news_of(ALERT._replace(**fields), ABOUT) != news_of(ALERT, ABOUT)) is is_news  # type: ignore[arg-type]


def test_that_a_device_was_muted_is_news() -> None:
    muted = ABOUT._replace(note="its alerts are not sent until …")
    assert news_of(ALERT, muted) != news_of(ALERT, ABOUT)
    assert message(ALERT, muted).outcome == "its alerts are not sent until …"


def test_a_flood_is_one_sentence_with_all_numbers() -> None:
    found = [ALERT._replace(id=n, name="", destination=f"203.0.113.{n}") for n in range(1, 255)]
    made = flood("flood:x", found, "camera", "warning", 55.0)
    assert made.title == "camera: 254 unknown destinations in a minute, looks like a scan."
    facts = dict(made.facts)
    assert facts["alerts"] == "1–254"
    assert facts["destinations"].endswith("203.0.113.10 and 244 more")
    assert facts["blocked"] == "254 of 254"
    assert made.answers == (Answer.MUTE,)


def test_a_flood_of_names_is_no_scan_and_one_of_other_things_has_no_destinations() -> None:
    names = [ALERT._replace(id=n, destination=f"{n}.example") for n in range(40)]
    assert flood("k", names, "TV", "warning", 200.0).title == "TV: 40 unknown destinations in 3 minutes."
    others = [SCAN._replace(id=n) for n in range(5)]
    assert flood("k", others, "TV", "warning", 0.0).title == "TV: 5 alerts in a minute."


def test_what_waited_for_the_end_of_quiet_hours_is_summed_up() -> None:
    waited = [told(id=n, first=NOON + 60 * n) for n in range(1, 31)]
    made = quiet("quiet:1", waited, NOON, "warning")
    assert made.title == "While it was quiet: 30 messages of 1 device."
    assert made.facts[0] == ("12:01", waited[0].title)
    assert ("and", "10 more") in made.facts
    assert ("alerts", "1–30") in made.facts


def test_a_sample_is_about_nothing() -> None:
    assert (sample(NOON).kind, sample(NOON).mac, sample(NOON).alert) == ("test", "", None)


@pytest.mark.parametrize(("of", "said"), [
    ([], ""), ([4], "4"), ([3, 1, 2, 7, 9, 8], "1–3, 7–9"), ([5, 5, 6], "5–6"),
])  # fmt: skip
def test_numbers_are_put_together(of: list[int], said: str) -> None:
    assert numbers(of) == said
