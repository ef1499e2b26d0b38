# SPDX-License-Identifier: GPL-2.0-or-later
"""What an attempt is to a device: something that it knows, or news, and of what sort.

Known is what it has learned, under any name that the address has for it; what at least two relatives (other
devices of the same maker, done with learning, that share a learned domain with it) know; and a request for
the time now and then. The sorts of news are told apart by facts that nobody can choose who wants to be
overlooked: exact names of routine checks, what relatives know, what the device itself knows. What merely
resembles the maker's name counts for nothing: most look-alikes would pass.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from itertools import islice
from typing import NamedTuple

from smartrouter.core.destinations import Destination, group_of, is_address
from smartrouter.core.learning import Learning
from smartrouter.core.policy import Action, Attempted, Decision, Reason, decide, destination_of, ruling
from smartrouter.core.public.encrypted_dns import is_dot
from smartrouter.core.public.routine import is_certificate_status, is_connectivity_check
from smartrouter.core.roster import Device, Roster

ENOUGH_KIN = 2
MAX_ASKED = 64  # devices whose names of an address are looked at
_HTTP = 80


_REFUSED_DOT = Decision(False, Reason.ENCRYPTED_DNS, alert=True)


class Familiar(NamedTuple):
    """`reason`: of core.policy's KNOWN, ROUTINE, or `UNKNOWN_NAME` / `UNKNOWN_ADDRESS`. `destination`: what
    is known, or what it is called. `is_newest`: it is known by the newest name, not by an older one."""

    reason: Reason
    destination: Destination
    is_newest: bool = True


def familiar(roster: Roster, device: Device, attempted: Attempted, port: int, running: float) -> Familiar:
    """What an attempt to `port` is to the device; requests for the time apart."""
    found = learned(device.learning, attempted)
    if found is not None:
        return found
    if device.standing.learning:
        return Familiar(Reason.LEARNING, destination_of(attempted))
    return unlearned(roster, device, attempted, port, running)


def decision_on(
    roster: Roster,
    device: Device,
    attempted: Attempted,
    found: Familiar,
    protocol: int,
    port: int,
    wall: float,
) -> Decision:
    """The decision on an attempt that is `found` to be so to the device: by the user's rules, and by how the
    device stands."""
    action = ruling(device.rules, attempted, wall) if device.rules else None
    if roster.settings.redirect_dns and is_dot(protocol, port) and action is not Action.ALLOW:
        return _REFUSED_DOT
    return decide(device.standing, action, found.reason, named=bool(attempted.called))


def learned(learning: Learning, attempted: Attempted) -> Familiar | None:
    """What `learning` knows it by, None if by nothing."""
    known, service = learning.learned, attempted.service
    for at, called in enumerate(attempted.called):
        for name in (*called.groups, called.name):
            if (name, service) in known:  # a Destination is this pair, and costs more to make
                return Familiar(Reason.LEARNED, Destination(name, service), at == 0)
    bare = Destination(attempted.address, service)
    if bare in known:
        return Familiar(Reason.LEARNED, bare, not attempted.called)
    return None


def unlearned(roster: Roster, device: Device, attempted: Attempted, port: int, running: float) -> Familiar:
    """What an attempt to `port` is that the device has not learned."""
    destination = destination_of(attempted)
    if not attempted.called:
        known = _has_known_name(roster, device, attempted, running)
        reason = Reason.ADDRESS_OF_KNOWN_NAME if known else Reason.UNKNOWN_ADDRESS
        return Familiar(reason, destination)
    groups = {group for called in attempted.called for group in called.groups}
    kin = _kin(roster, device, [Destination(group, attempted.service) for group in groups])
    if kin >= ENOUGH_KIN:
        return Familiar(Reason.KIN, destination)
    return Familiar(_sort_of_news(device, attempted, port, kin), destination)


def _sort_of_news(device: Device, attempted: Attempted, port: int, kin: int) -> Reason:
    newest = attempted.called[0]
    if any(device.learning.knows(group) for group in newest.groups):
        return Reason.NEW_PORT
    if kin:
        return Reason.ONE_KIN
    if attempted.service == "web" and is_connectivity_check(newest.name):
        return Reason.CONNECTIVITY_CHECK
    if attempted.service == "web" and port == _HTTP and is_certificate_status(newest.name):
        return Reason.CERTIFICATE_STATUS
    return Reason.UNKNOWN_NAME


def _kin(roster: Roster, device: Device, destinations: Iterable[Destination]) -> int:
    """How many relatives have learned the same one of `destinations`: the most of any."""
    count: Counter[Destination] = Counter()
    for other in roster.relatives(device):
        if other.standing.learning:
            continue  # what it learns at this moment may be the very attack
        theirs = other.learning.learned
        learned_too = [destination for destination in destinations if destination in theirs]
        if learned_too and _share_a_domain(device.learning.learned, theirs):
            count.update(learned_too)
    return max(count.values(), default=0)


def _share_a_domain(mine: Collection[Destination], theirs: Collection[Destination]) -> bool:
    fewer, more = sorted((mine, theirs), key=len)
    return any(one in more and not is_address(one.name) for one in fewer)


def _has_known_name(roster: Roster, device: Device, attempted: Attempted, running: float) -> bool:
    """Was another device told a name for this address that `device` has learned?"""
    match = roster.settings.match
    return any(
        device.learning.knows(group_of(name, match))
        for other in islice(roster.devices.values(), MAX_ASKED)
        if attempted.address in other.book
        for name in other.book.names(attempted.address, running)
    )
