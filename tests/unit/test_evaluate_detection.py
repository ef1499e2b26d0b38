# SPDX-License-Identifier: GPL-2.0-or-later
"""Which attempts of an attack count as flagged, and when."""

import pytest
from unit.made_effects import NOON, TV, raised, record

from smartrouter.core.effects import Kind, Severity
from smartrouter.evaluate.detection import LATE, Detection
from smartrouter.evaluate.labels import ALL, Labels

ATTACKER = "203.0.113.9"
LABELS = Labels(attack_from={ALL: NOON})


def tried(detection: Detection, at: float = NOON, address: str = ATTACKER, labels: Labels = LABELS) -> None:
    detection.attempted(record(at=at, address=address, name="", service="web").attempt, labels)


def told(
    detection: Detection,
    at: float = NOON,
    *,
    now: float | None = None,
    address: str = ATTACKER,
    severity: Severity = Severity.WARNING,
    kind: Kind = Kind.NEW_DESTINATION,
    destination: str = ATTACKER,
    labels: Labels = LABELS,
) -> None:
    alert = raised(
        at=at, address=address, severity=severity, kind=kind, destination=destination, name=""
    ).alert
    detection.alerted(alert, labels, at if now is None else now)


def test_before_the_attack_attempts_do_not_count_and_warnings_are_false() -> None:
    detection = Detection()
    assert detection.is_empty
    tried(detection, NOON - 10)
    assert detection.is_empty
    told(detection, NOON - 10, destination="a.example")
    told(detection, NOON - 9, destination="a.example")
    told(detection, NOON - 8, destination="b.example")
    told(detection, NOON - 8, destination="c.example", severity=Severity.NOTICE)
    assert (detection.attempts, detection.false_alerts, detection.delay) == (0, 2, None)


def test_each_attempt_is_flagged_noticed_or_missed() -> None:
    detection = Detection()
    for number, severity in enumerate([None, Severity.NOTICE, Severity.WARNING, Severity.CRITICAL]):
        tried(detection, NOON + number, f"203.0.113.{number}")
        if severity is not None:
            told(detection, NOON + number, address=f"203.0.113.{number}", severity=severity)
    assert (detection.attempts, detection.flagged, detection.noticed, detection.missed) == (4, 2, 1, 1)
    assert detection.delay == 2.0


def test_two_alerts_about_one_attempt_flag_it_once() -> None:
    detection = Detection()
    tried(detection)
    told(detection, severity=Severity.NOTICE, kind=Kind.NEW_NAME)
    assert (detection.flagged, detection.noticed) == (0, 1)
    told(detection)
    told(detection, kind=Kind.ENCRYPTED_DNS)
    told(detection, severity=Severity.NOTICE)
    assert (detection.flagged, detection.noticed, detection.missed) == (1, 0, 0)
    assert detection.kinds == {"new-destination": 1, "new-name": 1, "encrypted-dns": 1}


@pytest.mark.parametrize(("late", "flagged"), [(0.0, 1), (2.0, 1), (LATE, 1), (LATE + 1, 0), (-1.0, 0)])
def test_a_warning_may_come_with_the_first_data_but_not_much_later(late: float, flagged: int) -> None:
    detection = Detection()
    tried(detection, NOON + 5)
    told(detection, NOON + 5 + late)
    assert detection.flagged == flagged


def test_attempts_that_are_held_back_and_told_later_are_flagged_but_the_delay_is_real() -> None:
    detection = Detection()
    tried(detection)
    told(detection, NOON, now=NOON + 60)
    assert (detection.flagged, detection.delay) == (1, 60.0)


def test_a_warning_about_another_port_or_address_flags_nothing() -> None:
    detection = Detection()
    tried(detection)
    told(detection, address="203.0.113.10")
    detection.alerted(raised(at=NOON, address=ATTACKER, port=8080).alert, LABELS, NOON)
    assert detection.flagged == 0


def test_what_a_scan_takes_back_is_no_alert_of_its_own_any_more() -> None:
    detection = Detection()
    for number in range(3):
        tried(detection, NOON + number, f"203.0.113.{number}")
        told(detection, NOON + number, address=f"203.0.113.{number}", destination=f"203.0.113.{number}")
    assert detection.kinds == {"new-destination": 3}
    for number in range(3):
        detection.withdrawn((TV, Kind.NEW_DESTINATION, f"203.0.113.{number}", "web"))
        told(
            detection,
            NOON + number,
            now=NOON + 3,
            address=f"203.0.113.{number}",
            kind=Kind.SCAN,
            destination="",
        )
    assert detection.kinds == {"scan": 1}
    assert (detection.flagged, detection.delay, detection.false_alerts) == (3, 0.0, 0)


def test_false_alerts_that_become_part_of_the_attack_are_false_no_more() -> None:
    detection = Detection()
    told(detection, NOON - 5, kind=Kind.SCAN, destination="")
    told(detection, NOON - 5, destination="a.example")
    assert detection.false_alerts == 2
    tried(detection)
    told(detection, kind=Kind.SCAN, destination="")
    detection.withdrawn((TV, Kind.NEW_DESTINATION, "a.example", "web"))
    assert detection.false_alerts == 0


def test_an_attack_in_names_alone_is_found_without_an_attempt() -> None:
    detection = Detection()
    told(detection, NOON + 7, kind=Kind.DNS_TUNNEL, destination="t.example", address="192.168.1.1")
    assert (detection.attempts, detection.delay, detection.kinds) == (0, 7.0, {"dns-tunnel": 1})
    assert not detection.is_empty


def test_attackers_are_told_from_bystanders_by_their_names_too() -> None:
    labels = Labels(hosts=frozenset({"*.bad.example"}))
    detection = Detection()
    detection.attempted(record(name="c2.bad.example").attempt, labels)
    detection.attempted(record(name="good.example").attempt, labels)
    detection.alerted(raised(name="c2.bad.example", address="203.0.113.7").alert, labels, NOON)
    detection.alerted(raised(name="good.example", destination="good.example").alert, labels, NOON)
    assert (detection.attempts, detection.flagged, detection.false_alerts) == (1, 1, 1)


def test_a_flood_is_counted_in_full_and_kept_in_part() -> None:
    detection = Detection()
    for number in range(1000):
        tried(detection, NOON + number / 1000)
        told(detection, NOON + number / 1000)
    assert (detection.attempts, detection.flagged) == (1000, 1000)
