# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written down of a replay, event by event."""

import pytest
from unit.made_effects import NOON, PLUG, TV, raised, record

from smartrouter.core.effects import Effect, Evidence, Keep, Label, Withdraw
from smartrouter.core.events import FlowOpened, Moment, Scope, Tick
from smartrouter.core.learning import Progress, State
from smartrouter.evaluate import ledger as ledger_module
from smartrouter.evaluate.labels import ALL, NONE, Labels
from smartrouter.evaluate.ledger import Ledger

OPENED = FlowOpened(TV, "192.168.1.20", "203.0.113.7", 6, 40000, 443, 1, Scope.OUTSIDE)


def moment(at: float = 0.0) -> Moment:
    return Moment(at, NOON + at)


def observed(*effects: Effect, labels: Labels = NONE, scope: Scope = Scope.OUTSIDE) -> Ledger:
    ledger = Ledger(labels)
    for number, effect in enumerate(effects):
        ledger.observe(OPENED._replace(scope=scope), [effect], moment(number))
    return ledger


def test_attempts_are_counted_by_evidence() -> None:
    tally = observed(record(), record(), record(name=""), record(PLUG)).tallies[TV]
    assert tally.attempts == 3
    assert tally.evidence == {Evidence.DNS: 2, Evidence.NONE: 1}
    assert (tally.begun, tally.ended) == (moment(0), moment(2))


def test_only_tcp_and_udp_to_the_outside_count() -> None:
    ping = record()._replace(attempt=record().attempt._replace(protocol=1, port=0, service="icmp"))
    assert TV not in observed(ping).tallies
    assert TV not in observed(record(), scope=Scope.LAN).tallies
    ledger = Ledger(NONE)
    ledger.observe(Tick(), [record()], moment())
    assert TV not in ledger.tallies


def test_a_hello_names_the_attempts_before_it_once() -> None:
    bare, label = record(name=""), Label(TV, "203.0.113.7", "api.example.com")
    evidence = observed(bare, bare, record(name="", address="203.0.113.8"), label, label).tallies[TV].evidence
    assert evidence == {Evidence.NONE: 1, Evidence.HELLO: 2}


def test_visits_are_told_apart_by_name_or_address_and_service() -> None:
    ledger = observed(
        record(), record(address="203.0.113.8"), record(name=""), record(service="tcp/8883"), record(PLUG)
    )
    assert [(visit.mac, visit.name, visit.service, visit.count) for visit in ledger.visits] == [
        (TV, "api.example.com", "web", 2),
        (TV, "", "web", 1),
        (TV, "api.example.com", "tcp/8883", 1),
        (PLUG, "api.example.com", "web", 1),
    ]


def test_visits_without_room_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MAX_VISITS", 2)
    ledger = observed(record(name="a.example"), record(name="b.example"), record(name="c.example"))
    assert (len(ledger.visits), ledger.visits_not_kept, ledger.tallies[TV].attempts) == (2, 1, 3)


def test_the_end_of_learning_is_noted_once() -> None:
    learning, done = (Keep(TV, Progress(state=state)) for state in (State.LEARNING, State.PROTECTED))
    assert observed(learning, record(), done, done).tallies[TV].protected == 2


def test_detection_is_written_down_where_labels_ask_for_it() -> None:
    labels = Labels(attack_from={ALL: NOON})
    attempt = record(address="203.0.113.9", name="")
    warning = raised(address="203.0.113.9", name="", destination="203.0.113.9")
    assert observed(attempt, warning).tallies[TV].detection.is_empty
    ledger = observed(attempt, warning, labels=labels)
    assert ledger.tallies[TV].detection.flagged == 1
    alert = warning.alert
    withdrawn = Withdraw(alert.mac, alert.kind, alert.destination, alert.service)
    ledger.observe(Tick(), [withdrawn], moment(9))
    assert not ledger.tallies[TV].detection.kinds


def test_a_scan_of_the_local_network_is_part_of_an_attack_too() -> None:
    ledger = observed(record(address="192.168.1.77"), labels=Labels(attack_from={ALL: NOON}), scope=Scope.LAN)
    assert (ledger.tallies[TV].attempts, ledger.tallies[TV].detection.attempts) == (0, 1)
