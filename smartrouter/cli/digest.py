# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter digest`: what each device did in the day, or the week, that ended last, in a sentence."""

import json
import sys
import time
from argparse import Namespace
from datetime import date, timedelta

from smartrouter.analyzer.digest import WEEK, Digest, ended_day, ended_week, message, summaries
from smartrouter.core.errors import SmartrouterError
from smartrouter.listings.digest import digest_json
from smartrouter.listings.known import Known
from smartrouter.terminal import Cell, Screen, Style


def main(arguments: Namespace) -> int:
    """`smartrouter digest [DEVICE] [--week]`."""
    known = Known.at(arguments.config)
    now = time.time()
    first = ended_week(now) if arguments.week else ended_day(now)
    if first is None:
        raise SmartrouterError("the clock is not set yet, so no day has ended; try again when it is")
    days = WEEK if arguments.week else 1
    mac = known.mac_of(arguments.device) if arguments.device else None
    names = {device.mac: device.name for device in known.settings.devices.values()}
    with known.store() as conn:
        found = summaries(conn, first, days=days, names=names)
    found = [each for each in found if mac is None or each.mac == mac]
    if arguments.json:
        print(json.dumps([digest_json(each) for each in found], indent=2))
    else:
        _show(Screen(sys.stdout), found, first, days)
    return 0


def _show(screen: Screen, found: list[Digest], first: date, days: int) -> None:
    last = first + timedelta(days=days - 1)
    when = f"{first:%A, %Y-%m-%d}" if days == 1 else f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"
    screen.line(Cell(when, Style.STRONG))
    if not found:
        screen.line("Nothing is known of that time.")
    for each in found:
        screen.item(("  ",), each.sentence())
        for title, text in message(each).facts[1:]:
            screen.item((Cell(f"    {title}: ", Style.FAINT),), text)
