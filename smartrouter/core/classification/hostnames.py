# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device's host name tells: names that systems and makers give, and words that say what it is.

One clue by the name's kind, the first that fits, and one more if the device's own MAC is in its name, which
makers do and people do not. Sources: Microsoft's documentation of made-up names, Android's `android-` and
the device's id, Apple's and Google's support pages for names of speakers, Cisco's `SEP` and the MAC, printer
makers' manuals.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from smartrouter.core.classification.clue import Clue, shown
from smartrouter.core.classification.makers import Making, making
from smartrouter.core.classification.makers import words as maker_words
from smartrouter.core.classification.words import (
    BETWEEN,
    COMPUTERS,
    KINDS,
    MODULES,
    PERSONAL,
    PRODUCTS,
    ROOMS,
    pattern,
    split,
)

MEANINGS: Mapping[str, str] = {
    "name.amazon": "its host name is `amazon-` and nine digits, as Fire TVs and Fire tablets have it",
    "name.android": "its host name is `android-` and an identifier",
    "name.appliance": "its host name says that it is an appliance",
    "name.computer": "its host name is one that computers are given",
    "name.console": "its host name is a game console's",
    "name.maker": "its host name begins with its maker's, who makes more than computers and phones",
    "name.model": "its host name looks like a model or serial number",
    "name.module": "its host name is one that a Wi-Fi module comes with",
    "name.network": "its host name is one of network equipment",
    "name.own-mac": "its host name has the end of its own MAC in it",
    "name.personal": "its host name is a phone's, a tablet's or a laptop's",
    "name.product": "its host name is that of a product for the home",
    "name.room": "its host name is a room, as speakers and players are called",
    "name.server": "its host name is a disk station's, a home server's or a single-board computer's",
    "name.telephone": "its host name is a desk telephone's",
    "name.windows": "its host name is one that Windows makes up",
}

# Whole names, the most telling first.
_SHAPES = tuple(
    (feature, re.compile(shape), phrase)
    for feature, shape, phrase in (
        ("name.amazon", r"amazon-[0-9a-f]{9}", "Fire TVs and Fire tablets alike are called"),
        ("name.android", r"(?i)android[-_][0-9a-f]{6,20}(?:[-_][0-9]+)?", "Android calls what it runs on"),
        (
            "name.windows",
            r"(?:DESKTOP|LAPTOP|MININT)-[0-9A-Z]{6,8}|WIN-[0-9A-Z]{8,11}|.{1,16}-(?:PC|HP)|MSEDGEWIN10",
            "Windows makes up names like",
        ),
        (
            "name.telephone",
            r"(?i)SEP[0-9a-f]{12}|SIP-T[0-9]{2}[A-Z]?.*|ATA[0-9a-f]{12}|AV[0-9A-F]{6}|Polycom_[0-9a-f]{12}",
            "desk telephones are called",
        ),
        (
            "name.network",
            r"(?i)(?:dir|dap|dsl|dwl|ea|nbg|wap|wgr|wndr|wnr|wpn|wrt)-?[0-9]{2,}.*|tl-w[apr][0-9].*|archer.*"
            r"|rt-(?:ac|ax|be|n)[0-9].*|r[6-9][0-9]{3}(?:p|v[0-9])?",
            "network equipment is called",
        ),
        (
            "name.appliance",
            r"(?i)(?:BR[NW]|NPI|EPSON|HP|KM|RNP|XRX|LXK|ET|DELL)[0-9a-f]{6,12}",
            "printers are called",
        ),
    )
)  # fmt: skip
_MODEL = re.compile(
    r"[A-Z]{1,6}[-_]?[A-Z]{0,3}[0-9]{2,5}[A-Z]{0,3}(?:[-_(][A-Z0-9().+-]{0,12})?"  # DCS-935L, HS100(EU)
    r"|(?=(?:[A-Z-]*[0-9]){5})(?=[0-9-]*[A-Z])[0-9A-Z-]{10,24}"  # serial numbers
)
# Words, the most telling first.
_WORDS = (
    ("name.module", MODULES, "Wi-Fi modules come with names like"),
    ("name.personal", PERSONAL, "phones, tablets and laptops are called"),
    ("name.product", PRODUCTS, "a product for the home is called"),
    ("name.console", BETWEEN["console"], "game consoles are called"),
    ("name.server", BETWEEN["server"], "disk stations and home servers are called"),
    ("name.telephone", BETWEEN["telephone"], "desk telephones are called"),
    ("name.network", BETWEEN["network"], "network equipment is called"),
    ("name.appliance", KINDS, "an appliance is called"),
    ("name.computer", COMPUTERS, "computers are called"),
)
_FOUND = tuple((feature, words, pattern(words), phrase) for feature, words, phrase in _WORDS)
_MAKERS_OF_MORE = frozenset(Making) - {Making.COMPUTERS, Making.PHONES, Making.VIRTUAL, Making.MODULES}
_LONGEST = 64  # characters; a label of a host name has 63 (RFC 1035 section 2.3.4)
_SHORTEST_MAKER = 4  # letters of a maker's name that mean something at the start of a host name
_TAIL = 6  # digits of the MAC's end; of fewer, a name has them by chance


def clues(hostname: str, mac: str, maker: str) -> Iterator[Clue]:
    """What `hostname` tells of the device with this MAC, by this maker; either may be ''."""
    name = hostname.strip("\0 ").partition(".")[0]  # it may come with its domain
    if not name:
        return
    if kind := _kind(name) or _by_maker(name, maker):
        yield kind
    if _has_own_mac(hostname, mac):
        yield Clue("name.own-mac", f"its host name {shown(hostname)} has its own MAC in it")


def by_words(text: str) -> str:
    """What the words of a text (a model, a vendor class) speak for, as of a host name; '' if nothing."""
    return _by_words(text[:_LONGEST])


@lru_cache(maxsize=512)  # a device says the same for months
def _by_words(text: str) -> str:
    alone, small = split(text), text.lower()
    for feature, words, inside, _ in _FOUND:
        if not alone.isdisjoint(words) or inside.search(small):
            return feature
    return ""


def _kind(hostname: str) -> Clue | None:
    for feature, shape, phrase in _SHAPES:
        if shape.fullmatch(hostname):
            return Clue(feature, f"{phrase} {shown(hostname)}")
    if feature := by_words(hostname):
        phrase = next(phrase for name, _, _, phrase in _FOUND if name == feature)
        return Clue(feature, f"{phrase} {shown(hostname)}")
    if ROOMS.fullmatch(hostname):
        return Clue("name.room", f"speakers and players are called after a room, like {shown(hostname)}")
    if _MODEL.fullmatch(hostname):
        return Clue("name.model", f"its host name {shown(hostname)} looks like a model or serial number")
    return None


def _by_maker(hostname: str, maker: str) -> Clue | None:
    if not maker or making(maker) not in _MAKERS_OF_MORE:
        return None
    first = maker_words(maker)[0] if maker_words(maker) else ""
    if len(first) < _SHORTEST_MAKER or not hostname.lower().startswith(first):
        return None
    return Clue("name.maker", f"its host name {shown(hostname)} is its maker's")


def _has_own_mac(hostname: str, mac: str) -> bool:
    digits = mac.replace(":", "").lower()
    name = re.sub(r"[:_.-]", "", hostname.lower())
    return len(digits) == 12 and (digits[-_TAIL:] in name or (digits[:6] in name and digits[-3:-1] in name))
