# SPDX-License-Identifier: GPL-2.0-or-later
"""Orders that edit the configuration as a settings page does: what they must look like, and what writes them.

Where root writes or reads files is for root alone to say: else whoever takes the web interface over would
have root make files for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from smartrouter.core.errors import SmartrouterError

Write = Callable[[str], None]

LONGEST_TRIAL = 3600.0  # seconds
_MOST_OPTIONS, _MOST_VALUES = 64, 256
_LONGEST_VALUE = 4096  # characters, as config.options.MAX_VALUE


class BadEdit(SmartrouterError):
    """The order makes no sense; says what would."""


def setter(request: Mapping[str, Any], *, is_root: bool) -> Write:
    """What writes {"section", "place"?, "options", "expected"?}."""
    options, kind = _options(request["options"]), request["section"]
    place, expected = int(request.get("place") or 0), request.get("expected") or ""

    def write(path: str) -> None:
        from smartrouter.config.edits import set_section

        set_section(path, kind, place, options, expected, paths=is_root)

    return write


def adder(request: Mapping[str, Any]) -> Write:
    """What writes {"section", "options"}."""
    options, kind = _options(request["options"]), request["section"]

    def write(path: str) -> None:
        from smartrouter.config.edits import new_section

        new_section(path, kind, options)

    return write


def dropper(request: Mapping[str, Any]) -> Write:
    """What writes {"section", "place", "expected"?}."""
    kind, place, expected = request["section"], int(request["place"]), request.get("expected") or ""

    def write(path: str) -> None:
        from smartrouter.config.edits import drop_section

        drop_section(path, kind, place, expected)

    return write


def password_setter(kept: str) -> Write:
    """What writes the hash of the web interface's password."""

    def write(path: str) -> None:
        from smartrouter.config.edits import set_password_hash

        set_password_hash(path, kept)

    return write


def trier(mode: str, seconds: float, now: float) -> Write:
    """What puts the main mode on trial for so long from `now` (epoch seconds) on."""
    if not 1 <= seconds <= LONGEST_TRIAL:
        raise BadEdit(f"seconds: from 1 to {LONGEST_TRIAL:.0f}")

    def write(path: str) -> None:
        from smartrouter.config.edits import try_mode

        try_mode(path, mode, now + seconds)

    return write


def keep(path: str) -> None:
    """The mode on trial stays."""
    from smartrouter.config.edits import keep_mode

    keep_mode(path)


def take_back(path: str) -> None:
    """The mode on trial goes."""
    from smartrouter.config.edits import take_mode_back

    take_mode_back(path)


def _options(given: object) -> dict[str, str | list[str]]:
    """Options as an order has them: texts, or lists of texts."""
    if not isinstance(given, dict) or len(given) > _MOST_OPTIONS:
        raise BadEdit(f"options: an object of at most {_MOST_OPTIONS} names with their texts")
    for name, value in given.items():
        values = value if isinstance(value, list) else [value]
        if len(values) > _MOST_VALUES or not all(map(_is_line, values)):
            raise BadEdit(f"options: {name!r:.40} is no line of text, nor a list of such")
    return given


def _is_line(value: object) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_VALUE and (value.isprintable() or not value)
