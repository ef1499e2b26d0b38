# SPDX-License-Identifier: GPL-2.0-or-later
"""A picture as SVG text: lines, dots and words, in colours that fit a light and a dark page.

Knows nothing of what it shows. The same calls always give the same bytes; nothing in a picture refers to
anything outside it. Colours are classes, since viewers that show a picture inside a page obey its media
queries, and some know no CSS variables.
"""

from collections.abc import Iterable, Sequence
from html import escape
from math import log
from typing import NamedTuple

from smartrouter.terminal import inert

# class -> (light, dark); blue and orange are told apart by all who see colours, whichever way
_COLOURS = {
    "page": ("#ffffff", "#0d1117"),
    "ink": ("#1f2328", "#e6edf3"),
    "faint": ("#59636e", "#9198a1"),
    "grid": ("#d8dee4", "#30363d"),
    "first": ("#0969da", "#58a6ff"),
    "second": ("#c2560c", "#f0883e"),
    "third": ("#818b98", "#7d8590"),
}
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"


class Scale(NamedTuple):
    """From values `low` … `high` to places `start` … `end`; `logarithmic` where low > 0."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Where `value` is; what lies outside is put on the edge."""
        kept = min(max(value, self.low), self.high)
        if self.logarithmic:
            part = log(kept / self.low) / log(self.high / self.low)
        else:
            part = (kept - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)


def round_steps(high: float, most: int) -> list[int]:
    """Whole numbers 0, s, 2 s … at which to draw lines: the last is `high` or more, s is 1, 2 or 5 times a
    power of ten, and there are `most` at most besides 0."""
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            count = max(1, -int(-high // step))
            if count <= most:
                return [step * i for i in range(count + 1)]
        size *= 10


class Drawing:
    """A picture of `width` × `height`. `title`, `text`: what it shows, for those who cannot see it."""

    def __init__(self, width: int, height: int, title: str, text: str):
        self._size = width, height
        self._title, self._text = title, text
        self._parts: list[str] = []

    def word(
        self, x: float, y: float, text: str, kind: str = "ink", *, size: int = 12, anchor: str = "start",
        bold: bool = False, turned: bool = False,
    ) -> None:  # fmt: skip
        """`text` with its base line at `y`; `turned`: upwards."""
        weight = ' font-weight="600"' if bold else ""
        turn = f' transform="rotate(-90 {_n(x)} {_n(y)})"' if turned else ""
        at = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._parts.append(
            f'<text class="{kind} f" x="{_n(x)}" y="{_n(y)}" font-size="{size}"{at}{weight}{turn}>'
            f"{_inert(text)}</text>"
        )

    def line(
        self, points: Iterable[tuple[float, float]], kind: str = "grid", *, width: float = 1, dashes: str = ""
    ) -> None:  # fmt: skip
        """A line from point to point."""
        path = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self._parts.append(f'<path class="{kind} s" d="M{path}" stroke-width="{_n(width)}"{dashed}/>')

    def area(self, points: Sequence[tuple[float, float]], kind: str, opacity: float) -> None:
        """What lies between the points."""
        path = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
        self._parts.append(f'<path class="{kind} f" d="M{path}Z" fill-opacity="{opacity:g}"/>')

    def dot(self, x: float, y: float, radius: float, kind: str) -> None:
        """A filled circle, with a rim of the page's colour to stand out from what is below it."""
        self._parts.append(
            f'<circle class="{kind} f" cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius)}"/>'
            f'<circle class="page s" cx="{_n(x)}" cy="{_n(y)}" r="{_n(radius + 0.5)}" stroke-width="1"/>'
        )

    def svg(self) -> str:
        """The whole picture."""
        width, height = self._size
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-labelledby="title text">\n'
            f'<title id="title">{_inert(self._title)}</title>\n<desc id="text">{_inert(self._text)}</desc>\n'
            f"<style>{_style()}</style>\n"
            f'<rect class="page f" width="{width}" height="{height}" rx="8"/>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )


def _style() -> str:
    def rules(dark: bool) -> str:
        return "".join(
            f".{kind}.f{{fill:{pair[dark]}}}.{kind}.s{{stroke:{pair[dark]}}}"
            for kind, pair in _COLOURS.items()
        )

    return (
        f"text{{font-family:{_FONT}}}.s{{fill:none;stroke-linejoin:round}}"
        f"{rules(False)}@media (prefers-color-scheme:dark){{{rules(True)}}}"
    )


def _inert(text: str) -> str:
    """`text` as text: no mark-up, nor any character that XML forbids (XML 1.0 section 2.2)."""
    return escape(inert(text))


def _n(value: float) -> str:
    """To a tenth, without a needless zero; never -0."""
    return f"{round(value * 10) / 10 + 0.0:g}"
