# SPDX-License-Identifier: GPL-2.0-or-later
"""A thousand random UCI files, of which is known what they say: our reader and the real `uci` say it too.
And a thousand that something is wrong with, perhaps: what one of the two refuses, the other does."""

import random
import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from smartrouter.config.uci import parse
from smartrouter.config.uci_edit import add_to_list, delete_option, delete_section, set_option
from smartrouter.core.errors import BadConfig

FILES = 1000
UCI = shutil.which("uci")
needs_uci = pytest.mark.skipif(UCI is None, reason="there is no uci command here")
_PLAIN = "abcXYZ019_-./:@*+=,%$(){}[]<>?!&|^~`ü☃"
_ODD = "'\"\\#; \t\n"


class Said(NamedTuple):
    """A section: type, name ('' if it has none), and what its options say."""

    type: str
    name: str
    options: dict[str, str | list[str]]


# -- files, by what they say -------------------------------------------------------------------------------


def made(chance: random.Random) -> tuple[str, list[Said]]:
    """A file, and what it says."""
    sections = [_section(chance, number) for number in range(chance.randint(0, 6))]
    parts = [_filler(chance)]
    for section in sections:
        head = ["config", _word(chance, section.type)] + (
            [_word(chance, section.name)] if section.name else []
        )
        commands = [head]
        for name, value in section.options.items():
            keyword = "list" if isinstance(value, list) else "option"
            values = value if isinstance(value, list) else [value]
            if keyword == "option" and chance.random() < 0.1:
                values = ["an earlier one", *values]
            keyword = chance.choice((keyword, keyword[0]))
            commands += [[keyword, _word(chance, name), _word(chance, one)] for one in values]
        parts += [_line(chance, command, command is commands[-1]) for command in commands]
        parts.append(_filler(chance))
    text = "".join(parts)
    return (text.rstrip("\n") if chance.random() < 0.1 else text), sections


def _section(chance: random.Random, number: int) -> Said:
    name = "" if chance.random() < 0.4 else f"s{number}_{chance.choice(('lan', 'a', 'Z9'))}"
    options: dict[str, str | list[str]] = {}
    for at in range(chance.randint(0, 5)):
        if chance.random() < 0.3:
            options[f"l{at}"] = [_value(chance, least=0) for _ in range(chance.randint(1, 4))]
        else:
            options[f"o_{at}"] = _value(chance, least=1)
    return Said(chance.choice(("device", "rule", "smartrouter", "x-1.y")), name, options)


def _value(chance: random.Random, least: int) -> str:
    signs = _PLAIN if chance.random() < 0.5 else _PLAIN + _ODD * 3
    return "".join(chance.choices(signs, k=chance.randint(least, 12)))


def _word(chance: random.Random, text: str) -> str:
    """`text` as it may be written: in quotes of either kind, bare, or joined from such parts."""
    if not text:
        return chance.choice(("''", '""'))
    cuts = sorted(chance.sample(range(1, len(text)), min(len(text) - 1, chance.choice((0, 0, 1, 2)))))
    return "".join(
        _part(chance, text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)
    )


def _part(chance: random.Random, text: str) -> str:
    style = chance.choice(("single", "single", "double", "bare"))
    if style == "single":
        return "'" + text.replace("'", "'\\''") + "'"
    if style == "double" or "\n" in text:
        escaped = re.sub(r'["\\]', r"\\\g<0>", text)
        return '"' + re.sub("(?=[a-z])", lambda _: chance.choice(("", "", "\\")), escaped) + '"'
    return re.sub(r"""['"\\#; \t]""", r"\\\g<0>", text)


def _line(chance: random.Random, words: list[str], last: bool) -> str:
    """A command with what ends it: a semicolon only after two words, and before another command."""
    blank = chance.choice((" ", " ", "\t", "  ", " \\\n"))
    end = chance.choice(("\n", "\n", "\n", "\r\n", " # a comment's end\n", "  \n", " ; "))
    indent = chance.choice(("", "\t", "  "))
    return indent + blank.join(words) + ("\n" if end == " ; " and (last or len(words) < 3) else end)


def _filler(chance: random.Random) -> str:
    return chance.choice(("", "", "\n", "# config no 'thing'\n", "\t\n", "  # it's one; option x y\n"))


def spoilt(chance: random.Random) -> str:
    """A file with a few signs too many or too few."""
    text, _ = made(chance)
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(0, len(text))
        text = (
            text[:at]
            + chance.choice(("", *_ODD, "option", "config ", "list a b"))
            + text[at + chance.randint(0, 2) :]
        )
    return text


# -- who says what -----------------------------------------------------------------------------------------


def ours(text: str) -> list[Said]:
    return [Said(s.type, "" if s.anonymous else s.name, s.options) for s in parse(text)]


def theirs(folder: Path, text: str) -> list[Said] | None:
    """What the real one exports; None if it refuses the file."""
    (folder / "tried").write_bytes(text.encode())
    assert UCI is not None
    done = subprocess.run(
        [UCI, "-c", folder, "export", "tried"], capture_output=True, timeout=20, check=False
    )
    return exported(done.stdout.decode()) if done.returncode == 0 else None


def exported(text: str) -> list[Said]:
    """What an export says: all values in single quotes, one command a line."""
    said: list[Said] = []
    command = re.compile(r"^\t?(config|option|list) ([^ \n]+)(?: '((?:[^']|'\\'')*)')?\n", re.MULTILINE)
    for keyword, name, quoted in command.findall(text):
        value = quoted.replace("'\\''", "'")
        if keyword == "config":
            said.append(Said(name, value, {}))
        elif keyword == "option":
            said[-1].options[name] = value
        else:
            values = said[-1].options.setdefault(name, [])
            assert isinstance(values, list)
            values.append(value)
    return said


@pytest.mark.parametrize("hundred", range(FILES // 100))
def test_our_reader_reads_what_a_file_says(hundred: int) -> None:
    for seed in range(100 * hundred, 100 * (hundred + 1)):
        text, says = made(random.Random(seed))
        assert ours(text) == says, (seed, text)


def test_an_export_is_read_as_it_is_written() -> None:
    text = (
        "package x\n\nconfig thing\n\toption a 'b'\\''c\n d'\n\tlist l ''\n\tlist l 'x'\n\nconfig t 'n'\n\n"
    )
    assert exported(text) == [Said("thing", "", {"a": "b'c\n d", "l": ["", "x"]}), Said("t", "n", {})]
    assert exported(text) == ours(text.removeprefix("package x\n"))


@needs_uci
def test_the_real_one_reads_the_same(tmp_path: Path) -> None:
    for seed in range(FILES):
        text, says = made(random.Random(seed))
        assert theirs(tmp_path, text) == says, (seed, text)


@needs_uci
def test_what_is_spoilt_is_the_same_to_both(tmp_path: Path) -> None:
    for seed in range(FILES):
        text = spoilt(random.Random(seed))
        read: list[Said] | None = None
        with suppress(BadConfig):
            read = ours(text)
        assert theirs(tmp_path, text) == read, (seed, text)


@needs_uci
def test_what_the_real_one_changes_is_what_our_editor_changes(tmp_path: Path) -> None:
    for seed in range(FILES // 2):
        chance = random.Random(seed)
        text, says = made(chance)
        if not says:
            continue
        at = chance.randrange(len(says))
        place, name = f"@[{at}]", chance.choice((*says[at].options, "new"))
        value = _value(chance, least=1)
        changed, command = chance.choice((
            (set_option(text, place, name, value), ["set", f"tried.{place}.{name}={value}"]),
            (add_to_list(text, place, name, value), ["add_list", f"tried.{place}.{name}={value}"]),
            (delete_option(text, place, name), ["delete", f"tried.{place}.{name}"]),
            (delete_section(text, place), ["delete", f"tried.{place}"]),
        ))  # fmt: skip
        (tmp_path / "tried").write_bytes(text.encode())
        for words in (command, ["commit", "tried"]):
            subprocess.run(
                [str(UCI), "-q", "-c", tmp_path, "-t", tmp_path / "waiting", *words], timeout=20, check=False
            )
        assert theirs(tmp_path, (tmp_path / "tried").read_text()) == ours(changed), (seed, text, command)


def test_spoilt_files_are_of_both_sorts() -> None:
    refused = 0
    for seed in range(100):
        try:
            ours(spoilt(random.Random(seed)))
        except BadConfig:
            refused += 1
    assert 10 < refused < 90
