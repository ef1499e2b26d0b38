# SPDX-License-Identifier: GPL-2.0-or-later
"""The simulated devices of the demonstration: how each introduces itself, and what it usually talks to.

A device does what real ones do: it asks the resolver that DHCP gave it for a name, then opens a connection
to the address it was told. Knows nothing of smartrouter.
"""

from typing import NamedTuple

from smartrouter.lab.dnsmasq import Names
from smartrouter.lab.hosts import PATIENCE, Host
from smartrouter.lab.traffic import Outcome, Result

_TIME_REQUEST = b"\x23" + bytes(47)  # RFC 5905 section 7.3: version 4, client


class Habit(NamedTuple):
    """Something that a device does again and again. `what`: in plain words."""

    what: str
    name: str
    protocol: str
    port: int
    data: bytes = b"hello"


class Model(NamedTuple):
    """A device as it can be bought. `hostname`, `vendor`: what it says in its DHCP requests."""

    key: str
    title: str
    mac: str
    hostname: str
    vendor: str
    habits: tuple[Habit, ...]


class Visit(NamedTuple):
    """One attempt of a device: `address` is '' where the name has none, and nothing was attempted."""

    habit: Habit
    version: int  # 4 or 6, of IP
    address: str
    outcome: Outcome


CAMERA = Model(
    "camera", "Garden camera", "44:19:b6:77:00:01", "ipcam-garden", "udhcp 1.24.2",
    (
        Habit("asks its maker's cloud", "api.lumicam.example", "tcp", 443),
        Habit("sends its picture", "stream.lumicam.example", "tcp", 8883),
        Habit("asks for the time", "ntp.lumicam.example", "udp", 123, _TIME_REQUEST),
    ),
)  # fmt: skip
PLUG = Model(
    "plug", "Coffee plug", "24:0a:c4:77:00:02", "shellyplug-coffee", "udhcp 1.31.1",
    (
        Habit("keeps its cloud connection", "mqtt.brightplug.example", "tcp", 1883),
        Habit("looks for new firmware", "firmware.brightplug.example", "tcp", 80),
    ),
)  # fmt: skip
TV = Model(
    "tv", "Living-room TV", "b8:3e:59:77:00:03", "livingroom-tv", "udhcp 1.36.1",
    (
        Habit("fetches its home screen", "home.tellybox.example", "tcp", 443),
        Habit("plays a film", "films.streamhouse.example", "tcp", 443),
    ),
)  # fmt: skip
PHONE = Model(
    "phone", "Alice's phone", "da:a1:19:77:00:04", "Pixel-8", "android-dhcp-16",
    (
        Habit("reads the news", "www.dailynews.example", "tcp", 443),
        Habit("sends a message", "chat.friends.example", "tcp", 5222),
    ),
)  # fmt: skip
WATCHED = (CAMERA, PLUG, TV)

STRANGER = Habit("calls somebody new", "collector.stranger.example", "tcp", 443)

NAMES: Names = {
    "api.lumicam.example": ["lumicam.edge7.example"],  # most names of real devices are aliases
    "lumicam.edge7.example": ["203.0.113.10", "2001:db8:10::10"],
    "stream.lumicam.example": ["203.0.113.11", "2001:db8:10::11"],
    "ntp.lumicam.example": ["203.0.113.12", "2001:db8:10::12"],
    "mqtt.brightplug.example": ["198.51.100.20", "2001:db8:20::20"],
    "firmware.brightplug.example": ["198.51.100.21", "2001:db8:20::21"],
    "home.tellybox.example": ["tellybox.edge7.example"],
    "tellybox.edge7.example": ["192.0.2.30", "192.0.2.31", "2001:db8:30::30"],
    "films.streamhouse.example": ["192.0.2.40", "2001:db8:30::40"],
    "www.dailynews.example": ["198.51.100.50", "2001:db8:50::50"],
    "chat.friends.example": ["198.51.100.51", "2001:db8:50::51"],
    "collector.stranger.example": ["203.0.113.66", "2001:db8:66::66"],
}


def follow(device: Host, habit: Habit, version: int, timeout: float = PATIENCE) -> Visit:
    """Let `device` do what `habit` says, over IPv4 or IPv6."""
    answer = device.resolve(habit.name, "AAAA" if version == 6 else "A", timeout=timeout)
    if not answer.addresses:
        return Visit(habit, version, "", Outcome(Result.NO_ADDRESS, answer.ms))
    return knock(device, habit, answer.addresses[0], timeout)


def knock(device: Host, habit: Habit, address: str, timeout: float = PATIENCE) -> Visit:
    """The same at a known `address`, without asking for the name."""
    if habit.protocol == "udp":
        outcome = device.udp(address, habit.port, habit.data, timeout)
    else:
        outcome = device.connect(address, habit.port, timeout, habit.data)
    return Visit(habit, 6 if ":" in address else 4, address, outcome)
