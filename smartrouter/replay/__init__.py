# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter replay`: what the guard would have learned and reported, had it heard a capture live.

Two passes over the packets, neither of which keeps them. The first finds the routers, and for each device
the time at which its learning ends; the second tells the very judge that judges live packets what happened.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from math import inf
from pathlib import Path
from typing import Any

from smartrouter.core.policy import Settings
from smartrouter.core.public.resolvers import PUBLIC_RESOLVERS
from smartrouter.replay.captures import Capture, Captured, in_time_order, scapy_silenced
from smartrouter.replay.figures import MAX_ALERTS, DeviceFigures, Result, show
from smartrouter.replay.gateways import MAX_MACS
from smartrouter.replay.options import USUAL, Options, options_from
from smartrouter.replay.retelling import Observer, Retelling
from smartrouter.replay.survey import Clock, Survey
from smartrouter.terminal import Progress, Screen

_PROGRESS_EVERY = 4096  # packets


def replay(
    paths: Iterable[Path | str],
    options: Options = USUAL,
    *,
    progress: Callable[[int], None] | None = None,
    observe: Observer | None = None,
) -> Result:
    """Replay the captures at `paths` as one network's trace in time order.

    `progress` is told how many bytes of the files are done; each pass does a half. `observe`: see
    `Retelling`. Raises BadCapture where a file cannot be used.
    """
    captures = [Capture(Path(path)) for path in paths]
    with scapy_silenced():
        survey = Survey(options)
        _pass(captures, survey.take, 0, progress)
        survey.end()
        result = Result(survey.packets, survey.mangled, sorted(survey.gateways.routers()))
        macs = options.macs or survey.gateways.devices()
        result.devices = {mac: DeviceFigures() for mac in macs}
        result.warnings = [f"{capture.path}: {capture.trouble}" for capture in captures if capture.trouble]
        until = {mac: span.learning_until(options.learn) for mac, span in survey.spans.items()}
        settings = Settings(
            mode=options.mode,
            match=options.match,
            resolvers=_trusted(options, survey),
            unused_after=inf,  # a capture may leave out what lies between
            judge_by_hello=options.by_hello,
        )
        retelling = Retelling(options, settings, until, result, observe)
        _pass(captures, retelling.take, sum(capture.size for capture in captures), progress)
    retelling.finish()
    result.warnings += _limits(options, survey, result)
    return result


def _pass(
    captures: Sequence[Capture],
    take: Callable[[Captured, float], None],
    before: int,
    progress: Callable[[int], None] | None,
) -> None:
    clock = Clock()
    for number, captured in enumerate(in_time_order(captures)):
        take(captured, clock.at(captured.at))
        if progress is not None and number % _PROGRESS_EVERY == 0:
            progress((before + sum(capture.position for capture in captures)) // 2)


def _trusted(options: Options, survey: Survey) -> frozenset[str] | None:
    """The DNS servers that are believed; None for any."""
    if options.any_resolver:
        return None
    return PUBLIC_RESOLVERS | survey.gateways.addresses_of(survey.gateways.routers())


def _limits(options: Options, survey: Survey, result: Result) -> list[str]:
    """What the reader must know of how far the figures go."""
    found = []
    if survey.gateways.is_full:
        found.append(f"More than {MAX_MACS} MAC addresses: those that came later are left out.")
    if result.alerts_not_listed:
        found.append(f"More than {MAX_ALERTS} different alerts: {result.alerts_not_listed} are not listed.")
    present = set(survey.gateways.devices()) | set(result.routers)
    found += [f"{mac} sent nothing in these captures." for mac in options.macs if mac not in present]
    return found


def main(args: Any) -> int:
    """Run the command with the options that the command line gives; the exit status. Raises
    SmartrouterError where an option makes no sense or a capture cannot be used."""
    options = options_from(args)
    with Progress(_total(args.captures), "replaying") as progress:
        result = replay(args.captures, options, progress=progress.at)
    if args.json:
        json.dump(result.to_json(), sys.stdout, indent=2)
        print()
    else:
        show(result, Screen(sys.stdout))
    return 0


def _total(paths: Iterable[str]) -> int:
    """The bytes of all captures; a file that is not there is for `replay` to complain of."""
    return sum(path.stat().st_size for path in map(Path, paths) if path.is_file())
