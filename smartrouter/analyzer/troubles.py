# SPDX-License-Identifier: GPL-2.0-or-later
"""What of the analyzer's work fails (no network, a full disk, a damaged store): said once, shown in `status`,
tried again.
"""

import logging
import sqlite3
from collections.abc import Callable

from smartrouter.core.errors import SmartrouterError

log = logging.getLogger("smartrouter.analyzer")


class Troubles:
    """For several threads, each with kinds of work of its own."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}  # what fails -> why

    def now(self) -> dict[str, str]:
        """What fails now, and why."""
        return dict(self._found)

    def attempt(self, what: str, do: Callable[[], object]) -> Exception | None:
        """Do it; say when it begins to fail, and when it works again. Gives why it failed, None if it did
        not; a fault of ours is raised."""
        try:
            do()
        except (SmartrouterError, sqlite3.Error, OSError) as error:
            if self._found.get(what) != str(error):
                log.error("%s: %s", what, error)
            self._found[what] = str(error)
            return error
        if self._found.pop(what, None) is not None:
            log.warning("%s: works again", what)
        return None

    def note(self, what: str, why: str) -> None:
        """It fails, as somebody else has said."""
        self._found[what] = why
