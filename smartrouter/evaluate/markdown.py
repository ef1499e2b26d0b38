# SPDX-License-Identifier: GPL-2.0-or-later
"""Sections as Markdown. Knows nothing of what they say."""

from collections.abc import Iterable, Sequence

from smartrouter.evaluate.sections import Section
from smartrouter.terminal import inert


def written(sections: Iterable[Section], level: int = 2) -> str:
    """`sections`, each under a heading of that level, with an empty line between the parts."""
    return "\n".join(_section(section, level) for section in sections)


def _section(section: Section, level: int) -> str:
    parts = [f"{'#' * level} {section.title}\n"]
    if section.rows:
        parts.append(table([column.title for column in section.columns], section.rows,
                           [column.right for column in section.columns]))  # fmt: skip
    parts += [f"{plain(note)}\n" for note in section.notes]
    return "\n".join(parts)


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[bool]) -> str:
    """A table; `right`: which columns are set to the right."""
    rules = ["---:" if to_right else "---" for to_right in right]
    lines = [titles, rules, *rows]
    return "".join(f"| {' | '.join(map(plain, line))} |\n" for line in lines)


def plain(text: str) -> str:
    """`text`, which may come from the network, so that it stays text in a page."""
    for mark in "\\|`*_<>[]":
        text = text.replace(mark, "\\" + mark)
    return inert(text)
