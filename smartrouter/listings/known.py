# SPDX-License-Identifier: GPL-2.0-or-later
"""What is known of the running system without asking it: the configuration, the store, and which device a
person means by a name.

Changes nothing by itself. A device's host name is its own word: the name that the user gave stands above it,
and one that several devices use names none of them.
"""

import contextlib
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from smartrouter.config import Config, load
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.core.identity.called import human_name
from smartrouter.core.policy import Mode, Settings
from smartrouter.core.roster import Roster
from smartrouter.store.alerts import StoredAlert, alert
from smartrouter.store.connect import open_reader, open_writer, reading
from smartrouter.store.queries import Device, devices

_MAC = re.compile(r"[0-9a-f]{2}(?:[:-]?[0-9a-f]{2}){5}")
EVERY_DEVICE = "*"


class UnknownDevice(SmartrouterError):
    """The user means a device that we cannot tell."""


class Known:
    """See the module. What the store says of devices is read when it is needed, and once: through `conn`, a
    reader's connection, or where there is none through one of its own."""

    def __init__(self, config: Config, conn: sqlite3.Connection | None = None):
        self.config = config
        self.settings: Settings = config.settings(frozenset())
        self._found = None if conn is None else _present(conn)
        self._labels: Mapping[str, str] | None = None

    @classmethod
    def at(cls, path: str | Path) -> "Known":
        """By the configuration file at `path`. Raises BadConfig."""
        return cls(load(path))

    def store(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection that cannot write. Raises Unavailable, also for trouble while it is used."""
        return reading(self.config.main.database)

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection that may write to the store, which must be there. Raises Unavailable like `store`."""
        path = self.config.main.database
        open_reader(path).close()  # a writer would make what is missing
        try:
            conn = open_writer(path)
        except sqlite3.Error as error:
            raise _cannot_write(path, error) from error
        try:
            yield conn
        except sqlite3.Error as error:
            raise _cannot_write(path, error) from error
        finally:
            conn.close()

    def alert(self, number: int) -> StoredAlert:
        """The alert with this number. Raises SmartrouterError, Unavailable."""
        with self.store() as conn:
            found = alert(conn, number)
        if found is None:
            raise SmartrouterError(f"there is no alert {number}; `smartrouter alerts --all` lists them")
        return found

    def found(self) -> list[Device]:
        """The devices in the store, but for those that have another MAC now; none where there is no store."""
        if self._found is None:
            self._found = []
            with contextlib.suppress(Unavailable), self.store() as conn:
                self._found = _present(conn)
        return self._found

    def hostnames(self) -> Mapping[str, str]:
        """Host names by MAC."""
        return {device.mac: device.hostname for device in self.found()}

    def labels(self) -> Mapping[str, str]:
        """What to call each device, by MAC."""
        if self._labels is None:
            self._labels = {device.mac: self.name_of(device) for device in self.found()}
        return self._labels

    def given_name(self, mac: str) -> str:
        """The name that the user gave the device, '' if none."""
        told = self.settings.devices.get(mac)
        return told.name if told else ""

    def label(self, mac: str) -> str:
        """What to call a device, see `human_name`."""
        return self.given_name(mac) or self.labels().get(mac) or human_name(mac)

    def name_of(self, device: Device) -> str:
        """The same for one at hand."""
        return human_name(
            device.mac,
            given=self.given_name(device.mac),
            announced=device.called,
            hostname=device.hostname,
            maker=device.maker,
        )

    def mac_of(self, text: str) -> str:
        """The MAC of the device that `text` means. Raises UnknownDevice."""
        wanted = text.strip().lower()
        if _MAC.fullmatch(wanted):
            digits = re.sub("[:-]", "", wanted)
            return ":".join(digits[at : at + 2] for at in range(0, 12, 2))
        given = {mac: device.name for mac, device in self.settings.devices.items()}
        for names in (given, self.hostnames(), self.labels()):
            macs = sorted(mac for mac, name in names.items() if name.lower() == wanted)
            if len(macs) == 1:
                return macs[0]
            if macs:
                raise UnknownDevice(f"{text} may be {' or '.join(macs)}: say which, by its MAC")
        raise UnknownDevice(f"no device is called {text}; `smartrouter devices` lists them all")

    def standing(self, device: Device) -> tuple[bool, Mode]:
        """Is the device watched, and in which mode? By the very rule that the guard goes by."""
        roster = Roster(self.settings._replace(devices={}))
        roster.settings = self.settings
        known = roster.device(device.mac)
        known.iot, known.on_iot_network = device.iot, device.on_iot_network
        roster.refresh(known)
        return known.watched, known.told.mode or self.settings.mode


def _present(conn: sqlite3.Connection) -> list[Device]:
    return [device for device in devices(conn) if not device.became]


def _cannot_write(path: str, error: sqlite3.Error) -> Unavailable:
    who = "run this as root, or as a member of the group that owns it"
    return Unavailable(f"cannot write to the store {path}: {error}; {who}")
