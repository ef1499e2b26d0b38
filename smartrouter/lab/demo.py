# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter demo`: the whole story in about a minute, with the real product on a simulated network.

Each act makes devices do something, shows what they saw and what smartrouter said, and claims something
that is checked on the spot. Nothing leaves the lab's namespaces. Exit status: 0 all claims held, 1 one did
not, 2 the demonstration cannot run here, 130 it was interrupted.
"""

import argparse
import io
import subprocess
import sys
from collections.abc import Sequence

from smartrouter.core.errors import Unavailable
from smartrouter.lab.devices import NAMES, PHONE, WATCHED
from smartrouter.lab.network import Network
from smartrouter.lab.pages import Door
from smartrouter.lab.plan import HOME
from smartrouter.lab.product import Product
from smartrouter.lab.stage import ClaimError, Stage
from smartrouter.lab.story import Story


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration; see the module for the exit status."""
    options = _parser().parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that has no ✓ shows a ?
    stage = Stage(sys.stdout, pace=0.0 if options.quick else 1.5, keep_going=options.keep_going)
    learning = "4s" if options.quick else "12s"
    try:
        with Network(NAMES) as network:
            options_of_main = {"mode": "monitor", "learning": learning, "analysis_interval": "5s"}
            product = Product(network, options_of_main, {m.mac: m.title for m in (*WATCHED, PHONE)}, web=True)
            try:
                with Door(network.router, HOME.router4) as door:
                    story = Story(stage, network, product, door.url)
                    story.tell(_wait if options.stay else None)
            except (ClaimError, TimeoutError, RuntimeError, subprocess.SubprocessError) as error:
                _explain(stage, product, error)
    except Unavailable as error:
        print(f"smartrouter demo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        stage.end("Interrupted. Nothing of the demonstration is left on this machine.", good=False)
        return 130
    return _end(stage, network)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="smartrouter demo", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="no pauses for reading, a shorter learning period"
    )
    parser.add_argument(
        "--stay", action="store_true", help="before the end, wait for Enter: look at the web interface"
    )
    parser.add_argument("--keep-going", action="store_true", help="go on after a claim that did not hold")
    return parser


def _wait() -> None:
    """Until somebody presses Enter, or there is nobody."""
    sys.stdin.readline()


def _explain(stage: Stage, product: Product, error: Exception) -> None:
    if not isinstance(error, ClaimError):
        why = (str(error) or type(error).__name__).partition("\n")[0]
        stage.failures.append(why)
        stage.tell(f"The demonstration cannot go on: {why}")
    if product.log.exists():
        stage.command(f"tail {product.log}", product.last_words())


def _end(stage: Stage, network: Network) -> int:
    left = network.leftovers()
    stage.failures += [f"{path} is left" for path in left]
    if stage.failures:
        stage.end(
            f"{len(stage.failures)} of the claims did not hold: {'; '.join(stage.failures)}", good=False
        )
        return 1
    stage.end("Every claim held. Nothing of the demonstration is left on this machine.", good=True)
    return 0
