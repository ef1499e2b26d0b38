# SPDX-License-Identifier: GPL-2.0-or-later
"""What an organisation that has registered MAC prefixes makes, and what a person calls it.

Pure: takes the name as the registry has it (`smartrouter.makers` looks that up), knows no MAC. What it
says rests on the IEEE registry for the names and on general knowledge for what each makes (the makers' own
product pages); `organisations` holds it. An organisation that is not there makes `UNKNOWN`.

A maker is a weak clue where its parts go into other makers' products. So module makers stand apart, by
whether their modules sit practically only in things (an Espressif MAC is a thing, though not Espressif's)
or in computers and phones as well (an AzureWave MAC may be a laptop).
"""

import re
from collections.abc import Iterator
from enum import Enum

from smartrouter.core.classification import organisations


class Making(Enum):
    """What an organisation makes; the value completes the sentence "X makes …"."""

    APPLIANCES = "appliances"
    MODULES_OF_THINGS = "network modules that sit in appliances"
    MODULES = "network modules that sit in appliances, computers and phones"
    MIXED = "appliances as well as computers or phones"
    COMPUTERS = "computers"
    PHONES = "phones"
    VIRTUAL = "virtual machines"
    NETWORK = "routers and other network equipment"
    NETWORK_AND_THINGS = "network equipment as well as appliances"
    UNKNOWN = "something unknown"


def making(maker: str) -> Making:
    """What the organisation called `maker` in the registry makes, by the longest entry that begins it."""
    name = words(maker)
    for count in range(min(len(name), _LONGEST), 0, -1):
        kind = _KINDS.get(" ".join(name[:count]))
        if kind is not None:
            return kind
    return Making.UNKNOWN


def words(maker: str) -> list[str]:
    """The words of a name, in small letters and without the place that it begins with."""
    name = _words(maker)
    while len(name) > 1 and name[0] in _PLACES:
        del name[0]
    return name


def _words(maker: str) -> list[str]:
    return re.findall(r"[^\W_]+", maker.lower().replace("'", ""))


def entries() -> Iterator[tuple[str, Making]]:
    """All that `organisations` says: the beginning of a name, and what that organisation makes."""
    for kind in Making:
        for line in getattr(organisations, kind.name, "").splitlines():
            if not line.startswith("#"):
                yield from ((entry.strip(), kind) for entry in line.split(";") if entry.strip())


_PLACES = frozenset(organisations.PLACES.split())
_KINDS = dict(entries())
_LONGEST = max(len(entry.split()) for entry in _KINDS)  # words
