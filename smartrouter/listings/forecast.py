# SPDX-License-Identifier: GPL-2.0-or-later
"""What is to be expected of a device, as values and in words: when its learning ends, and how much that is
new is still to come of it.

Reads nothing: progress in, forecasts out. The arithmetic is `core.novelty`'s.
"""

import time
from collections.abc import Mapping

from smartrouter.core.learning import DAY, Progress, State
from smartrouter.core.novelty import PRIOR, Course, Estimate, History, Prior, expect, expected_end, fit
from smartrouter.core.policy import LearningPlan

LEARNING = {
    "share": "how much of the time that learning is expected to take is over, from 0 to 1",
    "earliest": "epoch seconds of its end, if nothing new comes any more",
    "expected": "the same, as far as can be told",
    "latest": "the same, at the latest",
}
NOVELTY = {
    "expected": "new destinations that are expected",
    "low": "and, with a chance of 90 %, so many at least",
    "high": "and at most",
    "any": "the chance that there is one at all",
}
AHEAD = {"day": 1, "week": 7}  # days
UNSETTLED = "not settled: its time was up while it still had news"


def described(keys: Mapping[str, str]) -> str:
    """Documented keys in one line."""
    return ", ".join(f"`{key}` ({text})" for key, text in keys.items())


def prior_of(progress: Mapping[str, Progress]) -> Prior:
    """What to expect of a device before anything of it is known: by the household's own devices, once there
    are enough of them to tell."""
    return fit([History(p.units, p.new_since_second, p.new_logs) for p in progress.values()])


def learning(
    progress: Progress | None, once: int, plan: LearningPlan, now: float, prior: Prior = PRIOR
) -> dict[str, float] | None:
    """How long a device will learn, from `now` (epoch seconds) on, under the keys of `LEARNING`; None unless
    it learns. `once`: destinations that it used in one unit only. It holds as long as the guard runs."""
    if progress is None or progress.state is not State.LEARNING:
        return None
    if not plan.auto:
        left = max(0.0, plan.period - progress.observed)
        share = min(1.0, progress.observed / plan.period)
        return {"share": share, "earliest": now + left, "expected": now + left, "latest": now + left}
    end = expected_end(_course(progress, once), plan.period, prior)
    return {
        "share": end.share,
        "earliest": now + end.earliest,
        "expected": now + end.expected,
        "latest": now + end.latest,
    }


def novelty(progress: Progress | None, prior: Prior = PRIOR) -> dict[str, dict[str, float]] | None:
    """What is still to come of a protected device within a day and a week, under the keys of `NOVELTY`."""
    if progress is None or progress.state is not State.PROTECTED:
        return None
    return {span: _estimate(progress, days, prior)._asdict() for span, days in AHEAD.items()}


def _course(progress: Progress, once: int) -> Course:
    first, last = progress.first_quiet_day, progress.last_quiet_day
    return Course(
        units=progress.units,
        quiet=progress.quiet,
        once=once,
        quiet_days=last - first + 1 if first >= 0 else 0,
        observed=progress.observed,
        attempts=progress.attempts,
        new_since_second=progress.new_since_second,
    )


def _estimate(progress: Progress, days: int, prior: Prior) -> Estimate:
    # Units are counted while a device learns, and `unit` is the number of the last: so active was it then.
    active = progress.units / (progress.unit + 1) if progress.units else 1.0
    return expect(progress.units, progress.new_since_second, active * days * 24, days, prior)


# -- in words ----------------------------------------------------------------------------------------------


def learning_text(found: Mapping[str, float], now: float) -> str:
    """`ends about Tue 14:00 (between Mon 09:00 and 2026-12-02)`."""
    if found["earliest"] == found["latest"]:
        return f"ends {about(found, now)}"
    between = f"between {moment(found['earliest'], now)} and {moment(found['latest'], now)}"
    return f"ends {about(found, now)} ({between})"


def about(found: Mapping[str, float], now: float) -> str:
    """When learning is expected to end, as surely as that is known."""
    expected = moment(found["expected"], now)
    return expected if found["earliest"] == found["latest"] else f"about {expected}"


def novelty_text(found: Mapping[str, Mapping[str, float]]) -> str:
    """`0.4 new destinations expected in the next day (90 %: 0 to 2), 1.9 in the next week (0 to 6)`."""
    day, week = found["day"], found["week"]
    return (
        f"{number(day['expected'])} new destinations expected in the next day (90 %: {day['low']} to "
        f"{day['high']}), {number(week['expected'])} in the next week ({week['low']} to {week['high']})"
    )


def number(expected: float, less_than: str = "less than ") -> str:
    """How many are expected; never none, as nobody can promise that."""
    if expected < 0.05:
        return f"{less_than}0.1"
    return f"{expected:.1f}" if expected < 10 else f"{expected:.0f}"


def moment(at: float, now: float) -> str:
    """A moment to come, as exactly as a forecast deserves: `14:00`, `Tue 14:00`, `2026-12-02`."""
    there, here = time.localtime(at), time.localtime(now)
    if at - now < DAY and there.tm_yday == here.tm_yday:
        return time.strftime("today %H:%M", there)
    return time.strftime("%a %H:%M" if at - now < 6 * DAY else "%Y-%m-%d", there)
