# SPDX-License-Identifier: GPL-2.0-or-later
"""Single changes to the text of a UCI file, and all that they leave alone."""

from collections.abc import Callable

import pytest

from smartrouter.config.uci import parse
from smartrouter.config.uci_edit import (
    add_section,
    add_to_list,
    delete_option,
    delete_section,
    quoted,
    set_option,
    set_options,
)
from smartrouter.core.errors import BadConfig

FILE = """\
# The house
config smartrouter 'main'
	option mode 'monitor'   # for now
	list network 'lan'
	list network 'guest'
	# option match 'host'

# Theirs, not ours
config foreign
	option x "y"	;  option z 'w'

config rule
    option action 'allow'
    # netflix
    option destination 'netflix.com'

config rule
	option action 'deny'
"""


def changed(old: str, new: str, text: str = FILE) -> str:
    assert old in text
    return text.replace(old, new, 1)


def test_an_option_is_replaced_where_it_stands_and_its_comment_stays() -> None:
    assert set_option(FILE, "main", "mode", "enforce") == changed("'monitor'   #", "'enforce'   #")


def test_a_new_option_goes_below_the_last_one_indented_like_it() -> None:
    assert set_option(FILE, "main", "match", "host") == changed(
        "'guest'\n", "'guest'\n\toption match 'host'\n"
    )
    assert set_option(FILE, "@rule[0]", "by", "me") == changed(
        "'netflix.com'\n", "'netflix.com'\n    option by 'me'\n"
    )


def test_a_new_option_goes_below_the_head_of_an_empty_section() -> None:
    assert set_option("config a 'b'\n\n# c\n", "b", "x", "1") == "config a 'b'\n\toption x '1'\n\n# c\n"


def test_a_list_becomes_another_list_or_one_value() -> None:
    lists = "\tlist network 'lan'\n\tlist network 'guest'\n"
    assert set_option(FILE, "main", "network", ["a", "b", "c"]) == changed(
        lists, "\tlist network 'a'\n\tlist network 'b'\n\tlist network 'c'\n"
    )
    assert set_option(FILE, "main", "network", "a") == changed(lists, "\toption network 'a'\n")


def test_several_options_are_set_at_once() -> None:
    assert set_options(FILE, "main", {"mode": "", "network": "lan", "x": "1", "y": ["2", "3"]}) == changed(
        "\toption mode 'monitor'   # for now\n\tlist network 'lan'\n\tlist network 'guest'\n",
        "\toption network 'lan'\n\toption x '1'\n\tlist y '2'\n\tlist y '3'\n",
    )


def test_a_value_is_added_to_a_list_behind_its_last() -> None:
    assert add_to_list(FILE, "main", "network", "iot") == changed(
        "'guest'\n", "'guest'\n\tlist network 'iot'\n"
    )
    assert add_to_list(FILE, "@rule[1]", "tag", "x") == changed("'deny'\n", "'deny'\n\tlist tag 'x'\n")


def test_an_option_is_deleted_with_all_its_lines() -> None:
    assert delete_option(FILE, "main", "network") == changed(
        "\tlist network 'lan'\n\tlist network 'guest'\n", ""
    )
    assert delete_option(FILE, "main", "nothing") == FILE


def test_an_empty_value_deletes_because_uci_knows_none() -> None:
    assert set_option(FILE, "main", "mode", "") == changed("\toption mode 'monitor'   # for now\n", "")
    assert set_option(FILE, "main", "network", []) == delete_option(FILE, "main", "network")


def test_a_section_is_added_at_the_end() -> None:
    added = add_section(FILE, "rule", "", {"action": "allow", "until": "", "tags": ["a", "b"]})
    assert added == FILE + "\nconfig rule\n\toption action 'allow'\n\tlist tags 'a'\n\tlist tags 'b'\n"
    assert add_section("", "smartrouter", "main") == "config smartrouter 'main'\n"
    assert add_section("# nothing", "a") == "# nothing\n\nconfig a\n"


def test_a_section_is_deleted_with_what_stands_inside_it_and_one_gap() -> None:
    inside = FILE[FILE.index("config rule\n    option") : FILE.index("config rule\n\toption")]
    assert delete_section(FILE, "@rule[0]") == changed(inside, "")
    assert delete_section(FILE, "@rule[-1]") == changed("\nconfig rule\n\toption action 'deny'\n", "")


def test_a_section_in_several_pieces_is_deleted_whole() -> None:
    text = "config a x\n\toption p 1\n\n# of b\nconfig b\n\nconfig a x\n\toption q 2\n"
    assert delete_section(text, "x") == "# of b\nconfig b\n"


def test_a_section_that_was_added_and_deleted_leaves_no_trace() -> None:
    assert delete_section(add_section(FILE, "rule", "x", {"action": "allow"}), "x") == FILE


def test_an_option_given_in_several_pieces_is_set_once() -> None:
    text = "config a x\n\toption p 1\nconfig b\nconfig a x\n\toption p 2\n"
    assert set_option(text, "x", "p", "3") == "config a x\n\toption p '3'\nconfig b\nconfig a x\n"


def test_a_line_of_several_commands_is_taken_apart_only_if_it_is_concerned() -> None:
    assert set_option(FILE, "@foreign[0]", "z", "v") == changed(
        "\toption x \"y\"\t;  option z 'w'\n", "option x 'y'\noption z 'v'\n"
    )
    assert '\toption x "y"\t;' in set_option(FILE, "main", "mode", "enforce")


def test_what_nobody_read_does_not_come_alive() -> None:
    text = set_option("config a b\n\toption x y;option z 1\n", "b", "x", "w")
    assert parse(text)[0].options == {"x": "w"}


@pytest.mark.parametrize("end", ["", "\n", "\\", "\\\n", "\\\r\n", " # c\\", " ;", " ; ", "\n\n\n"])
def test_whatever_the_end_of_the_file_is_additions_stand_alone(end: str) -> None:
    text = "config a b\n\toption x y" + end
    assert [s.options for s in parse(add_section(text, "c", "d", {"p": "q"}))] == [{"x": "y"}, {"p": "q"}]
    assert parse(set_option(text, "b", "p", "q"))[0].options == {"x": "y", "p": "q"}
    assert parse(add_to_list(text, "b", "x", "q"))[0].options == {"x": ["y", "q"]}


def test_an_apostrophe_is_written_as_libuci_writes_it() -> None:
    assert quoted("Bob's TV") == "'Bob'\\''s TV'"


@pytest.mark.parametrize("value", ["a\0b", "half a \ud800"])
def test_what_a_file_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(BadConfig):
        set_option(FILE, "main", "mode", value)


@pytest.mark.parametrize("name", ["", "a b", "a'", "ü", "a\nconfig b", "a;b"])
def test_names_that_are_no_names_never_get_into_a_file(name: str) -> None:
    changes: list[Callable[[], str]] = [
        lambda: set_option(FILE, "main", name, "x"),
        lambda: add_to_list(FILE, "main", name, "x"),
        lambda: add_section(FILE, name),
        lambda: add_section(FILE, "a", "b", {name: "x"}),
    ]
    for change in changes:
        with pytest.raises(BadConfig, match="no name for UCI"):
            change()


def test_a_section_that_is_not_there_is_said_so() -> None:
    with pytest.raises(BadConfig, match=r"no section @rule\[2\]"):
        set_option(FILE, "@rule[2]", "action", "allow")
