# SPDX-License-Identifier: GPL-2.0-or-later
"""*Inbox*: what waits for a decision, by device and destination, and what was decided. And one alert in full.

Words are those of messages and commands (`notify.wording`, `core.explanations`). What came from the network
may stand in a text, and in a form's hidden field, but decides nothing: what an alert is about is looked up by
its number when somebody decides.
"""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from smartrouter.analyzer.analysis import attempted_of
from smartrouter.config import RuleConfig
from smartrouter.core import explanations
from smartrouter.core.effects import THE_ROUTER, Evidence, Kind
from smartrouter.core.inert import cut
from smartrouter.core.names import registrable_domain
from smartrouter.core.policy import ruling
from smartrouter.listings.decisions import Decision, NoRule, decision, ruled_by
from smartrouter.listings.known import EVERY_DEVICE, Known
from smartrouter.notify.wording import about, tried, why
from smartrouter.store import inbox as stored
from smartrouter.store.alerts import AlertState, StoredAlert
from smartrouter.web.views import words

EACH = 3  # alerts of a device on the page of all devices,
DEVICES = 8  # … and devices on it
ALONE = 20  # alerts on the page of one device

_LONGEST_WHY = 600  # characters
_CUT = frozenset((Kind.SCAN, Kind.DNS_TUNNEL, Kind.CLONE))
OPEN, DECIDED = "open", "decided"
_STATES: Mapping[str, Collection[str]] = {
    OPEN: (AlertState.OPEN,),
    DECIDED: (AlertState.ALLOWED, AlertState.DENIED, AlertState.DISMISSED),
}
TIMES: Mapping[str, tuple[str, float | None]] = {
    "always": ("for good", None),
    "1h": ("for 1 hour", 3600.0),
    "1d": ("for 1 day", 86400.0),
    "7d": ("for 1 week", 7 * 86400.0),
    "30d": ("for 30 days", 30 * 86400.0),
}
"""How long a decision may hold: key -> words, seconds (None: for good)."""


class Scope(NamedTuple):
    """What a rule may be about: `value` as a form sends it."""

    value: str
    label: str


class Row(NamedTuple):
    """One alert. `what`: the destination, or what there is to say instead; `verdict`: `blocked`, `let
    through`, `partly blocked` or ''; `covered`: `allow` or `deny` where it waits no more, as a rule that was
    just made is about to decide it, else ''; `can_rule`: a rule can decide about it; `can_cut`: what helps
    is to cut the device off; `can_mute`: it is about a device; `scopes`: what such a rule may be about, the
    usual first; `undo`: the rule that has decided, if it still is there."""

    id: int
    kind: str
    title: str
    severity: str
    what: str
    name: str
    service: str
    evidence: str
    believed: str
    why: str
    means: str
    perhaps: str
    advice: str
    times: int
    blocked: int
    verdict: str
    first: float
    last: float
    state: str
    decided_by: str
    decided_at: float | None
    until: float | None
    covered: str
    can_rule: bool
    can_cut: bool
    can_mute: bool
    scopes: Sequence[Scope]
    undo: RuleConfig | None


class Place(NamedTuple):
    """Alerts of a device on one destination ('' where they are not about one)."""

    destination: str
    rows: Sequence[Row]


class Block(NamedTuple):
    """A device's part. `more`: alerts of it that are not shown here."""

    mac: str
    label: str
    muted_until: float | None
    places: Sequence[Place]
    alerts: int
    more: int


class Inbox(NamedTuple):
    """See the module. `show`: `open` or `decided`; `page` of `pages`, from 1 on; `device`: MAC, if only that
    one is shown; `kind`: likewise."""

    show: str
    blocks: Sequence[Block]
    open: int
    decided: int
    page: int
    pages: int
    device: str
    device_label: str
    kind: str


def inbox(
    known: Known,
    conn: sqlite3.Connection,
    now: float,
    *,
    show: str = OPEN,
    device: str = "",
    kind: str = "",
    page: int = 1,
) -> Inbox:
    """The screen. What is asked for and makes no sense is taken as not asked for. Raises sqlite3.Error."""
    show = show if show in _STATES else OPEN
    states = _STATES[show]
    counts = stored.counts(conn)
    groups = stored.groups(conn, states, EACH, kind)
    if device:
        total = next((group.alerts for group in groups if group.mac == device), 0)
        pages = max(1, -(-total // ALONE))
        page = min(max(1, page), pages)
        numbers = stored.of_device(conn, device, states, ALONE, (page - 1) * ALONE, kind)
        shown: list[tuple[str, Sequence[int], int]] = [(device, numbers, total)] if total else []
    else:
        pages = max(1, -(-len(groups) // DEVICES))
        page = min(max(1, page), pages)
        some = groups[(page - 1) * DEVICES : page * DEVICES]
        shown = [(group.mac, group.numbers, group.alerts) for group in some]
    blocks = [
        _block(known, mac, stored.read(conn, numbers), total, now, whole=bool(device))
        for mac, numbers, total in shown
    ]
    return Inbox(
        show=show,
        blocks=blocks,
        open=counts.get(AlertState.OPEN, 0),
        decided=sum(counts.get(state, 0) for state in _STATES[DECIDED]),
        page=page,
        pages=pages,
        device=device,
        device_label=known.label(device) if device else "",
        kind=kind,
    )


def row(known: Known, found: StoredAlert, now: float) -> Row:
    """One alert."""
    explanation = explanations.EXPLANATIONS.get(found.kind)
    reached = bool(tried(found))
    about_destination = explanations.is_about_destination(found.kind, found.reason)
    rule = still_counts(ruled_by(known, found), now)
    return Row(
        id=found.id,
        kind=found.kind,
        title=words.kind_title(found.kind),
        severity=found.severity,
        what=words.tail(about(found)) or (explanation.means if explanation else found.kind),
        name=found.name if found.name != found.destination else "",
        service=found.service,
        evidence=words.EVIDENCE.get(found.evidence, found.evidence) if reached and found.destination else "",
        believed=explanations.EVIDENCE.get(found.evidence, ""),
        why=cut(why(found), _LONGEST_WHY),
        means=explanation.means if explanation else "",
        perhaps=explanation.perhaps if explanation else "",
        advice=explanation.advice if explanation else "",
        times=found.occurrences,
        blocked=found.blocked,
        verdict=_verdict(found) if reached else "",
        first=found.first,
        last=found.last,
        state=found.state,
        decided_by=found.decided_by,
        decided_at=found.decided_at,
        until=None if rule is None else rule.until,
        covered=_covered(known, found, now),
        can_rule=about_destination and bool(found.destination),
        can_cut=found.kind in _CUT,
        can_mute=found.mac != THE_ROUTER,
        scopes=scopes(found),
        undo=rule,
    )


def _covered(known: Known, found: StoredAlert, now: float) -> str:
    """What a rule says of an open alert that the analyzer has not seen to yet."""
    if found.state != AlertState.OPEN or not found.destination:
        return ""
    rules = [rule for rule in known.settings.rules if rule.device in (EVERY_DEVICE, found.mac)]
    return str(ruling(rules, attempted_of(found), now) or "") if rules else ""


def scopes(found: StoredAlert) -> list[Scope]:
    """What a rule about this alert may name: its destination, the very name, all below its domain, the
    address. The first is what is usually meant."""
    if not found.destination:
        return []
    given = [Scope("group", words.tail(found.destination))]
    if found.name and found.name != found.destination:
        given.append(Scope("name", f"only {words.tail(found.name)}"))
    domain = _domain(found)
    if domain and domain != found.destination:
        given.append(Scope("domain", f"all below {words.tail(domain)}"))
    address = _address(found)
    if address and address != found.destination:
        given.append(Scope("address", f"only the address {address}"))
    return given


def rule_of(found: StoredAlert, action: str, scope: str, *, all_devices: bool) -> Decision:
    """What a rule of that scope names. Raises NoRule."""
    made = decision(found, action, exact=scope == "name", all_devices=all_devices)
    if scope in ("group", "name"):
        return made
    named = {"domain": f"*.{_domain(found)}" if _domain(found) else "", "address": _address(found)}.get(scope)
    if not named:
        raise NoRule(f"alert {found.id} has no {scope}; it is about {found.destination}")
    return made._replace(destination=named)


def still_counts(rule: RuleConfig | None, now: float) -> RuleConfig | None:
    """The rule, unless it has ended."""
    return rule if rule is not None and (rule.until is None or rule.until > now) else None


def muted_until(known: Known, mac: str, now: float) -> float | None:
    """Until when nothing of the device is sent; None if it is."""
    told = known.settings.devices.get(mac)
    return told.mute_until if told and told.mute_until is not None and told.mute_until > now else None


def _block(
    known: Known, mac: str, alerts: Sequence[StoredAlert], total: int, now: float, *, whole: bool
) -> Block:
    places: dict[str, list[Row]] = {}
    for found in alerts:
        places.setdefault(found.destination, []).append(row(known, found, now))
    return Block(
        mac=mac,
        label=cut(known.label(mac), words.LONGEST),
        muted_until=muted_until(known, mac, now),
        places=[Place(destination, rows) for destination, rows in places.items()],
        alerts=total,
        more=0 if whole else max(0, total - len(alerts)),
    )


def _verdict(found: StoredAlert) -> str:
    if not found.blocked:
        return "let through"
    return "blocked" if found.blocked >= found.occurrences else "partly blocked"


def _domain(found: StoredAlert) -> str:
    """The registrable domain of the name that is known; '' where none is, or only a reverse one."""
    name = found.name or ("" if _is_bare(found) else found.destination)
    if not name or found.evidence == Evidence.REVERSE:
        return ""
    domain = registrable_domain(name)
    return domain if "." in domain else ""


def _address(found: StoredAlert) -> str:
    return next((address for address, _, protocol, _ in found.targets if address and protocol), "")


def _is_bare(found: StoredAlert) -> bool:
    return any(found.destination == address for address, *_ in found.targets)
