# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes to the text of a UCI file, one at a time: text in, text out.

A change touches the lines that it is about. Comments, other sections and their order stay byte for byte;
only a line of several commands is taken apart, if one of them is concerned. A value that was written reads
back the same, here and in libuci.

Knows nothing of what sections and options mean, and touches no files.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from smartrouter.config.uci import Command, find, gather, parse, read
from smartrouter.core.errors import BadConfig

_NAME = re.compile(r"[A-Za-z0-9_]+")


class _Piece(NamedTuple):
    """A line of text, which commands it holds, and the places of the sections that own them."""

    text: str
    commands: tuple[Command, ...]
    owners: tuple[int, ...]


def quoted(value: str) -> str:
    """`value` between quotes. Raises BadConfig for what a file cannot hold."""
    if "\0" in value:
        raise BadConfig("A value holds a NUL byte; a configuration is text.")
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadConfig("A value holds half a character; a configuration is UTF-8.") from None
    return "'" + value.replace("'", "'\\''") + "'"


def set_option(text: str, section: str, option: str, value: str | Sequence[str]) -> str:
    """`text` with `option` of `section` (a name, or `@type[n]`) being `value`; a sequence makes a list.

    '' or an empty sequence takes the option away: UCI knows no empty one. Raises BadConfig if there is no
    such section.
    """
    return set_options(text, section, {option: value})


def set_options(text: str, section: str, options: Mapping[str, str | Sequence[str]]) -> str:
    """The same for several options of one section."""
    pieces, at = _taken_apart(text, section)
    gone: set[int] = set()
    missing: list[str] = []
    for option, value in options.items():
        new = _options(option, value)
        places = _places(pieces, at, option)
        gone.update(places[1:] if new else places)
        if new and places:
            old = pieces[places[0]]
            pieces[places[0]] = old._replace(text=_replaced(old, new))
        else:
            missing += new
    kept = [piece for place, piece in enumerate(pieces) if place not in gone]
    return _inserted(kept, _last(kept, at), missing) if missing else _joined(kept)


def add_to_list(text: str, section: str, option: str, value: str) -> str:
    """`text` with one more `value` in list `option` of `section`. Raises BadConfig as `set_option`."""
    pieces, at = _taken_apart(text, section)
    places = _places(pieces, at, option)
    return _inserted(pieces, places[-1] if places else _last(pieces, at), _options(option, [value]))


def delete_option(text: str, section: str, option: str) -> str:
    """`text` without `option` of `section`; as it was if there is none. Raises BadConfig as `set_option`."""
    return set_options(text, section, {option: ""})


def add_section(
    text: str, kind: str, name: str = "", options: Mapping[str, str | Sequence[str]] | None = None
) -> str:
    """`text` with a new section of type `kind` at its end, without a name if that is ''."""
    lines = [f"config {_checked(kind)}" + (f" '{_checked(name)}'" if name else "")]
    for option, value in (options or {}).items():
        lines += [f"\t{line}" for line in _options(option, value)]
    gap = "\n" if text.strip() and not text.endswith("\n\n") else ""
    return _ended(text) + gap + "\n".join(lines) + "\n"


def delete_section(text: str, section: str) -> str:
    """`text` without `section`, the comments between its lines, and the gap that it would leave."""
    pieces, at = _taken_apart(text, section)
    gone: set[int] = set()
    begun = -1  # where a run of the section's lines began, while nobody else's came
    for place, piece in enumerate(pieces):
        if at in piece.owners:
            begun = place if begun < 0 else begun
            gone.update(range(begun, place + 1))
        elif piece.commands:
            begun = -1
    kept: list[_Piece] = []
    for place, piece in enumerate(pieces):
        blank_above = not kept or not kept[-1].text.strip()
        after_gap = place - 1 in gone
        if place not in gone and not (after_gap and blank_above and not piece.text.strip()):
            kept.append(piece)
    if kept and len(pieces) - 1 in gone and not kept[-1].text.strip():
        kept.pop()
    return _joined(kept)


# Lines


def _taken_apart(text: str, section: str) -> tuple[list[_Piece], int]:
    """The lines of `text`, those of several commands taken apart if `section` owns one; and its place."""
    lines = read(text)
    sections, owners = gather(lines)
    at = find(sections, section)
    if at is None:
        raise BadConfig(f"There is no section {section}.")
    pieces: list[_Piece] = []
    for line, whose in zip(lines, owners, strict=True):
        if len(whose) > 1 and at in whose:
            pieces += map(_alone, line.commands, whose)
        else:
            pieces.append(_Piece(line.text, line.commands, whose))
    return pieces, at


def _alone(command: Command, owner: int) -> _Piece:
    """`command` in a line of its own."""
    first, second = command.words
    if command.keyword in ("option", "list"):
        text = f"{command.keyword} {first} {quoted(second)}"
    else:
        text = f"{command.keyword} {quoted(first)}" + (f" {quoted(second)}" if second else "")
    return _Piece(text + "\n", (command._replace(start=0, end=len(text)),), (owner,))


def _options(option: str, value: str | Sequence[str]) -> list[str]:
    """The commands that give `option` this `value`."""
    if isinstance(value, str):
        return [f"option {_checked(option)} {quoted(value)}"] if value else []
    return [f"list {_checked(option)} {quoted(one)}" for one in value]


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadConfig(f"{name!r} is no name for UCI; allowed are letters, digits and _.")
    return name


def _places(pieces: Sequence[_Piece], at: int, option: str) -> list[int]:
    """Where the section at `at` speaks of `option`."""
    return [
        place
        for place, piece in enumerate(pieces)
        if piece.owners == (at,) and piece.commands[0].keyword != "config"
        if piece.commands[0].words[0] == option
    ]


def _last(pieces: Sequence[_Piece], at: int) -> int:
    return max(place for place, piece in enumerate(pieces) if at in piece.owners)


def _replaced(piece: _Piece, new: Sequence[str]) -> str:
    """The line of `piece` with the commands `new` instead of its own; a comment behind stays."""
    command = piece.commands[0]
    indent, behind = piece.text[: command.start], piece.text[command.end :]
    if behind.strip() and not behind.lstrip().startswith("#"):
        behind = "\n"  # what nobody read must not come alive
    return indent + f"\n{indent}".join(new) + behind


def _inserted(pieces: Sequence[_Piece], after: int, new: Sequence[str]) -> str:
    """The text with the commands `new` below the piece at `after`."""
    above = pieces[after]
    command = above.commands[0]
    indent = "\t" if command.keyword == "config" else above.text[: command.start]
    lines = "".join(f"{indent}{line}\n" for line in new)
    return _ended(_joined(pieces[: after + 1])) + lines + _joined(pieces[after + 1 :])


def _joined(pieces: Iterable[_Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def _ended(text: str) -> str:
    """`text` made so that a line behind it is a line of its own, whatever its last one ends with."""
    if not text or (text.endswith("\n") and not text.endswith(("\\\n", "\\\r\n"))):
        return text
    probe = "config probe\n"
    ends = (
        ("", "\n") if text.endswith("\n") else ("\n", "\n\n", "#\n")
    )  # behind a backslash two, behind `;` a #
    for end in ends:
        with suppress(BadConfig):
            if parse(text + end + probe)[:-1] == parse(text):
                return text + end
    raise BadConfig("The last line of the file has no end.")
