# SPDX-License-Identifier: GPL-2.0-or-later
"""How things look on a terminal: inert text, tables that fit, colours that mean something, progress.

Knows nothing of devices, alerts or where the texts come from. Whatever is printed may be written by an
attacker (host names, DNS names), so every cell goes through `inert` before it is measured or painted.
"""

import os
import sys
import time
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import NamedTuple, TextIO

from smartrouter.core.inert import inert as inert  # listings take it from here

_COLUMN_GAP = 2


class Style(Enum):
    """What a colour means; the value is the SGR parameter (ECMA-48 section 8.3.117)."""

    PLAIN = ""
    GOOD = "32"  # green: as it should be
    WARNING = "33"  # yellow: look at it
    BAD = "31"  # red: blocked, broken
    FAINT = "2"
    STRONG = "1"


class Elide(Enum):
    """Which part of a text that is too long goes."""

    END = "end"
    START = "start"  # names: the registered part is at the end
    MIDDLE = "middle"


class Cell(NamedTuple):
    """One text of a table with its style. `elide`: where it may be cut, if not where its column may."""

    text: str
    style: Style = Style.PLAIN
    elide: Elide | None = None


class Column(NamedTuple):
    """A column of a table. `least`: the width down to which it may shrink, None if never.
    `rank`: columns are left out from the lowest rank on when nothing more can shrink; None: never."""

    title: str
    least: int | None = None
    rank: int | None = None
    right: bool = False
    elide: Elide = Elide.END


class Screen:
    """Where output goes: how wide it is (None: no limit, as for a pipe or a file) and whether in colour."""

    def __init__(self, stream: TextIO, width: int | None = None, colour: bool | None = None):
        terminal = stream.isatty()
        self.stream = stream
        self.width = width if width is not None else _width_of(terminal)
        self.colour = colour if colour is not None else terminal and _colour_wanted()

    def paint(self, text: str, style: Style) -> str:
        """`text` in `style`'s colour, where colours are on."""
        return f"\x1b[{style.value}m{text}\x1b[0m" if self.colour and style.value and text else text

    def line(self, *parts: str | Cell) -> None:
        """Print one line of inert parts."""
        cells = [part if isinstance(part, Cell) else Cell(part) for part in parts]
        self.stream.write("".join(self.paint(inert(cell.text), cell.style) for cell in cells) + "\n")

    def item(self, lead: Sequence[str | Cell], text: str) -> None:
        """Print `text`, which may have several lines, behind `lead`; its lines all begin in one column."""
        cells = [_cell(part) for part in lead]
        indent = sum(display_width(cell.text) for cell in cells)
        room = None if self.width is None else max(10, self.width - indent)
        lines = [part for line in text.splitlines() for part in wrap(inert(line.expandtabs(4)), room)]
        self.stream.write("".join(self.paint(cell.text, cell.style) for cell in cells))
        self.stream.write(("\n" + " " * indent).join(lines) + "\n")

    def facts(self, facts: Iterable[tuple[str, str | Cell]]) -> None:
        """Print what is known of one thing, `title  text`, with texts that are too long on several lines."""
        pairs = [(inert(title), _cell(value)) for title, value in facts]
        indent = 2 + max((display_width(title) for title, _ in pairs), default=0) + _COLUMN_GAP
        room = None if self.width is None else max(10, self.width - indent)
        for title, cell in pairs:
            lead = "  " + title
            for line in wrap(cell.text, room) or [""]:
                gap = " " * (indent - display_width(lead))
                self.stream.write(f"{lead}{gap}{self.paint(line, cell.style)}".rstrip(" ") + "\n")
                lead = ""

    def table(self, columns: Sequence[Column], rows: Iterable[Sequence[str | Cell]]) -> None:
        """Print a table that fits the width, with a heading."""
        cells = [[_cell(value) for value in row] for row in rows]
        shown = _layout(columns, cells, self.width)
        titles = [
            Cell(fit(column.title, dict(shown).get(index, 0)), Style.STRONG)
            for index, column in enumerate(columns)
        ]
        for row in [titles, *cells]:
            texts = []
            for index, width in shown:
                text = fit(row[index].text, width, row[index].elide or columns[index].elide)
                padding = " " * (width - display_width(text))
                painted = self.paint(text, row[index].style)
                texts.append(padding + painted if columns[index].right else painted + padding)
            self.stream.write((" " * _COLUMN_GAP).join(texts).rstrip(" ") + "\n")


def _width_of(terminal: bool) -> int | None:
    if not terminal and not os.environ.get("COLUMNS"):
        return None
    return max(20, _columns())


def _columns() -> int:
    from shutil import get_terminal_size  # the web interface takes durations from here, and has no terminal

    return get_terminal_size().columns


def _colour_wanted() -> bool:
    # https://no-color.org: present and not empty means none.
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _cell(value: str | Cell) -> Cell:
    return Cell(inert(value)) if isinstance(value, str) else value._replace(text=inert(value.text))


def _layout(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], limit: int | None
) -> list[tuple[int, int]]:
    """The columns to show, as (index, width): the widest shrinks first, then the lowest rank goes."""
    widths = {
        index: max([display_width(column.title), *(display_width(row[index].text) for row in rows)])
        for index, column in enumerate(columns)
    }
    if limit is None:
        return list(widths.items())
    while (excess := sum(widths.values()) + _COLUMN_GAP * (len(widths) - 1) - limit) > 0:
        room = {i: w - (columns[i].least or w) for i, w in widths.items() if w > (columns[i].least or w)}
        if room:
            widest = max(room, key=lambda i: widths[i])
            widths[widest] -= min(excess, room[widest], _lead(widths, room, widest))
            continue
        ranked = [i for i in widths if columns[i].rank is not None]
        if not ranked or len(widths) == 1:
            break
        del widths[min(ranked, key=lambda i: (columns[i].rank, -i))]
    return list(widths.items())


def _lead(widths: dict[int, int], room: dict[int, int], widest: int) -> int:
    """By how much the widest column is ahead of the next that may shrink: both then shrink alike."""
    others = [widths[i] for i in room if i != widest]
    return max(1, widths[widest] - max(others)) if others else widths[widest]


def display_width(text: str) -> int:
    """How many columns a terminal gives `text` (Unicode Standard Annex 11; combining marks take none)."""
    if text.isascii():
        return len(text)
    return sum(_character_width(c) for c in text)


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def fit(text: str, width: int, elide: Elide = Elide.END) -> str:
    """`text`, cut to `width` columns with an ellipsis where it is longer."""
    if display_width(text) <= width:
        return text
    if width < 1:
        return ""
    head = {Elide.END: width - 1, Elide.START: 0, Elide.MIDDLE: width // 2}[elide]
    start = _prefix(text, head)
    end = _prefix(text[::-1], width - 1 - head)[::-1]
    return f"{start}…{end}"


def _prefix(text: str, width: int) -> str:
    taken = 0
    for index, character in enumerate(text):
        taken += _character_width(character)
        if taken > width:
            return text[:index]
    return text


def wrap(text: str, width: int | None) -> list[str]:
    """`text` in lines of at most `width` columns, broken at spaces where there are any."""
    if width is None or display_width(text) <= width:
        return [text] if text else []
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".lstrip()
        if display_width(joined) <= width:
            lines[-1] = joined
            continue
        while display_width(word) > width:
            head = _prefix(word, width)
            lines.append(head)
            word = word[len(head) :]
        lines.append(word)
    return [line for line in lines if line]


def duration(seconds: float) -> str:
    """`seconds` as a person would say it, with at most two units: `3 h 12 min`."""
    left = max(0, round(seconds))
    parts = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def ago(then: float, now: float) -> str:
    """How long before `now` (both epoch seconds) `then` was, in one unit: `5 min ago`."""
    seconds = now - then
    if seconds < 0:
        return when(then)  # the clock was set back since
    if seconds < 10:
        return "just now"
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit} ago"
    return f"{int(seconds)} s ago"


def when(at: float) -> str:
    """An epoch time in local time, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def amount(size: float) -> str:
    """A number of bytes: `81.3 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


class Progress:
    """One line on a terminal about long work: bytes done of the total, time elapsed, time left.

    `total`: bytes, 0 if unknown. Writes to standard error, and nothing at all where that is no terminal.

        with Progress(total, "reading") as progress:
            progress.at(done)
    """

    _INTERVAL = 0.1  # seconds between two drawings: smooth, and no cost
    _PATIENCE = 0.5  # seconds before the first: short work shows nothing

    def __init__(
        self,
        total: int,
        what: str = "",
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._total = total
        self._what = inert(what)
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._begun = clock()
        self._next = self._begun + self._PATIENCE if self._stream.isatty() else float("inf")
        self._drawn = False

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def at(self, done: int) -> None:
        """`done` bytes so far. Cheap enough to be called for each packet."""
        now = self._clock()
        if now < self._next:
            return
        self._next = now + self._INTERVAL
        self._drawn = True
        width = max(10, _columns() - 1)
        self._stream.write("\r\x1b[K" + fit(self._text(done, now - self._begun), width))
        self._stream.flush()

    def close(self) -> None:
        """Take the line away."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
        self._next, self._drawn = float("inf"), False

    def _text(self, done: int, elapsed: float) -> str:
        text = f"{self._what} {amount(done)}".lstrip()
        if self._total > 0:
            share = min(1.0, done / self._total)
            text += f" of {amount(self._total)} ({share:.0%})"
        text += f", {duration(elapsed)}"
        if 0 < done < self._total:
            text += f", about {duration(elapsed * (self._total - done) / done)} left"
        return text
