# SPDX-License-Identifier: GPL-2.0-or-later
"""What one part says for another: checked, and passed on, but no more of it than the other takes.

Takes nothing on trust, and keeps nothing for a part that is away: who still wants to know will ask again.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from smartrouter.channel import Answer, plain
from smartrouter.supervisor.children import Child
from smartrouter.supervisor.seen import is_address, is_mac

MAX_WAITING = 512  # things that a part was told and has not answered yet; with all addresses about 3 MB
MAX_NAMES = 256  # of one message
MAX_PACKETS = 64  # likewise: those that a guard says at once
MAX_DOUBTS = 64
MAX_RULES = 256
MAX_ADDRESSES = 128  # of one name
MAX_URLS = 32
MAX_TTL = 86400  # seconds
ANSWERS = ALLOW, ALLOW_HOUR, MUTE = "allow", "allow-hour", "mute"  # of notify.message.Answer
_BY = re.compile(r"[a-z]{1,16}(:[A-Za-z0-9_.@-]{1,64})?")
_MODES = ("monitor", "enforce")  # core.policy.Mode
_DOUBTS = ("other-system", "two-places")  # core.policy.Reason
_LONGEST_PACKET = 4096  # characters of base64: 3 kB
_LONGEST_DETAIL = 500  # characters
_LONGEST_NAME = 4 * 253  # characters, if each is escaped (RFC 1035 sections 2.3.4 and 5.1)


NO_WEB: Mapping[str, Any] = {"urls": [], "problems": [], "setup_code": ""}


class Relay:
    """Passes things of one sort on to one part. `dropped`: how many were too many for it."""

    def __init__(self) -> None:
        self.dropped = 0
        self._waiting = 0

    def send(self, child: Child | None, do: str, what: str, things: Sequence[object], now: float) -> None:
        """Ask `child`, if it is there, to `do` something with `things`, which it is to find under `what`."""
        count = len(things)
        if child is None or not things:
            return
        if self._waiting and self._waiting + count > MAX_WAITING:
            self.dropped += count
            return

        def answered(_answer: Answer) -> None:
            self._waiting -= count

        self._waiting += count
        child.ask(do, {what: things}, now, answered)


def sound_serving(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the web interface says that it is, and with which code it is set up ('' once it is)."""
    urls, problems = (message.get(key) for key in ("urls", "problems"))
    return {
        "urls": [plain(url, 100) for url in urls[:MAX_URLS]] if isinstance(urls, list) else [],
        "problems": [plain(why, 500) for why in problems[:MAX_URLS]] if isinstance(problems, list) else [],
        "setup_code": plain(message.get("setup_code") or "", 20),
    }


def sound_names(given: object) -> list[str]:
    """The names among `given`, as many as one message may have."""
    names = given if isinstance(given, list) else []
    return [name for name in names[:MAX_NAMES] if _is_name(name)]


def sound_answers(given: object) -> list[Mapping[str, Any]]:
    """What is well-formed among `given`, in the fields of core.events.LookedUp."""
    answers = given if isinstance(given, list) else []
    return [sound for each in answers[:MAX_NAMES] if (sound := _answer(each)) is not None]


def sound_packets(given: object) -> list[list[str]]:
    """What is well-formed among `given`: of each packet a MAC, what it is, and its bytes in base64, which
    nobody reads here."""
    packets = given if isinstance(given, list) else []
    return [each for each in packets[:MAX_PACKETS] if _is_texts(each, 3, _LONGEST_PACKET) and is_mac(each[0])]


def sound_doubts(given: object) -> list[list[str]]:
    """Likewise: MAC, reason and detail, as in core.events.IdentityDoubted."""
    doubts = given if isinstance(given, list) else []
    sound = [each for each in doubts[:MAX_DOUBTS] if _is_texts(each, 3, _LONGEST_DETAIL)]
    return [each for each in sound if is_mac(each[0]) and each[1] in _DOUBTS]


def sound_rules(given: object) -> list[list[str]]:
    """Likewise: device (a MAC, or '*'), destination and service of a rule."""
    rules = given if isinstance(given, list) else []
    sound = [each for each in rules[:MAX_RULES] if _is_texts(each, 3, _LONGEST_DETAIL)]
    return [each for each in sound if each[0] == "*" or is_mac(each[0])]


class Decision(NamedTuple):
    """What somebody answered on a channel. `device`: a MAC; `by`: channel type and person."""

    answer: str
    device: str
    destination: str
    service: str
    by: str


def sound_decision(given: Mapping[str, Any], types: Collection[str]) -> Decision | None:
    """The decision that is well-formed in a message of the analyzer's, and made on one of the channels that
    are configured (`types`); None if it is not. Rules are checked once more when they are written."""
    texts = [given.get(key, "") for key in Decision._fields]
    if not _is_texts(texts, len(texts), _LONGEST_DETAIL):
        return None
    decision = Decision(*texts)
    if decision.answer not in ANSWERS or not is_mac(decision.device) or not _speaks(decision.by, types):
        return None
    return decision if decision.destination or decision.answer == MUTE else None


def sound_switch(given: Mapping[str, Any], types: Collection[str]) -> tuple[str, str] | None:
    """Likewise: a MAC, and the mode that somebody switched it to."""
    texts = [given.get(key, "") for key in ("device", "mode", "by")]
    if not _is_texts(texts, 3, _LONGEST_DETAIL):
        return None
    device, mode, by = texts
    return (device, mode) if is_mac(device) and mode in _MODES and _speaks(by, types) else None


def _speaks(by: str, types: Collection[str]) -> bool:
    """Is `by` somebody on a channel of one of these types?"""
    return bool(_BY.fullmatch(by)) and by.partition(":")[0] in types


def _is_texts(given: object, count: int, longest: int) -> bool:
    return (
        isinstance(given, list)
        and len(given) == count
        and all(isinstance(text, str) and len(text) <= longest and text.isprintable() for text in given)
    )


def _answer(given: object) -> Mapping[str, Any] | None:
    if not isinstance(given, dict):
        return None
    name, addresses, ttl = given.get("name"), given.get("addresses"), given.get("ttl")
    if not _is_name(name) or not isinstance(addresses, list) or not all(map(is_address, addresses)):
        return None
    if not isinstance(ttl, int) or isinstance(ttl, bool) or not 0 <= ttl <= MAX_TTL:
        return None
    return {"name": name, "addresses": addresses[:MAX_ADDRESSES], "ttl": ttl}


def _is_name(given: object) -> bool:
    return (
        isinstance(given, str) and 0 < len(given) <= _LONGEST_NAME and given.isascii() and given.isprintable()
    )
