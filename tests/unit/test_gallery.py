# SPDX-License-Identifier: GPL-2.0-or-later
"""What is made of the packets that were overheard."""

from base64 import b64encode

import pytest
from scapy.layers.inet import IP, TCP
from unit.made_dhcp import dhcp, option
from unit.made_messages import PTR, message, name, record
from unit.made_traffic import asking

from smartrouter.analyzer import gallery as module
from smartrouter.analyzer.gallery import Gallery

CAMERA, PLUG = "3c:2e:ff:29:4d:93", "50:c7:bf:00:fc:a3"
NOW = 1_790_000_000.0
SSDP = b"""NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nNT: urn:schemas-upnp-org:device:Basic:1\r
NTS: ssdp:alive\r\nSERVER: Linux/3.14 UPnP/1.0 IpBridge/1.56\r\nUSN: uuid:2f402f80-da50-11e1\r\n\r\n"""


def said(vendor_class: str, *params: int, mac: str = CAMERA) -> bytes:
    return dhcp(option(12, b"cam"), option(60, vendor_class.encode()), option(55, bytes(params)), mac=mac)


BUSYBOX = said("udhcp 1.19.4", 1, 3, 6, 12, 15, 28, 42)
WINDOWS = said("MSFT 5.0", 1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 121, 249, 252)
SERVICE = message([], [record("_hap._tcp.local", PTR, name("Lamp._hap._tcp.local"))])


def everybody(_mac: str) -> bool:
    return True


def syn(destination: str = "203.0.113.9", ttl: int = 64) -> bytes:
    options = [("MSS", 1460)]
    return bytes(IP(src="192.168.1.2", dst=destination, ttl=ttl) / TCP(dport=443, flags="S", options=options))


def hear(gallery: Gallery, what: str, *packets: bytes, mac: str = CAMERA, at: float = NOW) -> None:
    gallery.heard([[mac, what, b64encode(packet).decode()] for packet in packets], at)


def test_every_sort_of_packet_adds_to_the_portrait() -> None:
    gallery = Gallery()
    hear(gallery, "dhcp", BUSYBOX)
    hear(gallery, "mdns", SERVICE)
    hear(gallery, "ssdp", SSDP)
    hear(gallery, "syn", syn("93.184.216.34"))
    hear(gallery, "dns", asking("api.cam.example"))
    portrait = gallery.of(CAMERA)
    assert portrait is not None
    evidence = portrait.evidence("D-Link")
    assert (evidence.hostname, evidence.vendor_class, evidence.maker) == ("cam", "udhcp 1.19.4", "D-Link")
    assert {"_hap._tcp", "urn:schemas-upnp-org:device:Basic:1"} <= {*evidence.services}
    assert evidence.stack is not None
    assert (evidence.stack.ttl, evidence.stack.options) == (64, "M")
    assert evidence.behaviour is not None
    assert evidence.behaviour.groups == 2  # the address it connected to, before it had asked for any name
    assert gallery.changed() == [CAMERA]
    assert gallery.changed() == []


def test_where_a_device_connects_to_says_nothing_once_it_asks_for_names() -> None:
    gallery = Gallery()
    hear(gallery, "dns", asking("api.cam.example"))
    hear(gallery, "syn", syn(), syn("192.168.1.9"))
    portrait = gallery.of(CAMERA)
    assert portrait is not None
    behaviour = portrait.evidence("").behaviour
    assert behaviour is not None
    assert behaviour.groups == 1


def test_dhcp_in_anothers_name_says_nothing_of_either() -> None:
    gallery = Gallery()
    hear(gallery, "dhcp", said("MSFT 5.0", 1, 3, mac=PLUG))
    assert gallery.of(CAMERA) is None
    assert gallery.of(PLUG) is None


@pytest.mark.parametrize(
    "packet",
    [
        None, [], [CAMERA], [CAMERA, "dhcp", 7], [CAMERA, "dhcp", "no base64!"], [CAMERA, "fax", "AAAA"],
        [CAMERA, "dhcp", "AAAA"], [CAMERA, "mdns", "AAAA"], [CAMERA, "syn", "RQ=="], [CAMERA, "dns", "AAAA"],
    ],
)  # fmt: skip
def test_junk_says_nothing(packet: object) -> None:
    gallery = Gallery()
    gallery.heard([packet], NOW)
    assert gallery.changed() == []


def test_a_question_to_the_neighbours_is_no_announcement() -> None:
    gallery = Gallery()
    hear(gallery, "mdns", asking("x.local"))
    assert gallery.changed() == []


def test_another_system_under_the_mac_is_a_doubt() -> None:
    gallery = Gallery()
    hear(gallery, "dhcp", BUSYBOX)
    assert gallery.doubts() == []
    hear(gallery, "dhcp", WINDOWS)
    [(mac, detail)] = gallery.doubts()
    assert mac == CAMERA
    assert "MSFT 5.0" in detail
    assert gallery.doubts() == []


def test_so_are_connections_that_begin_otherwise() -> None:
    gallery = Gallery()
    hear(gallery, "syn", syn())
    hear(gallery, "syn", *[syn(ttl=128)] * 3)
    assert [mac for mac, _ in gallery.doubts()] == [CAMERA]


def test_what_was_shown_outlasts_the_process() -> None:
    gallery, again = Gallery(), Gallery()
    hear(gallery, "dhcp", BUSYBOX)
    unsaved = gallery.unsaved(everybody)
    gallery.saved(unsaved)
    assert gallery.unsaved(everybody) == {}
    again.restore(unsaved)
    assert again.changed() == [CAMERA]
    portrait = again.of(CAMERA)
    assert portrait is not None
    assert portrait.hostname == "cam"
    hear(again, "dhcp", WINDOWS)
    assert again.doubts()


def test_what_a_device_shows_before_it_is_found_is_kept_once_it_is() -> None:
    gallery = Gallery()
    hear(gallery, "dhcp", BUSYBOX)
    assert gallery.unsaved(lambda _: False) == {}
    assert list(gallery.unsaved(everybody)) == [CAMERA]


@pytest.mark.parametrize("stored", ["", "no JSON", "[]", '{"portrait": 7, "systems": []}'])
def test_junk_in_the_store_does_no_harm(stored: str) -> None:
    gallery = Gallery()
    gallery.restore({CAMERA: stored})
    portrait = gallery.of(CAMERA)
    assert portrait is None or portrait.hostname == ""


def test_what_is_known_already_is_not_overwritten_by_what_was_kept() -> None:
    gallery = Gallery()
    hear(gallery, "dhcp", BUSYBOX)
    gallery.restore({CAMERA: '{"portrait": {}, "systems": {}}'})
    portrait = gallery.of(CAMERA)
    assert portrait is not None
    assert portrait.hostname == "cam"


def test_made_up_macs_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PORTRAITS", 5)
    gallery = Gallery()
    for number in range(20):
        hear(gallery, "mdns", SERVICE, mac=f"02:00:00:00:00:{number:02x}")
    assert len(gallery._sitters) == 5
    gallery.saved(gallery.unsaved(everybody))
    assert len(gallery._unsaved) <= 5
