# SPDX-License-Identifier: GPL-2.0-or-later
"""What is noted of an attempt or a device, as values: verdicts, records, alerts, and how loud these are."""

from collections.abc import Mapping

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import Alert, Attempt, Evidence, Kind, Record, Severity, Verdict
from smartrouter.core.events import FlowOpened, Moment
from smartrouter.core.policy import Decision, Reason

SEVERITY: Mapping[Kind, Severity] = {
    Kind.NEW_DESTINATION: Severity.WARNING,
    Kind.NEW_PORT: Severity.NOTICE,
    Kind.SCAN: Severity.CRITICAL,
    Kind.FOREIGN_RESOLVER: Severity.WARNING,
    Kind.ENCRYPTED_DNS: Severity.WARNING,
    Kind.DNS_TUNNEL: Severity.CRITICAL,
    Kind.IP_SPOOFING: Severity.CRITICAL,
    Kind.ADDRESS_CONFLICT: Severity.WARNING,
    Kind.CLONE: Severity.WARNING,
    Kind.FRONTING: Severity.NOTICE,
    Kind.NEW_NAME: Severity.NOTICE,
    Kind.AFTER_OUTAGE: Severity.NOTICE,
    Kind.ROUTER_SERVICE: Severity.NOTICE,
    Kind.HIDDEN_RESOLVER: Severity.WARNING,
    Kind.REPEATER: Severity.WARNING,
    Kind.PERSON: Severity.NOTICE,
    Kind.UNUSED: Severity.NOTICE,
    Kind.UPLOAD: Severity.WARNING,
    Kind.ACCOUNTING: Severity.WARNING,
    Kind.OVERFLOW: Severity.WARNING,
    Kind.NOT_STORED: Severity.WARNING,
}

_VERDICTS = {(accept, reason): Verdict(accept, reason) for accept in (True, False) for reason in Reason}
_KIND_OF = {Reason.NEW_PORT: Kind.NEW_PORT, Reason.AFTER_OUTAGE: Kind.AFTER_OUTAGE}


def verdict(decision: Decision) -> Verdict:
    """What to do with the packet."""
    return _VERDICTS[decision.accept, decision.reason]


def record(
    event: FlowOpened, service: str, decision: Decision, label: tuple[str, Evidence], now: Moment
) -> Record:
    """The record of an attempt. `label`: its name, or '', and the evidence for it."""
    return Record(
        Attempt(
            now.wall, event.mac, event.source, event.source_port, event.destination, event.destination_port,
            event.protocol, event.scope, service, *label, decision.accept, decision.reason,
        )
    )  # fmt: skip


def kind_of(decision: Decision) -> Kind:
    """What an alert about an attempt that is not known is about."""
    return _KIND_OF.get(decision.reason, Kind.NEW_DESTINATION)


def about_flow(
    event: FlowOpened,
    kind: Kind,
    decision: Decision,
    destination: Destination,
    label: tuple[str, Evidence],
    now: Moment,
    detail: str = "",
) -> Alert:
    """An alert about a connection. `label`: its name, or '', and the evidence for it."""
    severity = Severity.NOTICE if decision.routine else SEVERITY[kind]
    return Alert(
        now.wall, event.mac, kind, decision.reason, severity, destination.name, destination.service, *label,
        event.destination, event.destination_port, event.protocol, not decision.accept, detail,
    )  # fmt: skip


def about_device(
    mac: str,
    kind: Kind,
    reason: Reason,
    now: Moment,
    *,
    destination: str = "",
    address: str = "",
    detail: str,
) -> Alert:
    """An alert about what a device does, rather than about one connection."""
    return Alert(
        now.wall, mac, kind, reason, SEVERITY[kind], destination, "", "", Evidence.NONE, address, 0, 0, False,
        detail,
    )  # fmt: skip


def part_of_scan(alert: Alert, detail: str) -> Alert:
    """What `alert` is once it turns out to be part of a scan."""
    return alert._replace(
        kind=Kind.SCAN,
        reason=Reason.SCAN,
        severity=SEVERITY[Kind.SCAN],
        destination="",
        service="",
        detail=detail,
    )
