# SPDX-License-Identifier: GPL-2.0-or-later
"""The grammar of UCI files: text to sections, and single changes to a text that keep all the rest of it.

Agrees with libuci (its file.c is the only definition there is), curiosities included:
- a word is joined from quoted and bare parts; inside '…' nothing is special, inside "…" and outside a
  backslash takes the next character as it is, and at the end of a line continues it;
- commands on one line are separated by `;`, but a `;` right behind a bare word ends the whole line, and
  what follows is not read (`config a b;option x y` has no option x);
- `option x ''` says nothing, not even that an earlier x is empty; `list x ''` adds an empty value;
- sections of one name are one section; `option` replaces what was there, `list` adds to it;
- a section without a name gets one made of its place and type (cfg014dd4).
What libuci refuses is refused here. It goes wrong on NUL bytes; here they are refused.

Knows nothing of what sections and options mean, and touches no files.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from smartrouter.core.errors import BadConfig

MAX_TEXT = 8 << 20  # characters; a rule takes about 250
_SPACES = " \t\n\v\f\r"  # isspace() in the C locale
_BARE = re.compile(r"""[^'"\\#; \t\n\v\f\r]+""")
_IN_DOUBLE_QUOTES = re.compile(r'[^"\\]+')
_NAME = re.compile(r"[A-Za-z0-9_]+")
_TYPE = re.compile(r"[!-~]+")
_KEYWORDS = {word: word for word in ("package", "config", "option", "list")}
_KEYWORDS |= {word[0]: word for word in _KEYWORDS}


class Command(NamedTuple):
    """One command. `words`: what follows the keyword, '' where there is nothing; `start` and `end`: where
    it stands in its line's text; `line`: its number in the file, from 1."""

    keyword: str
    words: tuple[str, str]
    start: int
    end: int
    line: int


class Line(NamedTuple):
    """A line as it stands in the file, with its end; longer than one where a value spans several."""

    text: str
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A section. `name` is made up if it is `anonymous`. `options`: name -> value, or values of a list (not
    in repr: some are secret). `lines`: option -> number of the line that gave it; `line`: its own."""

    type: str
    name: str
    anonymous: bool
    options: dict[str, str | list[str]] = field(repr=False)
    lines: dict[str, int] = field(repr=False)
    line: int


def parse(text: str, file: str = "configuration") -> list[Section]:
    """The sections of `text`, in the order of their first appearance; `file` is its name in errors.

    Raises BadConfig with file, line and what is wrong.
    """
    return gather(read(text, file), file).sections


def find(sections: Sequence[Section], reference: str) -> int | None:
    """The place of the section called `reference`: a name, or `@type[n]`, n from the end if negative."""
    extended = re.fullmatch(r"@([!-Z\\^-~]*)\[(-?[0-9]{1,9})\]", reference)
    if extended is None:
        return next((at for at, section in enumerate(sections) if section.name == reference), None)
    wanted, number = extended[1], int(extended[2])
    places = [at for at, section in enumerate(sections) if wanted in ("", section.type)]
    return places[number] if -len(places) <= number < len(places) else None


# Reading


def read(text: str, file: str = "configuration") -> list[Line]:
    """The lines of `text` with their commands. Raises BadConfig."""
    if len(text) > MAX_TEXT:
        raise BadConfig(f"{file}: has {len(text)} characters; allowed are {MAX_TEXT}.")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadConfig(f"{file}: line {line}: holds a NUL byte; a configuration is text.")
    cursor = _Cursor(text, file)
    lines = []
    while cursor.at < len(text):
        start = cursor.at
        cursor.end = cursor.end_of_line(start)
        commands = tuple(_commands(cursor, start))
        lines.append(Line(text[start : cursor.end], commands))
        cursor.at = cursor.end
    return lines


def _commands(cursor: "_Cursor", start: int) -> Iterator[Command]:
    cursor.skip(_SPACES)
    while True:
        cursor.skip(" \t")
        at, cursor.begun = cursor.at, cursor.line()
        word = cursor.keyword()
        if not word or word[0] == "#":
            return
        keyword = _KEYWORDS.get(word)
        if keyword is None:
            raise cursor.error("no command; one begins with package, config, option or list")
        words, end = _words(cursor, keyword)
        yield Command(keyword, words, at - start, end - start, cursor.begun)


def _words(cursor: "_Cursor", keyword: str) -> tuple[tuple[str, str], int]:
    """The words of a command, checked, and where the last of them ends. Errors show no word: a quote in
    the wrong place can make anything one, a password too."""
    first = cursor.word()
    if not first:
        raise cursor.error(f"{keyword} without a name")
    if keyword == "config":
        cursor.check(first, _TYPE, "a section's type is made of ASCII letters, digits and signs")
    elif keyword == "package":
        cursor.check(first.replace("-", "_"), _NAME, "a package's name is made of letters, digits, - and _")
    else:
        cursor.check(first, _NAME, f"{keyword}: a name is made of letters, digits and _")
    second = "" if keyword == "package" else cursor.word()
    end = cursor.word_end
    if second and keyword == "config":
        cursor.check(second, _NAME, "a section's name is made of letters, digits and _")
    if cursor.word():
        raise cursor.error(f"{keyword}: too many words; what holds a space needs quotes around it")
    return (first, second), end


class _Cursor:
    """A place in the text. It sees as far as `end`, the end of the line; quotes and backslashes move that
    on. `word_end`: where the last word ends; `begun`: the line in which the command begins."""

    __slots__ = ("_counted", "_lines", "at", "begun", "end", "file", "text", "word_end")

    def __init__(self, text: str, file: str):
        self.text = text
        self.file = file
        self.at = self.end = self.word_end = self.begun = 0
        self._counted = self._lines = 0

    def line(self) -> int:
        """The number of the line that the cursor is in."""
        self._lines += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._lines + 1

    def error(self, what: str, line: int | None = None) -> BadConfig:
        return BadConfig(f"{self.file}: line {line or self.begun}: {what}.")

    def check(self, word: str, allowed: re.Pattern[str], rule: str) -> None:
        if not allowed.fullmatch(word):
            raise self.error(rule)

    def end_of_line(self, at: int) -> int:
        newline = self.text.find("\n", at)
        return len(self.text) if newline < 0 else newline + 1

    def skip(self, characters: str) -> None:
        while self.at < self.end and self.text[self.at] in characters:
            self.at += 1

    def keyword(self) -> str:
        """What stands here up to a space or tab, which is passed too. A newline does not end a keyword."""
        start = self.at
        while self.at < self.end and self.text[self.at] not in " \t":
            self.at += 1
        word = self.text[start : self.at]
        self.at += self.at < self.end
        return word

    def word(self) -> str:
        """The next word; '' where there is none."""
        self.skip(_SPACES)
        if self._stands(";"):
            self.at += 1
            return ""
        start, bare, parts = self.at, True, [""]
        while self.at < self.end and self.text[self.at] not in _SPACES + "#;":
            if plain := _BARE.match(self.text, self.at, self.end):
                parts.append(plain[0])
                self.at = plain.end()
                continue
            bare = False
            if self._stands("'"):
                parts.append(self._in_single_quotes())
            elif self._stands('"'):
                parts.extend(self._in_double_quotes())
            else:
                parts.append(self._escaped())
        if self.at > start:
            self.word_end = self.at
        if self._stands("#") or (bare and self._stands(";")):
            self.at = self.end  # nobody reads on
        elif not self._stands(";"):
            self.at += self.at < self.end  # the space behind the word
        return "".join(parts)

    def _stands(self, character: str) -> bool:
        return self.at < self.end and self.text[self.at] == character

    def _in_single_quotes(self) -> str:
        start, line = self.at + 1, self.line()
        close = self.text.find("'", start)
        if close < 0:
            raise self.error("the quote ' has no end", line)
        self.at = close + 1
        self.end = max(self.end, self.end_of_line(close))
        return self.text[start:close]

    def _in_double_quotes(self) -> list[str]:
        line = self.line()
        self.at += 1
        parts = []
        while self.at < len(self.text):
            if plain := _IN_DOUBLE_QUOTES.match(self.text, self.at):
                parts.append(plain[0])
                self.at = plain.end()
            elif self.text[self.at] == '"':
                self.end = max(self.end, self.end_of_line(self.at))
                self.at += 1
                return parts
            else:
                parts.append(self._escaped())
        raise self.error('the quote " has no end', line)

    def _escaped(self) -> str:
        """What a backslash gives: the character behind it, or nothing if that is the end of the line."""
        self.at += 1
        for newline in ("\n", "\r\n"):
            if self.text.startswith(newline, self.at):
                self.at += len(newline)
                self.end = max(self.end, self.end_of_line(self.at))
                return ""
        character = self.text[self.at : self.at + 1]
        self.at += len(character)
        return character


# Gathering


class Gathered(NamedTuple):
    """`owners`: for each line, the place in `sections` that each of its commands belongs to (-1: none)."""

    sections: list[Section]
    owners: list[tuple[int, ...]]


def gather(lines: Sequence[Line], file: str = "configuration") -> Gathered:
    """Put the commands of `lines` together to sections. Raises BadConfig."""
    sections: list[Section] = []
    owners: list[tuple[int, ...]] = []
    named: dict[str, int] = {}
    current = -1
    for line in lines:
        places = []
        for command in line.commands:
            if command.keyword == "config":
                current = _opened(sections, named, command, file)
            elif command.keyword != "package":
                if current < 0:
                    raise BadConfig(
                        f"{file}: line {command.line}: {command.keyword} before the first config."
                    )
                _add(sections[current], command)
            places.append(-1 if command.keyword == "package" else current)
        owners.append(tuple(places))
    return Gathered(sections, owners)


def _opened(sections: list[Section], named: dict[str, int], command: Command, file: str) -> int:
    kind, name = command.words
    at = named.get(name) if name else None
    if at is None:
        given = name or _made_up_name(len(sections) + 1, kind)
        sections.append(Section(kind, given, not name, {}, {}, command.line))
        named.setdefault(given, len(sections) - 1)
        return len(sections) - 1
    if sections[at].type != kind:
        raise BadConfig(
            f"{file}: line {command.line}: section {name:.80} is of type {kind:.80} here, and of type "
            f"{sections[at].type:.80} in line {sections[at].line}."
        )
    return at


def _add(section: Section, command: Command) -> None:
    name, value = command.words
    before = section.options.get(name)
    if command.keyword == "list":
        if isinstance(before, list):
            before.append(value)
        else:
            section.options[name] = [value] if before is None else [before, value]
    elif value:
        section.options[name] = value
    else:
        return
    section.lines[name] = command.line


def _made_up_name(number: int, kind: str) -> str:
    """libuci's name for the section of type `kind` that comes as `number`, from 1 (its list.c)."""
    hashed = 5381
    for byte in kind.encode():
        hashed = (hashed * 33 + byte) & 0xFFFFFFFF
    return f"cfg{number:02x}{hashed & 0xFFFF:04x}"
