# SPDX-License-Identifier: GPL-2.0-or-later
"""What enforce mode will meet, said before it is switched on: what waits for a decision, how much that is new
is to be expected of the devices that are protected, and whom it will not block yet, or too much.
"""

from smartrouter.cli import forecast
from smartrouter.cli.known import Known
from smartrouter.core.errors import Unavailable
from smartrouter.core.explanations import would_be_blocked
from smartrouter.core.learning import Progress, State
from smartrouter.store import queries
from smartrouter.store.alerts import AlertState, StoredAlert, alerts
from smartrouter.terminal import Screen, inert

_SHOWN = 5  # lines of each list


def show(screen: Screen, known: Known, device: str | None) -> None:
    """Of one device (a MAC), or of all that are watched."""
    try:
        with known.store() as conn:
            waiting = [
                found
                for found in alerts(conn, state=AlertState.OPEN, mac=device)
                if would_be_blocked(found.kind, found.reason)
            ]
            concerned = [
                found.mac
                for found in queries.devices(conn)
                if device in (None, found.mac) and known.standing(found)[0]
            ]
            progress = queries.progress(conn)
            household = queries.household(conn)
    except Unavailable as error:
        screen.line(f"What this will block is not known: {error}.")
        return
    _show_waiting(screen, known, waiting)
    _show_expected(screen, known, {mac: p for mac, p in progress.items() if mac in concerned})
    learning = [mac for mac in concerned if mac not in progress or progress[mac].state is not State.PROTECTED]
    _show_names(screen, known, "Still learning, and not blocked until that ends", learning)
    nameless = [mac for mac in household.nameless if mac in concerned]
    _show_names(
        screen,
        known,
        "Judged by bare addresses, as their names do not pass here; much may be blocked",
        nameless,
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


def _show_expected(screen: Screen, known: Known, progress: dict[str, Progress]) -> None:
    """The estimate, of the devices of which most is to come first."""
    prior = forecast.prior_of(progress)
    found = {mac: news for mac, p in progress.items() if (news := forecast.novelty(p, prior)) is not None}
    if not found:
        return
    day, week = (
        forecast.number(sum(news[span]["expected"] for news in found.values())) for span in ("day", "week")
    )
    devices = "1 protected device" if len(found) == 1 else f"{len(found)} protected devices"
    text = f"Of {devices}, {day} new destinations are expected in the next day and {week} in the next week; "
    screen.item((), text + "they will be blocked until you allow them:")
    macs = sorted(found, key=lambda mac: -found[mac]["week"]["expected"])
    for mac in macs[:_SHOWN]:
        unsettled = "" if progress[mac].settled else f"; {forecast.UNSETTLED}"
        text = f"{inert(known.label(mac))}: {forecast.novelty_text(found[mac])}{unsettled}."
        screen.item(("  ",), text)
    if len(macs) > _SHOWN:
        screen.line(f"  … and {len(macs) - _SHOWN} more, see `smartrouter devices`")


def _show_names(screen: Screen, known: Known, what: str, macs: list[str]) -> None:
    if macs:
        more = f" and {len(macs) - _SHOWN} more" if len(macs) > _SHOWN else ""
        screen.item((), f"{what}: {', '.join(inert(known.label(mac)) for mac in macs[:_SHOWN])}{more}.")
