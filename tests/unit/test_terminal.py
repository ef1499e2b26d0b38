# SPDX-License-Identifier: GPL-2.0-or-later
"""What a terminal gets to see: inert, within its width, coloured only where that is wanted."""

import io
from itertools import count

import pytest

from smartrouter.terminal import (
    Cell,
    Column,
    Elide,
    Progress,
    Screen,
    Style,
    ago,
    amount,
    display_width,
    duration,
    fit,
    inert,
    wrap,
)

COLUMNS = [
    Column("MAC"),
    Column("NAME", least=6),
    Column("DESTINATION", least=8, elide=Elide.START),
    Column("MAKER", least=5, rank=1),
    Column("COUNT", right=True, rank=2),
]
ROWS = [
    [
        "3c:2e:ff:29:4d:93",
        "Living-room television",
        "a-very-long-host.of.some.cdn.example.com",
        "Apple, Inc.",
        "7",
    ],
    ["00:17:88:24:76:ff", "Hue", "hue.example", "Philips Lighting BV", "12345"],
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def printed(width: int | None, rows: list[list[str]] | None = None) -> list[str]:
    stream = io.StringIO()
    Screen(stream, width=width, colour=False).table(COLUMNS, ROWS if rows is None else rows)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("width", range(17, 140))
def test_a_table_never_exceeds_the_width(width: int) -> None:
    lines = printed(width)
    assert len(lines) == 3
    assert max(display_width(line) for line in lines) <= max(width, 17 + 2 + 6 + 2 + 8)


def test_a_pipe_gets_every_character() -> None:
    lines = printed(None)
    for row, line in zip(ROWS, lines[1:], strict=True):
        assert all(value in line for value in row)


def test_the_widest_column_shrinks_first_and_the_mac_never_does() -> None:
    lines = printed(100)
    assert "Living-room television" in lines[1]
    assert "…" in lines[1]
    assert lines[1].startswith("3c:2e:ff:29:4d:93  ")


def test_of_a_name_that_is_too_long_the_end_is_kept() -> None:
    assert " …some.cdn.example.com  " in printed(90)[1]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (None, ["MAC", "NAME", "DESTINATION", "MAKER", "COUNT"]),
        (60, ["MAC", "NAME", "DESTINATION", "MAKER", "COUNT"]),
        (50, ["MAC", "NAME", "DESTIN…", "MAKER", "COUNT"]),
        (45, ["MAC", "NAME", "DESTINA…", "COUNT"]),
        (39, ["MAC", "NAME", "DESTINAT…"]),
    ],
)
def test_the_least_important_column_goes_before_a_needed_one_breaks(
    width: int | None, titles: list[str]
) -> None:
    assert [title[:4] for title in printed(width)[0].split()] == [title[:4] for title in titles]


def test_numbers_stand_at_the_right() -> None:
    lines = printed(None)
    assert lines[1].endswith("      7")
    assert lines[2].endswith("  12345")


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("two\nlines", "two\\x0alines"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("line\u2028end", "line\\u2028end"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("tab\there", "tab\\x09here"),
        ("Fernseher Küche 电视", "Fernseher Küche 电视"),
    ],
)
def test_hostile_text_is_shown_not_obeyed(hostile: str, shown: str) -> None:
    assert inert(hostile) == shown


def test_hostile_cells_cannot_break_the_table() -> None:
    lines = printed(None, [["3c:2e:ff:29:4d:93", "\r\nx\x1b[31m", "a", "b", "1"]])
    assert len(lines) == 2
    assert "\x1b" not in lines[1]


def test_a_line_is_inert_too() -> None:
    stream = io.StringIO()
    Screen(stream, width=80, colour=True).line("name: ", Cell("\x1b]0;title\x07", Style.BAD))
    assert stream.getvalue() == "name: \x1b[31m\\x1b]0;title\\x07\x1b[0m\n"


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("电视", 4), ("e\u0301", 1), ("", 0), ("Küche", 5), ("ｆｕｌｌ", 8)]
)
def test_wide_and_combining_characters_are_counted_as_terminals_do(text: str, width: int) -> None:
    assert display_width(text) == width


@pytest.mark.parametrize(
    ("text", "width", "elide", "fitted"),
    [
        ("abcdef", 6, Elide.END, "abcdef"),
        ("abcdef", 4, Elide.END, "abc…"),
        ("abcdef", 4, Elide.START, "…def"),
        ("abcdef", 5, Elide.MIDDLE, "ab…ef"),
        ("电视电视", 4, Elide.END, "电…"),
        ("电视电视", 4, Elide.START, "…视"),
        ("abcdef", 1, Elide.END, "…"),
        ("abcdef", 0, Elide.END, ""),
    ],
)
def test_a_text_is_cut_where_it_matters_least(text: str, width: int, elide: Elide, fitted: str) -> None:
    assert fit(text, width, elide) == fitted


def test_a_cell_may_be_cut_elsewhere_than_its_column() -> None:
    stream = io.StringIO()
    columns = [Column("ID"), Column("WHAT", least=4, elide=Elide.START)]
    Screen(stream, width=9).table(columns, [["1", "abcdefgh"], ["2", Cell("abcdefgh", elide=Elide.END)]])
    rows = stream.getvalue().splitlines()[1:]
    assert [row.split()[1] for row in rows] == ["…efgh", "abcd…"]


def test_colours_are_on_at_a_terminal_and_off_elsewhere_or_when_unwanted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable in ("NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Screen(Terminal()).colour
    assert not Screen(io.StringIO()).colour
    monkeypatch.setenv("NO_COLOR", "")
    assert Screen(Terminal()).colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Screen(Terminal()).colour
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not Screen(Terminal()).colour


def test_the_width_is_the_terminals_or_what_columns_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "57")
    assert Screen(Terminal()).width == 57
    assert Screen(io.StringIO()).width == 57
    monkeypatch.delenv("COLUMNS")
    assert Screen(io.StringIO()).width is None


def test_facts_and_items_keep_their_margin_when_they_wrap() -> None:
    stream = io.StringIO()
    screen = Screen(stream, width=30, colour=False)
    screen.facts([("name", "x"), ("why", "a text that needs several lines of its own")])
    screen.item((Cell("! ", Style.BAD),), "one line\nand\tone more that is longer")
    assert stream.getvalue().splitlines() == [
        "  name  x",
        "  why   a text that needs",
        "        several lines of its",
        "        own",
        "! one line",
        "  and one more that is longer",
    ]


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 10, []),
        ("short", None, ["short"]),
        ("one two three", 8, ["one two", "three"]),
        ("unbreakable-word", 6, ["unbrea", "kable-", "word"]),
        ("电视电视 x", 5, ["电视", "电视", "x"]),
    ],
)
def test_a_text_is_broken_at_spaces_where_there_are_any(
    text: str, width: int | None, lines: list[str]
) -> None:
    assert wrap(text, width) == lines


def test_facts_and_items_are_inert() -> None:
    stream = io.StringIO()
    screen = Screen(stream, width=80, colour=False)
    screen.facts([("na\x1bme", "te\nxt")])
    screen.item(("\x07",), "\x1b[31m")
    assert stream.getvalue() == "  na\\x1bme  te\\x0axt\n\\x07\\x1b[31m\n"


def test_paint_leaves_the_table_straight() -> None:
    plain, painted = io.StringIO(), io.StringIO()
    rows: list[list[str | Cell]] = [[Cell("a", Style.BAD), "b"], ["longer", Cell("c", Style.GOOD)]]
    columns = [Column("X"), Column("Y")]
    Screen(plain, width=80, colour=False).table(columns, rows)
    Screen(painted, width=80, colour=True).table(columns, rows)
    stripped = painted.getvalue()
    for style in Style:
        stripped = stripped.replace(f"\x1b[{style.value}m", "")
    stripped = stripped.replace("\x1b[0m", "")
    assert painted.getvalue() != plain.getvalue()
    assert stripped == plain.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (86400 + 300, "1 d"), (90000, "1 d 1 h")],
)
def test_a_duration_has_at_most_two_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_times_are_told_from_now() -> None:
    assert ago(1000.0, 1003.0) == "just now"
    assert ago(1000.0, 1030.0) == "30 s ago"
    assert ago(1000.0, 1000.0 + 7300) == "2 h ago"
    assert ago(0.0, 86400.0 * 3) == "3 d ago"
    assert "ago" not in ago(2000.0, 1000.0)


def test_amounts_have_a_unit() -> None:
    assert [amount(n) for n in (0, 999, 1500, 81_300_000, 2.5e9)] == [
        "0 B",
        "999 B",
        "1.5 kB",
        "81.3 MB",
        "2.5 GB",
    ]


def test_progress_says_how_much_is_done_and_how_long_it_will_take(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    stream = Terminal()
    clock = count(0.0, 10.0)
    with Progress(100_000_000, "reading", stream, clock=lambda: next(clock)) as progress:
        progress.at(25_000_000)
    assert stream.getvalue() == "\r\x1b[Kreading 25.0 MB of 100.0 MB (25%), 10 s, about 30 s left\r\x1b[K"


def test_progress_of_unknown_size_makes_no_promise() -> None:
    stream = Terminal()
    clock = count(0.0, 10.0)
    progress = Progress(0, "reading", stream, clock=lambda: next(clock))
    progress.at(1000)
    assert "left" not in stream.getvalue()


def test_progress_fits_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    stream = Terminal()
    clock = count(0.0, 10.0)
    Progress(100, "a long description of it", stream, clock=lambda: next(clock)).at(50)
    assert display_width(stream.getvalue().removeprefix("\r\x1b[K")) < 30


def test_progress_is_silent_where_nobody_looks_and_in_short_work() -> None:
    clock = count(0.0, 10.0)
    log = io.StringIO()
    with Progress(100, "reading", log, clock=lambda: next(clock)) as progress:
        progress.at(50)
    assert log.getvalue() == ""
    terminal = Terminal()
    moments = iter([0.0, 0.1, 0.2])
    with Progress(100, "reading", terminal, clock=lambda: next(moments)) as progress:
        progress.at(50)
        progress.at(100)
    assert terminal.getvalue() == ""
