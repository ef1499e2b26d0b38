# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is there and who has gone, decided by what was heard and when."""

from math import inf

import pytest

from smartrouter.analyzer import presence as module
from smartrouter.analyzer.presence import DOUBT, SILENCE, Presence, Standing

HUE, PLUG = "00:17:88:00:00:01", "50:c7:bf:00:00:02"
NOW = 10_000.0
A, B = "192.168.1.20", "fd00::20"


@pytest.fixture
def presence() -> Presence:
    """One device that answered for A just now."""
    presence = Presence()
    presence.heard(HUE, A, "br-lan", NOW, NOW)
    assert presence.news() == [Standing(HUE, True, "")]
    return presence


def gone(presence: Presence) -> bool:
    news = presence.news()
    assert len(news) <= 1
    return news == [Standing(HUE, False, "")]


def test_what_merely_goes_on_is_no_news(presence: Presence) -> None:
    presence.heard(HUE, A, "br-lan", NOW + 60, NOW + 60)
    presence.heard(HUE, B, "br-lan", NOW + 60, NOW + 60)
    assert presence.news() == []
    assert presence.count() == 1


def test_who_answers_for_no_address_has_gone(presence: Presence) -> None:
    presence.lost(A, "br-lan", True, NOW + 40)
    assert gone(presence)
    presence.lost(A, "br-lan", True, NOW + 41)
    assert presence.news() == []


def test_who_answered_for_another_just_now_is_there(presence: Presence) -> None:
    presence.heard(HUE, B, "br-lan", NOW + 40 - DOUBT / 2, NOW + 40)
    presence.lost(A, "br-lan", True, NOW + 40)
    assert presence.news() == []


def test_who_answered_for_another_long_ago_has_gone(presence: Presence) -> None:
    presence.heard(HUE, B, "br-lan", NOW + 10, NOW + 10)
    presence.lost(A, "br-lan", True, NOW + 11 + DOUBT)
    assert gone(presence)


def test_what_the_kernel_forgets_to_make_room_says_nothing(presence: Presence) -> None:
    presence.lost(A, "br-lan", False, NOW + 40)
    assert presence.news() == []
    presence.lost(A, "br-lan", True, NOW + 41)  # nobody knows whose it was
    assert presence.news() == []


def test_an_address_that_another_has_taken_over_is_not_its_loss(presence: Presence) -> None:
    presence.heard(PLUG, A, "br-lan", NOW + 1, NOW + 1)
    assert presence.news() == [Standing(PLUG, True, "")]
    presence.lost(A, "br-lan", True, NOW + 60)
    assert presence.news() == [Standing(PLUG, False, "")]


def test_a_silent_one_has_gone_and_is_back_with_its_first_word(presence: Presence) -> None:
    presence.pass_time(NOW + SILENCE)
    assert presence.news() == []
    presence.pass_time(NOW + SILENCE + 1)
    assert gone(presence)
    presence.heard(HUE, A, "br-lan", NOW, NOW + SILENCE + 2)  # the table still has the old entry
    assert presence.news() == []
    presence.heard(HUE, A, "br-lan", NOW + SILENCE + 3, NOW + SILENCE + 3)
    assert presence.news() == [Standing(HUE, True, "")]


def test_an_old_entry_of_the_table_is_a_device_that_is_away() -> None:
    presence = Presence()
    presence.heard(HUE, A, "br-lan", NOW - SILENCE - 1, NOW)
    assert gone(presence)


@pytest.mark.parametrize("link", ["lan1", "br-lan"])
def test_nobody_is_behind_a_link_that_is_down(presence: Presence, link: str) -> None:
    presence.located(HUE, "lan1", NOW, NOW)
    presence.heard(PLUG, "192.168.9.1", "br-iot", NOW, NOW)
    presence.news()
    presence.went_down("lan7", NOW + 1)
    assert presence.news() == []
    presence.went_down(link, NOW + 1)
    assert presence.news() == [Standing(HUE, False, "lan1")]
    presence.located(HUE, "lan2", NOW + 5, NOW + 5)
    assert presence.news() == [Standing(HUE, True, "lan2")]


def test_a_sign_of_life_that_is_told_behind_a_loss_is_younger_than_that(presence: Presence) -> None:
    presence.located(HUE, "lan1", NOW, NOW)
    presence.news()
    presence.went_down("lan1", NOW)
    presence.heard(HUE, A, "br-lan", NOW - 0.01, NOW)  # it stands in the table, from before
    assert presence.news() == [Standing(HUE, False, "lan1")]
    presence.heard(HUE, A, "br-lan", NOW - 30, NOW, live=True)  # the kernel begins to doubt it
    assert presence.news() == []
    presence.heard(HUE, A, "br-lan", NOW - 0.01, NOW, live=True)
    assert presence.news() == [Standing(HUE, True, "lan1")]


def test_an_entry_that_is_left_of_where_it_was_before_does_not_take_it_back(presence: Presence) -> None:
    """The kernel keeps both, and gives them in any order each time that it is asked for all."""
    assert presence.heard(HUE, "192.168.9.1", "br-iot", NOW + 30, NOW + 30, live=True)
    assert not presence.heard(HUE, A, "br-lan", NOW, NOW + 60)
    assert presence.heard(HUE, "192.168.9.1", "br-iot", NOW + 30, NOW + 60)
    presence.news()
    presence.lost("192.168.9.1", "br-iot", failed=True, now=NOW + 90)
    (gone,) = presence.news()  # so this was the last address that it had
    assert not gone.present
    assert presence.heard(HUE, A, "br-lan", NOW + 100, NOW + 100, live=True)


def test_its_port_may_be_known_before_the_device() -> None:
    presence = Presence()
    presence.located(HUE, "lan1", NOW, NOW)
    assert presence.news() == []
    presence.heard(HUE, A, "br-lan", NOW, NOW)
    assert presence.news() == [Standing(HUE, True, "lan1")]
    presence.located(HUE, "lan3", NOW - 60, NOW + 1)  # an old entry of another bridge
    assert presence.news() == []


def test_a_place_without_a_time_is_a_place_and_no_sign_of_life(presence: Presence) -> None:
    presence.lost(A, "br-lan", True, NOW + 40)
    presence.located(HUE, "lan1", -inf, NOW + 41)
    assert presence.news() == [Standing(HUE, False, "lan1")]
    presence.located(HUE, "lan2", NOW + 42, NOW + 42)
    presence.located(HUE, "lan1", -inf, NOW + 43)
    assert presence.news() == [Standing(HUE, True, "lan2")]


def test_a_frame_on_the_bridge_is_a_sign_of_life_too(presence: Presence) -> None:
    presence.located(HUE, "lan1", NOW + SILENCE, NOW + SILENCE)
    presence.news()
    presence.pass_time(NOW + SILENCE + 60)
    assert presence.news() == []


def test_a_lease_is_a_sign_of_life_and_its_end_one_of_the_contrary() -> None:
    presence = Presence()
    presence.leased(HUE, A, "br-lan", NOW)
    assert presence.news() == [Standing(HUE, True, "")]
    presence.released(HUE, A, NOW + 1)
    assert gone(presence)
    presence.released(PLUG, A, NOW + 1)
    assert presence.news() == []


def test_another_lease_in_place_of_the_old_is_no_departure() -> None:
    presence = Presence()
    presence.leased(HUE, A, "br-lan", NOW)
    presence.leased(HUE, "192.168.1.21", "br-lan", NOW + 1)
    presence.news()
    presence.released(HUE, A, NOW + 1)
    assert presence.news() == []


def test_a_lease_of_which_nobody_knows_since_when_is_no_sign_of_life(presence: Presence) -> None:
    presence.remembered(HUE, "br-lan")
    assert presence.news() == []
    presence.remembered(PLUG, "br-lan")
    assert presence.news() == [Standing(PLUG, False, "")]


def test_what_a_hostile_network_can_make_grow_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_DEVICES", 10)
    monkeypatch.setattr(module, "MAX_ADDRESSES", 3)
    monkeypatch.setattr(module, "_MAX_PLACES", 20)
    presence = Presence()
    for number in range(100):
        presence.heard(
            f"02:00:00:00:00:{number:02x}", f"10.0.0.{number}", "br-lan", NOW + number, NOW + number
        )
        presence.heard(HUE, f"10.0.1.{number}", "br-lan", NOW + number, NOW + number)
        presence.located(f"02:00:00:00:00:{number:02x}", "lan1", NOW, NOW)
    assert presence.count() == 10
    assert len(presence.news()) == 10
    assert len(presence._macs) <= 3 * 10
    assert len(presence._places) == 20


def test_who_is_known_by_a_lease_alone_has_gone_with_the_interface() -> None:
    presence = Presence()
    presence.leased(HUE, A, "br-lan", NOW)
    assert [(each.mac, each.present) for each in presence.news()] == [(HUE, True)]
    presence.went_down("br-lan", NOW + 1)
    assert [(each.mac, each.present) for each in presence.news()] == [(HUE, False)]
