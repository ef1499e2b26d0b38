# SPDX-License-Identifier: GPL-2.0-or-later
"""A message as Slack's Block Kit shows it, and a press on one of its buttons read back. Pure.

Whatever comes from outside stands either in a `plain_text` object, which Slack formats in no way, or in a
code span of an mrkdwn object with `verbatim` set: no mark-up, no mention, no emoji, no link is made there,
not even of a name that looks like one (nobody should open the attacker's page by a tap on the alert). The
three signs that Slack reads everywhere (&, <, >) are escaped, a backtick becomes a letter that looks like it.
https://docs.slack.dev/reference/block-kit/composition-objects/text-object/
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from smartrouter.core.inert import inert
from smartrouter.notify import plain
from smartrouter.notify.message import Answer, Message

Block = dict[str, Any]

# Slack's limits, in characters; https://docs.slack.dev/reference/block-kit/blocks/
HEADER = 150
SECTION = 3000
FIELD = 2000
FIELDS = 10  # in one section
VALUE = 2000  # of a button

FALLBACK = 1000  # ours: what a phone shows of a notification is much less
NAME = 300  # ours, for what stands in a code span
FACTS = 20  # ours
_PROSE = 60  # characters from which on a fact is a paragraph of its own
_ACTION = "smartrouter:"
_LABELS = {
    Answer.ALLOW: "Allow this destination",
    Answer.ALLOW_HOUR: "Allow for an hour",
    Answer.KEEP_BLOCKING: "Keep blocking",
    Answer.MUTE: "Mute device",
}
_SIGNS = {"notice": "", "warning": "⚠ ", "critical": "⛔ "}
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Look-alikes of what mrkdwn would act on, for our own words around the code spans and the fallback.
_LOOKS = str.maketrans({"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ", "@": "＠", "#": "＃"})


class Press(NamedTuple):
    """Somebody pressed a button. `mark`: the same for each delivery of one press."""

    key: str
    answer: Answer
    user: str  # Slack's id of who it was
    mark: str


def blocks(message: Message, *, with_buttons: bool, by: str = "") -> list[Block]:
    """The blocks of `message`. `by`: the id of the user who is called `slack:ID` in its outcome."""
    made: list[Block] = [
        {"type": "header", "text": _plain(_SIGNS.get(message.severity, "") + message.title, HEADER)}
    ]
    if len(message.title) > HEADER - 10:
        made.append({"type": "section", "text": _plain(message.title, SECTION)})
    made += _fields(_subject(message))
    made += _facts(message)
    if message.outcome:
        made.append({"type": "section", "text": _outcome(message.outcome, by)})
    elif with_buttons and (buttons := list(_buttons(message))):
        made.append({"type": "actions", "elements": buttons})
    made.append({"type": "context", "elements": list(_context(message))})
    return made


def fallback(message: Message) -> str:
    """What stands in a notification, and where blocks are not shown. For `mrkdwn` false, `parse` none."""
    outcome = f" ({message.outcome})" if message.outcome else ""
    return _escaped((message.title + outcome).translate(_LOOKS), FALLBACK) or "–"


def presses(payload: object) -> Iterator[Press]:
    """The presses on our buttons in the payload of an `interactive` envelope, whatever it holds.
    https://docs.slack.dev/reference/interaction-payloads/block_actions-payload/"""
    if not isinstance(payload, dict) or payload.get("type") != "block_actions":
        return
    user = payload.get("user")
    who = user.get("id") if isinstance(user, dict) else None
    if not isinstance(who, str) or not re.fullmatch("[A-Z0-9]{1,30}", who):
        return
    actions = payload.get("actions")
    for action in actions if isinstance(actions, list) else []:
        if not isinstance(action, dict):
            continue
        name, key = action.get("action_id"), action.get("value")
        if not isinstance(name, str) or not name.startswith(_ACTION) or not isinstance(key, str) or not key:
            continue
        if name.removeprefix(_ACTION) in list(Answer):
            answer = Answer(name.removeprefix(_ACTION))
            yield Press(key, answer, who, f"{who} {key} {answer} {action.get('action_ts')}")


def _subject(message: Message) -> Iterator[str]:
    device = message.device or message.mac
    if device:
        mac = f"\n{_code(message.mac)}" if message.mac and message.mac != device else ""
        yield f"*Device*\n{_code(device)}{mac}"
    if message.destination:
        service = f"\n{_code(message.service)}" if message.service else ""
        more = plain.more_of_destination(message)
        yield "*Destination*\n" + (_code(more) if more else _code(message.destination) + service)
    if message.blocked is not None:
        yield "*Blocked*\n" + ("yes" if message.blocked else "no, only reported")


def _facts(message: Message) -> Iterator[Block]:
    facts = plain.facts(message)
    shown = facts[:FACTS]
    short = [(what, text) for what, text in shown if len(text) <= _PROSE]
    yield from _fields(f"*{_word(_title(what))}*\n{_code(text)}" for what, text in short)
    for what, text in shown:
        if len(text) > _PROSE:
            yield {"type": "section", "text": _plain(f"{_title(what)}: {text}", SECTION // 2)}
    if left := len(facts) - len(shown):
        yield {"type": "section", "text": _plain(f"… and {left} more", HEADER)}


def _fields(texts: Iterable[str]) -> Iterator[Block]:
    fields = [_mrkdwn(text) for text in texts]
    for begin in range(0, len(fields), FIELDS):
        yield {"type": "section", "fields": fields[begin : begin + FIELDS]}


def _outcome(outcome: str, by: str) -> dict[str, Any]:
    """As plain text; but who answered by a button is shown by name."""
    before, found, after = outcome.partition(f"slack:{by}")
    if not by or not found:
        return _plain("✔ " + outcome, SECTION // 2)
    return _mrkdwn(f"✔ {_words(before)}<@{by}>{_words(after)}")


def _buttons(message: Message) -> Iterator[Block]:
    if not 0 < len(message.key) <= VALUE:
        return
    for answer in message.answers:
        yield {
            "type": "button",
            "action_id": _ACTION + answer,
            "text": _plain(_LABELS[answer], 75),
            "value": message.key,
        }


def _context(message: Message) -> Iterator[Block]:
    when = datetime.fromtimestamp(message.at).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    number = [] if message.alert is None else [f"alert {message.alert}"]
    yield _plain(" · ".join([*number, when, message.severity, message.kind]), HEADER)
    if re.match("https?://", message.link) and len(message.link) < FIELD // 2:
        address = _escaped(message.link, FIELD).replace("|", "%7C").replace(" ", "%20")
        yield _mrkdwn(f"<{address}|Open its page>")


# Text objects


def _plain(text: str, longest: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": _escaped(text, longest) or "–", "emoji": False}


def _mrkdwn(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _code(text: str) -> str:
    """`text` as a code span; without spaces at its ends, with which Slack would not take it for one."""
    return f"`{_escaped(text.replace('`', 'ˋ').strip(), NAME) or '–'}`"


def _title(text: str) -> str:
    return text[:1].upper() + text[1:]


def _word(text: str) -> str:
    return _escaped(text.strip().translate(_LOOKS).replace(":", "∶"), 60) or "–"


def _words(text: str) -> str:
    return _escaped(text.translate(_LOOKS).replace(":", "∶"), 600)


def _escaped(text: str, longest: int) -> str:
    """Inert, escaped for Slack, and cut so that it is no longer than `longest` with its escapes."""
    parts = [_ESCAPES.get(character, character) for character in inert(text[: longest + 1])]
    if len(text) <= longest and sum(map(len, parts)) <= longest:
        return "".join(parts)
    length = 1
    for index, part in enumerate(parts):
        length += len(part)
        if length > longest:
            return "".join(parts[:index]) + "…"
    return "".join(parts) + "…"
