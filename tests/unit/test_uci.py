# SPDX-License-Identifier: GPL-2.0-or-later
"""The UCI reader against libuci's grammar, case by case."""

import shutil
import subprocess
from pathlib import Path

import pytest

from smartrouter.config.uci import MAX_TEXT, find, parse
from smartrouter.core.errors import BadConfig

# What libuci's own parser makes of these lines, written into the section that HEAD opens.
HEAD = "config thing 'box'\n"
OPTIONS = {
    "a bare word": ("option a b\n", {"a": "b"}),
    "a value in single quotes": ("option a 'b c'\n", {"a": "b c"}),
    "a value in double quotes": ('option a "b c"\n', {"a": "b c"}),
    "an apostrophe as libuci writes it": ("option a 'Bob'\\''s TV'\n", {"a": "Bob's TV"}),
    "an apostrophe in double quotes": ('option a "Bob\'s TV"\n', {"a": "Bob's TV"}),
    "parts joined": ("option a b'c d'\"e f\"g\n", {"a": "bc de fg"}),
    "a quoted name": ("option 'a' 'b'\n", {"a": "b"}),
    "a name joined from parts": ("option a'b'c d\n", {"abc": "d"}),
    "a backslash in single quotes": ("option a 'b\\c'\n", {"a": "b\\c"}),
    "a backslash at the end of single quotes": ("option a 'b\\'\n", {"a": "b\\"}),
    "a backslash in double quotes": ('option a "b\\"c\\\\d\\n"\n', {"a": 'b"c\\dn'}),
    "a backslash outside of quotes": ("option a b\\ c\\'\\\"\\#\\;d\n", {"a": "b c'\"#;d"}),
    "a line continued outside of quotes": ("option a b\\\nc\n", {"a": "bc"}),
    "a line continued between words": ("option a\\\n b\n", {"a": "b"}),
    "a line continued in double quotes": ('option a "b\\\nc"\n', {"a": "bc"}),
    "a line continued with CR LF": ("option a b\\\r\nc\r\n", {"a": "bc"}),
    "a backslash at the end of a line in single quotes": ("option a 'b\\\nc'\n", {"a": "b\\\nc"}),
    "a value over lines in single quotes": ("option a 'b\n# c\n d'\n", {"a": "b\n# c\n d"}),
    "a value over lines in double quotes": ('option a "b\nc"\n', {"a": "b\nc"}),
    "more commands after a value over lines": ("option a 'b\nc' ; option d e\n", {"a": "b\nc", "d": "e"}),
    "libuci's own multi-line example": (
        "option a \\''line 1\nline 2 \\\nline 3'\\'\noption b \"\\\"Hello, \\\nWorld.\\'\n\"\n",
        {"a": "'line 1\nline 2 \\\nline 3'", "b": "\"Hello, World.'\n"},
    ),
    "a comment line": ("# option a b\n  # option c d\n", {}),
    "a comment behind": ("option a b # c\n", {"a": "b"}),
    "a comment right behind a word": ("option a b#c\n", {"a": "b"}),
    "a comment right behind a quote": ("option a 'b'#c\n", {"a": "b"}),
    "a hash in quotes": ("option a 'b # c'\n", {"a": "b # c"}),
    "blank lines of all kinds": ("\n \n\t\n\r\n\v\f\n", {}),
    "CR LF": ("option a b\r\nlist c 'd'\r\n", {"a": "b", "c": ["d"]}),
    "tabs and blanks between words": (" \toption \t a\t  b \t\n", {"a": "b"}),
    "no newline at the end": ("option a b", {"a": "b"}),
    "keywords of one letter": ("o a b\nl c d\np e\n", {"a": "b", "c": ["d"]}),
    "commands separated by a semicolon": ("option a b ; option c d\n", {"a": "b", "c": "d"}),
    "a semicolon right behind a quote": ("option a 'b';option c 'd'\n", {"a": "b", "c": "d"}),
    "a semicolon right behind a bare word ends the line": ("option a b;option c d\n", {"a": "b"}),
    "a semicolon right behind an escape": ("option a b\\ ;option c d\n", {"a": "b ", "c": "d"}),
    "a comment after a semicolon": ("option a 'b'; # c\n", {"a": "b"}),
    "an empty word ends a command": ("option a b '' option c d\n", {"a": "b", "c": "d"}),
    "a later option": ("option a b\noption a c\n", {"a": "c"}),
    "an empty option says nothing": ("option a b\noption a ''\noption c\n", {"a": "b"}),
    "a list": ("list a b\nlist a c\nlist a b\n", {"a": ["b", "c", "b"]}),
    "a list with an empty value": ("list a ''\nlist a\n", {"a": ["", ""]}),
    "a list after an option": ("option a b\nlist a c\n", {"a": ["b", "c"]}),
    "an option after a list": ("list a b\nlist a c\noption a d\n", {"a": "d"}),
    "an empty option after a list": ("list a b\noption a ''\n", {"a": ["b"]}),
    "a package line": ("package other\noption a b\n", {"a": "b"}),
    "letters beyond ASCII": ("option a 'Küche ☕'\n", {"a": "Küche ☕"}),
    "bytes that are no UTF-8": ("option a 'K\udcfcche'\n", {"a": "K\udcfcche"}),
}


@pytest.mark.parametrize(("text", "options"), OPTIONS.values(), ids=OPTIONS)
def test_options_read_as_libuci_reads_them(text: str, options: dict[str, str | list[str]]) -> None:
    (section,) = parse(HEAD + text)
    assert section.options == options


SECTIONS = {
    "nothing": ("", []),
    "a named section": ("config a 'b'\n", [("a", "b", False)]),
    "abbreviated": ("c a b\n", [("a", "b", False)]),
    "a type with signs": ("config wifi-iface\n", [("wifi-iface", "cfg013579", True)]),
    "an empty name is none": ("config dnsmasq ''\n", [("dnsmasq", "cfg01411c", True)]),
    "names made up by place and type": (
        "config interface 'loopback'\nconfig globals globals\nconfig device\nconfig device\n",
        [
            ("interface", "loopback", False),
            ("globals", "globals", False),
            ("device", "cfg030f15", True),
            ("device", "cfg040f15", True),
        ],
    ),
    "sections of one name": (
        "config a b\nconfig c\nconfig a b\n",
        [("a", "b", False), ("c", "cfg02b608", True)],
    ),
    "a section by its made-up name": (
        "config dnsmasq\nconfig dnsmasq cfg01411c\n",
        [("dnsmasq", "cfg01411c", True)],
    ),
}


@pytest.mark.parametrize(("text", "expected"), SECTIONS.values(), ids=SECTIONS)
def test_sections_are_named_as_libuci_names_them(text: str, expected: list[tuple[str, str, bool]]) -> None:
    assert [(section.type, section.name, section.anonymous) for section in parse(text)] == expected


def test_sections_of_one_name_are_one_section() -> None:
    first, other = parse("config a b\noption x 1\noption y 1\nconfig a c\nconfig a b\noption y 2\nlist z 3\n")
    assert first.options == {"x": "1", "y": "2", "z": ["3"]}
    assert first.lines == {"x": 2, "y": 6, "z": 7}
    assert (first.line, other.line, other.options) == (1, 4, {})


REFUSED = {
    "an unknown command": ("config a\nfoo bar\n", 2),
    "a keyword in capitals": ("Config a\n", 1),
    "half a keyword": ("conf a\n", 1),
    "a keyword alone": ("config a\noption\n", 2),
    "a keyword alone at the end": ("config a\noption", 2),
    "a semicolon at the end of a line": ("config a 'b';\n", 1),
    "two semicolons": ("config a b ;; config c d\n", 1),
    "no type": ("config ''\n", 1),
    "no option name": ("config a\n\n option ''\n", 3),
    "an option before any section": ("\noption a b\n", 2),
    "too many words for a section": ("config a b c\n", 1),
    "too many words for an option": ("config a\noption b c d\n", 2),
    "a word on the continued line": ("config a\noption b c\\\n d\n", 2),
    "nothing before the continued line": ("config a\noption b \\\n c\n", 2),
    "a type that is no word": ("config 'a b'\n", 1),
    "a section's name that is no name": ("config a b-c\n", 1),
    "an option's name that is no name": ("config a\noption b-c d\n", 2),
    "a name beyond ASCII": ("config a\noption ü d\n", 2),
    "a package's name that is no name": ("package a.b\n", 1),
    "a single quote without end": ("config a\noption b 'c\noption d e\n", 2),
    "a double quote without end": ('config a\noption b "c\noption d e\n', 2),
    "a backslash at the end of double quotes": ('config a\noption b "c\\', 2),
    "a name with two types": ("config a b\n\nconfig c b\n", 3),
    "a NUL byte": ("config a\noption b 'c\0d'\n", 2),
}


@pytest.mark.parametrize(("text", "line"), REFUSED.values(), ids=REFUSED)
def test_what_libuci_refuses_is_refused_with_file_and_line(text: str, line: int) -> None:
    with pytest.raises(BadConfig, match=rf"^/etc/config/x: line {line}: [^\n]+\.$"):
        parse(text, "/etc/config/x")


def test_errors_and_reprs_show_no_values() -> None:
    for text in (
        "option token xoxb-1 S3cret\n",
        "option token 'xoxb-1'\nS3cret word\n",
        "option S3-cret x\n",
    ):
        with pytest.raises(BadConfig) as caught:
            parse("config notify\n" + text)
        assert "cret" not in str(caught.value)
    assert "S3cret" not in repr(parse("config notify\noption token 'S3cret'\n"))


def test_a_section_is_found_by_name_and_by_place() -> None:
    sections = parse("config a x\nconfig b\nconfig a\nconfig a y\n")
    for reference, place in {
        "x": 0, "y": 3, "z": None, "cfg02b607": 1, "@a[0]": 0, "@a[1]": 2, "@a[-1]": 3, "@a[-3]": 0,
        "@a[3]": None, "@a[-4]": None, "@b[0]": 1, "@c[0]": None, "@[1]": 1, "@[-1]": 3, "@a": None,
        "@a[x]": None,
    }.items():  # fmt: skip
        assert find(sections, reference) == place, reference


def test_large_texts_are_read_in_time_and_too_large_ones_refused() -> None:
    million = 1_000_000
    for value in (
        "'" + "x" * million + "'",
        "\\x" * (million // 2),
        '"' + "\\\n" * (million // 2) + 'x"',
        "''" * 400_000,
    ):
        (section,) = parse(HEAD + f"option a x{value}\n")
        assert "a" in section.options
    (section,) = parse(HEAD + "list a x\n" * (million // 9))
    assert len(section.options["a"]) == million // 9
    with pytest.raises(BadConfig, match="allowed are"):
        parse("#" * (MAX_TEXT + 1))


def test_the_uci_command_agrees(tmp_path: Path) -> None:
    uci = shutil.which("uci")
    if uci is None:
        pytest.skip("no uci command here")
    for number, (text, _) in enumerate(OPTIONS.values()):
        name = f"case{number}"
        (tmp_path / name).write_bytes((HEAD + text).encode("utf-8", "surrogateescape"))
        done = subprocess.run([uci, "-c", tmp_path, "export", name], capture_output=True, check=True)
        theirs = parse(done.stdout.decode("utf-8", "surrogateescape"))
        assert [(s.type, s.name, s.options) for s in theirs] == [
            (s.type, s.name, s.options) for s in parse(HEAD + text)
        ]
