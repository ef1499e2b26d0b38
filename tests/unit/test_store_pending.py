# SPDX-License-Identifier: GPL-2.0-or-later
"""What waits is bounded, and the state that counts is not pushed out by statistics."""

from unit.made_effects import (
    NOON,
    PLUG,
    TV,
    alias,
    forget,
    keep,
    label,
    learn,
    raised,
    record,
    told,
    withdraw,
)

from smartrouter.core.effects import AdmitReplies, LookUp, Severity, Verdict, Watch
from smartrouter.core.policy import Reason
from smartrouter.store.pending import MAX_LABELS, MAX_TARGETS, Pending


def test_a_flood_of_attempts_is_dropped_where_the_line_ends() -> None:
    pending = Pending(max_attempts=3)
    assert [pending.add(record(at=NOON + n)) for n in range(5)] == [True, True, True, False, False]
    assert [at - NOON for at, *_ in pending.take().attempts] == [0, 1, 2]


def test_a_flood_of_attempts_leaves_room_for_all_else() -> None:
    pending = Pending(max_attempts=3)
    for _ in range(100):
        pending.add(record())
    others = (
        learn(),
        forget(name="other.example"),
        keep(),
        raised(),
        told(),
        alias(),
        label(),
        withdraw(PLUG),
    )
    for effect in others:
        assert pending.add(effect)


def test_a_flood_of_alerts_leaves_room_for_what_is_learned() -> None:
    pending = Pending(max_keys=10)
    taken = [pending.add(raised(destination=f"{n}.example")) for n in range(20)]
    assert taken == [True] * 10 + [False] * 10
    assert pending.add(learn())
    assert pending.add(raised(destination="3.example"))  # one that has a place already


def test_a_hundred_occurrences_of_one_alert_take_one_place() -> None:
    pending = Pending(max_keys=1)
    for n in range(100):
        assert pending.add(raised(at=NOON + n, blocked=n % 4 == 0))
    (tally,) = pending.take().alerts.values()
    assert (tally.count, tally.blocked, tally.first, tally.latest.at) == (100, 25, NOON, NOON + 99)


def test_an_alert_is_as_severe_as_its_worst_occurrence() -> None:
    pending = Pending()
    for severity in (Severity.NOTICE, Severity.CRITICAL, Severity.WARNING):
        pending.add(raised(severity=severity))
    (tally,) = pending.take().alerts.values()
    assert tally.severity is Severity.CRITICAL


def test_a_storm_of_alerts_and_withdrawals_takes_two_places() -> None:
    pending = Pending(max_keys=1)
    for n in range(100):
        assert pending.add(raised(at=NOON + n, address=f"203.0.113.{n}"))
        assert pending.add(withdraw())
    assert pending.add(raised(at=NOON + 100))
    batch = pending.take()
    (before,), (after,) = batch.withdrawn.values(), batch.alerts.values()
    assert before is not None
    assert (before.count, before.blocked, before.first, before.latest.at) == (100, 100, NOON, NOON + 99)
    assert len(before.targets) == MAX_TARGETS
    assert (after.count, after.first) == (1, NOON + 100)
    assert batch.counts() == {"Raise": 101, "Withdraw": 1}


def test_a_withdrawal_without_room_leaves_the_alert_as_it_is() -> None:
    pending = Pending(max_keys=1)
    pending.add(withdraw(PLUG))
    pending.add(raised())
    assert not pending.add(withdraw())
    assert len(pending.take().alerts) == 1


def test_an_alias_that_is_told_again_and_again_takes_one_place() -> None:
    pending = Pending(max_keys=2)
    for n in range(100):
        assert pending.add(alias(at=NOON + n))
    assert pending.add(alias(at=60.0))  # the clock was set back
    assert pending.add(alias(head="www.example.com"))
    assert not pending.add(alias(head="other.example.com"))
    assert [each.at for each in pending.take().aliases.values()] == [NOON + 99, NOON]


def test_the_labels_of_one_batch_are_bounded() -> None:
    pending = Pending()
    taken = [pending.add(label(address=f"198.51.{n >> 8}.{n & 255}")) for n in range(MAX_LABELS + 9)]
    assert taken == [True] * MAX_LABELS + [False] * 9


def test_each_thing_of_a_batch_can_be_written_by_itself() -> None:
    pending = Pending()
    everything = (record(), raised(), withdraw(), raised(), label(), learn(), keep(), told(), alias())
    for effect in everything:
        pending.add(effect)
    batch = pending.take()
    singles = list(batch.singles())
    assert [sum(bool(sort) for sort in single) for single in singles] == [1] * 8
    assert sum(sum(single.counts().values()) for single in singles) == sum(batch.counts().values())


def test_the_addresses_of_one_alert_are_bounded() -> None:
    pending = Pending()
    for n in range(1000):
        pending.add(raised(address=f"203.0.113.{n % 250}"))
    (tally,) = pending.take().alerts.values()
    assert tally.count == 1000
    assert len(tally.targets) == MAX_TARGETS
    assert tally.targets["203.0.113.0", 443, 6] == 4


def test_the_last_word_on_a_destination_counts() -> None:
    pending = Pending()
    for effect in (learn(), forget(), learn(units=7), learn(PLUG), forget(PLUG)):
        pending.add(effect)
    assert list(pending.take().destinations.values()) == [learn(units=7), forget(PLUG)]


def test_the_last_progress_of_a_device_counts() -> None:
    pending = Pending()
    pending.add(keep(observed=60.0))
    pending.add(keep(observed=120.0))
    assert pending.take().progress == {TV: keep(observed=120.0)}


def test_what_is_not_for_the_store_is_passed_over() -> None:
    pending = Pending()
    assert pending.add(Watch(TV))
    assert pending.add(AdmitReplies("192.0.2.1"))
    assert pending.add(LookUp("example.com"))
    assert not pending.take()
    assert pending.add_all([Watch(TV), AdmitReplies("192.0.2.1")]) == 0


def test_all_that_came_of_one_packet_is_taken_up_at_once() -> None:
    pending = Pending(max_attempts=3)
    accepted = Verdict(True, Reason.LEARNED)
    assert pending.add_all([accepted, record(), learn()]) == 2
    assert pending.add_all([accepted, record(), record(), record(), Watch(TV)]) == 4
    assert pending.put == {"Record": 3, "Learn": 1}
    assert pending.dropped == {"Record": 1}


def test_counts_go_on_when_what_waited_is_taken() -> None:
    pending = Pending()
    pending.add_all([record(), raised(), raised()])
    pending.take()
    assert pending.add_all([record(), told()]) == 2
    assert pending.put == {"Record": 2, "Raise": 2, "Name": 1}


def test_something_that_is_no_effect_at_all_costs_the_others_nothing() -> None:
    pending = Pending()
    pending.add_all([raised()._replace(alert=None), learn()])  # type: ignore[arg-type]
    assert (pending.put, pending.dropped) == ({"Learn": 1}, {"Raise": 1})


def test_after_closing_nothing_finds_room() -> None:
    pending = Pending()
    pending.close()
    for effect in (record(), raised(), withdraw(), label(), learn(), keep(), told(), alias()):
        assert not pending.add(effect)
    assert not pending.take()


def test_what_was_taken_does_not_wait_any_more() -> None:
    pending = Pending(max_attempts=1)
    pending.add(record())
    assert pending.take()
    assert not pending.take()
    assert pending.add(record())
