# SPDX-License-Identifier: GPL-2.0-or-later
"""Whole connections through the router: how many a second, and how long each takes to open.

One at a time and 32 in flight, over 40 protected devices, to a host that all of them know and to one that
none does (monitor mode: it is let through, and alerted about).
"""

from bench import guard, home
from bench.figures import Budget, Row, Section, Spread, ratios, spread
from bench.lab import Lab
from bench.programs import Program, numbers
from smartrouter.core.errors import Unavailable

_ABOUT = (
    "TCP connections opened and closed, over 40 devices; `unknown`: every SYN waits for the real guard's "
    "verdict; `known`: the kernel lets them through by itself, and the guard records them."
)
_DEVICES = home.DEVICES - home.LEARNERS
_WAYS = {1: "one at a time", 32: "32 in flight"}
_FOREVER = 10**12  # packets


class _Measured:
    """What came of all rounds, by case and number in flight."""

    def __init__(self) -> None:
        self.rates: dict[tuple[str, int], list[float]] = {}
        self.latencies: dict[str, list[float]] = {}

    def take(self, lab: Lab, case: str, host: str = home.STRANGE_HOST) -> int:
        """Measure a case now; gives the connections that were opened."""
        count = 0
        for in_flight in _WAYS:
            opened, seconds, failed, median = numbers(
                lab.network.device,
                [lab.programs["connect"], host, str(home.HOST_PORT), str(in_flight),
                 str(lab.effort.connecting), str(_DEVICES)],
            )  # fmt: skip
            if failed:
                raise Unavailable(f"{case}: {failed:.0f} connections failed, {opened:.0f} did not")
            self.rates.setdefault((case, in_flight), []).append(opened / seconds)
            if in_flight == 1:
                self.latencies.setdefault(case, []).append(median)
            count += int(opened)
        return count


def measure(lab: Lab) -> Section:
    """The section of the table."""
    found = _Measured()
    with Program(lab.network.internet, [lab.programs["answer"], str(home.HOST_PORT)]):
        for number in lab.rounds():
            _round(lab, found, number)
    return Section("Connections", _ABOUT, _rows(found))


def _round(lab: Lab, found: _Measured, number: int) -> None:
    network = lab.network
    network.bare()
    found.take(lab, "bare")
    if lab.effort.thorough:
        network.tracking()
        found.take(lab, "tracking")
    others = {"single": lab.c_handler("single")}
    if lab.effort.thorough:
        others |= {"batch": lab.c_handler("batch"), "least": lab.handler("least", "netfilterqueue")}
    for way, command in others.items():
        network.guarded()
        with Program(network.router, command) as handler:
            handler.tell(_FOREVER)
            found.take(lab, way)
    network.guarded()
    database = guard.store(network.folder / f"connections-{number}" / "guard.db")
    with guard.Guard(lab, database) as ours:
        before = ours.judged()
        opened = found.take(lab, "unknown")
        judged = ours.judged() - before
        if judged < opened:
            raise Unavailable(f"of {opened} unknown connections the guard judged {judged}")
        _known(lab, found, ours)


def _known(lab: Lab, found: _Measured, ours: guard.Guard) -> None:
    """The guard is asked about the first connection of each device, and about no other."""
    warm = lab._replace(effort=lab.effort._replace(connecting=0.1))
    _Measured().take(warm, "known", home.KNOWN_HOST)
    before = ours.judged()
    opened = found.take(lab, "known", home.KNOWN_HOST)
    by_kernel = opened - (ours.judged() - before)
    if by_kernel < 0.99 * opened:
        raise Unavailable(f"of {opened} known connections the kernel settled only {by_kernel}")


def _rows(found: _Measured) -> list[Row]:
    def against(case: str, other: str, in_flight: int) -> Spread:
        return ratios(found.rates[case, in_flight], found.rates[other, in_flight])

    def note(case: str, in_flight: int) -> str:
        return f"{spread(found.rates[case, in_flight]).median / 1000:.1f} k/s"

    rows = []
    for in_flight, way in _WAYS.items():
        end = "" if in_flight == 1 else f"_{in_flight}"
        rows += [
            Row(f"conn_bare{end}", f"no ruleset, {way}", spread(found.rates["bare", in_flight]), "/s"),
            Row(f"conn_known{end}_vs_bare", f"ours, known, {way}", against("known", "bare", in_flight),
                "÷ no ruleset", Budget(0.95), note=note("known", in_flight)),
            Row(f"conn_unknown{end}_vs_c", f"ours, unknown: every SYN judged, {way}",
                against("unknown", "single", in_flight), "÷ C", Budget(0.9), note=note("unknown", in_flight)),
        ]  # fmt: skip
        if ("tracking", in_flight) not in found.rates:
            continue
        rows += [
            Row(f"conn_tracking{end}_vs_bare", f"a router that tracks connections, without ours, {way}",
                against("tracking", "bare", in_flight), "÷ no ruleset", note=note("tracking", in_flight)),
            Row(f"conn_known{end}_vs_tracking", f"ours, known, {way}",
                against("known", "tracking", in_flight), "÷ a router that tracks"),
            Row(f"conn_least{end}_vs_c", f"the least that could judge in Python, {way}",
                against("least", "single", in_flight), "÷ C", note=note("least", in_flight)),
            Row(f"conn_unknown{end}_vs_c_batch", f"ours, unknown, {way}",
                against("unknown", "batch", in_flight), "÷ C in batches"),
        ]  # fmt: skip
    bare = found.latencies["bare"]
    added = {
        case: [took - without for took, without in zip(found.latencies[case], bare, strict=True)]
        for case in ("single", "unknown", "known")
    }
    return [
        *rows,
        Row("latency_p50_vs_c", "added time to open, median: ours, unknown",
            ratios(added["unknown"], added["single"]), "÷ C's", less_is_better=True,
            note=f"{spread(added['unknown']).median:.1f} µs; C adds {spread(added['single']).median:.1f} µs"),
        Row("latency_known_us", "added time to open, median: ours, known", spread(added["known"]), "µs",
            less_is_better=True),
    ]  # fmt: skip
