# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/evaluation.md and its pictures, from captures:

    python -m smartrouter.evaluate.report --labels docs/evaluation/devices.json --into docs CAPTURE…

All captures are one trace; the devices are those that the labels name. The words are in `page.py`.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from smartrouter.core.destinations import Match
from smartrouter.core.errors import SmartrouterError
from smartrouter.evaluate import evaluate, pictures
from smartrouter.evaluate.figures import Evaluation, share
from smartrouter.evaluate.labels import Labels, labels_from
from smartrouter.evaluate.markdown import plain, table, written
from smartrouter.evaluate.page import PAGE
from smartrouter.evaluate.sections import devices, estimate, growth, kinds, percent
from smartrouter.replay import replay
from smartrouter.replay.figures import DeviceFigures, Result
from smartrouter.replay.options import USUAL, Counted, Learn, Options

LEARN = {"25 %": Learn(0.25), "1 h": Learn(None, 3600.0), "24 h": Learn(None, 86400.0)}
SCOPES = (Counted.ALL, Counted.WEB)
MATCHES = (Match.CHAIN, Match.DOMAIN, Match.HOST)

_Setting = tuple[Counted, str, Match]  # scope, learn, match


class Report(NamedTuple):
    """The page and its pictures, as they are written."""

    page: str
    growth: str
    novelty: str

    def files(self, docs: Path) -> dict[Path, str]:
        """Where each part belongs in the folder of documents."""
        pictures_at = docs / "evaluation"
        return {
            docs / "evaluation.md": self.page,
            pictures_at / "growth.svg": self.growth,
            pictures_at / "novelty.svg": self.novelty,
        }


def report(captures: Sequence[Path], labels: Labels) -> Report:
    """Evaluate the captures with every setting that the page shows."""
    usual = USUAL._replace(learn=LEARN["25 %"], match=Match.CHAIN, macs=tuple(labels.names))
    evaluated = {scope: evaluate(captures, usual._replace(counted=scope), labels) for scope in SCOPES}
    results: dict[_Setting, Result] = {}
    for scope in SCOPES:
        for name, learn in LEARN.items():
            for match in MATCHES:
                options = Options(learn, scope, match, macs=usual.macs)
                known = options == usual._replace(counted=scope)
                results[scope, name, match] = evaluated[scope].result if known else replay(captures, options)
    everything = evaluated[Counted.ALL]
    return Report(
        _page(evaluated, results, labels), pictures.growth(everything), pictures.novelty(everything)
    )


def _page(evaluated: Mapping[Counted, Evaluation], results: Mapping[_Setting, Result], labels: Labels) -> str:
    everything, web = evaluated[Counted.ALL], evaluated[Counted.WEB]
    silent = [labels.name(mac) for mac in everything.result.devices if mac not in everything.devices]
    return PAGE.substitute(
        packets=f"{everything.result.packets:,}",
        devices=len(everything.devices),
        attempts=f"{sum(everything.evidence.values()):,}",
        silent=plain(", ".join(silent) or "none"),
        named_web=percent(web.evidence["dns"], sum(web.evidence.values())),
        named_all=percent(everything.evidence["dns"], sum(everything.evidence.values())),
        accepted_all=f"{100 * everything.mean_accepted:.1f} %",
        accepted_web=f"{100 * web.mean_accepted:.1f} %",
        poisson_all=f"{everything.calibration.poisson_log_loss:.3f}",
        loss_all=f"{everything.calibration.log_loss:.3f}",
        summary=_summary(results),
        devices_all=written([devices(everything)._replace(title="Every connection")], 3),
        devices_web=written([devices(web)._replace(title="Ports 80 and 443 only", notes=())], 3),
        kinds=written([kinds(everything)._replace(title="What was reported")], 3),
        alerts_all=_alerts_by_device(results, labels, Counted.ALL),
        alerts_web=_alerts_by_device(results, labels, Counted.WEB),
        growth=written([growth(everything)._replace(title="In figures")], 3),
        estimate_all=written([estimate(everything)._replace(title="Every connection")], 3),
        estimate_web=written([estimate(web)._replace(title="Ports 80 and 443 only")], 3),
    )


def _summary(results: Mapping[_Setting, Result]) -> str:
    titles = ["Scope", "Learning", "Tested", *MATCHES]
    rows = []
    for scope in SCOPES:
        for learn in LEARN:
            found = [results[scope, learn, match].devices.values() for match in MATCHES]
            tested = sum(figures.tested_connections for figures in found[0])
            rows.append([scope, learn, str(tested), *(_in_all(list(figures)) for figures in found)])
    return _table(titles, rows, left=2)


def _in_all(figures: Sequence[DeviceFigures]) -> str:
    alerted = sum(one.alerted_connections for one in figures)
    tested = sum(one.tested_connections for one in figures)
    return f"{sum(one.alerts for one in figures)} ({100 * share(alerted, tested):.1f} %)"


def _alerts_by_device(results: Mapping[_Setting, Result], labels: Labels, scope: Counted) -> str:
    settings = [(learn, match) for learn in LEARN for match in MATCHES]
    titles = ["Device", *(f"{learn}, {match}" for learn, match in settings)]
    rows = []
    for mac in labels.names:
        found = [results[scope, learn, match].devices[mac] for learn, match in settings]
        if found[0].connections:
            rows.append([labels.name(mac), *map(_alerts, found)])
    return _table(titles, rows, left=1)


def _alerts(figures: DeviceFigures) -> str:
    if not figures.tested_connections:
        return "–"
    return f"{figures.alerts} ({figures.alerted_connections})" if figures.alerts else "0"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, left: int) -> str:
    return table(titles, rows, [place >= left for place in range(len(titles))])


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page and its pictures; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m smartrouter.evaluate.report", allow_abbrev=False)
    parser.add_argument("captures", metavar="CAPTURE", nargs="+", type=Path)
    parser.add_argument("--labels", metavar="FILE", type=Path, required=True, help="names of the devices")
    parser.add_argument("--into", metavar="DIR", type=Path, required=True, help="the folder of documents")
    args = parser.parse_args(argv)
    try:
        made = report(sorted(args.captures), labels_from(args.labels))
    except SmartrouterError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    for path, text in made.files(args.into).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
