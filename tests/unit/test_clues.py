# SPDX-License-Identifier: GPL-2.0-or-later
"""Which clues there are in what a device shows, each by a table."""

import pytest

from smartrouter.core.classification import (
    Evidence,
    behaviour,
    dhcp,
    hostnames,
    options,
    origin,
    services,
    stacks,
)
from smartrouter.core.classification.clue import LONGEST, plain, shown
from smartrouter.core.classification.clues import BETWEEN, MEANINGS, clues
from smartrouter.core.classification.signs import Behaviour, SynShape
from smartrouter.core.classification.weights import WEIGHTS

MAC = "5c:cf:7f:07:ae:fb"


@pytest.mark.parametrize(
    ("hostname", "feature"),
    [
        ("DESKTOP-V1FA0UQ", "name.windows"),
        ("WIN-AB1CD2EF3GH", "name.windows"),
        ("user-PC", "name.windows"),
        ("android-f7ca0f571270c52d", "name.android"),
        ("android_1029384756abcdef", "name.android"),
        ("amazon-311088f7e", "name.amazon"),
        ("amazon-warehouse", ""),
        ("user-iPhone", "name.personal"),
        ("Galaxy-S23", "name.personal"),
        ("MacBookPro", "name.personal"),
        ("Pixel-6.home.lan", "name.personal"),
        ("ubuntu", "name.computer"),
        ("office-pc", "name.computer"),
        ("Philips-hue", "name.product"),
        ("RokuPremiere", "name.product"),
        ("Meross_Smart_Garage", "name.product"),
        ("LGwebOSTV", "name.product"),
        ("living-room-tv", "name.appliance"),
        ("cam2", "name.appliance"),
        ("mysmartplug2", "name.appliance"),
        ("BRW0080927AFBCE", "name.appliance"),
        ("ESP_07AEF0", "name.module"),
        ("HF-LPB100", "name.module"),
        ("DCS-935L", "name.model"),
        ("HS100(EU)", "name.model"),
        ("AMC020SC43PJ749D66", "name.model"),
        ("09AA01AC341506P7", "name.model"),
        ("Living-Room", "name.room"),
        ("Schlafzimmer", "name.room"),
        ("kitchen 2", "name.room"),
        ("SEP00112233AABB", "name.telephone"),
        ("MikroTik", "name.network"),
        ("DIR-615", "name.network"),
        ("WRT54G", "name.network"),
        ("TL-WR841N", "name.network"),
        ("DiskStation", "name.server"),
        ("PS4-123", "name.console"),
        ("camilla", ""),
        ("bring-it", ""),
        ("user", ""),
        ("d002465", ""),
        ("\0", ""),
    ],
)
def test_a_host_name_is_of_one_kind(hostname: str, feature: str) -> None:
    assert [clue.feature for clue in hostnames.clues(hostname, MAC, "")] == ([feature] if feature else [])


@pytest.mark.parametrize(
    ("hostname", "mac", "has"),
    [
        ("ESP_07AEFB", MAC, True),
        ("shelly1-07-ae-fb", MAC, True),
        ("hubv2-24fd5b0000041b7f", "24:fd:5b:04:1b:75", True),
        ("ESP_07AEFB", "5c:cf:7f:00:00:01", False),
        ("ESP_07AEFB", "", False),
    ],
)
def test_a_name_with_the_devices_own_mac_is_told(hostname: str, mac: str, has: bool) -> None:
    assert ("name.own-mac" in {clue.feature for clue in hostnames.clues(hostname, mac, "")}) is has


def test_a_name_that_is_the_makers_is_told_if_it_makes_things() -> None:
    assert [c.feature for c in hostnames.clues("Miniserver", MAC, "Miniserver Electronics")] == ["name.maker"]
    assert not list(hostnames.clues("dell", MAC, "Dell Inc."))


@pytest.mark.parametrize(
    ("vendor_class", "feature"),
    [
        ("udhcp 1.19.4", "client.udhcp"),
        ("MSFT 5.0", "client.windows"),
        ("MSFT 98", "client.windows"),
        ("MSFT 5.0 XBOX", "client.console"),
        ("android-dhcp-9", "client.android"),
        ("dhcpcd-5.5.6", "client.dhcpcd"),
        ("dhcpcd 4.0.15", "client.dhcpcd"),
        ("dhcpcd-5.2.10:Linux-3.0.31:armv7l:SMDK4x12", "client.dhcpcd"),
        ("dhcpcd-6.8.2:Linux-4.4.22+:armv7l:MT8167B", "client.dhcpcd-board"),
        ("dhcpcd-9.4.1:Linux-5.15.12:x86_64:GenuineIntel", "client.dhcpcd-pc"),
        ("Linux 2.6.17-gentoo-r7 i686", "client.dhcpcd-pc"),
        ("Linux 2.6.18 mips", "client.dhcpcd-board"),
        ("SUNW.Sun-Blade-100", "client.personal"),
        ("PXEClient:Arch:00000:UNDI:002001", "client.boot"),
        ("AAPLBSDPC/i386/iMac4,1", "client.apple"),
        ("Cisco Systems, Inc. IP Phone CP-7960", "client.telephone"),
        ("HP J9280A ProCurve Switch 2510G-48", "client.network"),
        ("Hewlett-Packard JetDirect", "client.appliance"),
        ("Withings00", "client.appliance"),
        ("xyzzy", "client.other"),
    ],
)
def test_a_dhcp_client_is_known_by_its_vendor_class(vendor_class: str, feature: str) -> None:
    assert [clue.feature for clue in dhcp.clues(vendor_class, "")] == [feature]


def test_microsofts_user_classes_are_known() -> None:
    assert [clue.feature for clue in dhcp.clues("", "RRAS.Microsoft")] == ["user.windows"]
    assert not list(dhcp.clues("", "iPXE"))


@pytest.mark.parametrize(
    ("params", "feature"),
    [
        ((1, 3, 6, 12, 15, 28, 42), "options.busybox"),
        ((1, 3, 6, 12, 15, 28, 44), "options.busybox"),
        ((1, 3, 4, 5, 6, 12, 15, 28, 42), "options.busybox"),
        ((1, 3, 28, 6), "options.lwip"),
        ((1, 3, 28, 6, 42), "options.lwip"),
        ((1, 3, 28, 6, 15, 44, 46, 47, 31, 33, 121, 43), "options.esp"),
        ((1, 15, 3, 6, 44, 46, 47, 31, 33, 43), "options.windows"),
        ((1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252), "options.windows"),
        ((1, 3, 6, 15, 44, 46, 47, 57), "options.windows"),
        ((1, 121, 3, 6, 15, 119, 252, 95, 44, 46), "options.macos"),
        ((1, 3, 6, 15, 112, 113, 78, 79, 95), "options.macos"),
        ((1, 121, 3, 6, 15, 119, 252), "options.apple"),
        ((1, 121, 3, 6, 15, 108, 114, 119, 162, 252), "options.apple"),
        ((1, 3, 6, 15, 119, 252), "options.apple"),
        ((1, 28, 2, 3, 15, 6, 12, 150), "options.dhclient"),
        ((1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42), "options.dhclient"),
        ((1, 2, 6, 12, 15, 26, 28, 121, 3, 33, 40, 41, 42, 119, 249, 252, 17), "options.networkmanager"),
        ((1, 3, 12, 15, 6), "options.systemd"),
        ((1, 33, 3, 6, 15, 28, 51, 58, 59), "options.dhcpcd-android"),
        ((1, 121, 33, 3, 6, 12, 15, 26, 28, 51, 54, 58, 59, 119, 252), "options.dhcpcd"),
        ((1, 3, 6, 15, 26, 28, 51, 58, 59, 43), "options.android"),
        ((252, 3, 42, 15, 6, 1, 12), "options.connman"),
        ((6, 3, 1, 15, 66, 67, 13, 44), "options.printer"),
        ((1, 66, 6, 3, 15, 150, 35), "options.telephone"),
    ],
)
def test_a_family_of_clients_is_known_by_what_it_asks_for(params: tuple[int, ...], feature: str) -> None:
    assert [clue.feature for clue in options.clues(params)] == [feature]


def test_of_an_unknown_list_each_part_counts() -> None:
    features = {clue.feature for clue in options.clues((1, 3, 6, 15))}
    assert features == {"asks.few", "asks.ascending"}
    features = {clue.feature for clue in options.clues((6, 3, 1, 67, 119, 47, 59, 12, 7, 33))}
    assert features == {
        "asks.boot-file", "asks.search", "asks.netbios", "asks.lease-times", "asks.own-name", "asks.ancient",
        "asks.routes",
    }  # fmt: skip
    assert not list(options.clues(()))


def test_a_clients_usual_list_is_no_second_witness() -> None:
    evidence = Evidence("", vendor_class="udhcp 1.19.4", params=(1, 3, 6, 12, 15, 28, 42))
    assert [clue.feature for clue in clues(evidence)] == ["client.udhcp"]
    liar = evidence._replace(vendor_class="MSFT 5.0")
    assert [clue.feature for clue in clues(liar)] == ["client.windows-unlike", "options.busybox"]


@pytest.mark.parametrize(
    ("mac", "maker", "feature"),
    [
        (MAC, "Espressif Inc.", "maker.modules-of-things"),
        (MAC, "Dell Inc.", "maker.computers"),
        (MAC, "VMware, Inc.", "maker.virtual"),
        (MAC, "Apple, Inc.", "maker.mixed"),
        (MAC, "Nintendo Co.,Ltd", "maker.consoles"),
        (MAC, "Sony Interactive Entertainment Inc.", "maker.consoles"),
        (MAC, "Raspberry Pi Trading Ltd", "maker.servers"),
        (MAC, "Polycom", "maker.telephones"),
        (MAC, "Xyzzy Ltd.", "mac.unknown"),
        ("42:b4:44:b4:f0:ee", "", "mac.random"),
        (MAC, "", ""),
        ("", "", ""),
        ("52:54:00:12:34:56", "", "maker.virtual"),
        ("00:15:5d:12:34:56", "Microsoft Corporation", "maker.virtual"),
        ("00:00:00:00:00:01", "Xerox Corporation", ""),
        ("00:11:22:33:44:55", "CIMSYS Inc", ""),
    ],
)
def test_a_mac_tells_its_maker(mac: str, maker: str, feature: str) -> None:
    assert [clue.feature for clue in origin.clues(mac, maker)] == ([feature] if feature else [])


@pytest.mark.parametrize(
    ("announced", "models", "features"),
    [
        (("_hap._tcp", "_hue._tcp"), (), ["announces.appliance"]),
        (("_airplay._tcp", "_rdlink._tcp"), (), ["announces.media", "announces.personal"]),
        (("_airplay._tcp",), ("AppleTV6,2",), ["announces.media", "model.appliance"]),
        (("_airplay._tcp",), ("MacBookPro18,3",), ["announces.media", "model.personal"]),
        (("roku:ecp",), (), ["announces.appliance"]),
        (("urn:schemas-upnp-org:device:InternetGatewayDevice:1",), (), ["announces.network"]),
        (("_http._tcp", "upnp:rootdevice"), ("Linux/3.14 UPnP/1.0",), []),
        ((), ("Microsoft-Windows/10.0 UPnP/1.0",), ["model.personal"]),
        ((), ("SmartPlug 2",), ["model.appliance"]),
    ],
)  # fmt: skip
def test_announcements_tell_things_from_computers(
    announced: tuple[str, ...], models: tuple[str, ...], features: list[str]
) -> None:
    assert [clue.feature for clue in services.clues(announced, models)] == features


@pytest.mark.parametrize(
    ("shape", "feature"),
    [
        (SynShape(128, 64240, "MNWNNS", 1460, 8), "stack.windows"),
        (SynShape(128, 65535, "MNNS", 1460), "stack.windows"),
        (SynShape(64, 65535, "MNWNNTSEE", 1460, 6), "stack.apple"),
        (SynShape(64, 65535, "MSTNW", 1460, 7), "stack.android"),
        (SynShape(64, 29200, "MSTNW", 1460, 7), "stack.linux"),
        (SynShape(64, 5840, "MSTNW", 1460, 1), "stack.old-linux"),
        (SynShape(255, 5744, "M", 1440), "stack.small"),
        (SynShape(255, 65535, "MNW", 1436, 3), "stack.small"),
        (SynShape(128, 2920, "M", 1460), "stack.small"),
        (SynShape(64, 5744, "MNNS", 1440), "stack.small"),
        (SynShape(64, 8688, "MNWNNT", 1460, 0), ""),
        (SynShape(64, 1024, "M", 1460), ""),
        (SynShape(64, 8192, ""), ""),
        (None, ""),
    ],
)
def test_a_syn_tells_the_system(shape: SynShape | None, feature: str) -> None:
    assert [clue.feature for clue in stacks.clues(shape)] == ([feature] if feature else [])


@pytest.mark.parametrize(
    ("conduct", "features"),
    [
        (Behaviour(345600.0, 96, 900, 3, 3, 0, 0.99), {"goes.few", "goes.steadily"}),
        (Behaviour(86400.0, 12, 4000, 260, 90, 9, 0.85), {"goes.many", "goes.many-at-once", "goes.personal"}),
        (Behaviour(60.0, 1, 3, 3, 3, 0, 0.0), set()),
        (Behaviour(60.0, 1, 3, 3, 3, 1, 0.0), {"goes.personal"}),
        (Behaviour(86400.0, 12, 40, 20, 8, 0, 0.5), set()),
        (None, set()),
    ],
)
def test_conduct_tells_whether_somebody_browses(conduct: Behaviour | None, features: set[str]) -> None:
    assert {clue.feature for clue in behaviour.clues(conduct)} == features


def test_what_is_seen_of_conduct_grows_with_time() -> None:
    early = next(behaviour.clues(Behaviour(3600.0, 1, 40, 3, 3, 0, 0.9)))
    late = next(behaviour.clues(Behaviour(345600.0, 96, 40, 3, 3, 0, 0.8)))
    assert early.strength < late.strength == 1.0
    assert late.phrase == "3 destinations in 4 days"


def test_what_is_in_between_makes_all_clues_weaker() -> None:
    router = clues(Evidence("", "OpenWrt", "", "udhcp 1.30.1"))
    plug = clues(Evidence("", "plug", "", "udhcp 1.30.1"))
    assert {clue.strength for clue in router} == {0.25}
    assert {clue.strength for clue in plug} == {1.0}


def test_every_clue_has_a_meaning_and_a_weight() -> None:
    assert set(WEIGHTS) == set(MEANINGS)
    assert set(MEANINGS) >= BETWEEN


def test_a_devices_own_words_are_inert() -> None:
    assert shown("hue") == "`hue`"
    assert shown("\x1b[31m`$(reboot)`\n") == "`\\x1b[31m\\x60$(reboot)\\x60\\n`"
    assert shown("x" * 300) == "`" + "x" * (LONGEST - 1) + "…`"
    assert shown("\u202egnp.exe") == "`\\u202egnp.exe`"
    assert plain("Signify B.V.") == "Signify B.V."
    assert plain("a\nb") == "`a\\nb`"
