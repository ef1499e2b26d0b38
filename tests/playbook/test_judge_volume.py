# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices send and receive, as the judge hears it from the kernel."""

from playbook.conversation import CAMERA, CAMERA_ADDRESS, PLUG, WALL_START, Conversation, alerts, raised

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import AddVolume, Effect, Evidence, KeepUsual, Kind, Severity
from smartrouter.core.events import Carried, DestinationForgotten, LearningTakenOver, Transfer
from smartrouter.core.learning import Progress, State
from smartrouter.core.policy import Action, Reason, Rule
from smartrouter.core.uploads import ENOUGH, FLOOR, Usual
from smartrouter.core.volume import INCOMING

CLOUD, SERVER = "cloud.maker.example", "203.0.113.10"
MAKER = Destination("maker.example", "web")
HOUR = 3600.0
MB = 1_000_000


def carried(
    conversation: Conversation, out: int, *, mac: str = CAMERA, address: str = SERVER, inbound: bool = False
) -> list[Effect]:
    return conversation.tell(Carried((Transfer(mac, address, 6, 443, inbound, out, 2 * out, 3, 4, 1),)))


def volumes(effects: list[Effect]) -> list[AddVolume]:
    return [effect for effect in effects if isinstance(effect, AddVolume)]


def learned(hours: int = ENOUGH, size: int = MB) -> Conversation:
    """A camera that has sent so much to its maker in each of so many hours, and is protected now."""
    conversation = Conversation(learning=1000 * HOUR)
    conversation.learn(CLOUD, SERVER)
    for _ in range(hours):
        carried(conversation, size)
        conversation.wait(HOUR)
        conversation.resolve(CLOUD, SERVER)
    conversation.protect()
    return conversation


def test_what_was_carried_is_kept_by_the_name_that_led_there() -> None:
    conversation = Conversation()
    conversation.learn(CLOUD, SERVER)
    hour = int((WALL_START + conversation.running) // HOUR)
    assert carried(conversation, 100) == [AddVolume(CAMERA, hour, MAKER, 100, 200, 3, 4, 1)]
    nameless = carried(conversation, 5, address="198.51.100.7")
    assert volumes(nameless)[0].destination == Destination("198.51.100.7", "web")


def test_of_devices_that_nobody_watches_nothing_is_kept() -> None:
    conversation = Conversation()
    assert carried(conversation, 100, mac="da:a1:19:00:00:04") == []
    conversation.claims("192.168.77.99", mac="da:a1:19:00:00:04")
    conversation.claims(CAMERA_ADDRESS)
    assert conversation.judge.addresses() == {CAMERA_ADDRESS: CAMERA}


def test_an_upload_far_above_what_was_learned_is_told_once() -> None:
    conversation = learned()
    assert raised(carried(conversation, FLOOR)) == []
    (alert,) = raised(carried(conversation, 2 * MB))
    assert (alert.kind, alert.reason, alert.severity) == (Kind.UPLOAD, Reason.UPLOAD, Severity.WARNING)
    assert (alert.destination, alert.service, alert.name) == (*MAKER, CLOUD)
    assert (alert.evidence, alert.address, alert.port, alert.protocol) == (Evidence.DNS, SERVER, 443, 6)
    assert not alert.blocked
    assert alert.detail == "12.0 MB within an hour, 1.0 MB at most in an hour before"
    assert raised(carried(conversation, 50 * MB)) == []
    conversation.wait(25 * HOUR)
    assert alerts(carried(conversation, 50 * MB)) == [(Kind.UPLOAD, *MAKER, False)]


def test_what_is_usual_is_kept_when_its_hour_is_over() -> None:
    conversation = Conversation()
    conversation.learn(CLOUD, SERVER)
    carried(conversation, 7)
    carried(conversation, 9)
    kept = [effect for effect in conversation.wait(HOUR) if isinstance(effect, KeepUsual)]
    assert kept == [KeepUsual(CAMERA, MAKER, Usual(1, 16))]


def test_a_learning_device_may_send_what_it_likes() -> None:
    conversation = Conversation()
    conversation.learn(CLOUD, SERVER)
    assert raised(carried(conversation, 5000 * MB)) == []


def test_an_upload_to_a_stranger_needs_no_history() -> None:
    conversation = learned()
    conversation.resolve("stranger.example", "203.0.113.66")
    (alert,) = raised(carried(conversation, FLOOR + 1, address="203.0.113.66"))
    assert alert.destination == "stranger.example"
    assert alert.detail.endswith("it has not learned to send anything there")


def test_what_the_user_allows_is_no_news() -> None:
    conversation = learned()
    conversation.configure(rules=(Rule(CAMERA, "maker.example", "", Action.ALLOW),))
    assert raised(carried(conversation, 5000 * MB)) == []


def test_a_protected_device_of_an_earlier_version_learns_what_it_sends() -> None:
    conversation = Conversation()
    seen = learned(hours=0).judge.roster.devices[CAMERA].learning.learned
    progress = Progress(State.PROTECTED, observed=99 * HOUR)
    conversation.judge.restore(CAMERA, progress, seen, [(SERVER, CLOUD, 300, WALL_START)], conversation.now)
    for _ in range(ENOUGH):
        assert raised(carried(conversation, 500 * MB)) == []
        conversation.wait(HOUR)
    assert alerts(carried(conversation, 3000 * MB)) == [(Kind.UPLOAD, *MAKER, False)]


def test_what_is_usual_is_taken_up_again() -> None:
    before = learned(size=20 * MB).judge.roster.devices[CAMERA]
    conversation = Conversation()
    conversation.judge.restore(
        CAMERA, before.learning.progress, before.learning.learned, [(SERVER, CLOUD, 300, WALL_START)],
        conversation.now, usual=before.uploads.usual,
    )  # fmt: skip
    assert raised(carried(conversation, 79 * MB)) == []
    assert alerts(carried(conversation, 2 * MB)) == [(Kind.UPLOAD, *MAKER, False)]


def test_what_comes_in_through_a_forwarded_port_is_kept_apart_and_never_told() -> None:
    conversation = learned()
    effects = carried(conversation, 5000 * MB, address="203.0.113.99", inbound=True)
    assert volumes(effects)[0].destination == Destination(INCOMING, "web")
    assert raised(effects) == []


def test_what_is_forgotten_is_usual_no_more() -> None:
    conversation = learned(size=50 * MB)
    conversation.tell(DestinationForgotten(CAMERA, "maker.example", ""))
    assert alerts(carried(conversation, FLOOR + 1)) == [(Kind.UPLOAD, *MAKER, False)]


def test_a_device_that_takes_over_sends_as_the_one_before() -> None:
    conversation = learned(size=50 * MB)
    effects = conversation.tell(LearningTakenOver(PLUG, CAMERA))
    assert KeepUsual(PLUG, MAKER, Usual(ENOUGH, 50 * MB)) in effects
