# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter evaluate`: how good naming, learning and detection are on captured traffic.

The captures are replayed twice. In the first replay learning ends as asked for, and what the judge says of
every attempt is counted; in the second it never ends, and each device's hours are walked to see what was new
in them and what the estimate had expected. Nothing is ever judged, or foretold, by what came later.

Knows nothing of packets and decides nothing: the judge does.
"""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from smartrouter.core.novelty import PRIOR, PRIOR_WEB
from smartrouter.evaluate.figures import Evaluation
from smartrouter.evaluate.labels import NONE, Labels, labels_from
from smartrouter.evaluate.ledger import Ledger
from smartrouter.evaluate.markdown import written
from smartrouter.evaluate.others import accepted_of_others
from smartrouter.evaluate.sections import sections
from smartrouter.evaluate.units import Walks
from smartrouter.replay import replay
from smartrouter.replay.options import USUAL, Counted, Learn, Options, options_from
from smartrouter.terminal import Cell, Progress, Screen, Style

_FOR_EVER = Learn(1.0)  # until a device's last connection


def evaluate(
    paths: Iterable[Path | str],
    options: Options = USUAL,
    labels: Labels = NONE,
    *,
    progress: Callable[[int], None] | None = None,
) -> Evaluation:
    """Evaluate the captures at `paths`, one network's trace in time order.

    `progress` is told how many bytes are done; each of the two replays does a half. Raises BadCapture where
    a file cannot be used.
    """
    files = list(paths)
    size = total(files)
    ledger, walks = Ledger(labels), Walks()
    halves = _halves(size, progress)
    result = replay(files, options, observe=ledger.observe, progress=halves[0])
    replay(files, options._replace(learn=_FOR_EVER), observe=walks.observe, progress=halves[1])
    accepted = (
        accepted_of_others(result.judge, ledger.tallies, ledger.visits) if result.judge is not None else {}
    )
    return Evaluation(
        labels=labels,
        result=result,
        tallies=ledger.tallies,
        walks=walks.by_device,
        accepted=accepted,
        prior=PRIOR_WEB if options.counted is Counted.WEB else PRIOR,
        visits_not_kept=ledger.visits_not_kept,
    )


def _halves(size: int, progress: Callable[[int], None] | None) -> list[Callable[[int], None] | None]:
    if progress is None:
        return [None, None]
    return [lambda done: progress(done // 2), lambda done: progress((size + done) // 2)]


def total(paths: Iterable[Path | str]) -> int:
    """The bytes of all captures; a file that is not there is for the replay to complain of."""
    return sum(path.stat().st_size for path in map(Path, paths) if path.is_file())


def main(args: Any) -> int:
    """Run the command with the options that the command line gives; the exit status. Raises
    SmartrouterError where an option makes no sense or a file cannot be used."""
    options = options_from(args)
    labels = labels_from(Path(args.labels)) if args.labels else NONE
    with Progress(total(args.captures), "evaluating") as progress:
        found = evaluate(args.captures, options, labels, progress=progress.at)
    if args.json:
        json.dump(found.to_json(), sys.stdout, indent=2)
        print()
    elif args.markdown:
        print(written(sections(found)), end="")
    else:
        _show(found, Screen(sys.stdout))
    return 0


def _show(found: Evaluation, screen: Screen) -> None:
    for section in sections(found):
        screen.line(Cell(section.title, Style.STRONG))
        if section.rows:
            screen.table(section.columns, section.rows)
        for line in section.notes:
            screen.item([], line)
        screen.line()
