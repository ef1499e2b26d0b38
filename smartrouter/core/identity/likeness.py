# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a device with a random MAC one that was known under another? Phones change theirs for privacy, and so do
a few things after a reset.

What stays when the MAC changes is compared: identifiers that it announces, its names, how it speaks DHCP and
TCP, and which destinations it needs. An agreement counts the more, the less two different devices agree in it
by chance: in an identifier never, in a host name seldom, in a DHCP client often. The outcome is only ever
offered: who can choose his MAC can choose the rest as well.
"""

from collections.abc import Iterable
from typing import NamedTuple

from smartrouter.core.classification.evidence import Evidence

ENOUGH = 0.7  # from there on it is offered
LEAD = 0.2  # by which the best must be ahead of the next
_SAME_ID, _SAME_CLIENT_ID = 1.0, 0.8
_SAME_HOSTNAME, _SAME_NAME = 0.6, 0.6
_SAME_DHCP, _SAME_OPTIONS = 0.25, 0.15
_SAME_SERVICES, _SAME_STACK = 0.15, 0.1
_SAME_NEEDS, _NEEDS_IN_COMMON, _FEWEST_NEEDS = 0.35, 0.5, 3
_HARDWARE_ID = "01"  # of a client identifier that is only the MAC again (RFC 2132 section 9.14)
# Host names that whole product lines send.
_COMMON_NAMES = frozenset(
    """
    android iphone ipad localhost unknown espressif esp8266 esp32 lwip wlan0 host device linux raspberrypi
    galaxy watch macbook macbookpro macbook-pro macbook-air imac apple-tv homepod
    """.split()  # noqa: SIM905 - a table
)


class Looks(NamedTuple):
    """What of a device stays when its MAC changes. `ids`: what it announces as its own; `needs`: the name
    groups that it was seen to need."""

    evidence: Evidence
    ids: tuple[str, ...] = ()
    needs: frozenset[str] = frozenset()


class Likeness(NamedTuple):
    """How alike two devices are; `score` from 0, `ENOUGH` is much. `reasons`: in words."""

    mac: str
    score: float
    reasons: tuple[str, ...]


def likeness(one: Looks, other: Looks) -> Likeness:
    """How far `one` looks like `other`, whose MAC the answer has."""
    new, old = one.evidence, other.evidence
    hostname = new.hostname.lower()
    same_options = bool(new.params) and new.params == old.params
    agreements = (
        (bool({*one.ids} & {*other.ids}), _SAME_ID, "it announces the same identifier"),
        (_are_same_clients(new.client_id, old.client_id), _SAME_CLIENT_ID, "the same DHCP client identifier"),
        (
            bool(hostname) and hostname not in _COMMON_NAMES and hostname == old.hostname.lower(),
            _SAME_HOSTNAME,
            "the same host name",
        ),
        (bool({*new.names} & {*old.names}), _SAME_NAME, "it announces the same name"),
        (
            same_options,
            _SAME_DHCP if new.vendor_class and new.vendor_class == old.vendor_class else _SAME_OPTIONS,
            "the same DHCP client",
        ),
        (bool(new.services) and {*new.services} == {*old.services}, _SAME_SERVICES, "the same services"),
        (new.stack is not None and new.stack == old.stack, _SAME_STACK, "the same TCP"),
        (_need_the_same(one.needs, other.needs), _SAME_NEEDS, "it needs the same destinations"),
    )
    reasons = tuple(reason for agrees, _, reason in agreements if agrees)
    score = sum(weight for agrees, weight, _ in agreements if agrees)
    if new.params and old.params and not same_options:
        score /= 2  # another system, whatever else it says
    return Likeness(old.mac, score, reasons)


def likeliest(new: Looks, known: Iterable[Looks]) -> Likeness | None:
    """Which of `known` it most probably is; None if none is like enough, or two are about as like."""
    ranked = sorted((likeness(new, other) for other in known), key=lambda found: -found.score)
    if not ranked or ranked[0].score < ENOUGH:
        return None
    if len(ranked) > 1 and ranked[0].score - ranked[1].score < LEAD:
        return None
    return ranked[0]


def _are_same_clients(one: str, other: str) -> bool:
    return bool(one) and one == other and not one.startswith(_HARDWARE_ID)


def _need_the_same(one: frozenset[str], other: frozenset[str]) -> bool:
    if min(len(one), len(other)) < _FEWEST_NEEDS:
        return False
    return len(one & other) / len(one | other) >= _NEEDS_IN_COMMON
