# SPDX-License-Identifier: GPL-2.0-or-later
"""From all that is known of a device to the clues in it: each a feature, a strength, a phrase.

Which there are: `MEANINGS`. What each weighs is not decided here but fitted (`weights`). Any part of the
evidence may be missing; then its clues are.
"""

from collections.abc import Iterator, Mapping

from smartrouter.core.classification import behaviour, dhcp, hostnames, options, origin, services, stacks
from smartrouter.core.classification.clue import Clue
from smartrouter.core.classification.evidence import Evidence

MEANINGS: Mapping[str, str] = {
    **origin.MEANINGS,
    **hostnames.MEANINGS,
    **dhcp.MEANINGS,
    **options.MEANINGS,
    **services.MEANINGS,
    **stacks.MEANINGS,
    **behaviour.MEANINGS,
}
# What is neither a thing nor a person's device, or both. If one of these is there, all clues count for a part
# only: the answer is `unknown`, unless the rest is overwhelming.
BETWEEN = frozenset(
    (
        "announces.network",
        "client.console", "client.network", "client.telephone",
        "maker.consoles", "maker.servers", "maker.telephones",
        "name.console", "name.network", "name.server", "name.telephone",
        "options.telephone",
    )
)  # fmt: skip
_PART = 0.25
# Where the client has said its name, its usual list of options is no second witness.
_SAME = frozenset(
    (
        ("client.android", "options.android"),
        ("client.dhcpcd", "options.dhcpcd-android"),
        ("client.dhcpcd-board", "options.dhcpcd"),
        ("client.dhcpcd-board", "options.dhcpcd-android"),
        ("client.dhcpcd-pc", "options.dhcpcd"),
        ("client.udhcp", "options.busybox"),
        ("client.windows", "options.windows"),
    )
)


def clues(evidence: Evidence) -> list[Clue]:
    """All clues in `evidence`; at most one for each feature."""
    found = [
        *origin.clues(evidence.mac, evidence.maker),
        *hostnames.clues(evidence.hostname, evidence.mac, evidence.maker),
        *_of_client(evidence),
        *services.clues(evidence.services, evidence.models),
        *stacks.clues(evidence.stack),
        *behaviour.clues(evidence.behaviour),
    ]
    if any(clue.feature in BETWEEN for clue in found):
        return [clue._replace(strength=clue.strength * _PART) for clue in found]
    return found


def _of_client(evidence: Evidence) -> Iterator[Clue]:
    asked = list(options.clues(evidence.params))
    asks_otherwise = bool(asked) and asked[0].feature != "options.windows"
    said = [
        clue._replace(feature="client.windows-unlike")
        if asks_otherwise and clue.feature == "client.windows"
        else clue
        for clue in dhcp.clues(evidence.vendor_class, evidence.user_class)
    ]
    yield from said
    for clue in asked:
        if not any((other.feature, clue.feature) in _SAME for other in said):
            yield clue
