# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is watched and who is left alone, by the whole product: real leases of a real dnsmasq, real packets,
the kernel's own sets."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from time import monotonic, sleep
from typing import Any, NamedTuple

import pytest
from netns.guard_lab import PATIENCE
from netns.scouting import are_settled, arp_request
from scapy.layers.dns import DNS, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from tries import within

from smartrouter.lab import dhcp
from smartrouter.lab.hosts import Host
from smartrouter.lab.network import Network
from smartrouter.lab.plan import HOME, IOT
from smartrouter.lab.product import Product

pytestmark = [pytest.mark.netns, pytest.mark.timeout(240)]

SOON = 2.0  # seconds from a device's first packet to being watched
SERVER = "203.0.113.10"
NAMES = {"cloud.example.net": [SERVER], "news.example.org": ["198.51.100.20"]}


class Model(NamedTuple):
    """How a device speaks DHCP."""

    name: str
    mac: str
    hostname: str
    vendor: str
    wanted: Sequence[int]


BUSYBOX = (1, 3, 6, 12, 15, 28, 42)
WINDOWS = (1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252)
CAMERA = Model("camera", "b0:c5:54:25:5b:0e", "DCS-935L", "udhcp 1.22.1", BUSYBOX)
PLUG = Model("plug", "50:c7:bf:00:fc:a3", "HS100(EU)", "udhcp 0.9.9-pre", BUSYBOX[:-1])
BULB = Model("bulb", "5c:cf:7f:07:ae:fb", "ESP_07AEFB", "", (1, 3, 28, 6, 15, 44, 46, 47, 31, 33, 121, 43))
FIRE_OS = (1, 33, 3, 6, 15, 26, 28, 51, 58, 59)
PERSONAL = (
    "graph.facebook.com", "i.instagram.com", "api.twitter.com", "www.tripadvisor.com", "mail.google.com",
    "www.reddit.com", "app.snapchat.com", "api.whatsapp.com", "www.bbc.co.uk", "www.nytimes.com",
)  # fmt: skip
PC = Model("pc", "48:d2:24:63:0a:de", "user-PC", "MSFT 5.0", WINDOWS)
PHONE = Model(
    "phone", "02:4a:11:00:00:07", "Pixel-7", "android-dhcp-13", (1, 3, 6, 15, 26, 28, 51, 58, 59, 43)
)
MAC_BOOK = Model(
    "macbook", "42:b4:44:b4:f0:ee", "MacBookPro", "", (1, 121, 3, 6, 15, 108, 114, 119, 252, 95, 44, 46)
)


class Home:
    """A home with dnsmasq, and smartrouter as it comes out of the box."""

    def __init__(self, stack: ExitStack, **options: str):
        self.network = stack.enter_context(Network(names=NAMES))
        self.router = self.network.router
        self.network.start_router_dnsmasq()
        self.product = Product(self.network, {"analysis_interval": "1h"} | options)

    def start(self) -> None:
        self.product.start()

    def join(self, model: Model) -> Host:
        """The device comes and gets its address."""
        device = self.network.hosts.get(model.name) or self.network.add_device(
            model.name, mac=model.mac, addresses=False
        )
        self.network.lease(device, model.hostname, model.vendor, model.wanted)
        return device

    def speak(self, model: Model) -> None:
        """Something at the wire of the device renews its lease."""
        with self.network.hosts[model.name].new_socket(*dhcp.SOCKET) as sock:
            dhcp.obtain(sock, "eth0", model.mac, model.hostname, model.vendor, model.wanted)

    def members(self, name: str) -> set[str]:
        """The MACs in the kernel's set of that name."""
        listed = self.router.run(["nft", "-j", "list", "set", "inet", "smartrouter", name]).stdout
        entries = json.loads(listed)["nftables"]
        return {mac for entry in entries if "set" in entry for mac in entry["set"].get("elem", [])}

    def watches(self, model: Model) -> bool:
        return model.mac in self.members("watched")

    def leaves_alone(self, model: Model) -> bool:
        """Is it in no set, so in no queue?"""
        return model.mac not in self.ruleset()

    def takes_for(self, model: Model, kind: str) -> bool:
        return bool(self.device(model.mac)["class"] == kind)

    def ruleset(self) -> str:
        return self.router.run(["nft", "list", "table", "inet", "smartrouter"]).stdout

    def counter(self, name: str) -> int:
        found = re.search(rf"counter {name} {{[^}}]*?packets (\d+)", self.ruleset(), re.DOTALL)
        assert found is not None
        return int(found[1])

    def until(self, what: Callable[[], Any], patience: float = PATIENCE) -> float:
        """Seconds until `what` is true."""
        begun = monotonic()
        while not what():
            assert monotonic() - begun < patience, self.product.last_words(40)
            sleep(0.02)
        return monotonic() - begun

    def device(self, mac: str) -> dict[str, Any]:
        """What is known of it, once it is known."""
        found: dict[str, Any] = {}

        def is_known() -> bool:
            with suppress(RuntimeError):
                found.update(self.product.json("device", mac))
            return bool(found)

        self.until(is_known)
        return found

    def alerts(self, kind: str, about: Model) -> list[dict[str, Any]]:
        listed = self.product.json("alerts")
        return [alert for alert in listed if (alert["kind"], alert["mac"]) == (kind, about.mac)]


@pytest.fixture
def build() -> Iterator[Callable[..., Home]]:
    """Homes of one's own."""
    with ExitStack() as stack:
        yield lambda **options: Home(stack, **options)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """One with two networks, for tests that bring devices of their own."""
    with ExitStack() as stack:
        home = Home(stack)
        home.network.add_lan(IOT)
        with home.product.config.open("a") as config:
            config.write(f"config smartrouter 'main'\n\tlist device '{IOT.bridge}'\n")
        home.start()
        yield home


def another(model: Model, number: int) -> Model:
    """A device like `model`, with a MAC of the same maker."""
    return model._replace(name=f"{model.name}{number}", mac=f"{model.mac[:-2]}{number:02x}")


def test_things_are_watched_soon_after_their_lease_and_people_are_left_alone(
    home: Home,
) -> None:
    things = iter((CAMERA, PLUG, BULB))

    def watched_after() -> float:
        model = next(things)
        home.join(model)
        return home.until(partial(home.watches, model))

    assert within(SOON, watched_after, 3)
    for model in things:
        home.join(model)
        home.until(partial(home.watches, model))
    people = [(model, home.join(model)) for model in (PC, PHONE, MAC_BOOK)]
    for model, _ in people:
        home.until(partial(home.takes_for, model, "not-iot"))
        home.until(partial(home.leaves_alone, model))
    queued = {name: home.counter(name) for name in ("queued_flows", "queued_queries", "router_queries")}
    for _, host in people:
        assert host.resolve("news.example.org").status == "NOERROR"
        assert host.connect(SERVER, 443).ok
        host.ping(HOME.router4)
    sleep(1.0)
    assert queued == {name: home.counter(name) for name in queued}
    for model, _ in people:
        assert home.leaves_alone(model)
        for table in ("attempts", "names", "learned", "aliases", "hours", "progress"):
            rows = home.product.rows(
                f"SELECT 1 FROM {table} WHERE device = (SELECT id FROM devices WHERE mac = ?)", model.mac
            )
            assert not rows, table
        found = home.device(model.mac)
        assert (found["watched"], found["attempts"], found["state"]) == (False, 0, "new")
        assert found["reasons"]


def test_who_is_there_before_is_found_at_the_start(build: Callable[..., Home]) -> None:
    home = build()
    home.join(CAMERA)
    home.join(PC)
    home.start()
    home.until(partial(home.watches, CAMERA))
    assert home.device(PC.mac)["watched"] is False


def test_the_users_word_stands_above_what_is_found_out(home: Home) -> None:
    camera, pc = another(CAMERA, 1), another(PC, 1)
    home.join(camera)
    home.join(pc)
    home.until(partial(home.watches, camera))
    assert home.product.command("watch", camera.mac, "never").returncode == 0
    assert home.product.command("watch", pc.mac, "always").returncode == 0
    home.until(lambda: home.watches(pc) and not home.watches(camera))
    home.until(lambda: camera.mac not in home.members("studied"))
    assert home.device(camera.mac)["class"] == "iot"
    assert home.product.command("watch", pc.mac, "auto").returncode == 0
    home.until(lambda: not home.watches(pc))


def test_a_device_with_ipv6_alone_is_found_with_its_privacy_addresses(home: Home) -> None:
    mac = "00:17:88:24:76:ff"  # Philips Lighting's: without a word from it, only that tells
    device = home.network.add_device("hue", mac=mac, addresses=False)
    device.sysctl({"net/ipv6/conf/eth0/use_tempaddr": 2})
    device.ip("link set eth0 down\nlink set eth0 up")
    home.until(lambda: are_settled(device.run(["ip", "-6", "addr", "show", "dev", "eth0"]).stdout))
    home.until(lambda: device.ping(HOME.router6).ok)
    home.until(lambda: mac in home.members("watched"))
    home.until(lambda: any(address.startswith("fd77:") for address in home.device(mac)["addresses"]))
    assert home.device(mac)["maker"].startswith("Philips")


def test_interfaces_that_go_down_and_come_back_take_nothing_along(build: Callable[..., Home]) -> None:
    home = build()
    home.start()
    camera = home.join(CAMERA)
    home.until(partial(home.watches, CAMERA))
    home.router.ip("link set br-lan down")
    home.until(lambda: not home.device(CAMERA.mac)["present"])
    home.router.ip(f"link set br-lan up\naddr replace {HOME.ipv6} dev br-lan nodad")
    assert CAMERA.mac in home.members("watched")
    home.join(PLUG)
    home.until(partial(home.watches, PLUG))
    home.until(lambda: camera.ping(HOME.router4).ok and home.device(CAMERA.mac)["present"])


def test_two_hundred_devices_that_join_at_once_are_all_watched(build: Callable[..., Home]) -> None:
    home = build()
    home.start()
    crowd = home.network.add_device("crowd", mac="02:00:00:00:99:99")
    macs = [f"5c:cf:7f:00:{number >> 8:02x}:{number & 255:02x}" for number in range(200)]
    frames = {}
    for number, mac in enumerate(macs):
        said = {12: f"ESP_{number:06X}".encode(), 55: bytes(BULB.wanted)}
        request = IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
        frames[mac] = (
            bytes(Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / request / dhcp.message(number, mac, 3, said)),
            arp_request(mac, f"192.168.77.{number + 20}", HOME.router4),
        )
    crowd.send(*(frame for both in frames.values() for frame in both))
    home.until(lambda: set(macs) <= home.members("watched"))

    def things() -> int:
        return sum(device["class"] == "iot" for device in home.product.json("devices"))

    home.until(lambda: things() >= 200)
    parts = home.product.json("status")["parts"]
    assert all(part["rss_kib"] <= 64 * 1024 for part in parts)


def test_what_a_device_announces_is_its_name(home: Home) -> None:
    lamp = home.network.add_device("lamp", mac="00:1a:22:03:cb:be")
    lamp.ping(HOME.router4)
    record = DNSRR(rrname="_hap._tcp.local.", type="PTR", ttl=120, rdata="Kitchen Lamp._hap._tcp.local.")
    answer = IP(src=lamp.ipv4, dst="224.0.0.251", ttl=255) / UDP(sport=5353, dport=5353)
    lamp.send(bytes(Ether(src=lamp.mac, dst="01:00:5e:00:00:fb") / answer / DNS(qr=1, aa=1, an=record)))
    home.until(lambda: _label(home, lamp.mac) == "Kitchen Lamp")
    home.until(lambda: home.device(lamp.mac)["class"] == "iot")


def _label(home: Home, mac: str) -> str:
    return next((device["label"] for device in home.product.json("devices") if device["mac"] == mac), "")


def test_a_device_that_turns_into_another_system_is_an_alert_and_remains_watched(
    home: Home,
) -> None:
    camera = another(CAMERA, 2)
    home.join(camera)
    home.until(partial(home.watches, camera))
    home.speak(camera._replace(hostname="DESKTOP-V1FA0UQ", vendor="MSFT 5.0", wanted=WINDOWS))
    home.until(lambda: home.alerts("clone", camera))
    [alert] = home.alerts("clone", camera)
    assert (alert["mac"], alert["reason"]) == (camera.mac, "other-system")
    assert "MSFT 5.0" in alert["detail"]
    sleep(1.0)
    assert camera.mac in home.members("watched")
    assert home.device(camera.mac)["class"] == "iot"


def test_a_mac_on_two_networks_at_once_is_an_alert(home: Home) -> None:
    model = another(CAMERA, 3)
    camera = home.join(model)
    home.until(partial(home.watches, model))
    clone = home.network.add_device("clone", mac=model.mac, lan=IOT)

    def both_speak() -> bool:
        return camera.ping(HOME.router4).ok and clone.ping(IOT.router4).ok

    home.until(lambda: both_speak() and home.alerts("clone", model))
    [alert] = home.alerts("clone", model)
    assert (alert["mac"], alert["reason"]) == (model.mac, "two-places")
    assert IOT.bridge in alert["detail"]


def test_a_connection_of_another_system_under_the_mac_is_an_alert(home: Home) -> None:
    model = another(CAMERA, 4)
    camera = home.join(model)
    home.until(lambda: model.mac in home.members("studied"))
    for port in range(443, 446):
        camera.connect(SERVER, port)
    for number in range(4):
        segment = TCP(sport=40000 + number, dport=800 + number, flags="S", seq=1)
        frame = Ether(src=model.mac, dst=HOME.mac) / IP(src=camera.ipv4, dst=SERVER, ttl=128) / segment
        camera.send(bytes(frame))
    home.until(lambda: home.alerts("clone", model))
    assert "128" in home.alerts("clone", model)[0]["detail"]


def test_a_random_mac_that_comes_back_as_another_is_offered_and_taken_over_when_told(
    home: Home,
) -> None:
    wanted = (1, 3, 6, 15, 26, 28, 51)
    before = Model("sensor", "02:5e:00:00:00:01", "greenhouse-sensor", "udhcp 1.36.1", wanted)
    sensor = home.join(before)
    home.until(partial(home.watches, before))
    assert sensor.resolve("cloud.example.net").status == "NOERROR"
    assert sensor.connect(SERVER, 443).ok
    home.until(lambda: home.device(before.mac)["destinations"])
    sensor.ip("link set eth0 down")
    home.until(lambda: not home.device(before.mac)["present"], 40.0)
    after = before._replace(name="sensor-again", mac="02:5e:00:00:00:02")
    home.join(after)
    home.until(lambda: home.device(after.mac)["probably"])
    assert home.device(after.mac)["probably"]["mac"] == before.mac
    assert not home.device(after.mac)["destinations"]  # offered, not merged
    assert "same" in home.product.command("devices", width=200).stdout
    done = home.product.command("same", after.mac)
    assert done.returncode == 0, done.stderr
    assert [each["name"] for each in home.device(after.mac)["destinations"]] == ["example.net"]
    home.until(lambda: home.device(after.mac)["probably"] is None)
    home.until(lambda: before.mac not in [device["mac"] for device in home.product.json("devices")])


def test_a_mac_that_is_changed_on_the_spot_is_recognised_too(home: Home) -> None:
    phone = Model("phone-b", "02:5e:00:00:00:11", "bobs-pixel", "android-dhcp-13", PHONE.wanted)
    device = home.join(phone)
    home.until(partial(home.takes_for, phone, "not-iot"))
    again = phone._replace(mac="02:5e:00:00:00:12")
    device.ip(f"link set eth0 address {again.mac}\naddr flush dev eth0")
    device.mac = again.mac
    home.speak(again)
    home.until(lambda: home.device(again.mac)["probably"])
    assert home.device(again.mac)["probably"]["mac"] == phone.mac


def test_what_nobody_can_tell_is_looked_at_until_it_shows_what_it_is(home: Home) -> None:
    # A Fire TV and a Fire tablet look the same in DHCP.
    tablet = home.join(Model("fire", "6c:56:97:35:39:f4", "amazon-311088f7e", "dhcpcd-5.5.6", FIRE_OS))
    home.until(lambda: tablet.mac in home.members("studied"))
    assert (home.device(tablet.mac)["class"], home.device(tablet.mac)["watched"]) == ("unknown", False)
    for name in PERSONAL:
        tablet.resolve(name)
    home.until(lambda: home.device(tablet.mac)["class"] == "not-iot")
    home.until(lambda: tablet.mac not in home.members("studied"))
    row = "SELECT 1 FROM names WHERE device = (SELECT id FROM devices WHERE mac = ?)"
    assert not home.product.rows(row, tablet.mac)


def test_made_up_devices_keep_no_real_one_from_being_found(build: Callable[..., Home]) -> None:
    home = build()
    home.start()
    attacker = home.network.add_device("attacker", mac="02:00:00:00:99:99")
    packet = IP(src="192.168.77.99", dst="224.0.0.251", ttl=255) / UDP(sport=5353, dport=5353)
    record = DNSRR(rrname="_ipp._tcp.local.", type="PTR", rdata="Printer._ipp._tcp.local.")
    frame = bytes(Ether(dst="01:00:5e:00:00:fb") / packet / DNS(qr=1, aa=1, an=record))
    attacker.send(*(frame[:6] + b"\x02\x66" + n.to_bytes(4) + frame[12:] for n in range(6000)))
    home.join(CAMERA)
    home.until(partial(home.watches, CAMERA))
    parts = {part["name"]: part for part in home.product.json("status")["parts"]}
    assert parts["guard"]["restarts"] == parts["analyzer"]["restarts"] == 0


def test_what_was_found_out_outlasts_a_restart(build: Callable[..., Home]) -> None:
    home = build()
    home.start()
    home.join(CAMERA)
    home.until(partial(home.watches, CAMERA))
    home.until(lambda: home.device(CAMERA.mac)["hostname"] == "DCS-935L")
    assert home.product.stop() == 0
    before = home.device(CAMERA.mac)
    home.start()
    home.until(partial(home.watches, CAMERA))
    after = home.device(CAMERA.mac)
    for key in ("class", "confidence", "maker", "hostname", "reasons", "first_seen"):
        assert after[key] == before[key]


def test_with_the_lan_taken_away_and_made_anew_it_goes_on(build: Callable[..., Home]) -> None:
    home = build()
    camera = home.join(CAMERA)
    home.start()
    home.until(partial(home.watches, CAMERA))
    before = {part["name"]: part["pid"] for part in home.product.json("status")["parts"]}
    home.router.ip("link set br-lan down\nlink set wan down")
    sleep(1.0)
    assert home.product.json("status")["working"]
    ports = [name for name in home.router.run(["ls", "/sys/class/net"]).stdout.split() if "camera" in name]
    home.router.ip(f"link del {HOME.bridge}")
    home.router.ip(
        f"link add {HOME.bridge} address {HOME.mac} type bridge\n"
        f"link set {HOME.bridge} type bridge forward_delay 0 mcast_snooping 0\n"
        f"link set {ports[0]} master {HOME.bridge}\n"
        f"link set {HOME.bridge} up\nlink set wan up\n"
        f"addr add {HOME.ipv4} dev {HOME.bridge}\naddr add {HOME.ipv6} dev {HOME.bridge} nodad"
    )
    home.join(PLUG)
    home.until(partial(home.watches, PLUG))
    assert camera.ping(HOME.router4).ok
    assert {part["name"]: part["pid"] for part in home.product.json("status")["parts"]} == before
