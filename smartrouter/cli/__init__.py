# SPDX-License-Identifier: GPL-2.0-or-later
"""The command `smartrouter`: from an argument list to an exit status.

Does nothing itself. A command's module is imported when the command is given: the guard must stay small
and start at once. Which commands there are is `commands.py`'s business.

Exit status: 0 done, 1 it cannot be done (one line says why), 2 wrong usage, 130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from smartrouter.cli.commands import BadUsage, Does, parser
from smartrouter.core.errors import SmartrouterError
from smartrouter.supervisor.installed import what_is_missing


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status."""
    try:
        arguments = parser().parse_args(argv)
    except SystemExit as usage:  # argparse has said what is wrong, or was asked for help
        return usage.code if isinstance(usage.code, int) else 2
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what the terminal's character set lacks is shown as an escape
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _function(arguments.does)(arguments)
        sys.stdout.flush()
    except SmartrouterError as error:
        _complain(str(error))
        return 2 if isinstance(error, BadUsage) else 1
    except ModuleNotFoundError as error:
        _complain(what_is_missing(error.name or str(error)))
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `| head` has seen enough; nothing may try to flush the rest later
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _function(does: Does) -> Callable[[argparse.Namespace], int]:
    function: Callable[[argparse.Namespace], int] = getattr(import_module(does.module), does.function)
    return function


def _complain(text: str) -> None:
    from smartrouter.terminal import inert

    for line in text.splitlines():
        print(f"smartrouter: {inert(line.expandtabs(4))}", file=sys.stderr)


def demo(arguments: argparse.Namespace) -> int:
    """The demonstration has a parser of its own: hand its options on."""
    from smartrouter.lab.demo import main as show

    chosen = {"--quick": arguments.quick, "--stay": arguments.stay, "--keep-going": arguments.keep_going}
    return show([option for option, wanted in chosen.items() if wanted])
