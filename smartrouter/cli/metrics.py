# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter metrics`: what it measures of itself, as Prometheus reads it."""

import sys
import time
from argparse import Namespace
from typing import Any

from smartrouter.control import ask
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.listings.known import Known
from smartrouter.metrics import exposition

_PATIENCE = 3.0  # seconds for the running smartrouter to answer


def main(arguments: Namespace) -> int:
    """`smartrouter metrics`. Where it does not run, `smartrouter_up` says so."""
    status: dict[str, Any] = {}
    try:
        status = ask(arguments.run_dir, {"do": "status"}, _PATIENCE)
    except SmartrouterError:
        pass  # that it does not answer is what is measured
    try:
        with Known.at(arguments.config).store() as conn:
            sys.stdout.write(exposition(status, conn, time.time()))
    except Unavailable:
        sys.stdout.write(exposition(status, None, time.time()))
    return 0
