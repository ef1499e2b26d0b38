# SPDX-License-Identifier: GPL-2.0-or-later
"""A message as lines of plain text, for channels that show text as it is, and as values for JSON. Pure.

Every line and every value is inert and stays one line, whatever the names in it hold.
"""

from collections.abc import Iterator
from datetime import datetime

from smartrouter.core.inert import cut, inert
from smartrouter.notify.message import Message

LONGEST_TITLE = 250  # characters
LONGEST_LINE = 500
MOST_FACTS = 20


def title(message: Message, longest: int = LONGEST_TITLE) -> str:
    """The message in one line that is never empty."""
    return _line(message.title, longest).strip() or "–"


def lines(message: Message) -> Iterator[str]:
    """What there is to know besides the title, without empty lines."""
    for what, text in ("device", device(message)), ("destination", destination(message)):
        if text:
            yield _titled(what, _said(message, what) or text)
    if message.blocked is not None:
        yield "Blocked: " + ("yes" if message.blocked else "no, only reported")
    further = facts(message)
    for what, text in further[:MOST_FACTS]:
        yield _titled(what, text)
    if left := len(further[MOST_FACTS:]):
        yield f"… and {left} more"
    if message.outcome:
        yield _line("Decided: " + message.outcome)
    yield stamp(message)
    if message.alert is not None and not message.outcome:
        yield f"On the router: smartrouter alert {message.alert}"
    if link(message):
        yield link(message)


def device(message: Message) -> str:
    """The device with its MAC, '' if it is about none."""
    name = message.device or message.mac
    return name + _behind(message.mac if message.mac != name else "")


def destination(message: Message) -> str:
    """The destination with its service, '' if it is about none."""
    return message.destination + _behind(message.service) if message.destination else ""


def facts(message: Message) -> list[tuple[str, str]]:
    """The facts besides device and destination, where these are said anyway."""
    said = {"device": device(message), "destination": destination(message)}
    return [(what, text) for what, text in message.facts if not said.get(what)]


def more_of_destination(message: Message) -> str:
    """What the facts say of the destination that its name does not, such as a reverse name; '' if nothing."""
    said = _said(message, "destination")
    return "" if said in (message.destination, destination(message)) else said


def values(message: Message, longest: int = LONGEST_LINE) -> dict[str, object]:
    """The message as names and values, none longer than `longest`, called as in a webhook's JSON."""

    def text(given: str) -> str:
        return _line(given, longest)

    return {
        "key": text(message.key),
        "revision": message.revision,
        "at": message.at,
        "severity": text(message.severity),
        "kind": text(message.kind),
        "title": text(message.title),
        "device": text(message.device),
        "mac": text(message.mac),
        "destination": text(message.destination),
        "service": text(message.service),
        "blocked": message.blocked,
        "alert": message.alert,
        "outcome": text(message.outcome),
        "link": link(message),
        "facts": [{"name": text(what), "text": text(said)} for what, said in message.facts[:MOST_FACTS]],
    }


def stamp(message: Message) -> str:
    """Number, time, severity and kind."""
    when = datetime.fromtimestamp(message.at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    number = [] if message.alert is None else [f"Alert {message.alert}"]
    return _line(" · ".join([*number, when, message.severity, message.kind]))


def link(message: Message) -> str:
    """The address of its page, '' if there is none that a browser should be sent to."""
    found = message.link
    is_plain = found.isascii() and found.isprintable() and not set(found) & set(" <>\"'`\\{}|^")
    return found if found.startswith(("http://", "https://")) and is_plain and len(found) <= 1000 else ""


def _said(message: Message, what: str) -> str:
    return next((text for name, text in message.facts if name == what), "")


def _titled(what: str, text: str) -> str:
    return _line(f"{what[:1].upper()}{what[1:]}: {text}")


def _behind(text: str) -> str:
    return f" ({text})" if text else ""


def _line(text: str, longest: int = LONGEST_LINE) -> str:
    return cut(inert(cut(text, longest)), longest)
