# SPDX-License-Identifier: GPL-2.0-or-later
"""The two pictures of an evaluation: how destinations grow, and novelty foretold against novelty seen.

Knows how they look, computes no figure of its own but where to put it.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import sqrt

from smartrouter.evaluate.calibration import Bin
from smartrouter.evaluate.drawing import Drawing, Scale, round_steps
from smartrouter.evaluate.figures import Evaluation, share
from smartrouter.evaluate.units import Forecast, forecasts
from smartrouter.terminal import fit

_WIDTH = 960
_MARGIN = 24
_HEAD = 96  # title, what it is about, legend
MAX_PANELS = 30  # devices that are drawn; the busiest
MAX_STEPS = 40  # of one staircase
_COLUMNS = 5
_LONGEST_NAME = 19  # characters that fit above a panel
_MINUTE, _HOUR, _DAY, _MONTH, _YEAR = 60.0, 3600.0, 86400.0, 30 * 86400.0, 365 * 86400.0
_TIMES = ((_MINUTE, "1 min"), (_HOUR, "1 h"), (_DAY, "1 d"), (_MONTH, "30 d"))
_NINETY = 1.645  # standard deviations, two-sided


def growth(found: Evaluation) -> str:
    """A panel for each device: destinations used so far over the time since its first connection."""
    macs = [mac for mac in found.devices if found.tally(mac).attempts]
    macs = sorted(macs, key=lambda mac: -found.tally(mac).attempts)[:MAX_PANELS]
    macs.sort(key=lambda mac: (found.labels.name(mac).lower(), mac))
    across, down, rows = 182, 150, max(1, -(-len(macs) // _COLUMNS))
    bottom = _HEAD + rows * down
    used = {mac: len(found.walk(mac).first_uses) for mac in macs}
    drawing = _growth_page(bottom + 34, [f"{found.labels.name(mac)}: {used[mac]}" for mac in macs])
    steps = round_steps(max(used.values(), default=1), 5)
    for place, mac in enumerate(macs):
        row, column = divmod(place, _COLUMNS)
        left, top = _MARGIN + 22 + column * across, _HEAD + row * down + 26
        x = Scale(10.0, _YEAR, left, left + across - 42, logarithmic=True)
        y = Scale(0.0, steps[-1], top + down - 56, top)
        lowest = place + _COLUMNS >= len(macs)
        _growth_axes(drawing, x, y, steps, numbers=column == 0, times=lowest)
        _growth_panel(drawing, found, mac, x, y)
    middle = _WIDTH / 2
    drawing.word(middle, bottom + 22, "time since the first connection", "faint", anchor="middle")
    drawing.word(16, (_HEAD + bottom) / 2, "destinations", "faint", anchor="middle", turned=True)
    return drawing.svg()


def _growth_page(height: int, devices: Sequence[str]) -> Drawing:
    """The paper with what stands above the panels. `devices`: what they show, in words."""
    title = "Destinations that each device had used, over time"
    drawing = Drawing(_WIDTH, height, title, "; ".join(devices))
    drawing.word(_MARGIN, 34, title, size=18, bold=True)
    about = "Distinct destinations since the device’s first connection; the time axis is logarithmic."
    drawing.word(_MARGIN, 54, about, "faint")
    after = "new after learning had ended"
    entries = [("first", "used while learning", ""), ("second", after, ""), ("third", "learning ends", "3 3")]
    _legend(drawing, 78, entries)
    return drawing


def _growth_axes(
    drawing: Drawing, x: Scale, y: Scale, steps: Sequence[int], *, numbers: bool, times: bool
) -> None:
    for step in steps:
        drawing.line([(x.start, y.at(step)), (x.end, y.at(step))])
        if numbers:
            drawing.word(x.start - 6, y.at(step) + 4, str(step), "faint", size=11, anchor="end")
    for seconds, name in _TIMES:
        drawing.line([(x.at(seconds), y.start), (x.at(seconds), y.start + 4)], "third")
        if times:
            drawing.word(x.at(seconds), y.start + 17, name, "faint", size=10, anchor="middle")


def _growth_panel(drawing: Drawing, found: Evaluation, mac: str, x: Scale, y: Scale) -> None:
    tally, walk = found.tally(mac), found.walk(mac)
    if tally.begun is None or tally.ended is None:
        return
    lasted = max(tally.ended.running - tally.begun.running, x.low)
    learned = lasted + 1 if tally.protected is None else tally.protected - tally.begun.running
    before = [at for at in walk.first_uses if at < learned]
    after = [at for at in walk.first_uses if at >= learned]
    drawing.line([(x.at(learned), y.end), (x.at(learned), y.at(len(before)) - 3)], "third", dashes="3 3")
    _steps(drawing, x.low, before, 0, min(learned, lasted), x, y, "first")
    if learned <= lasted:
        _steps(drawing, learned, after, len(before), lasted, x, y, "second" if after else "first")
    drawing.word(x.start, y.end - 9, fit(found.labels.name(mac), _LONGEST_NAME), bold=True)
    used = len(walk.first_uses)
    drawing.word(x.at(lasted) + 6, min(y.at(used) + 4, y.start - 1), str(used), bold=True)


def _steps(
    drawing: Drawing, start: float, times: Sequence[float], base: int, end: float, x: Scale, y: Scale,
    kind: str,
) -> None:  # fmt: skip
    """A staircase from `start` to `end` that rises by one at each of `times`, from `base`, and its ground. Of
    very many steps, some are taken at once."""
    stride = max(1, -(-len(times) // MAX_STEPS))
    points = [(x.at(start), y.at(base))]
    for count in [*range(stride, len(times), stride), len(times)] if times else []:
        at = x.at(times[count - 1])
        points += [(at, points[-1][1]), (at, y.at(base + count))]
    points.append((x.at(end), points[-1][1]))
    drawing.area([(points[0][0], y.start), *points, (points[-1][0], y.start)], kind, 0.14)
    drawing.line(points, kind, width=2)


def novelty(found: Evaluation) -> str:
    """Left: new destinations summed up, foretold and seen. Right: the chance of any, foretold and seen."""
    made = [one for walk in found.walks.values() for one in forecasts(walk, found.prior)]
    is_ = found.calibration
    title = "New destinations: foretold and seen"
    drawing = Drawing(
        _WIDTH, 470, title,
        f"{is_.units} hours with traffic: {is_.expected:.1f} new destinations expected, {is_.came} came; "
        f"Good–Turing expected {is_.good_turing:.1f}.",
    )  # fmt: skip
    drawing.word(_MARGIN, 34, title, size=18, bold=True)
    drawing.word(
        _MARGIN, 54, f"Each forecast is for a device’s next hour with traffic, from what came before it: "
        f"{is_.units} forecasts for {len(found.walks)} devices.", "faint",
    )  # fmt: skip
    _sums(drawing, made)
    _chances(drawing, is_.bins)
    return drawing.svg()


def _sums(drawing: Drawing, made: Sequence[Forecast]) -> None:
    last = max((one.unit for one in made), default=2)
    hours = range(2, last + 1)
    seen = list(accumulate(sum(one.came for one in made if one.unit == hour) for hour in hours))
    told = list(accumulate(sum(one.estimate.expected for one in made if one.unit == hour) for hour in hours))
    turing = list(accumulate(sum(one.good_turing for one in made if one.unit == hour) for hour in hours))
    steps = round_steps(max(1.0, *(line[-1] for line in (seen, told, turing) if line)), 6)
    x = Scale(1.0, max(2.0, last), 70, 400)
    y = Scale(0.0, steps[-1], 412, 132)
    drawing.word(x.start - 46, 92, "How many: all devices, summed up", bold=True, size=13)
    drawing.word(x.start - 46, 108, "Good–Turing: the usual estimate, for comparison.", "faint", size=11)
    _frame(drawing, x, y, [(step, str(step)) for step in steps],
           [(hour, str(hour)) for hour in round_steps(last, 8) if 1 <= hour <= last],
           "a device’s n-th hour with traffic", "new destinations since the second")  # fmt: skip
    ends = []
    for values, kind, ink, name, dashes in (
        (turing, "third", "faint", "Good–Turing", "4 4"),
        (told, "second", "second", "expected", ""),
        (seen, "first", "first", "seen", ""),
    ):
        points = [(x.at(1), y.at(0)), *((x.at(h), y.at(v)) for h, v in zip(hours, values, strict=True))]
        drawing.line(points, kind, width=2.5, dashes=dashes)
        if values:
            ends.append((points[-1][1], ink, f"{name} {values[-1]:.0f}"))
    for place, (_, ink, text) in zip(_apart([end[0] for end in ends]), ends, strict=True):
        drawing.word(x.end + 8, place + 4, text, ink, bold=True)


def _apart(places: Sequence[float], least: float = 15) -> list[float]:
    """`places` moved so that words there do not cover each other; their order from top to bottom stays."""
    order = sorted(range(len(places)), key=lambda i: (places[i], i))
    kept = list(places)
    for above, below in pairwise(order):
        kept[below] = max(kept[below], kept[above] + least)
    return kept


def _chances(drawing: Drawing, bins: Sequence[Bin]) -> None:
    x = Scale(0.0, 1.0, 584, 914)
    y = Scale(0.0, 1.0, 412, 132)
    drawing.word(x.start - 46, 92, "Whether any: the chance in a single hour", bold=True, size=13)
    drawing.word(
        x.start - 46, 108, "Size of a dot: hours. Bars: 90 % interval of what was seen.", "faint", size=11
    )
    marks = [(part / 100, f"{part} %") for part in (0, 25, 50, 75, 100)]
    _frame(drawing, x, y, marks, marks, "chance foretold", "hours in which something new came")
    drawing.line([(x.start, y.start), (x.end, y.end)], "third", dashes="4 4")
    drawing.word(x.at(0.8) - 4, y.at(0.8) - 10, "as foretold", "faint", size=11, anchor="end")
    most = max((one.units for one in bins), default=1)
    for one in bins:
        if not one.units:
            continue
        at, seen = x.at(one.chance), share(one.with_any, one.units)
        low, high = _wilson(one.with_any, one.units)
        drawing.line([(at, y.at(low)), (at, y.at(high))], "first", width=1.5)
        drawing.dot(at, y.at(seen), 3 + 6 * sqrt(one.units / most), "first")


def _wilson(hits: int, tries: int) -> tuple[float, float]:
    """Wilson's interval of a share."""
    z2 = _NINETY**2
    part = hits / tries
    middle = (part + z2 / (2 * tries)) / (1 + z2 / tries)
    half = _NINETY * sqrt(part * (1 - part) / tries + z2 / (4 * tries**2)) / (1 + z2 / tries)
    return max(0.0, middle - half), min(1.0, middle + half)


def _frame(
    drawing: Drawing, x: Scale, y: Scale, up: Sequence[tuple[float, str]],
    along: Sequence[tuple[float, str]], below: str, beside: str,
) -> None:  # fmt: skip
    for value, name in up:
        drawing.line([(x.start, y.at(value)), (x.end, y.at(value))])
        drawing.word(x.start - 8, y.at(value) + 4, name, "faint", size=11, anchor="end")
    for value, name in along:
        drawing.line([(x.at(value), y.start), (x.at(value), y.start + 4)], "third")
        drawing.word(x.at(value), y.start + 18, name, "faint", size=11, anchor="middle")
    drawing.line([(x.start, y.start), (x.end, y.start)], "third")
    drawing.word((x.start + x.end) / 2, y.start + 36, below, "faint", anchor="middle")
    drawing.word(x.start - 44, (y.start + y.end) / 2, beside, "faint", anchor="middle", turned=True)


def _legend(drawing: Drawing, y: float, entries: Sequence[tuple[str, str, str]]) -> None:
    x = float(_MARGIN)
    for kind, text, dashes in entries:
        drawing.line([(x, y - 4), (x + 22, y - 4)], kind, width=2.5, dashes=dashes)
        drawing.word(x + 29, y, text)
        x += 29 + 6.6 * len(text) + 26
