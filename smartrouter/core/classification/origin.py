# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device's MAC tells: who made it, and whether anybody's prefix is in it at all.

What makers make is in `makers`. Some make things of which it is plain what they are, but a matter of taste
whether they are to be watched: these stand here, by how their names begin.
"""

from collections.abc import Iterator, Mapping

from smartrouter.core.classification.clue import Clue, plain
from smartrouter.core.classification.makers import Making, making, words

_FEATURES = {
    Making.APPLIANCES: "maker.appliances",
    Making.MODULES_OF_THINGS: "maker.modules-of-things",
    Making.MODULES: "maker.modules",
    Making.MIXED: "maker.mixed",
    Making.COMPUTERS: "maker.computers",
    Making.PHONES: "maker.phones",
    Making.VIRTUAL: "maker.virtual",
    Making.NETWORK: "maker.network",
    Making.NETWORK_AND_THINGS: "maker.network-and-things",
}
_BETWEEN = {
    "maker.consoles": "game consoles",
    "maker.servers": "disk stations or single-board computers",
    "maker.telephones": "desk telephones",
}
_MAKERS_BETWEEN = {
    beginning.strip(): feature
    for feature, beginnings in (
        ("maker.consoles", "nintendo; sony computer; sony interactive; valve"),
        ("maker.servers", "asustor; drobo; lacie; qnap; raspberry; synology; western digital"),
        (
            "maker.telephones",
            "aastra; alcatel; avaya; fanvil; gigaset; grandstream; htek; mitel; obihai; polycom; shoretel;"
            "snom; yealink",
        ),
    )
    for beginning in beginnings.split(";")
}
# Prefixes that somebody owns, but everybody takes who makes a MAC up: they say nothing of the maker.
_MADE_UP = frozenset(["00:00:00", "00:01:02", "00:11:22", "00:12:34", "00:aa:bb"])
# Prefixes that hypervisors give: QEMU, Docker, VirtualBox's own network, Hyper-V, Virtual PC.
_VIRTUAL = ("52:54:00", "02:42", "0a:00:27", "00:15:5d", "00:03:ff")
MEANINGS: Mapping[str, str] = {
    **{feature: f"its maker makes {kind.value}" for kind, feature in _FEATURES.items()},
    **{feature: f"its maker makes {what}" for feature, what in _BETWEEN.items()},
    "mac.random": "its MAC is randomised, as phones and computers do it",
    "mac.unknown": "its MAC belongs to an organisation of which nothing is known here",
}


def clues(mac: str, maker: str) -> Iterator[Clue]:
    """What they tell; `maker` is '' where the registry knows none."""
    if mac[:8].lower() in _MADE_UP:
        return
    if mac.lower().startswith(_VIRTUAL):
        yield Clue("maker.virtual", "its MAC is one that virtual machines are given")
        return
    if not maker:
        if is_randomised(mac):
            yield Clue("mac.random", "its MAC is randomised, as phones and computers do")
        return
    if feature := _between(words(maker)):
        yield Clue(feature, f"maker {plain(maker)} makes {_BETWEEN[feature]}")
        return
    kind = making(maker)
    if kind in _FEATURES:
        yield Clue(_FEATURES[kind], f"maker {plain(maker)} makes {kind.value}")
    else:
        yield Clue("mac.unknown", f"nothing is known here of maker {plain(maker)}")


def is_randomised(mac: str) -> bool:
    """Is `mac` locally administered (IEEE 802-2014 section 8.2.2), not given by a maker?"""
    return len(mac) > 1 and mac[1].lower() in "2367abef"


def _between(name: list[str]) -> str:
    return _MAKERS_BETWEEN.get(" ".join(name[:2])) or _MAKERS_BETWEEN.get(" ".join(name[:1]), "")
