# SPDX-License-Identifier: GPL-2.0-or-later
"""How the demonstration looks on a terminal: acts, what devices do and see, commands, checked claims.

Knows nothing of networks or of smartrouter. A claim that does not hold ends the show, unless it is told to
keep going; either way it is counted.
"""

import time
from typing import TextIO

from smartrouter.terminal import Cell, Screen, Style, display_width

_MARGIN = "  "


class ClaimError(Exception):
    """What the demonstration says did not come true."""


class Stage:
    """Where the story is told. `pace`: seconds of rest after each act, for people to read."""

    def __init__(self, stream: TextIO, pace: float = 0.0, keep_going: bool = False) -> None:
        self._screen = Screen(stream)
        self.width = (self._screen.width or 100) - 2 * len(_MARGIN)
        self.failures: list[str] = []
        self._stream = stream
        self._pace = pace
        self._keep_going = keep_going
        self._acts = 0

    def act(self, title: str, *lines: str) -> None:
        """Begin an act: what it is about, and what to know before."""
        if self._acts:
            time.sleep(self._pace)
        self._acts += 1
        self._line("")
        self._line(Cell(f"{self._acts}. {title}", Style.STRONG))
        for line in lines:
            self._line(_MARGIN, line)

    def tell(self, text: str) -> None:
        """Say something."""
        self._line(_MARGIN, text)

    def deed(self, deed: str, result: str, good: bool) -> None:
        """A device did something, and saw something."""
        shown = Cell(result, Style.GOOD if good else Style.BAD)
        room = self.width - display_width(deed) - display_width(result)
        if room >= len(_MARGIN):
            self._line(_MARGIN, deed, " " * room, shown)
        else:
            self._line(_MARGIN, deed)
            self._line(_MARGIN * 3, shown)

    def command(self, command: str, output: str) -> None:
        """A command was given, and answered."""
        self._line("")
        self._line(_MARGIN, Cell(f"# {command}", Style.STRONG))
        for line in output.rstrip("\n").split("\n"):
            self._line(_MARGIN, Cell("│ ", Style.FAINT), line)
        self._line("")

    def claim(self, claim: str, holds: bool, seen: object = "") -> None:
        """Say that `claim` holds; if it does not, say what was seen instead, and fail."""
        if holds:
            self._line(_MARGIN, Cell("✓ ", Style.GOOD), claim)
            return
        self.failures.append(claim)
        self._line(_MARGIN, Cell("✗ ", Style.BAD), claim)
        self._line(_MARGIN, _MARGIN, Cell(f"but this was seen: {seen}", Style.BAD))
        if not self._keep_going:
            raise ClaimError(claim)

    def end(self, text: str, good: bool) -> None:
        """Say how it all ended."""
        self._line("")
        self._line(Cell(text, Style.GOOD if good else Style.BAD))

    def _line(self, *parts: str | Cell) -> None:
        self._screen.line(*parts)
        self._stream.flush()
