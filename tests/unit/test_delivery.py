# SPDX-License-Identifier: GPL-2.0-or-later
"""From an alert in the store to a service, through outages, floods and quiet nights; and answers back.

The services stand in on loopback; the time is the test's, but for what a hand-over takes.
"""

import logging
import select
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.made_effects import NOON, PLUG, TV, raised, write
from unit.stand_in import StandIn, service

from smartrouter.analyzer import answers
from smartrouter.analyzer.answers import Answered, Switched
from smartrouter.analyzer.delivery import STANDINGS_EVERY, Delivery
from smartrouter.analyzer.intake import GATHER, NAMELESS
from smartrouter.config import Config, NotifyConfig, from_text
from smartrouter.core.effects import THE_ROUTER, Kind, Severity
from smartrouter.core.events import Moment
from smartrouter.core.policy import Mode
from smartrouter.notify.channel import Channel, NotDelivered
from smartrouter.notify.channels import open_channel
from smartrouter.notify.message import Answer, Message
from smartrouter.notify.switches import Standing
from smartrouter.store import open_reader, open_writer
from smartrouter.store.alerts import AlertState, set_alert_state, set_reverse
from smartrouter.store.changes import Sighting, upsert_devices
from smartrouter.store.outbox import Health, channels

SECRET = "S3cret"
STEP = 0.25


class World:
    """An outbox, what it sends to, and a clock that only `go` moves."""

    def __init__(self, folder: Path):
        self.path = str(folder / "store.db")
        self.guard = open_writer(self.path)  # whose alerts come by another connection
        self.conn = open_writer(self.path)
        self.running, self.wall = 1000.0, NOON
        self.sections: list[str] = []
        self.opener: Callable[[NotifyConfig], Channel] = open_channel
        self.answered: list[Answered | Switched] = []
        self.waits_for_all = True
        self._delivery: Delivery | None = None

    @property
    def delivery(self) -> Delivery:
        if self._delivery is None:
            self._delivery = Delivery(self.config(), self.opener, lambda: 1.0)
            self._delivery.attach(self.conn)
        return self._delivery

    def config(self) -> Config:
        main = f"config smartrouter 'main'\n\toption database '{self.path}'\n\toption mode 'enforce'\n"
        return from_text(main + "".join(self.sections))

    def configure(self, *sections: str) -> None:
        self.sections = list(sections)
        self.delivery.configure(self.config())

    def restart(self) -> None:
        """As after a kill: nothing is left but the store."""
        self._delivery = None

    def stop(self) -> None:
        if self._delivery is not None:
            self._delivery.stop()

    def go(self, seconds: float, step: float = STEP) -> None:
        """Let time pass, with a turn each `step`."""
        for _ in range(round(seconds / step)):
            self.running += step
            self.wall += step
            self.turn()

    def turn(self) -> None:
        while True:
            self.answered += self.delivery.turn(Moment(self.running, self.wall))
            if not self.delivery.busy or not self.waits_for_all:
                return
            assert select.select([self.delivery.fileno()], [], [], 30)[0], "a hand-over does not end"

    def health(self, key: str = "webhook") -> Health:
        return channels(self.conn)[key]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.stop()
    world.conn.close()
    world.guard.close()


@pytest.fixture
def hook(world: World) -> Iterator[StandIn]:
    """A webhook that is configured, and known to the store."""
    with service() as stand_in:
        world.sections = [section(stand_in)]
        world.turn()
        yield stand_in


def section(there: StandIn, **options: str) -> str:
    given = {"type": "webhook", "channel": there.url(f"/{SECRET}"), "token": SECRET, **options}
    return "config notify\n" + "".join(f"\toption {name} '{text}'\n" for name, text in given.items())


def alerts_in(there: StandIn) -> list[int]:
    """The numbers of the alerts that the service was told of, in whatever message."""
    found = []
    for each in there.taken:
        said = each.said
        if said["alert"] is not None:
            found.append(said["alert"])
        for fact in said["facts"]:
            if fact["name"] == "alerts":
                for run in fact["text"].split(", "):
                    first, _, last = run.partition("–")
                    found += range(int(first), int(last or first) + 1)
    return found


# -- an alert is told ---------------------------------------------------------------------------------


def test_an_alert_is_handed_over_within_two_seconds(world: World, hook: StandIn) -> None:
    write(world.guard, raised())
    world.go(GATHER + 2 * STEP)
    assert hook.keys == ["alert:1/1"]
    said = hook.taken[0].said
    assert said["title"] == f"{TV} tried to reach example.net (web), which is new to it: blocked."
    assert {"name": "mode", "text": "enforce"} in said["facts"]


def test_a_message_leads_to_the_alerts_page_where_there_are_pages(world: World, hook: StandIn) -> None:
    write(world.guard, raised())
    world.go(GATHER + 2 * STEP)
    world.delivery.configure(world.config(), "http://192.168.1.1:8081")
    write(world.guard, raised(destination="other.example", at=NOON + 1))
    world.go(GATHER + 2 * STEP)
    assert [each.said["link"] for each in hook.taken] == ["", "http://192.168.1.1:8081/alerts/2"]


def test_one_about_an_address_waits_a_little_for_its_reverse_name(world: World, hook: StandIn) -> None:
    write(world.guard, raised(destination="203.0.113.9", name=""))
    world.go(GATHER + STEP)
    assert hook.keys == []
    world.go(NAMELESS - GATHER + STEP)
    assert hook.keys == ["alert:1/1"]


def test_a_reverse_name_that_comes_later_updates_the_message(world: World, hook: StandIn) -> None:
    write(world.guard, raised(destination="203.0.113.9", name=""))
    world.go(2)
    set_reverse(world.guard, [(1, "a.example")])
    world.go(2)
    assert hook.keys == ["alert:1/1", "alert:1/2"]
    assert "203.0.113.9 [a.example]" in hook.taken[1].said["title"]


def test_occurrences_are_counted_and_hardly_ever_told(world: World, hook: StandIn) -> None:
    for second in range(60):
        write(world.guard, raised(at=NOON + second))
        world.go(1)
    assert hook.keys == ["alert:1/1", "alert:1/2"]
    assert any("10 times" in fact["text"] for fact in hook.taken[1].said["facts"])


def test_a_decision_updates_the_message_with_who_and_when(world: World, hook: StandIn) -> None:
    write(world.guard, raised())
    world.go(2)
    set_alert_state(world.guard, 1, AlertState.ALLOWED, "slack:U024BE7LH", NOON)
    world.go(2)
    assert hook.keys == ["alert:1/1", "alert:1/2"]
    assert hook.taken[1].said["outcome"].startswith("allowed by slack:U024BE7LH at ")


def test_a_device_is_called_what_its_owner_calls_it(world: World, hook: StandIn) -> None:
    world.configure(*world.sections, f"config device\n\toption mac '{TV}'\n\toption name 'Living-room TV'\n")
    write(world.guard, raised())
    world.go(2)
    assert hook.taken[0].said["device"] == "Living-room TV"


def test_an_alert_about_the_router_is_told_as_such_and_once(world: World, hook: StandIn) -> None:
    about = {"kind": Kind.ACCOUNTING, "destination": "", "service": "", "name": "", "port": 0}
    for minute in range(8):
        detail = f"{minute + 3} packets that the kernel counted were dealt with by nobody"
        write(world.guard, raised(THE_ROUTER, at=NOON + 60 * minute, detail=detail, **about))  # type: ignore[arg-type]
        world.go(60)
    assert hook.keys == ["alert:1/1"]
    said = hook.taken[0].said
    assert (said["device"], said["mac"], said["kind"]) == ("the router", "", "accounting")
    assert said["title"].startswith("Packets are missing in smartrouter's accounts: 3 packets")


def test_a_restart_repeats_nothing(world: World, hook: StandIn) -> None:
    write(world.guard, raised())
    world.go(2)
    world.restart()
    world.go(40)
    assert hook.keys == ["alert:1/1"]


def test_what_was_raised_while_nobody_looked_is_told_then(world: World, hook: StandIn) -> None:
    world.restart()
    write(world.guard, raised())
    world.go(2)
    assert hook.keys == ["alert:1/1"]


def test_history_is_not_told_to_a_new_channel(world: World, hook: StandIn) -> None:
    write(world.guard, raised())
    world.go(2)
    with service() as second:
        world.configure(*world.sections, section(second, name="second"))
        world.go(2)
        write(world.guard, raised(PLUG))
        write(world.guard, raised(at=NOON + 1))
        world.go(2)
        assert second.keys == ["alert:2/1"]
    assert hook.keys == ["alert:1/1", "alert:2/1"]


# -- floods, quiet hours, muted devices ----------------------------------------------------------------


def test_a_flood_is_one_message(world: World, hook: StandIn) -> None:
    write(world.guard, *[raised(destination=f"203.0.113.{n}", name="") for n in range(1, 255)])
    world.go(90)
    assert [each.said["title"] for each in hook.taken] == [
        f"{TV}: 254 unknown destinations in a minute, looks like a scan."
    ]


def test_what_turns_out_to_be_a_scan_before_it_is_told_is_not_told_twice(world: World, hook: StandIn) -> None:
    write(world.guard, raised())
    world.go(STEP)
    set_alert_state(world.guard, 1, AlertState.MERGED)
    write(
        world.guard, raised(kind=Kind.SCAN, severity=Severity.CRITICAL, destination="", service="", name="")
    )
    world.go(2)
    assert hook.keys == ["alert:2/1"]


def test_quiet_hours_hold_all_but_the_critical_and_sum_up_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    with service() as there:
        world.sections = [section(there, quiet_from="11:00", quiet_to="12:10")]  # it is noon
        world.turn()
        for number in range(8):
            write(world.guard, raised(f"02:00:00:00:00:0{number}"))
        write(world.guard, raised(PLUG, kind=Kind.SCAN, severity=Severity.CRITICAL, destination=""))
        world.go(60, 1.0)
        assert there.keys == ["alert:9/1"]
        world.restart()
        world.go(600, 5.0)
        assert [each.said["title"] for each in there.taken[1:]] == [
            "While it was quiet: 8 messages of 8 devices."
        ]
        assert sorted(alerts_in(there)) == list(range(1, 10))
        world.go(60, 1.0)
        assert len(there.taken) == 2


def test_a_muted_device_is_silent_and_another_is_not(world: World, hook: StandIn) -> None:
    until = "2026-11-21T12:01:00Z"
    muted = (
        f"config device\n\toption mac '{TV}'\n\toption mute_until '{until}'\n\toption muted_by 'slack:U1'\n"
    )
    world.configure(*world.sections, muted)
    write(world.guard, raised(), raised(PLUG))
    world.go(70)
    assert hook.keys == ["alert:2/1"], "what was muted is not told when that ends, either"
    write(world.guard, raised(destination="b.example"))
    world.go(2)
    assert hook.keys == ["alert:2/1", "alert:3/1"]


def test_of_a_muted_device_no_updates_are_sent_either(world: World, hook: StandIn) -> None:
    write(world.guard, raised())
    world.go(2)
    world.configure(
        *world.sections, f"config device\n\toption mac '{TV}'\n\toption mute_until '2026-12-24T18:00:00Z'\n"
    )
    for second in range(20):
        write(world.guard, raised(at=NOON + second))
    world.go(2)
    assert hook.keys == ["alert:1/1"]
    set_alert_state(world.guard, 1, AlertState.DENIED, "cli:root", NOON)
    world.go(2)
    assert hook.keys == ["alert:1/1", "alert:1/2"], "but a decision is"


def test_what_waits_about_a_device_that_is_muted_then_is_not_sent(world: World, hook: StandIn) -> None:
    hook.status = 503
    write(world.guard, raised(), raised(PLUG))
    world.go(2)
    world.configure(
        *world.sections, f"config device\n\toption mac '{TV}'\n\toption mute_until '2026-12-24T18:00:00Z'\n"
    )
    hook.status = 204
    world.go(60)
    world.configure(*world.sections[:1])
    for second in range(20):
        write(world.guard, raised(at=NOON + second))
    world.go(60)
    assert hook.keys == ["alert:2/1"], "nor when the device is muted no more"


def test_each_channel_gets_what_it_wants(world: World, hook: StandIn) -> None:
    with service() as second:
        world.configure(*world.sections, section(second, name="loud", min_severity="critical"))
        world.turn()
        write(world.guard, raised(), raised(PLUG, kind=Kind.SCAN, severity=Severity.CRITICAL, destination=""))
        world.go(2)
        assert second.keys == ["alert:2/1"]
    assert sorted(hook.keys) == ["alert:1/1", "alert:2/1"]


def test_a_channel_is_not_sent_more_than_it_may_be(world: World, hook: StandIn) -> None:
    world.configure(section(hook, per_minute="6"))
    world.turn()
    for number in range(20):
        write(world.guard, raised(f"02:00:00:00:00:{number:02x}"))
    world.go(60)
    assert 6 <= len(hook.taken) <= 12
    world.go(120)
    assert len(hook.taken) == 20


# -- what goes wrong -------------------------------------------------------------------------------------


def test_an_outage_of_ten_minutes_and_a_thousand_alerts_lose_nothing_and_repeat_nothing(
    world: World, hook: StandIn
) -> None:
    hook.status = 503
    number = 0
    for _ in range(100):
        for _ in range(10):
            number += 1
            write(world.guard, raised(f"02:00:00:00:{number % 40:02x}:01", destination=f"{number}.example"))
        world.go(6, 1.0)
    tried = hook.tried
    assert tried < 25, "an outage is not hammered"
    assert hook.taken == []
    assert world.health().waiting > 0
    world.restart()
    hook.status = 204
    world.go(3600, 2.0)
    assert sorted(set(alerts_in(hook))) == list(range(1, 1001)), "nothing is lost"
    assert len(hook.keys) == len(set(hook.keys)), "nothing is told twice"
    health = world.health()
    assert (health.waiting, health.dropped, health.error) == (0, 0, "")


def device(number: int) -> str:
    return f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"


def test_after_an_outage_what_waited_long_is_one_message(world: World, hook: StandIn) -> None:
    hook.status = 503
    for number in range(37):
        write(world.guard, raised(device(number % 12), destination=f"{number}.example"))
        world.go(8, 1.0)
    write(world.guard, raised(PLUG, kind=Kind.SCAN, severity=Severity.CRITICAL, destination=""))
    world.go(200, 2.0)
    assert hook.taken == []
    hook.status = 204
    write(world.guard, raised(TV))
    world.go(300, 2.0)
    titles = [each.said["title"] for each in hook.taken]
    (together,) = [title for title in titles if title.startswith("While this channel was away or busy: ")]
    assert together.endswith(" alerts of 12 devices.")
    assert len(titles) <= 4  # the critical one, whatever went first, that one, and the latest
    assert "alert:38/1" in hook.keys
    assert "alert:39/1" in hook.keys
    assert sorted(alerts_in(hook)) == list(range(1, 40)), "each is told of once"
    world.go(600, 5.0)
    assert len(hook.taken) == len(titles)
    assert world.health().waiting == world.health().dropped == 0


def test_critical_alerts_are_told_one_by_one_however_late(world: World, hook: StandIn) -> None:
    hook.status = 503
    for number in range(15):
        scan = raised(device(number), kind=Kind.SCAN, severity=Severity.CRITICAL, destination="", service="")
        write(world.guard, scan)
    world.go(400, 4.0)
    hook.status = 204
    world.go(1200, 4.0)
    assert sorted(hook.keys) == sorted(f"alert:{number}/1" for number in range(1, 16))


def test_few_that_waited_long_are_told_one_by_one(world: World, hook: StandIn) -> None:
    hook.status = 503
    for number in range(10):
        write(world.guard, raised(device(number)))
    world.go(400, 4.0)
    hook.status = 204
    world.go(1200, 4.0)
    assert sorted(hook.keys) == sorted(f"alert:{number}/1" for number in range(1, 11))


def test_what_a_slow_channel_does_not_come_to_is_one_message(world: World, hook: StandIn) -> None:
    world.configure(section(hook, per_minute="1"))
    for number in range(40):
        write(world.guard, raised(device(number)))
    world.go(600, 2.0)
    assert len(hook.taken) <= 5
    assert sorted(alerts_in(hook)) == list(range(1, 41))


def test_what_is_on_its_way_is_not_told_of_once_more(world: World, hook: StandIn) -> None:
    hook.status = 503
    for number in range(30):
        write(world.guard, raised(device(number)))
    world.go(400, 4.0)
    hook.status, hook.slow = 204, 0.3
    world.waits_for_all = False
    for _ in range(60):
        world.go(4, 1.0)
        time.sleep(0.02)
    world.waits_for_all = True
    world.go(120, 2.0)
    assert sorted(alerts_in(hook)) == list(range(1, 31))


def test_what_was_decided_while_it_waited_is_not_told_of(world: World, hook: StandIn) -> None:
    hook.status = 503
    for number in range(20):
        write(world.guard, raised(device(number)))
    world.go(200, 4.0)
    for number in range(1, 9):
        set_alert_state(world.guard, number, AlertState.ALLOWED, "cli:root", NOON)
    world.go(200, 4.0)
    hook.status = 204
    world.go(600, 4.0)
    assert sorted(alerts_in(hook)) == list(range(9, 21))


@pytest.mark.parametrize("how", ["resets", "status", "slow"])
def test_however_it_fails_the_message_comes_through_once_it_works(
    world: World, hook: StandIn, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartrouter.notify.webhook.PATIENCE", 0.1)
    bad = {"resets": True, "status": 500, "slow": 0.4}[how]
    good = getattr(hook, how)
    setattr(hook, how, bad)
    write(world.guard, raised())
    world.go(8)
    assert world.health().failures >= 2
    setattr(hook, how, good)
    monkeypatch.setattr("smartrouter.notify.webhook.PATIENCE", 20.0)
    world.go(60)
    assert set(hook.keys) == {"alert:1/1"}
    assert world.health().error == ""


def test_a_service_that_asks_for_time_gets_it_even_after_a_restart(world: World, hook: StandIn) -> None:
    hook.status, hook.headers = 429, {"Retry-After": "120"}
    write(world.guard, raised())
    world.go(60)
    assert hook.tried == 1
    world.restart()
    hook.status = 204
    world.go(55)
    assert hook.tried == 1
    world.go(10)
    assert hook.keys == ["alert:1/1"]


def test_a_refusal_disables_the_channel_until_it_is_configured_anew(world: World, hook: StandIn) -> None:
    hook.status = 401
    write(world.guard, raised())
    world.go(600, 1.0)
    assert hook.tried == 1
    health = world.health()
    assert (health.disabled, health.error, health.waiting) == (
        True,
        "it answered 401: it wants another token",
        1,
    )
    hook.status = 204
    world.configure(*world.sections)
    world.go(60, 1.0)
    assert hook.tried == 1, "nothing has changed about it"
    world.configure(section(hook, token="another-token"))
    world.go(5)
    assert hook.keys == ["alert:1/1"]
    assert not world.health().disabled


def test_a_message_that_a_service_never_takes_keeps_no_other_from_it(world: World) -> None:
    with service() as there:
        picky = Picky("alert:1")
        world.opener = lambda config: picky
        world.sections = [section(there)]
        world.turn()
        write(world.guard, raised())
        world.go(4)
        write(world.guard, raised(PLUG))
        world.go(120)
        assert picky.taken == ["alert:2"]
        assert (world.health().waiting, world.health().dropped) == (0, 1)


def test_a_channel_that_hangs_delays_no_other(world: World, hook: StandIn) -> None:
    world.waits_for_all = False
    with service() as second:
        hook.slow = 30.0
        world.configure(*world.sections, section(second, name="second"))
        world.turn()
        write(world.guard, raised())
        until = time.monotonic() + 20
        while not second.taken and time.monotonic() < until:
            world.go(STEP)
            time.sleep(0.02)
        assert second.keys == ["alert:1/1"]
        assert hook.taken == []


def test_a_kill_between_the_hand_over_and_its_note_costs_one_message_twice(
    world: World, hook: StandIn
) -> None:
    write(world.guard, raised())
    world.waits_for_all = False
    world.go(1)
    while not hook.taken:
        time.sleep(0.01)
    world.restart()  # before anybody noted it
    world.waits_for_all = True
    write(world.guard, raised(PLUG))
    world.go(5)
    assert hook.keys == ["alert:1/1", "alert:1/1", "alert:2/1"]


def test_what_is_in_hand_while_the_channel_is_changed_is_not_sent_by_both(
    world: World, hook: StandIn
) -> None:
    hook.slow = 0.3
    write(world.guard, raised())
    world.waits_for_all = False
    world.go(1)
    world.configure(section(hook, token="another-token"))
    world.waits_for_all = True
    world.go(5)
    assert hook.keys == ["alert:1/1"]


def test_no_store_and_a_store_that_fails_lose_nothing(world: World, hook: StandIn) -> None:
    world.delivery.attach(None)
    write(world.guard, raised())
    world.go(2)
    assert hook.keys == []
    world.conn.execute("PRAGMA query_only = ON")
    world.delivery.attach(world.conn)
    with pytest.raises(sqlite3.OperationalError):
        world.go(2)
    world.conn.execute("PRAGMA query_only = OFF")
    world.delivery.attach(world.conn)
    world.go(2)
    assert hook.keys == ["alert:1/1"]


def test_a_type_that_is_not_there_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartrouter.notify.channels._PACKAGE", "smartrouter.core")
    world.sections = ["config notify\n\toption type 'ntfy'\n"]
    world.turn()
    write(world.guard, raised())
    world.go(2)
    health = world.health("ntfy")
    assert health.disabled
    assert health.error.startswith("there is no channel of type ntfy here")


def test_no_secret_is_in_the_log_or_the_store(
    world: World, hook: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    address = hook.url(f"/{SECRET}")

    def opener(config: NotifyConfig) -> Channel:
        if not caplog.records:
            raise NotDelivered(f"no way to {address} with {SECRET}", retry_after=1)
        raise ValueError(f"{address} {SECRET}")

    world.opener = opener
    world.restart()
    write(world.guard, raised())
    world.go(60)
    assert world.health().error == "a fault of smartrouter's: ValueError"
    assert "no way to … with …" in caplog.text
    everything = "\n".join(world.conn.iterdump()) + caplog.text
    assert SECRET not in everything
    assert SECRET.encode() not in b"".join(path.read_bytes() for path in Path(world.path).parent.iterdir())


def test_without_channels_nothing_is_written(world: World) -> None:
    world.turn()
    before = world.conn.total_changes
    write(world.guard, raised())
    world.go(60, 1.0)
    assert world.conn.total_changes == before


def test_with_nothing_to_tell_next_to_nothing_is_written(world: World, hook: StandIn) -> None:
    write(world.guard, raised())
    world.go(2)
    before = world.conn.total_changes
    for second in range(5):
        write(world.guard, raised(at=NOON + second))
        world.go(10, 1.0)
    assert world.conn.total_changes - before <= 3


# -- answers ------------------------------------------------------------------------------------------------


class Picky:
    """A channel that takes all but the messages with one key."""

    def __init__(self, refused: str) -> None:
        self.refused = refused
        self.taken: list[str] = []

    def send(self, message: Message, receipt: str) -> str:
        if message.key == self.refused:
            raise NotDelivered("it answered 400")
        self.taken.append(message.key)
        return ""

    def close(self) -> None:
        """Nothing to let go of."""


class Chat:
    """A channel on which people answer: `press` is one of them."""

    def __init__(self) -> None:
        self.sent: list[tuple[Message, str]] = []
        self.answered: Callable[[str, Answer, str], None] | None = None
        self.opened = threading.Event()
        self.goes_on = threading.Event()  # what it is sent is told once this is set
        self.goes_on.set()
        self.fails = False  # although people have seen the message

    def listen(self, answered: Callable[[str, Answer, str], None]) -> None:
        self.answered = answered
        self.opened.set()

    def send(self, message: Message, receipt: str) -> str:
        self.sent.append((message, receipt))
        assert self.goes_on.wait(10)
        if self.fails:
            raise NotDelivered("no answer within 10 s")
        return f"thread of {message.key}"

    def close(self) -> None:
        """Nothing to let go of."""

    def press(self, key: str, answer: Answer, by: str = "slack:U024BE7LH") -> None:
        assert self.answered is not None
        self.answered(key, answer, by)


@pytest.fixture
def chat(world: World) -> Chat:
    chat = Chat()
    world.opener = lambda config: chat
    world.sections = [
        "config notify\n\toption type 'slack'\n\toption token 'xoxb-1'\n\toption app_token 'xapp-1'\n"
    ]
    world.turn()
    assert chat.opened.wait(20), "it is opened at once, for somebody may answer what was sent before"
    write(world.guard, raised())
    world.go(2)
    return chat


@pytest.mark.parametrize("answer", list(Answer))
def test_an_answer_is_taken_up_with_who_gave_it(world: World, chat: Chat, answer: Answer) -> None:
    chat.press("alert:1", answer)
    world.go(STEP)
    [found] = world.answered
    assert isinstance(found, Answered)
    assert found.alert is not None
    assert (found.alert.destination, found.alert.service, found.mac) == ("example.net", "web", TV)
    assert (found.answer, found.by) == (answer, "slack:U024BE7LH")


def test_who_answers_before_the_service_has_said_that_it_took_the_message_is_heard(
    world: World, chat: Chat
) -> None:
    write(world.guard, raised(destination="b.example"))
    chat.goes_on.clear()
    world.waits_for_all = False
    world.go(2)
    assert [message.key for message, _ in chat.sent] == ["alert:1", "alert:2"]
    chat.press("alert:2", Answer.MUTE)
    world.go(STEP)
    assert [answered.mac for answered in world.answered] == [TV]
    chat.goes_on.set()


def test_an_answer_waits_until_the_store_can_be_read_again(
    world: World, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    chat.press("alert:1", Answer.MUTE)
    with monkeypatch.context() as patch:
        patch.setattr(answers, "alert", fail)
        with pytest.raises(sqlite3.OperationalError):
            world.go(STEP)
    world.go(STEP)
    assert [answered.mac for answered in world.answered] == [TV]


def test_who_answers_what_was_not_known_to_have_arrived_is_heard(world: World, chat: Chat) -> None:
    write(world.guard, raised(destination="b.example"))
    chat.fails = True
    world.go(2)
    chat.press("alert:2", Answer.MUTE)
    world.go(STEP)
    assert [answered.mac for answered in world.answered] == [TV]


def test_the_outcome_goes_where_the_message_is(world: World, chat: Chat) -> None:
    set_alert_state(world.guard, 1, AlertState.ALLOWED, "slack:U024BE7LH", NOON)
    world.go(2)
    assert [receipt for _, receipt in chat.sent] == ["", "thread of alert:1"]
    assert chat.sent[1][0].outcome.startswith("allowed by slack:U024BE7LH")
    assert chat.sent[1][0].answers == ()


def test_that_the_device_was_muted_is_said_in_the_message_that_was_answered(world: World, chat: Chat) -> None:
    write(world.guard, raised(destination="b.example"))
    world.go(2)
    chat.press("alert:1", Answer.MUTE)
    world.go(STEP)
    muted = f"config device\n\toption mac '{TV}'\n\toption mute_until '2026-12-24T18:00:00Z'\n"
    world.configure(*world.sections, muted + "\toption muted_by 'slack:U024BE7LH'\n")
    world.go(2)
    assert [message.key for message, _ in chat.sent] == ["alert:1", "alert:2", "alert:1"]
    assert chat.sent[2][0].outcome.endswith("by slack:U024BE7LH")


def test_what_could_not_be_done_is_said_where_it_was_answered(world: World, chat: Chat) -> None:
    chat.press("alert:1", Answer.ALLOW)
    world.go(STEP)
    world.delivery.not_done(1, "the disk is full")
    world.delivery.not_done(2, "nobody has answered that")
    world.go(2)
    assert [message.outcome for message, _ in chat.sent] == ["", "not done: the disk is full"]
    assert chat.sent[1][0].answers, "so that it can be tried again"


def test_other_quiet_hours_do_not_lose_where_a_message_is(world: World, chat: Chat) -> None:
    world.configure(world.sections[0] + "\toption quiet_from '01:00'\n\toption quiet_to '02:00'\n")
    set_alert_state(world.guard, 1, AlertState.DISMISSED, "cli:root", NOON)
    world.go(2)
    assert [receipt for _, receipt in chat.sent] == ["", "thread of alert:1"]
    world.configure(world.sections[0] + "\toption channel '#elsewhere'\n")
    set_alert_state(world.guard, 1, AlertState.OPEN)
    world.go(2)
    assert [receipt for _, receipt in chat.sent][2:] == [""]


def test_that_a_rule_has_ended_is_said_where_it_was_made(world: World, chat: Chat) -> None:
    rule = (
        f"config rule\n\toption device '{TV}'\n\toption destination 'example.net'\n\toption action 'allow'\n"
        "\toption until '2026-11-21T12:01:00Z'\n\toption by 'slack:U1'\n\toption at '2026-11-21T12:00:00Z'\n"
    )
    world.configure(*world.sections, rule)
    set_alert_state(world.guard, 1, AlertState.ALLOWED, "slack:U1", NOON)
    world.go(70)
    assert ["that is over" in message.outcome for message, _ in chat.sent] == [False, False, True]
    assert chat.sent[1][0].outcome.startswith("allowed until ")


@pytest.mark.parametrize(("key", "answer", "by"), [
    ("alert:2", Answer.ALLOW, "slack:U1"),  # was never sent
    ("alert:1; DROP TABLE alerts", Answer.ALLOW, "slack:U1"),
    ("alert:١", Answer.ALLOW, "slack:U1"),
    ("test:1", Answer.ALLOW, "slack:U1"),
    ("", Answer.MUTE, "slack:U1"),
    ("alert:1", Answer.ALLOW, "web:admin"),  # a channel speaks for its own people alone
    ("alert:1", Answer.ALLOW, ""),
])  # fmt: skip
def test_an_answer_to_what_was_not_asked_does_nothing(
    world: World, chat: Chat, key: str, answer: Answer, by: str
) -> None:
    chat.press(key, answer, by)
    world.go(STEP)
    assert world.answered == []


def test_an_answer_that_is_replayed_does_nothing(world: World, chat: Chat) -> None:
    set_alert_state(world.guard, 1, AlertState.ALLOWED, "slack:U1", NOON)
    chat.press("alert:1", Answer.ALLOW)
    world.go(STEP)
    assert world.answered == []


def test_what_no_rule_can_decide_cannot_be_allowed(world: World, chat: Chat) -> None:
    write(world.guard, raised(kind=Kind.SCAN, severity=Severity.CRITICAL, destination="", service=""))
    world.go(2)
    chat.press("alert:2", Answer.ALLOW)
    world.go(STEP)
    assert world.answered == []
    chat.press("alert:2", Answer.MUTE)
    world.go(STEP)
    assert [each.answer for each in world.answered if isinstance(each, Answered)] == [Answer.MUTE]


def test_a_flood_can_be_muted(world: World, chat: Chat) -> None:
    write(world.guard, *[raised(PLUG, destination=f"{n}.example") for n in range(9)])
    world.go(2)
    key = chat.sent[-1][0].key
    assert key.startswith("flood:")
    chat.press(key, Answer.ALLOW)
    chat.press(key, Answer.MUTE)
    world.go(STEP)
    assert world.answered == [Answered(None, PLUG, Answer.MUTE, "slack:U024BE7LH")]


class Panel(Chat):
    """A channel that shows how devices stand, and on which their mode is switched."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[tuple[Standing, ...]] = []
        self.wanted: Callable[[str, Mode, str], None] | None = None
        self.trouble = ""

    def obey(self, wanted: Callable[[str, Mode, str], None]) -> None:
        self.wanted = wanted

    def show(self, devices: tuple[Standing, ...]) -> None:
        self.shown.append(devices)


@pytest.fixture
def panel(world: World) -> Panel:
    panel = Panel()
    world.opener = lambda config: panel
    upsert_devices(
        world.guard, [Sighting(TV, "tv", iot=True, maker="Acme"), Sighting(PLUG, "phone", iot=False)], NOON
    )
    world.sections = ["config notify\n\toption type 'mqtt'\n\toption channel 'mqtt://127.0.0.1'\n"]
    world.turn()
    assert panel.opened.wait(20)
    return panel


def until(what: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_channel_that_shows_devices_is_told_how_they_stand(world: World, panel: Panel) -> None:
    until(lambda: panel.shown and panel.shown[-1] == (Standing(TV, "tv", Mode.ENFORCE, "Acme"),))
    device = f"config device\n\toption mac '{TV}'\n\toption name 'Telly'\n\toption mode 'monitor'\n"
    world.configure(*world.sections, device)
    world.turn()
    until(lambda: panel.shown[-1] == (Standing(TV, "Telly", Mode.MONITOR, "Acme"),))
    before = len(panel.shown)
    world.go(3 * STANDINGS_EVERY, 1.0)
    assert len(panel.shown) == before, "nothing has changed"


def test_a_switch_of_a_watched_device_is_obeyed_and_no_other(world: World, panel: Panel) -> None:
    assert panel.wanted is not None
    panel.wanted(TV, Mode.MONITOR, "mqtt")
    panel.wanted(PLUG, Mode.MONITOR, "mqtt")  # is not watched
    panel.wanted(TV, Mode.MONITOR, "cli:root")
    world.go(STEP)
    assert world.answered == [Switched(TV, Mode.MONITOR, "mqtt")]


def test_why_nobody_can_answer_is_told_without_secrets(world: World, panel: Panel) -> None:
    assert world.delivery.troubles() == {}
    panel.trouble = "the broker at mqtt://127.0.0.1 is gone"
    assert world.delivery.troubles() == {"mqtt": "the broker at … is gone"}


def test_a_channel_that_cannot_be_opened_to_listen_is_tried_again_with_pauses(world: World) -> None:
    tried: list[Any] = []

    def opener(config: NotifyConfig) -> Channel:
        tried.append(config)
        raise NotDelivered("no connection")

    world.opener = opener
    world.sections = [
        "config notify\n\toption type 'slack'\n\toption token 'xoxb-1'\n\toption app_token 'xapp-1'\n"
    ]
    world.go(60)
    assert 4 <= len(tried) <= 8


def test_the_outbox_can_be_read_beside(world: World, hook: StandIn) -> None:
    write(world.guard, raised())
    world.go(2)
    reader = open_reader(world.path)
    assert channels(reader)["webhook"].sent == 1
    reader.close()
