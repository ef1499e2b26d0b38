# SPDX-License-Identifier: GPL-2.0-or-later
"""The digest of a day or a week, as one message for each channel that wants it, in the morning after.

Once each: which was put last is noted, and its key is the same if it is put again.
"""

import sqlite3
from collections.abc import Mapping
from datetime import date, timedelta

from smartrouter.analyzer.days import is_summed
from smartrouter.analyzer.digest import WEEK, Digest, ended_day, ended_week, summaries
from smartrouter.analyzer.line import Line
from smartrouter.config import Config
from smartrouter.notify import outbox as deciding
from smartrouter.notify.message import Message
from smartrouter.store import outbox
from smartrouter.store.outbox import Put
from smartrouter.store.queries import meta
from smartrouter.store.transaction import transaction

MORNING = 8 * 60  # minute of the day before which none is sent
_DEVICES = 30  # that are told of by themselves


def put_digests(
    conn: sqlite3.Connection, lines: Mapping[str, Line], config: Config, wall: float, minute: int
) -> None:
    """Put what is due at epoch seconds `wall`, the `minute` of the local day, and was not put before."""
    if minute < MORNING:
        return
    for period, first, days in (("daily", ended_day(wall), 1), ("weekly", ended_week(wall), WEEK)):
        channels = [key for key, line in lines.items() if line.config.digest in (period, "both")]
        if not channels or first is None or not is_summed(conn, first + timedelta(days=days - 1)):
            continue
        noted = f"digest_{period}"
        if meta(conn, noted) == first.isoformat():
            continue
        names = {device.mac: device.name for device in config.devices}
        found = summaries(conn, first, days=days, names=names)
        with transaction(conn):
            if found:
                text = deciding.to_text(report(found, first, days, wall))
                for key in channels:
                    put = Put(f"digest:{first.isoformat()}:{days}", "", 0, text, "")
                    outbox.put(conn, key, [put], wall)
            conn.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (noted, first.isoformat()))


def report(found: list[Digest], first: date, days: int, at: float) -> Message:
    """What is said of all devices: a sentence on the whole, and one for each."""
    when = f"{first:%A}" if days == 1 else "Last week"
    news = sum(bool(each.new) for each in found)
    blocked = sum(bool(each.blocked) for each in found)
    facts = [(each.device, each.sentence()) for each in found[:_DEVICES]]
    if len(found) > _DEVICES:
        facts.append(("and", f"{len(found) - _DEVICES} more: `smartrouter digest` has them"))
    return Message(
        key=f"digest:{first.isoformat()}:{days}",
        revision=1,
        at=at,
        severity="notice",
        kind="digest",
        title=f"{when}: {len(found)} device{'' if len(found) == 1 else 's'}, {news} with something new, "
        f"{blocked} with something blocked.",
        device="",
        mac="",
        destination="",
        service="",
        facts=tuple(facts),
    )
