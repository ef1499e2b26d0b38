# SPDX-License-Identifier: GPL-2.0-or-later
"""What a decision about an alert is as a rule, and which rule decided about one. Changes nothing."""

from typing import NamedTuple

from smartrouter.config import RuleConfig
from smartrouter.core.effects import Kind
from smartrouter.core.errors import SmartrouterError
from smartrouter.core.explanations import EXPLANATIONS, is_about_destination
from smartrouter.core.policy import Action
from smartrouter.listings.known import EVERY_DEVICE, Known
from smartrouter.store.alerts import AlertState, StoredAlert


class Decision(NamedTuple):
    """What a rule about the alert is to name."""

    device: str
    destination: str
    service: str


class NoRule(SmartrouterError):
    """No rule can decide about this alert; says what can be done instead."""


def decision(found: StoredAlert, action: str, *, exact: bool = False, all_devices: bool = False) -> Decision:
    """The rule that allows or denies what an alert is about. `exact`: the very name, not its group. Raises
    NoRule."""
    if found.state == AlertState.MERGED:
        raise NoRule(f"alert {found.id} is part of a greater one; decide about that")
    if not is_about_destination(found.kind, found.reason):
        explanation = EXPLANATIONS.get(found.kind)
        instead = f". {explanation.advice}" if explanation else ""
        raise NoRule(
            f"alert {found.id} ({found.kind}) is about no destination that a rule could name{instead}"
        )
    device = EVERY_DEVICE if all_devices else found.mac
    if exact:
        if not found.name:
            raise NoRule(f"alert {found.id} has no name; it is about {found.destination}")
        return Decision(device, found.name, found.service)
    if action == Action.DENY and found.kind == Kind.FRONTING and found.targets:
        # The address is what the device knows: by its name alone the connection would go on passing.
        return Decision(device, found.targets[0][0], found.service)
    return Decision(device, found.destination, found.service)


def ruled_by(known: Known, found: StoredAlert) -> RuleConfig | None:
    """The rule that gave the alert its state; None if none did, or it is there no more."""
    if found.state not in (AlertState.ALLOWED, AlertState.DENIED):
        return None
    for rule in known.config.rules:
        is_it = rule.by == found.decided_by and rule.at == found.decided_at
        if is_it and rule.device in (EVERY_DEVICE, found.mac):
            return rule
    return None
