# SPDX-License-Identifier: GPL-2.0-or-later
"""Reports of earlier runs, one JSON object a line; and what has changed since. The comparing is pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from bench.figures import rows_of
from bench.report import figure
from smartrouter.core.errors import Unavailable

_RATIOS = ("÷", "×")  # how their units begin: what can be compared between machines that are busy in turns
_NOISE = 0.05  # of the older value: less than this is no change, however small the spreads were


class Change(NamedTuple):
    """A figure then and now. `is_worse`: a ratio, and worse by more than it is spread."""

    key: str
    then: float
    now: float
    is_worse: bool


def save(report: Mapping[str, Any], path: Path) -> None:
    """Append `report` to the history at `path`."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(report, ensure_ascii=False) + "\n")


def load(path: Path) -> list[dict[str, Any]]:
    """The reports of a history, the oldest first. Raises Unavailable where there are none."""
    try:
        reports = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
        for report in reports:
            rows_of(report)
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}; `--save {path}` makes it") from error
    except (ValueError, LookupError, TypeError) as error:
        raise Unavailable(f"{path} holds something else than reports of `bench --save`: {error}") from error
    if not reports:
        raise Unavailable(f"{path} is empty; `--save {path}` adds to it")
    return reports


def compare(earlier: Sequence[Mapping[str, Any]], report: Mapping[str, Any], *, best: bool) -> list[Change]:
    """Each figure of `report` that was measured before, against the last time, or against the best time."""
    changes = []
    for row in rows_of(report):
        found = [old for each in earlier for old in rows_of(each) if old["key"] == row["key"]]
        if not found:
            continue
        then = _best(found) if best else found[-1]
        changes.append(Change(row["key"], then["median"], row["median"], _is_worse(then, row)))
    return changes


def _best(rows: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    return max(rows, key=lambda row: -row["median"] if row["less_is_better"] else row["median"])


def _is_worse(then: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    if not now["unit"].startswith(_RATIOS):
        return False
    fell = now["median"] - then["median"] if now["less_is_better"] else then["median"] - now["median"]
    spreads = (then["high"] - then["low"], now["high"] - now["low"], _NOISE * abs(then["median"]))
    return bool(fell > max(spreads))


def told(changes: Sequence[Change]) -> str:
    """`changes` for a terminal."""
    lines = []
    for key, then, now, is_worse in changes:
        part = f"{now / then - 1:+.0%}" if then else ""
        lines.append(
            f"{key:<36}{figure(then):>12} → {figure(now):<12}{part:>7}{'  WORSE' if is_worse else ''}"
        )
    return "\n".join(lines)
