# SPDX-License-Identifier: GPL-2.0-or-later
"""What this household keeps from the router, in words: names that do not pass through it, and devices behind
other devices. Said by `status` and `doctor` alike, so that nobody has to guess why so much has no name.
"""

from collections.abc import Sequence
from typing import NamedTuple

from smartrouter.listings.known import Known
from smartrouter.terminal import inert

_SHOWN = 5  # devices by name


class Hidden(NamedTuple):
    """`text`: what is hidden; `mend`: what to do about it."""

    text: str
    mend: str


def hidden_names(known: Known, macs: Sequence[str]) -> Hidden:
    """These devices connect, but ask for no names in the router's sight."""
    asks = "asks" if len(macs) == 1 else "ask"
    text = (
        f"The names that {_counted(macs)} {asks} for do not pass through this router ({_called(known, macs)})"
    )
    if known.settings.redirect_dns:
        return Hidden(
            f"{text}, although it answers all plain DNS: they use encrypted DNS.",
            "Switch encrypted DNS off on them; until then, enforce mode may block much of what they need.",
        )
    return Hidden(
        f"{text}: their resolver is on the local network, or they use encrypted DNS.",
        "Name the resolver with `list resolver`, or set `option redirect_dns '1'`; until then, enforce mode "
        "may block much of what they need.",
    )


def hidden_devices(known: Known, macs: Sequence[str]) -> Hidden:
    """Behind each of these MACs there are several devices."""
    hides = "hides others behind it" if len(macs) == 1 else "hide others behind them"
    return Hidden(
        f"{_counted(macs)} {hides}, as a repeater or a second router does, and all count as one "
        f"({_called(known, macs)}).",
        "Use it as a plain access point (bridge), or do not watch it: `option watch 'never'`.",
    )


def _counted(macs: Sequence[str]) -> str:
    return f"{len(macs)} device{'' if len(macs) == 1 else 's'}"


def _called(known: Known, macs: Sequence[str]) -> str:
    more = f" and {len(macs) - _SHOWN} more" if len(macs) > _SHOWN else ""
    return ", ".join(inert(known.label(mac)) for mac in macs[:_SHOWN]) + more
