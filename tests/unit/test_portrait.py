# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device has shown of itself, from several sources, as one piece of evidence."""

import json
from typing import Any

import pytest

from smartrouter.core.classification.evidence import Evidence
from smartrouter.core.classification.portrait import MAX_TEXTS, Portrait
from smartrouter.core.classification.signs import Announced, DhcpAsked, SynShape

MAC = "02:00:5e:00:53:2a"
START = 1_700_000_000.0
ASKED = DhcpAsked(MAC, 4, 3, "lamp", "udhcp 1.19", "", (1, 3, 6), "0102005e00532a", "192.168.1.9")
ASKED6 = DhcpAsked(MAC, 6, 1, "lamp.lan", "thing", "user", (23, 24), "0003000102005e00532a", "2001:db8::9")
ANNOUNCED = Announced("Lamp-1", ("_hap._tcp",), ("LCT015",), ("Kitchen Lamp",), ("aa:bb:cc:dd:ee:ff",))
LINUX, WINDOWS = SynShape(64, 29200, "MSTNW", 1460, 7), SynShape(128, 64240, "MNWNNS", 1460, 8)


def portrait(*told: Any) -> Portrait:
    made = Portrait(MAC)
    for sign in told:
        match sign:
            case DhcpAsked():
                made.asked(sign)
            case Announced():
                made.announced(sign)
            case SynShape():
                made.opened(sign, "", START)
    return made


def test_of_a_device_that_showed_nothing_there_is_its_mac_and_maker() -> None:
    assert portrait().evidence("Maker Inc.") == Evidence(MAC, maker="Maker Inc.")


def test_all_that_was_shown_is_evidence() -> None:
    made = portrait(ASKED, ANNOUNCED)
    made.opened(LINUX, "maker.example", START)
    made.named("www.maker.example", START)
    evidence = made.evidence("Maker Inc.")
    assert evidence[:11] == (
        MAC, "lamp", "Maker Inc.", "udhcp 1.19", "", (1, 3, 6), "0102005e00532a", ("_hap._tcp",), ("LCT015",),
        ("Kitchen Lamp",), LINUX,
    )  # fmt: skip
    assert evidence.behaviour is not None
    assert evidence.behaviour.attempts == 1


@pytest.mark.parametrize(
    ("told", "hostname"),
    [
        ([ANNOUNCED], "Lamp-1"),
        ([ANNOUNCED, ASKED6], "lamp.lan"),
        ([ASKED6, ASKED, ANNOUNCED], "lamp"),
        ([ASKED, ASKED._replace(hostname="lamp2")], "lamp2"),
        ([ASKED, ASKED._replace(hostname="")], "lamp"),
        ([ANNOUNCED, Announced("Lamp-2")], "Lamp-2"),
        ([ANNOUNCED, Announced()], "Lamp-1"),
        ([], ""),
    ],
)
def test_its_host_name_is_what_it_says_in_dhcp_before_what_it_announces(
    told: list[Any], hostname: str
) -> None:
    assert portrait(*told).hostname == portrait(*told).evidence("").hostname == hostname


def test_each_fact_is_the_latest_that_was_said_of_it() -> None:
    rebooted = DhcpAsked(MAC, 4, 1, "", "udhcp 1.20", "", (1, 3), "")
    assert portrait(ASKED, rebooted).evidence("")[1:7] == (
        "lamp", "", "udhcp 1.20", "", (1, 3), "0102005e00532a",
    )  # fmt: skip


def test_version_4_goes_before_6_and_parameters_of_6_are_none() -> None:
    assert portrait(ASKED6).evidence("")[1:7] == (
        "lamp.lan", "", "thing", "user", (), "0003000102005e00532a",
    )  # fmt: skip
    for told in ([ASKED, ASKED6], [ASKED6, ASKED]):
        assert portrait(*told).evidence("")[1:7] == (
            "lamp", "", "udhcp 1.19", "user", (1, 3, 6), "0102005e00532a",
        )  # fmt: skip


def test_announcements_add_up_the_oldest_out() -> None:
    made = portrait(*[Announced(services=(f"_s{n}._tcp",)) for n in range(MAX_TEXTS)])
    made.announced(Announced(services=("_s0._tcp", "_new._tcp")))
    services = made.evidence("").services
    assert len(services) == MAX_TEXTS
    assert services[-2:] == ("_s0._tcp", "_new._tcp")
    assert "_s1._tcp" not in services


def test_more_in_one_announcement_than_is_kept() -> None:
    made = portrait(Announced(models=tuple(map(str, range(100)))))
    assert made.evidence("").models == tuple(map(str, range(100 - MAX_TEXTS, 100)))


def test_its_stack_is_the_one_seen_most() -> None:
    assert portrait(WINDOWS, LINUX, LINUX).evidence("").stack == LINUX
    odd = [SynShape(255, window, "") for window in range(1000)]
    assert portrait(LINUX, LINUX, *odd).evidence("").stack == LINUX


def test_what_was_long_ago_does_not_count_for_ever() -> None:
    made = portrait(*[LINUX] * 10_000, *[WINDOWS] * 600)
    assert made.evidence("").stack == WINDOWS


def test_within_the_lan_only_the_shape_tells_anything() -> None:
    made = portrait(LINUX)
    assert made.evidence("").stack == LINUX
    assert made.evidence("").behaviour is None
    made.opened(None, "maker.example", START)
    assert made.evidence("").behaviour is not None


@pytest.mark.parametrize(
    ("told", "ids"),
    [
        ([], ()),
        ([ANNOUNCED], ("aa:bb:cc:dd:ee:ff",)),
        ([ASKED], ()),
        ([ANNOUNCED, ASKED6], ("aa:bb:cc:dd:ee:ff", "0003000102005e00532a")),
        ([ASKED._replace(client_id="ff" + "00000001" + "0003000102005e00532a")], ("0003000102005e00532a",)),
    ],
)
def test_what_stays_when_its_mac_changes(told: list[Any], ids: tuple[str, ...]) -> None:
    assert portrait(*told).ids == ids


def test_it_survives_being_stored() -> None:
    made = portrait(ASKED, ASKED6, ANNOUNCED, LINUX, LINUX, WINDOWS)
    made.opened(LINUX, "maker.example", START)
    made.named("graph.facebook.com", START)
    stored = json.dumps(made.to_json())
    assert "facebook" not in stored
    for again in (Portrait.from_json(json.loads(stored)), Portrait.from_json(json.loads(stored), MAC)):
        assert again.mac == MAC
        assert again.evidence("") == made.evidence("")
        assert (again.ids, again.hostname) == (made.ids, made.hostname)
        assert again.to_json() == made.to_json()


JUNK: list[Any] = [
    None, 7, "x", [], {"mac": 7}, {"dhcp4": [], "dhcp6": 7, "services": {}, "shapes": {}, "habits": "x"},
    {"dhcp4": {"hostname": 7, "params": [256.5, -1, 70000, "x"], "client_id": None}},
    {"services": [7, None, ["x"]], "shapes": [7, [], [1, 2, 3], ["x"] * 6, [1, 2, "M", 4, 5, -1]]},
    {"habits": {"span": "x", "hours": -1, "opened": 7, "asked": {"groups": [1.5, -1, 1 << 40]}}},
]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK)
def test_junk_is_like_nothing(junk: Any) -> None:
    assert Portrait.from_json(junk, MAC).evidence("") == Evidence(MAC)
    assert Portrait.from_json(junk).mac == ""


def test_what_is_stored_is_bounded_and_so_is_what_is_read_back() -> None:
    made = portrait(*[Announced("x" * 253, *[tuple(f"{n}" * 50 for n in range(100))] * 4)] * 3)
    for number in range(3000):
        made.named(f"host.made-up{number}.example", START)
        made.opened(SynShape(64, number, "M" * 40), f"203.0.{number >> 8}.{number & 255}", START)
    stored = made.to_json()
    assert len(json.dumps(stored)) < 40_000
    for key in ("services", "models", "names", "ids"):
        stored[key] *= 100
    stored["shapes"] = [[64, n, "M", 0, 0, 1] for n in range(10_000)]
    stored["habits"]["opened"]["groups"] = list(range(10_000))
    assert len(json.dumps(Portrait.from_json(stored).to_json())) < 40_000
