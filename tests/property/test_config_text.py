# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever the text: the reader gives sections or BadConfig, and the editor changes what it was told to."""

import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smartrouter.config import Config, from_text
from smartrouter.config.uci import parse, read
from smartrouter.config.uci_edit import (
    add_section,
    add_to_list,
    delete_option,
    delete_section,
    quoted,
    set_option,
)
from smartrouter.core.errors import BadConfig

EXAMPLES = 100 * max(1, round(float(os.environ.get("ROUNDS", "1"))))

# Bytes of a file as `read_text` gives them, without NUL
values = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    | st.sampled_from("'\"\\\n\r\t #;\udc80\udcff")
)
names = st.sampled_from(["a", "b", "list", "x_1"])
pieces = st.sampled_from([
    "config", "c", "option", "o", "list", "l", "package", " ", " ", "\t", "\n", "\n", "\r\n", "\v", ";", "#",
    "'", '"', "\\", "\\\n", "a", "foo", "x-y", "ü", "\udcff", "''", "'\\''", "'a b'", '"c\\"d"', "main", "\0",
    "config thing box\n", "config thing\n", "\toption a 'b'\n", "\tlist a 'c'\n", "config thing 'box';",
    "config smartrouter main\n", "option mode enforce\n", "config device\n", "config rule\n", "option mac ",
])  # fmt: skip
texts = st.lists(pieces, max_size=40).map("".join) | st.text()


def good(text: str) -> bool:
    with suppress(BadConfig):
        parse(text)
        return True
    return False


good_texts = texts.filter(good)


@settings(max_examples=EXAMPLES, deadline=None)
@given(texts)
def test_no_text_makes_the_reader_raise_anything_but_bad_config(text: str) -> None:
    with suppress(BadConfig):
        parse(text)
    with suppress(BadConfig):
        assert isinstance(from_text(text), Config)


@settings(max_examples=EXAMPLES, deadline=None)
@given(good_texts)
def test_lines_put_together_are_the_text(text: str) -> None:
    assert "".join(line.text for line in read(text)) == text


@settings(max_examples=EXAMPLES, deadline=None)
@given(values)
def test_every_value_reads_back_as_it_was_written(value: str) -> None:
    (section,) = parse(f"config a b\n\tlist x {quoted(value)} # c\n")
    assert section.options == {"x": [value]}


@settings(max_examples=EXAMPLES, deadline=None)
@given(good_texts, names, values | st.lists(values, max_size=3), st.integers(0, 5))
def test_setting_an_option_changes_that_option_only(
    text: str, name: str, value: str | list[str], at: int
) -> None:
    before = parse(text)
    if at >= len(before):
        return
    after = parse(set_option(text, f"@[{at}]", name, value))
    expected = [dict(section.options) for section in before]
    expected[at].pop(name, None)
    if value:
        expected[at][name] = value
    assert [section.options for section in after] == expected
    assert [(s.type, s.name) for s in after] == [(s.type, s.name) for s in before]
    gone = [dict(section.options) for section in parse(delete_option(text, f"@[{at}]", name))]
    expected[at].pop(name, None)
    assert gone == expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(good_texts, names, values, st.integers(0, 5))
def test_adding_to_a_list_changes_that_list_only(text: str, name: str, value: str, at: int) -> None:
    before = parse(text)
    if at >= len(before):
        return
    expected = [dict(section.options) for section in before]
    old = expected[at].get(name, [])
    expected[at][name] = [*([old] if isinstance(old, str) else old), value]
    assert [section.options for section in parse(add_to_list(text, f"@[{at}]", name, value))] == expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(good_texts, st.dictionaries(names, values | st.lists(values, min_size=1, max_size=3)))
def test_adding_a_section_leaves_the_text_as_it_is(text: str, options: dict[str, str | list[str]]) -> None:
    changed = add_section(text, "new", "", options)
    assert changed.startswith(text)
    *before, new = parse(changed)
    assert before == parse(text)
    assert new.options == {name: value for name, value in options.items() if value}


@settings(max_examples=EXAMPLES, deadline=None)
@given(good_texts, st.integers(0, 5))
def test_deleting_a_section_leaves_the_others_and_their_lines(text: str, at: int) -> None:
    before = parse(text)
    if at >= len(before):
        return
    changed = delete_section(text, f"@[{at}]")
    rest = before[:at] + before[at + 1 :]
    assert [(s.type, s.options) for s in parse(changed)] == [(s.type, s.options) for s in rest]


@settings(max_examples=EXAMPLES, deadline=None)
@given(good_texts, values)
def test_lines_that_are_not_concerned_stay_byte_for_byte(text: str, value: str) -> None:
    ours = "config ours ours\n\toption x 'y' # mine\n"
    above = text if not text or text.endswith("\n") else text + "\n"
    if not good(above + ours + above):
        return
    changed = set_option(above + ours + above, "ours", "x", value or "z")
    assert changed == above + f"config ours ours\n\toption x {quoted(value or 'z')} # mine\n" + above


@pytest.mark.skipif(shutil.which("uci") is None, reason="no uci command here")
@settings(max_examples=EXAMPLES, deadline=None)
@given(good_texts)
def test_what_both_can_read_libuci_reads_alike(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "smartrouter"
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
        done = subprocess.run(
            ["uci", "-q", "-c", folder, "export", path.name], capture_output=True, check=False
        )
    if done.returncode:
        return
    theirs = parse(done.stdout.decode("utf-8", "surrogateescape"))
    assert [(each.type, each.options) for each in theirs] == [
        (each.type, each.options) for each in parse(text)
    ]
