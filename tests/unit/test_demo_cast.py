# SPDX-License-Identifier: GPL-2.0-or-later
"""What the demonstration says where it cannot run, and that its cast is consistent."""

import os

import pytest

from smartrouter.core.classification import Evidence, classify
from smartrouter.lab.demo import main
from smartrouter.lab.devices import NAMES, PHONE, STRANGER, WATCHED, Habit
from smartrouter.makers import Makers


def test_whoever_is_not_root_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["--quick"]) == 2
    assert "run it as root" in capsys.readouterr().err


def test_missing_programs_are_named_with_their_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "")
    assert main(["--quick"]) == 2
    said = capsys.readouterr().err
    assert "needs ip, nft, dnsmasq" in said
    assert "apt-get install iproute2 nftables dnsmasq-base" in said


@pytest.mark.parametrize("habit", [h for model in (*WATCHED, PHONE) for h in model.habits] + [STRANGER])
def test_every_name_that_a_device_uses_leads_to_ipv4_and_ipv6_addresses(habit: Habit) -> None:
    name = habit.name
    while len(NAMES[name]) == 1:
        name = NAMES[name][0]
    assert {":" in address for address in NAMES[name]} == {True, False}


def test_the_appliances_are_known_as_such_and_the_phone_is_not() -> None:
    maker_of = Makers().of
    kinds = {m.key: classify(Evidence(m.mac, m.hostname, maker_of(m.mac))).iot for m in (*WATCHED, PHONE)}
    assert kinds == {"camera": True, "plug": True, "tv": True, "phone": False}
