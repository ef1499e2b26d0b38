# SPDX-License-Identifier: GPL-2.0-or-later
"""An evaluation as titled tables, the same for the terminal and for a page. Computes nothing."""

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

from smartrouter.core.effects import Evidence
from smartrouter.evaluate.calibration import Bin
from smartrouter.evaluate.detection import Detection
from smartrouter.evaluate.figures import Evaluation, share
from smartrouter.replay.figures import DeviceFigures
from smartrouter.terminal import Column, duration

_MILESTONES = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # units at which the growth is shown


class Section(NamedTuple):
    """A table under a title, and sentences below it."""

    title: str
    columns: Sequence[Column] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()


def sections(found: Evaluation) -> list[Section]:
    """Everything that an evaluation has to say."""
    shown = [devices(found), kinds(found)]
    if found.labels.tell_attacks:
        shown.append(detection(found))
    return [*shown, growth(found), estimate(found)]


def number(title: str, rank: int | None = None) -> Column:
    """A column of numbers."""
    return Column(title, right=True, rank=rank)


def percent(part: int, whole: int) -> str:
    """A share to a tenth of a percent; of nothing: a dash."""
    return f"{100 * part / whole:.1f} %" if whole else "–"


def devices(found: Evaluation) -> Section:
    """A row for each device, and one for all."""
    present = [evidence for evidence in Evidence if found.evidence[evidence]]
    columns = [
        Column("Device"),
        number("Attempts"),
        *(number(str(evidence), 2) for evidence in present),
        number("Learned", 3),
        number("Tested", 1),
        number("Alerts"),
        number("Alerted"),
        number("of tested", 4),
        number("Accepts of others'", 5),
    ]
    rows = [_device_row(found, mac, figures, present) for mac, figures in found.devices.items()]
    notes = [
        "Shares by evidence for the names. Learned: destinations. Tested: connections after learning. "
        "Alerts: distinct new destinations among these; alerted: connections to them. Accepts of others': "
        "the share of other devices' attempts that its profile would let pass."
    ]
    if found.visits_not_kept:
        notes.append(f"{found.visits_not_kept} attempts are left out of the last column, for want of room.")
    return Section("Devices", columns, [*rows, _total_row(found, present)], [*notes, *found.result.warnings])


def _device_row(
    found: Evaluation, mac: str, figures: DeviceFigures, present: Sequence[Evidence]
) -> list[str]:
    tally, accepted = found.tally(mac), found.accepted.get(mac)
    return [
        found.labels.name(mac),
        str(tally.attempts),
        *(percent(tally.evidence[evidence], tally.attempts) for evidence in present),
        str(figures.learned_destinations),
        str(figures.tested_connections),
        str(figures.alerts),
        str(figures.alerted_connections),
        percent(figures.alerted_connections, figures.tested_connections),
        "–" if accepted is None else percent(accepted.known, accepted.attempts),
    ]


def _total_row(found: Evaluation, present: Sequence[Evidence]) -> list[str]:
    figures, evidence = list(found.devices.values()), found.evidence
    attempts = sum(evidence.values())
    tested = sum(one.tested_connections for one in figures)
    alerted = sum(one.alerted_connections for one in figures)
    return [
        "all",
        str(attempts),
        *(percent(evidence[one], attempts) for one in present),
        str(sum(one.learned_destinations for one in figures)),
        str(tested),
        str(sum(one.alerts for one in figures)),
        str(alerted),
        percent(alerted, tested),
        f"{100 * found.mean_accepted:.1f} % (mean)" if found.accepted else "–",
    ]


def kinds(found: Evaluation) -> Section:
    """What was reported, by kind and severity."""
    counts = found.kinds()
    by_device = [found.kinds(mac) for mac in found.devices]
    rows = [
        [
            kind,
            severity,
            str(count),
            str(sum((kind, severity) in of_one for of_one in by_device)),
        ]
        for (kind, severity), count in sorted(counts.items())
    ]
    notes = [] if rows else ["Nothing was reported."]
    return Section(
        "Alerts and notices", [Column("Kind"), Column("Severity"), number("Distinct"), number("Devices")],
        rows, notes,
    )  # fmt: skip


def detection(found: Evaluation) -> Section:
    """How the labelled attack was noticed."""
    columns = [
        Column("Device"), number("Attack attempts"), number("Flagged"), number("Noticed", 2),
        number("Missed"), number("First after", 3), Column("Kinds", rank=1), number("False alerts"),
    ]  # fmt: skip
    rows = [
        _detection_row(found.labels.name(mac), tally.detection)
        for mac, tally in found.tallies.items()
        if not tally.detection.is_empty
    ]
    notes = [
        "Flagged: with a warning. Noticed: with a notice only. False alerts: distinct warnings about what is "
        "not labelled as part of the attack."
    ]
    return Section("Detection", columns, rows, notes)


def _detection_row(name: str, attack: Detection) -> list[str]:
    return [
        name,
        str(attack.attempts),
        str(attack.flagged),
        str(attack.noticed),
        str(attack.missed),
        "–" if attack.delay is None else f"{attack.delay:.1f} s",
        ", ".join(f"{kind} {count}" for kind, count in sorted(attack.kinds.items())) or "–",
        str(attack.false_alerts),
    ]


def growth(found: Evaluation) -> Section:
    """How many destinations each device had used, after so many hours with traffic."""
    most = max((len(walk.units) for walk in found.walks.values()), default=0)
    steps = [step for step in _MILESTONES if step <= most]
    columns = [
        Column("Device"), number("Hours with traffic"), *(number(f"after {step}", 1) for step in steps),
        number("In all"), number("Last new after"),
    ]  # fmt: skip
    rows = []
    for mac in found.devices:
        walk = found.walk(mac)
        known = walk.growth
        reached = [str(known[step - 1]) if step <= len(known) else "" for step in steps]
        last = duration(walk.first_uses[-1]) if walk.first_uses else "–"
        rows.append([found.labels.name(mac), str(len(known)), *reached, str(known[-1] if known else 0), last])
    notes = ["Destinations used so far, as they would be learned by a device that never ceased to learn."]
    return Section("Growth of destinations", columns, rows, notes)


def estimate(found: Evaluation) -> Section:
    """The estimate of new destinations, one hour with traffic ahead, against what came."""
    is_ = found.calibration
    columns = [
        number("Expected an hour"), number("Hours"), number("Expected"), number("Came"),
        number("Chance of any"), number("Hours with any"),
    ]  # fmt: skip
    notes = [
        f"Hours forecast: {is_.units}. New destinations expected: {is_.expected:.1f}, that came: {is_.came} "
        f"(expected by Good–Turing: {is_.good_turing:.1f}). In {percent(is_.within, is_.units)} of the hours "
        f"their number lay in the 90 % interval. Log-loss of the chance of any: {is_.log_loss:.3f} nats an "
        f"hour, against {is_.flat_log_loss:.3f} of somebody who knows only how many hours had any.",
        _prior_note(found),
    ]
    rows = [_bin_row(one) for one in is_.bins if one.units]
    return Section("Novelty: expected and seen", columns, rows, notes)


def _bin_row(one: Bin) -> list[str]:
    edge = f"≥ {one.low:g}" if one.high == inf else f"{one.low:g} – {one.high:g}"
    return [
        edge,
        str(one.units),
        f"{one.expected:.1f}",
        str(one.came),
        f"{100 * one.chance:.0f} %",
        f"{one.with_any} ({100 * share(one.with_any, one.units):.0f} %)",
    ]


def _prior_note(found: Evaluation) -> str:
    used, own = found.prior, found.refitted
    said = f"Prior: c {used.c:.2f}, α {used.alpha:.2f}, k {used.k:.2f}."
    if own == used:
        return f"{said} There are too few devices here to fit one to."
    return f"{said} Fitted to these devices alone: c {own.c:.2f}, α {own.alpha:.2f}, k {own.k:.2f}."
