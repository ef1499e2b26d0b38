# SPDX-License-Identifier: GPL-2.0-or-later
"""The periodic run, every `analysis_interval`, in a thread of its own."""

import logging
import threading
from collections.abc import Callable

from smartrouter.analyzer.analysis import analyse
from smartrouter.analyzer.troubles import Troubles
from smartrouter.analyzer.turns import alone
from smartrouter.config import Config
from smartrouter.store.connect import open_writer
from smartrouter.store.retention import Limits
from smartrouter.store.runs import Run

log = logging.getLogger("smartrouter.analyzer")

FIRST = 30.0  # seconds after the start, if `analysis_interval` is longer
_WHAT = "analysis"


class Periodic:
    """Runs from construction to `stop`. `config`: gives what counts now; `latest`: the last run there was."""

    def __init__(self, config: Callable[[], Config], troubles: Troubles):
        self.latest: Run | None = None
        self._config = config
        self._troubles = troubles
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="analysis", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No further run; one that is in the middle is waited for, for a second."""
        self._stopping.set()
        self._thread.join(1.0)

    def _work(self) -> None:
        wait = min(FIRST, self._config().main.analysis_interval)
        while not self._stopping.wait(wait):
            try:
                self._troubles.attempt(_WHAT, self._run)
            except Exception as fault:
                log.exception("a fault of ours; the next run goes on")
                self._troubles.note(_WHAT, f"a fault of smartrouter's: {type(fault).__name__}")
            wait = self._config().main.analysis_interval

    def _run(self) -> None:
        main = self._config().main
        limits = Limits(main.attempts_kept, main.retention, main.max_size)
        with alone(main.database) as is_our_turn:
            if not is_our_turn:
                log.info("another analyzer is at it; this run is left to it")
                return
            conn = open_writer(main.database)
            try:
                self.latest = analyse(conn, main.match, limits)
            finally:
                conn.close()
        for finding in self.latest.findings:
            log.info("%s", finding)
