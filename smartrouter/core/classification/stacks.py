# SPDX-License-Identifier: GPL-2.0-or-later
"""Which operating system opens connections so: the time to live, window and options of a SYN.

Sources: p0f's published signatures (p0f.fp, version 3), lwIP's opt.h (window, time to live 255), Linux's
initial windows before and since 3.0 and 4.20 (tcp_input.c, RFC 6928).
"""

from collections.abc import Iterator, Mapping

from smartrouter.core.classification.clue import Clue
from smartrouter.core.classification.signs import SynShape

MEANINGS: Mapping[str, str] = {
    "stack.android": "opens connections as Linux does with the largest window, as phones have it",
    "stack.apple": "opens connections as Apple's systems do",
    "stack.linux": "opens connections as a newer Linux does",
    "stack.old-linux": "opens connections as a Linux before 3.10 does, which small devices still run",
    "stack.small": "opens connections as small network stacks do: few options, no timestamps",
    "stack.windows": "opens connections as Windows does",
}
_PHRASES = {
    "stack.android": "opens connections as Linux with a phone's window does",
    "stack.apple": "opens connections as Apple's systems do",
    "stack.linux": "opens connections as Linux does",
    "stack.old-linux": "opens connections as an old Linux does, as in small devices",
    "stack.small": "opens connections as a small network stack does",
    "stack.windows": "opens connections as Windows does",
}
_WINDOWS = frozenset(("MNWNNS", "MNWNNTNNS", "MNNS", "MNWST", "MNWNNTS", "MNWNNST"))
_APPLE = ("MNWNNTS", "MNWNNTNNS")
_OLD_WINDOWS = frozenset((5792, 5840, 13600, 14480, 14600))  # before Linux 3.10, some embedded ones after
_LARGEST = 65535
_SMALL_TTLS, _SMALL_WINDOW = (32, 255), 8192
_PROBES = frozenset(
    (1024, 2048, 3072)
)  # nmap's, which writes its packets itself; others send no option at all


def clues(stack: SynShape | None) -> Iterator[Clue]:
    """What the shape tells; nothing where none was seen, or it is of no known kind."""
    if stack is not None and (feature := _kind(stack)):
        yield Clue(feature, _PHRASES[feature])


def _kind(stack: SynShape) -> str:
    options = stack.options.rstrip("E")
    if stack.ttl == 128 and options in _WINDOWS:
        return "stack.windows"
    if options.startswith("MST"):
        if stack.window in _OLD_WINDOWS:
            return "stack.old-linux"
        return "stack.android" if stack.window == _LARGEST else "stack.linux"
    if stack.ttl == 64 and stack.window == _LARGEST and options.startswith(_APPLE):
        return "stack.apple"
    return "stack.small" if _is_small(stack, options) else ""


def _is_small(stack: SynShape, options: str) -> bool:
    if not options.startswith("M") or (options == "M" and stack.window in _PROBES):
        return False
    few = not {"S", "W"} & set(options)
    return "T" not in options and (few or stack.ttl in _SMALL_TTLS or stack.window < _SMALL_WINDOW)
