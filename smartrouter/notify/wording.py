# SPDX-License-Identifier: GPL-2.0-or-later
"""From an alert, and what is known around it, to what a person is told. Values in, values out.

The words for kinds, reasons and evidence are `core.explanations`'; here they meet the names, addresses and
ports of one alert. Whatever came from the network may stand in a text, but never in a command to be typed.
Knows no store, no clock and no channel: an alert is anything that has what `Alerted` lists.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from smartrouter.core.destinations import is_address, protocol_name
from smartrouter.core.effects import THE_ROUTER, Kind
from smartrouter.core.explanations import EVIDENCE, EXPLANATIONS, is_about_destination, sentence
from smartrouter.notify.message import Answer, Message

ALLOWED, DENIED, DISMISSED, MERGED, OPEN = "allowed", "denied", "dismissed", "merged", "open"
_SHOWN = 10  # destinations of a flood that are named
_MANY = 20  # unknown destinations within a minute that look like a scan
_LONGEST = 200  # characters of a title's part that came from the network


class Alerted(Protocol):
    """An alert: the fields of store.alerts.StoredAlert that are spoken of."""

    @property
    def id(self) -> int: ...
    @property
    def mac(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def destination(self) -> str: ...
    @property
    def service(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def evidence(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def reverse(self) -> str | None: ...
    @property
    def first(self) -> float: ...
    @property
    def last(self) -> float: ...
    @property
    def occurrences(self) -> int: ...
    @property
    def blocked(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def targets(self) -> tuple[tuple[str, int, int, int], ...]: ...
    @property
    def decided_by(self) -> str: ...
    @property
    def decided_at(self) -> float | None: ...


class About(NamedTuple):
    """What else is known of an alert's device. `mode`: the one that it is in; `note`: what was answered,
    though the alert is open: that the device is muted, by whom and until when, or why it could not be done;
    '' if nothing. `ends`: when the rule that decided ends, epoch seconds; `is_over`: it has. `site`: where
    the pages are, as `http://192.168.1.1:8081`; '' if there are none."""

    label: str
    mode: str
    note: str = ""
    ends: float | None = None
    is_over: bool = False
    site: str = ""


# -- one alert, in words -----------------------------------------------------------------------------


class Tried(NamedTuple):
    """Where a device went, as `198.51.100.7 tcp/443`, and how many times."""

    text: str
    times: int


def tried(found: Alerted) -> list[Tried]:
    """The connections of an alert, the most frequent first; none where it is about what a device is."""
    return [
        Tried(f"{address} {protocol_name(protocol)}{f'/{port}' if port else ''}", count)
        for address, port, protocol, count in found.targets
        if protocol
    ]


def about(found: Alerted) -> str:
    """What an alert is about, in few words: the destination, and the reverse name where that is all there is
    (it is its owner's word only); the detail where there is no destination."""
    if not found.destination:
        return found.detail
    return f"{found.destination} [{found.reverse}]" if found.reverse and not found.name else found.destination


def who(mac: str, label: str) -> str:
    """What a device is called, with its MAC; the router has none."""
    return f"{label} ({mac})" if mac not in (label, THE_ROUTER) else label


def why(found: Alerted) -> str:
    """The reason as a sentence, or its bare code if another version gave it, and what it is about."""
    parts = [sentence(found.reason) or f"{found.reason}."]
    reached = tried(found)
    if reached and found.kind != Kind.SCAN:  # of which the detail says more
        name = found.name or found.destination
        called = f"{name}, " if name and name != found.targets[0][0] else ""
        more = f" and {len(reached) - 1} more" if len(reached) > 1 else ""
        parts.append(f"It tried {called}{reached[0].text}{more}.")
    if found.detail:
        parts.append(f"{found.detail[0].upper()}{found.detail[1:].rstrip('.')}.")
    return " ".join(parts)


def commands(found: Alerted) -> list[tuple[str, str]]:
    """What to type to decide about an alert, and what that does; nothing where it was decided."""
    if found.state != OPEN:
        return []
    number, mac = found.id, found.mac
    ways = []
    if is_about_destination(found.kind, found.reason):
        denied = "that address" if found.kind == Kind.FRONTING else "it"
        ways = [
            (f"smartrouter allow {number}", "allows this destination and service"),
            (f"smartrouter deny {number}", f"blocks {denied} in every mode"),
        ]
    elif found.kind == Kind.IP_SPOOFING:
        ways = [(f"smartrouter mode enforce {mac}", "blocks what is not known")]
    elif found.kind in (Kind.SCAN, Kind.DNS_TUNNEL, Kind.CLONE):
        ways = [(f"smartrouter deny {mac} '*' --for 1d", "blocks its connections a day")]
        if found.kind == Kind.SCAN and found.targets:
            ways.append((f"smartrouter allow {mac} {found.targets[0][0]}", "allows just this address"))
    elif found.kind == Kind.PERSON:
        ways = [
            (f"smartrouter forget {mac} --all", "takes back what it learned"),
            (f"smartrouter learn {mac}", "has it learn again"),
        ]
    return [*ways, (f"smartrouter alert {number} --dismiss", "reports it no more")]


def decided(found: Alerted, ends: float | None = None, is_over: bool = False) -> str:
    """What became of an alert, by whom and when: `allowed until 18:00 by slack:U024BE7LH at …`; '' while it
    is open. `ends`: when that ends by itself; `is_over`: it has, and all is as it was before."""
    if found.state == OPEN:
        return ""
    if found.state == MERGED:
        return "part of a greater alert, which stands in its place"
    until = f" until {moment(ends)}" if ends is not None else ""
    by = f" by {found.decided_by}" if found.decided_by else ""
    at = f" at {moment(found.decided_at)}" if found.decided_at is not None else ""
    return f"{found.state}{until}{by}{at}" + ("; that is over" if is_over else "")


# -- one alert, as a message -------------------------------------------------------------------------


def key_of(found: Alerted) -> str:
    """The key of all messages about this alert."""
    return f"alert:{found.id}"


def message(found: Alerted, known: About, revision: int = 1) -> Message:
    """What is said of an alert."""
    return Message(
        key=key_of(found),
        revision=revision,
        at=found.first,
        severity=found.severity,
        kind=found.kind,
        title=title(found, known.label),
        device=known.label,
        mac=found.mac,
        destination=found.destination,
        service=found.service,
        facts=_facts(found, known),
        blocked=found.blocked > 0 if tried(found) else None,
        alert=found.id,
        link=f"{known.site}/alerts/{found.id}" if known.site else "",
        answers=answers(found),
        outcome=decided(found, known.ends, known.is_over) or known.note,
    )


def answers(found: Alerted) -> tuple[Answer, ...]:
    """How an alert can be answered; not at all where that was done."""
    if found.state != OPEN:
        return ()
    if is_about_destination(found.kind, found.reason) and found.destination:
        return (Answer.ALLOW, Answer.ALLOW_HOUR, Answer.KEEP_BLOCKING, Answer.MUTE)
    if found.mac == THE_ROUTER:
        return (Answer.KEEP_BLOCKING,)  # there is no device to be muted
    return (Answer.KEEP_BLOCKING, Answer.MUTE)


def news_of(found: Alerted, known: About) -> str:
    """What would be worth telling again if it changed: how often only by its number of digits."""
    named = found.name or found.reverse or ""
    outcome = decided(found, known.ends, known.is_over) or known.note
    return "|".join(
        (found.severity, named, str(found.blocked > 0), str(len(str(found.occurrences))), outcome)
    )


_TITLES: Mapping[str, str] = {
    Kind.NEW_DESTINATION: "{device} tried to reach {what}, which is new to it",
    Kind.NEW_PORT: "{device} tried another service of {what}",
    Kind.SCAN: "{device} looks as if it scans: {detail}",
    Kind.FOREIGN_RESOLVER: "{device} asks {what}, a DNS server that nobody vouches for",
    Kind.ENCRYPTED_DNS: "{device} speaks encrypted DNS to {what}",
    Kind.DNS_TUNNEL: "{device} may send data out through DNS: {detail}",
    Kind.IP_SPOOFING: "{device} sends under addresses that are not its own: {detail}",
    Kind.ADDRESS_CONFLICT: "{device} and another device use one address: {detail}",
    Kind.CLONE: "Something else seems to use the MAC of {device}: {detail}",
    Kind.FRONTING: "{device} asked a server that it knows for {what}, which it does not know",
    Kind.NEW_NAME: "{device} knows the address of {what}, but not that name",
    Kind.AFTER_OUTAGE: "{device} reached {what} soon after the guard was away",
    Kind.ROUTER_SERVICE: "{device} opened a connection to the router itself: {what}",
    Kind.HIDDEN_RESOLVER: "{device} connects to servers, but asks for no names in this router's sight",
    Kind.REPEATER: "{device} seems to hide several devices behind it",
    Kind.PERSON: "{device} behaves as somebody's phone or computer does",
    Kind.UNUSED: "{device} has not used {what} for long, and knows it no more",
    Kind.UPLOAD: "{device} sends unusually much to {what}: {detail}",
    Kind.ACCOUNTING: "Packets are missing in smartrouter's accounts: {detail}",
    Kind.OVERFLOW: "More came than smartrouter could deal with: {detail}",
    Kind.NOT_STORED: "What devices did could not be stored: {detail}",
}


def title(found: Alerted, label: str) -> str:
    """One sentence that says it all."""
    form = _TITLES.get(found.kind, "{device}: {kind} {what}")
    if found.kind == Kind.ENCRYPTED_DNS and not found.destination:
        form = "{device} asks whether it may use encrypted DNS"
    service = f" ({found.service})" if found.service else ""
    named = about(found)[:_LONGEST]
    said = form.format(
        device=label[:_LONGEST],
        what=f"{named}{service}",
        detail=found.detail[:_LONGEST] or named,
        kind=found.kind,
    ).rstrip(": ")
    return f"{said}{_verdict(found)}."


def _verdict(found: Alerted) -> str:
    if not tried(found) or found.kind == Kind.ROUTER_SERVICE:
        return ""
    if not found.blocked:
        return ": let through"
    return ": blocked" if found.blocked == found.occurrences else ": partly blocked"


def _facts(found: Alerted, known: About) -> tuple[tuple[str, str], ...]:
    facts = [("device", who(found.mac, known.label))]
    if found.destination:
        service = f" ({found.service})" if found.service else ""
        facts.append(("destination", f"{about(found)}{service}"))
    if found.name and found.name != found.destination:
        facts.append(("name", found.name))
    if found.destination and tried(found):
        facts.append(("evidence", EVIDENCE.get(found.evidence, found.evidence)))
    facts.append(("why", why(found)))
    explanation = EXPLANATIONS.get(found.kind)
    if explanation:
        facts += [("it may be", explanation.perhaps), ("what to do", explanation.advice)]
    facts += [*([("mode", known.mode)] if found.mac != THE_ROUTER else []), ("seen", _seen(found))]
    facts += [("to decide", f"{command}: {does}") for command, does in commands(found)]
    return tuple(facts)


def _seen(found: Alerted) -> str:
    times = "once" if found.occurrences == 1 else f"{found.occurrences} times"
    blocked = ""
    if tried(found):
        blocked = ", blocked" if found.blocked == found.occurrences else f", {found.blocked} of them blocked"
        blocked = blocked if found.blocked else ", not blocked"
    last = f", last {moment(found.last)}" if found.occurrences > 1 else ""
    return f"{times}{blocked}, first {moment(found.first)}{last}"


def moment(at: float) -> str:
    return datetime.fromtimestamp(at).isoformat(sep=" ", timespec="minutes")


# -- many alerts, as one message ---------------------------------------------------------------------


def flood(
    key: str, found: Sequence[Alerted], label: str, severity: str, seconds: float, revision: int = 1
) -> Message:
    """What is said of many alerts of one device within a short time (`seconds`)."""
    first = found[0]
    addressed = [each for each in found if each.destination]
    bare = sum(is_address(each.destination) for each in addressed)
    within = "in a minute" if seconds <= 60 else f"in {round(seconds / 60)} minutes"
    if len(addressed) == len(found):
        said = f"{len(found)} unknown destinations {within}"
    else:
        said = f"{len(found)} alerts {within}"
    looks = ", looks like a scan" if len(found) >= _MANY and bare > len(found) / 2 else ""
    blocked = [each for each in found if each.blocked]
    named = [about(each) for each in addressed[:_SHOWN]]
    more = f" and {len(addressed) - _SHOWN} more" if len(addressed) > _SHOWN else ""
    facts = [
        ("device", who(first.mac, label)),
        ("alerts", numbers([each.id for each in found])),
        *([("destinations", ", ".join(named) + more)] if named else []),
        ("blocked", f"{len(blocked)} of {len(found)}"),
        ("to decide", "smartrouter alerts: lists them"),
        ("to decide", f"smartrouter deny {first.mac} '*' --for 1d: blocks its connections a day"),
    ]
    title = f"{label[:_LONGEST]}: {said}{looks}."
    return Message(
        key, revision, first.first, severity, "flood", title, label, first.mac, "", "", tuple(facts),
        bool(blocked), None, "", (Answer.MUTE,),
    )  # fmt: skip


def quiet(key: str, waited: Sequence[Message], at: float, severity: str) -> Message:
    """What is said, after quiet hours, of all that waited."""
    return _together("While it was quiet", "message", key, waited, at, severity)


def late(key: str, waited: Sequence[Message], at: float, severity: str) -> Message:
    """What is said of alerts that waited long: the channel was away, or there were too many for it."""
    return _together("While this channel was away or busy", "alert", key, waited, at, severity)


def _together(when: str, what: str, key: str, waited: Sequence[Message], at: float, severity: str) -> Message:
    devices = len({each.mac for each in waited if each.mac})
    of = f" of {devices} device{'' if devices == 1 else 's'}" if devices else ""
    facts = [(datetime.fromtimestamp(each.at).strftime("%H:%M"), each.title) for each in waited[: 2 * _SHOWN]]
    if len(waited) > 2 * _SHOWN:
        facts.append(("and", f"{len(waited) - 2 * _SHOWN} more"))
    alerts = [each.alert for each in waited if each.alert is not None]
    if alerts:
        facts.append(("alerts", numbers(alerts)))
    facts.append(("to decide", "smartrouter alerts: lists what waits for you"))
    title = f"{when}: {len(waited)} {what}{'' if len(waited) == 1 else 's'}{of}."
    return Message(key, 1, at, severity, "digest", title, "", "", "", "", tuple(facts))


def sample(at: float) -> Message:
    """What `smartrouter notify test` sends."""
    return Message(
        key=f"test:{int(at)}",
        revision=1,
        at=at,
        severity="notice",
        kind="test",
        title="This is a test of smartrouter: messages arrive here.",
        device="",
        mac="",
        destination="",
        service="",
        facts=(("sent", moment(at)), ("by", "smartrouter notify test")),
    )


def numbers(of: Sequence[int]) -> str:
    """Numbers with their runs put together: `3, 5–9`."""
    runs: list[list[int]] = []
    for number in sorted(of):
        if runs and number <= runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in runs)
