# SPDX-License-Identifier: GPL-2.0-or-later
"""The names that the guard wants looked up: taken up here, and told when it is known what came of them.

Takes nothing on trust, and no more than `MAX_WANTED` at a time. A name without any address is told too; one
about which there was no answer is not, but asked for again, for nobody knows where it leads.
"""

import math
import time
from typing import Any

from smartrouter.analyzer.lookups import MAX_WAITING, Lookups
from smartrouter.analyzer.resolve import Question, Wanted

MAX_WANTED = MAX_WAITING
TRIED_FOR = 25.0  # seconds: less than the guard keeps a connection waiting for a name
TOLD_AT_ONCE = 64  # names a message
_LONGEST_NAME = 4 * 253  # characters, if each is escaped (RFC 1035 sections 2.3.4 and 5.1)


class Forward:
    """See the module. `dropped`: names that found no room."""

    def __init__(self, lookups: Lookups):
        self.dropped = 0
        self._lookups = lookups
        self._wanted: dict[str, float] = {}  # and until when it is tried

    def ask(self, names: object) -> None:
        """The guard wants these."""
        for name in names if isinstance(names, list) else ():
            if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or name in self._wanted:
                continue
            if len(self._wanted) < MAX_WANTED and self._lookups.ask(Question(Wanted.ADDRESSES, name)):
                self._wanted[name] = time.monotonic() + TRIED_FOR
            else:
                self.dropped += 1

    def news(self) -> list[dict[str, Any]]:
        """What is known by now, in the fields of core.events.LookedUp; some of it, if that is much."""
        news: list[dict[str, Any]] = []
        given_up = []
        for name, until in self._wanted.items():
            question = Question(Wanted.ADDRESSES, name)
            answer = self._lookups.answer(question)
            if answer is None:
                self._lookups.ask(question)  # again, should it have come and gone while we were busy
                continue
            if answer.failed:  # it is forgotten soon, and then asked again
                given_up += [name] * (time.monotonic() > until)
                continue
            news.append({"name": name, "addresses": list(answer.found), "ttl": math.ceil(answer.ttl)})
            if len(news) >= TOLD_AT_ONCE:
                break
        for name in (*given_up, *(told["name"] for told in news)):
            del self._wanted[name]
        return news
