# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device's conduct tells once there is some of it: appliances go to few places, again and again.

The bounds come from the captured devices in `training/traffic.jsonl` and are round on purpose; how much each
counts is fitted. A clue grows with the hours in which it could have shown itself otherwise.
"""

from collections.abc import Iterator, Mapping

from smartrouter.core.classification.clue import Clue
from smartrouter.core.classification.signs import Behaviour

MEANINGS: Mapping[str, str] = {
    "goes.few": "goes to few destinations (grows with the hours that it was active)",
    "goes.many": "goes to many destinations",
    "goes.many-at-once": "goes to many destinations within an hour, as somebody who browses does",
    "goes.personal": "goes to destinations that only people's devices need",
    "goes.steadily": "goes again and again where it has been before",
}

FEW, MANY, AT_ONCE = 10, 40, 25  # destinations
ENOUGH_ATTEMPTS = 10  # before which nothing is said
_ENOUGH_HOURS = 6  # active hours until a clue counts whole
_ALL_PERSONAL = 3  # destinations that only people's devices need, until that clue counts whole
_STEADY, _MANY_ATTEMPTS = 0.9, 50


def clues(behaviour: Behaviour | None) -> Iterator[Clue]:
    """What it tells; nothing before there is enough of it."""
    if behaviour is None:
        return
    if behaviour.personal:
        yield Clue(
            "goes.personal",
            f"goes to {behaviour.personal} of the destinations that only people's devices need",
            min(1.0, behaviour.personal / _ALL_PERSONAL),
        )
    if behaviour.attempts < ENOUGH_ATTEMPTS:
        return
    seen = min(1.0, behaviour.hours / _ENOUGH_HOURS)
    where = f"{behaviour.groups} destination{'s' * (behaviour.groups != 1)} in {_time(behaviour.span)}"
    if behaviour.groups <= FEW:
        yield Clue("goes.few", where, seen)
    elif behaviour.groups >= MANY:
        yield Clue("goes.many", where)
    if behaviour.busiest_hour >= AT_ONCE:
        yield Clue("goes.many-at-once", f"{behaviour.busiest_hour} destinations within an hour")
    if behaviour.repeated >= _STEADY and behaviour.attempts >= _MANY_ATTEMPTS:
        yield Clue(
            "goes.steadily", f"{behaviour.repeated:.0%} of its connections go where it has been before", seen
        )


def _time(span: float) -> str:
    for seconds, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if span >= seconds:
            count = round(span / seconds)
            return f"{count} {name}{'s' * (count != 1)}"
    return "less than a minute"
