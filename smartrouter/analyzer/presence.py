# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is there, who has gone, and behind which port of its bridge each device is.

Values in, values out; knows neither sockets nor files. A device has gone when it answers for none of its
addresses any more, when it gave up its lease, when the link that it was behind went down, or when nothing
was heard of it for `SILENCE` seconds; it is back with the first sign of it that is younger than that. The
kernel keeps what it heard of a quiet device for ever and asks nobody until there is a packet for it, so that
one address without an answer says more than others that were not asked for.

What is told as it happens (`live`) is in order: a sign of life behind a loss is younger than that. What is
read from a table has only its time, which is not so exact.

Times are CLOCK_MONOTONIC seconds: wall clocks jump, most of all at boot. Bounded as the inventory is.
"""

from collections import OrderedDict
from typing import NamedTuple

from smartrouter.analyzer.discovery import MAX_ADDRESSES, MAX_DEVICES

SILENCE = 1800.0  # seconds: a device that talks to the outside is heard of every minute
DOUBT = 20.0  # seconds: who was heard on another address since then is there, whatever failed
_JUST_NOW = 1.0  # seconds that something told as it happens may be old
_INEXACT = 0.1  # seconds by which a table's times may be wrong; the kernel counts hundredths
_MAX_PLACES = 2 * MAX_DEVICES  # bridges also know MACs that have no address with us


class Standing(NamedTuple):
    """`present`: it is there; `port`: of its bridge, as far as that is known, else ''."""

    mac: str
    present: bool
    port: str


class _Device:
    __slots__ = ("answers", "gone_at", "heard_at", "interface", "port", "present")

    def __init__(self) -> None:
        self.answers: dict[str, float] = {}  # address -> when it last did
        self.heard_at = self.gone_at = float("-inf")
        self.interface = self.port = ""
        self.present = False


class Presence:
    """Tell it what happened, then ask for the `news`."""

    def __init__(self) -> None:
        self._devices: OrderedDict[str, _Device] = OrderedDict()  # the one heard of last is at the end
        self._macs: dict[tuple[str, str], str] = {}  # (interface, address) -> who answers for it
        self._places: OrderedDict[str, tuple[str, float]] = OrderedDict()  # MAC -> port, when it was heard
        self._news: dict[str, None] = {}

    # -- signs of life ---------------------------------------------------------------------------------

    def heard(
        self, mac: str, address: str, interface: str, at: float, now: float, live: bool = False
    ) -> bool:
        """It answered for the address at that time. False: that is left of where it was before; it is
        there, and was heard elsewhere since then."""
        device = self._device(mac)
        if interface != device.interface:
            if device.present and at < device.heard_at - _INEXACT:
                return False
            self._forget_addresses(device)
            device.interface = interface
        self._answered(device, address, at)
        before = self._macs.get((interface, address), mac)
        self._macs[interface, address] = mac
        if before != mac and before in self._devices:
            self._devices[before].answers.pop(address, None)
        self._sign(mac, device, at, now, live)
        return True

    def leased(self, mac: str, address: str, interface: str, now: float) -> None:
        """It was given the address, or has renewed its lease, just now."""
        device = self._device(mac)
        device.interface = device.interface or interface
        self._answered(device, address, now)
        self._sign(mac, device, now, now, live=True)

    def remembered(self, mac: str, interface: str) -> None:
        """A lease names it, nobody knows since when."""
        if mac not in self._devices:
            self._device(mac).interface = interface

    def located(self, mac: str, port: str, at: float, now: float, live: bool = False) -> None:
        """A bridge heard it behind one of its ports."""
        before = self._places.get(mac)
        if before is None or at >= before[1]:
            self._places[mac] = (port, at)
            self._places.move_to_end(mac)
        while len(self._places) > _MAX_PLACES:
            self._places.popitem(last=False)
        device = self._devices.get(mac)
        if device is not None:
            self._sign(mac, device, at, now, live)

    # -- and of the contrary ---------------------------------------------------------------------------

    def lost(self, address: str, interface: str, failed: bool, now: float) -> None:
        """Nobody answers for the address (`failed`), or the kernel forgot who does."""
        mac = self._macs.pop((interface, address), "")
        device = self._devices.get(mac)
        if device is None:
            return
        device.answers.pop(address, None)
        if failed:
            self._doubt(mac, device, now)

    def released(self, mac: str, address: str, now: float) -> None:
        """It gave the lease of the address up, or did not renew it in time."""
        device = self._devices.get(mac)
        if device is not None:
            device.answers.pop(address, None)
            self._doubt(mac, device, now)

    def went_down(self, link: str, now: float) -> None:
        """A port of a bridge, or a whole interface: nobody is behind it any more."""
        for mac, device in self._devices.items():
            if device.present and link in (device.port, device.interface):
                self._gone(mac, device, now)

    def pass_time(self, now: float) -> None:
        """Who was silent for too long has gone."""
        for mac, device in self._devices.items():
            if device.present and device.heard_at < now - SILENCE:
                self._gone(mac, device, now)

    def news(self) -> list[Standing]:
        """Who came, went or moved since the last call."""
        news = [
            Standing(mac, device.present, device.port)
            for mac in self._news
            if (device := self._devices.get(mac)) is not None
        ]
        self._news.clear()
        return news

    def count(self) -> int:
        """How many are there."""
        return sum(device.present for device in self._devices.values())

    # -- inside ----------------------------------------------------------------------------------------

    def _device(self, mac: str) -> _Device:
        device = self._devices.get(mac)
        if device is None:
            if len(self._devices) >= MAX_DEVICES:
                _, oldest = self._devices.popitem(last=False)
                self._forget_addresses(oldest)
            device = self._devices[mac] = _Device()
            self._news[mac] = None
        self._devices.move_to_end(mac)
        return device

    def _sign(self, mac: str, device: _Device, at: float, now: float, live: bool) -> None:
        device.heard_at = max(device.heard_at, at)
        port, _ = self._places.get(mac, (device.port, 0.0))
        since = now - _JUST_NOW if live else max(device.gone_at + _INEXACT, now - SILENCE)
        present = device.present or at > since
        if (present, port) != (device.present, device.port):
            self._news[mac] = None
        device.present, device.port = present, port

    def _answered(self, device: _Device, address: str, at: float) -> None:
        if address not in device.answers and len(device.answers) >= MAX_ADDRESSES:
            self._forget_address(device, min(device.answers, key=lambda known: device.answers[known]))
        device.answers[address] = max(at, device.answers.get(address, at))

    def _doubt(self, mac: str, device: _Device, now: float) -> None:
        if device.present and not any(at > now - DOUBT for at in device.answers.values()):
            self._gone(mac, device, now)

    def _gone(self, mac: str, device: _Device, now: float) -> None:
        device.present, device.gone_at = False, now
        self._news[mac] = None

    def _forget_addresses(self, device: _Device) -> None:
        for address in list(device.answers):
            self._forget_address(device, address)

    def _forget_address(self, device: _Device, address: str) -> None:
        device.answers.pop(address, None)
        self._macs.pop((device.interface, address), None)
