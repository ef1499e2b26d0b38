# SPDX-License-Identifier: GPL-2.0-or-later
"""What enforce mode will meet, said before it is switched on."""

from smartrouter.core.errors import Unavailable
from smartrouter.listings import forecast
from smartrouter.listings.consequences import Consequences, consequences
from smartrouter.listings.known import Known
from smartrouter.store.alerts import StoredAlert
from smartrouter.terminal import Screen, inert

_SHOWN = 5  # lines of each list


def show(screen: Screen, known: Known, device: str | None) -> None:
    """Of one device (a MAC), or of all that are watched."""
    try:
        with known.store() as conn:
            found = consequences(known, conn, device)
    except Unavailable as error:
        screen.line(f"What this will block is not known: {error}.")
        return
    _show_waiting(screen, known, found.waiting)
    _show_expected(screen, known, found)
    _show_names(screen, known, "Still learning, and not blocked until that ends", found.learning)
    _show_names(
        screen,
        known,
        "Judged by bare addresses, as their names do not pass here; much may be blocked",
        found.nameless,
    )


def _show_waiting(screen: Screen, known: Known, waiting: list[StoredAlert]) -> None:
    if not waiting:
        return
    count = f"{len(waiting)} destination{'' if len(waiting) == 1 else 's'}"
    screen.line(f"{count} that nobody has decided about will be blocked:")
    for found in waiting[:_SHOWN]:
        screen.item(("  ",), inert(f"{known.label(found.mac)}: {found.destination} ({found.service})"))
    if len(waiting) > _SHOWN:
        screen.line(f"  … and {len(waiting) - _SHOWN} more, see `smartrouter alerts`")


def _show_expected(screen: Screen, known: Known, found: Consequences) -> None:
    """The estimate, of the devices of which most is to come first."""
    news = found.news()
    if not news:
        return
    day, week = (
        forecast.number(sum(each[span]["expected"] for each in news.values())) for span in ("day", "week")
    )
    devices = "1 protected device" if len(news) == 1 else f"{len(news)} protected devices"
    text = f"Of {devices}, {day} new destinations are expected in the next day and {week} in the next week; "
    screen.item((), text + "they will be blocked until you allow them:")
    for mac in list(news)[:_SHOWN]:
        unsettled = "" if found.progress[mac].settled else f"; {forecast.UNSETTLED}"
        text = f"{inert(known.label(mac))}: {forecast.novelty_text(news[mac])}{unsettled}."
        screen.item(("  ",), text)
    if len(news) > _SHOWN:
        screen.line(f"  … and {len(news) - _SHOWN} more, see `smartrouter devices`")


def _show_names(screen: Screen, known: Known, what: str, macs: list[str]) -> None:
    if macs:
        more = f" and {len(macs) - _SHOWN} more" if len(macs) > _SHOWN else ""
        screen.item((), f"{what}: {', '.join(inert(known.label(mac)) for mac in macs[:_SHOWN])}{more}.")
