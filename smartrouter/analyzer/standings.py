# SPDX-License-Identifier: GPL-2.0-or-later
"""How the watched devices stand, for channels that show that: by the very rule that the guard goes by."""

import sqlite3

from smartrouter.config import Config
from smartrouter.core.identity.called import human_name
from smartrouter.core.roster import Roster
from smartrouter.notify.switches import Standing
from smartrouter.store.queries import devices


def standings(conn: sqlite3.Connection, config: Config) -> tuple[Standing, ...]:
    """The devices that are watched, by MAC."""
    settings = config.settings(frozenset())
    roster = Roster(settings._replace(devices={}))
    roster.settings = settings
    found = []
    for device in devices(conn):
        known = roster.device(device.mac)
        known.iot, known.on_iot_network = device.iot, device.on_iot_network
        roster.refresh(known)
        if not known.watched or device.became:
            continue
        label = human_name(
            device.mac,
            given=known.told.name,
            announced=device.called,
            hostname=device.hostname,
            maker=device.maker,
        )
        found.append(Standing(device.mac, label, known.told.mode or settings.mode, device.maker))
    return tuple(sorted(found))
