# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversations with somebody who means harm, and about devices that come while the guard runs."""

import pytest
from playbook.conversation import (
    CAMERA,
    CAMERA_ADDRESS,
    ENFORCE,
    PLUG,
    Conversation,
    verdict,
    watched,
)

from smartrouter.core.effects import (
    AdmitReplies,
    DismissReplies,
    Effect,
    Enforce,
    Relax,
    Unwatch,
    Watch,
)
from smartrouter.core.events import UDP, DestinationForgotten, DeviceSeen
from smartrouter.core.naming import MAX_CLIENTS
from smartrouter.core.policy import DeviceSettings, NewDevices, Reason, Watching
from smartrouter.core.roster import MAX_DEVICES

CLOUD, OTHER = "203.0.113.10", "203.0.113.99"
NEWCOMER = "02:11:22:33:44:55"


def made_up(number: int) -> str:
    return f"02:00:00:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


class KernelSets:
    """What the kernel's sets hold after all effects so far, in their order."""

    def __init__(self) -> None:
        self.watched: set[str] = set()
        self.enforced: set[str] = set()
        self.clients: set[str] = set()
        self.most_clients = 0

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Watch():
                    self.watched.add(effect.mac)
                case Unwatch():
                    self.watched.discard(effect.mac)
                case Enforce():
                    self.enforced.add(effect.mac)
                case Relax():
                    self.enforced.discard(effect.mac)
                case AdmitReplies():
                    self.clients.add(effect.address)
                case DismissReplies():
                    self.clients.discard(effect.address)
                case _:
                    pass
        self.most_clients = max(self.most_clients, len(self.clients))


# -- devices that come while the guard runs --------------------------------------------------------------


@pytest.mark.parametrize("policy", [NewDevices.LEARN, NewDevices.ISOLATE])
def test_new_device_that_discovery_cannot_tell_reaches_the_kernels_sets(policy: NewDevices) -> None:
    talk = Conversation(mode=ENFORCE, new_devices=policy)
    sets = KernelSets()
    sets.take(talk.tell(DeviceSeen(NEWCOMER, None, False, "", "")))
    assert (sets.watched, sets.enforced) == ({NEWCOMER}, {NEWCOMER})
    sets.take(talk.tell(DeviceSeen(NEWCOMER, False, False, "pc", "")))
    assert (sets.watched, sets.enforced) == (set(), set())


def test_device_that_is_configured_while_the_guard_runs_reaches_the_kernels_sets() -> None:
    talk = Conversation(mode=ENFORCE)
    sets = KernelSets()
    sets.take(talk.configure(devices=watched(CAMERA, PLUG, NEWCOMER)))
    assert (sets.watched, sets.enforced) == ({NEWCOMER}, {NEWCOMER})


def test_device_whose_packet_tells_of_it_first_is_enforced_in_the_kernel_too() -> None:
    talk = Conversation(mode=ENFORCE)
    sets = KernelSets()
    sets.take(talk.connect(OTHER, mac=NEWCOMER))
    assert NEWCOMER in sets.enforced


def test_forgetting_something_of_a_stranger_makes_no_device() -> None:
    talk = Conversation()
    assert talk.tell(DestinationForgotten(NEWCOMER, "*", "")) == []
    assert NEWCOMER not in talk.judge.roster.devices


def test_replies_to_a_device_that_is_watched_no_more_are_in_no_queue() -> None:
    talk = Conversation()
    sets = KernelSets()
    sets.take(talk.ask("cloud.example"))
    assert sets.clients == {CAMERA_ADDRESS}
    never = {CAMERA: DeviceSettings(CAMERA, watch=Watching.NEVER)}
    sets.take(talk.configure(devices=never))
    assert sets.clients == set()
    sets.take(talk.configure(devices=watched(CAMERA)))
    sets.take(talk.ask("cloud.example"))
    assert sets.clients == {CAMERA_ADDRESS}


# -- one device against another --------------------------------------------------------------------------


def test_query_in_anothers_name_does_not_take_its_answer() -> None:
    talk = Conversation(mode=ENFORCE)
    talk.resolve("cloud.example", CLOUD)
    talk.connect(CLOUD)
    talk.protect()
    talk.ask("cloud.example")
    talk.ask("cloud.example", mac=PLUG)  # from the camera's address and port, with its id
    talk.ask("elsewhere.example", mac=PLUG)
    talk.answer("cloud.example", OTHER)
    assert verdict(talk.connect(OTHER)) == (True, Reason.LEARNED)


def test_flood_of_random_macs_fills_no_set_of_the_kernel() -> None:
    """Fewer addresses than `dns_clients4` has room for (see the ruleset), at any moment."""
    talk = Conversation(mode=ENFORCE)
    sets = KernelSets()
    for number in range(MAX_DEVICES + 100):
        for client in range(MAX_CLIENTS):
            address = f"10.{number >> 8}.{number & 255}.{client}"
            sets.take(talk.ask("flood.example", mac=made_up(number), client=address))
    assert sets.most_clients <= (MAX_DEVICES + 1) * MAX_CLIENTS
    assert len(sets.watched | sets.enforced) <= MAX_DEVICES + 1


def test_flood_of_random_macs_pushes_out_no_device_that_has_been_learning() -> None:
    lodger = "02:99:00:00:00:01"
    talk = Conversation(mode=ENFORCE, learning=14 * 86400.0)
    for _ in range(3):
        talk.resolve("cloud.example", CLOUD, mac=lodger, client="192.168.78.9")
        talk.connect(CLOUD, mac=lodger)
        talk.wait(3600.0)
    before = talk.judge.roster.devices[lodger].learning.progress
    for number in range(MAX_DEVICES + 100):
        talk.connect(OTHER, mac=made_up(number), protocol=UDP)
    assert talk.judge.roster.devices[lodger].learning.progress == before
    assert verdict(talk.connect(CLOUD, mac=lodger)).reason is Reason.LEARNED
