# SPDX-License-Identifier: GPL-2.0-or-later
"""What an organisation that has registered MAC prefixes makes, and what a person calls it.

Pure: takes the name as the registry has it (`smartrouter.makers` looks that up), knows no MAC. What it says
rests on the IEEE registry for the names, and on general knowledge (the makers' own product pages) for what
each makes; `organisations` holds it. Whoever is not there makes something `UNKNOWN`.

A maker is a weak clue where its parts go into other makers' products. So module makers stand apart, by
whether their modules sit practically only in things (an Espressif MAC is a thing, though none of
Espressif's) or in computers and phones as well (an AzureWave MAC may be a laptop).
"""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from typing import TypeVar

from smartrouter.core.classification import organisations
from smartrouter.core.kinship import LEGAL_FORMS, organisation, words_of

__all__ = ["Making", "entries", "making", "organisation", "sayings", "short", "words"]

_T = TypeVar("_T")


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
    return _longest(maker, _makings()) or Making.UNKNOWN


def short(maker: str) -> str:
    """What a person calls the organisation called `maker` in the registry: 'TP-Link' for 'TP-LINK
    TECHNOLOGIES CO.,LTD.'. Without a known saying, its name without its place and what says its sort."""
    if said := _longest(maker, _sayings()):
        return said
    name = re.sub(r"\(.*?\)|[,，]", " ", maker).split()
    while len(name) > 1 and _is(name[0], _PLACES):
        del name[0]
    while len(name) > 1 and _is(name[-1], _EMPTY_WORDS):
        name.pop()
    return " ".join(name)


def words(maker: str) -> list[str]:
    """The words of a name, in small letters and without the place that it begins with."""
    name = words_of(maker)
    while len(name) > 1 and name[0] in _PLACES:
        del name[0]
    return name


def entries() -> Iterator[tuple[str, Making]]:
    """All that `organisations` says of what is made: the beginning of a name, and what that maker makes."""
    for kind in Making:
        yield from ((entry, kind) for entry in _listed(getattr(organisations, kind.name, "")))


def sayings() -> Iterator[tuple[str, str]]:
    """All that `organisations` says of what people say: the beginning of a name, and what it is called."""
    for entry in _listed(organisations.SAID):
        beginning, _, said = entry.partition(": ")
        yield beginning, said


def _longest(maker: str, table: Mapping[str, _T]) -> _T | None:
    """What `table` has for the longest beginning of `maker` that it knows."""
    name = words(maker)
    for count in range(min(len(name), _MOST_WORDS), 0, -1):
        found = table.get(" ".join(name[:count]))
        if found is not None:
            return found
    return None


def _listed(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if not line.startswith("#"):
            yield from (entry.strip() for entry in line.split(";") if entry.strip())


def _is(word: str, one_of: frozenset[str]) -> bool:
    return "".join(re.findall(r"[^\W_]+", word.lower())) in one_of


@cache
def _makings() -> dict[str, Making]:
    return dict(entries())


@cache
def _sayings() -> dict[str, str]:
    return dict(sayings())


_MOST_WORDS = 5  # of an entry
_PLACES = frozenset(organisations.PLACES.split())
_EMPTY_WORDS = LEGAL_FORMS.union(
    ("", "and", "coltd", "group", "holdings", "international", "tech", "technologies", "technology")
)
