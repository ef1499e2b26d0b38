# SPDX-License-Identifier: GPL-2.0-or-later
"""What to call a device, for a person: never just a MAC, where anything better is known."""

from smartrouter.core.classification.makers import short

_TAIL = 5  # characters of a MAC, which tell devices of one maker apart


def human_name(mac: str, *, given: str = "", announced: str = "", hostname: str = "", maker: str = "") -> str:
    """The name that the user gave it, else the one that it announces, else its host name, else its maker's
    with the end of its MAC, else the MAC; "the router" where there is none (`core.effects.THE_ROUTER`).
    `maker`: as IEEE's registry has it."""
    if given or announced or hostname:
        return given or announced or hostname
    return f"{short(maker)} {mac[-_TAIL:]}" if maker else mac or "the router"
