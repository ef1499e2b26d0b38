# SPDX-License-Identifier: GPL-2.0-or-later
"""A steady load on the real guard: what it judges, what the kernel settles, what is recorded and lost."""

import time
from typing import NamedTuple

from bench import guard, home
from bench.figures import Budget, Row, Section, spread
from bench.guard import Guard
from bench.home import Mix
from bench.lab import Lab
from smartrouter.core.errors import Unavailable
from smartrouter.linux.queue_rule import FLOWS_QUEUE

_RATE = 20_000
_RECORDED = 100_000
_NONE = Budget(0, at_most=True)
_LEAST = 4.0  # seconds: in less, the queue alone could hold what nobody judges
_FRAMES = 60_000  # different connections: none comes again while it may still wait in a queue
_WARM_UP = 2000  # SYNs a second, so that what is known is in the kernel's sets before anything is counted
_DRAINED = 5.0  # seconds for the queue to become empty in the end


class _Load(NamedTuple):
    """What became of a steady load. `lost`: SYNs that did not arrive at the other side, or did unjudged
    (beyond a limit, or for want of a guard); `judged`, `settled`: by the guard, by the kernel; `stored`:
    share of the attempts that the store took; `busy`: cores that the guard used."""

    sent: int
    lost: int
    judged: int
    settled: int
    recorded: int
    stored: float
    busy: float

    @property
    def heard(self) -> float:
        """The share of what the kernel settled that the guard was told of."""
        return self.recorded / max(1, self.settled)


def measure(lab: Lab) -> Section:
    """The section of the table."""
    seconds = lab.effort.seconds
    about = (
        f"SYNs of 50 devices through the real guard, which stores all attempts, for {seconds:.0f} s "
        "(the other rows: half of that, or 4 s). `lost`: "
        "did not arrive behind the router, or arrived unjudged. `recorded`: of those that the kernel let "
        "through by itself, what the guard heard of by NFLOG."
    )
    at_home = _carry(lab, Mix.HOME, _RATE, seconds)
    strange = _carry(lab, Mix.STRANGERS, _RATE, max(seconds / 2, _LEAST))
    known = _carry(lab, Mix.KNOWN, _RECORDED, seconds / 2)
    home_title, strange_title = (f"{_RATE:,} SYN/s, {mix.value}" for mix in (Mix.HOME, Mix.STRANGERS))
    rows = [
        _row("lost_at_20k", f"{home_title}: lost", at_home.lost, "lost", _NONE, note=_note(at_home)),
        _row("stored_at_20k", f"{home_title}: attempts stored", at_home.stored, "share"),
        _row("recorded_at_20k", f"{home_title}: what the kernel settled, recorded", at_home.heard, "share"),
        _row("lost_at_20k_strangers", f"{strange_title}: lost", strange.lost, "lost", note=_note(strange)),
        _row("stored_at_20k_strangers", f"{strange_title}: attempts stored", strange.stored, "share"),
        _row("recorded_at_100k", f"{_RECORDED:,} known SYN/s: recorded", known.heard, "share",
             note=_note(known)),
    ]  # fmt: skip
    return Section("A steady load", about, rows)


def _carry(lab: Lab, mix: Mix, rate: int, seconds: float) -> _Load:
    network = lab.network
    network.guarded()
    database = guard.store(network.folder / f"steady-{mix.name}-{rate}" / "guard.db")
    path = lab.file_of(f"steady-{mix.name}", home.syns(_FRAMES, mix))
    with Guard(lab, database) as ours:
        if mix is Mix.KNOWN:
            known = lab.file_of("warm-up", home.one_syn_each(home.DESTINATIONS))
            lab.send(known, home.DEVICES * home.DESTINATIONS, _WARM_UP)
            _settled(lab)
        before, arrived, came_in = _State.of(lab, ours), network.arrived(), network.came_in()
        sent = int(rate * seconds)
        lab.send(path, sent, rate)
        _settled(lab)
        time.sleep(0.5)  # for what NFLOG gathers
        after = _State.of(lab, ours)
        dropped = network.came_in().dropped - came_in.dropped
        if dropped > sent / 100:
            raise Unavailable(f"the wire itself lost {dropped} of {sent} packets: this machine is too busy")
        lost = sent - dropped - (network.arrived().packets - arrived.packets)
        return after.since(before, sent, lost, seconds)


class _State(NamedTuple):
    """Counters at a moment."""

    kernel: dict[str, int]
    judged: int
    recorded: int
    stored: dict[str, int]
    unstored: dict[str, int]
    cpu: float

    @classmethod
    def of(cls, lab: Lab, ours: Guard) -> "_State":
        """Now."""
        cpu, status = ours.cpu(), ours.status()
        return cls(
            lab.network.counters(), sum(status["judged"].values()), sum(status["recorded"].values()),
            status["store"]["put"], status["store"]["dropped"], cpu,
        )  # fmt: skip

    def since(self, before: "_State", sent: int, lost: int, seconds: float) -> _Load:
        """What changed."""

        def grown(*counters: str) -> int:
            return sum(self.kernel[name] - before.kernel[name] for name in counters)

        put = self.stored.get("Record", 0) - before.stored.get("Record", 0)
        dropped = self.unstored.get("Record", 0) - before.unstored.get("Record", 0)
        return _Load(
            sent,
            lost + grown("over_limit_passed", "unjudged_down"),
            self.judged - before.judged,
            grown("known"),
            self.recorded - before.recorded,
            put / max(1, put + dropped),
            (self.cpu - before.cpu) / seconds,
        )


def _settled(lab: Lab) -> None:
    """Wait until no packet waits for its verdict."""
    end = time.monotonic() + _DRAINED
    while lab.network.queue(FLOWS_QUEUE).waiting:
        if time.monotonic() > end:
            raise Unavailable(f"packets wait for their verdict: {lab.network.queue(FLOWS_QUEUE)}")
        time.sleep(0.02)


def _row(
    key: str, title: str, value: float, unit: str, budget: Budget | None = None, *, note: str = ""
) -> Row:
    return Row(key, title, spread([value]), unit, budget, note=note)


def _note(load: _Load) -> str:
    return (
        f"{load.sent:,} sent, {load.judged:,} judged, {load.settled:,} settled by the kernel, "
        f"{load.busy:.2f} of a core"
    )
