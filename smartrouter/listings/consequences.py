# SPDX-License-Identifier: GPL-2.0-or-later
"""What enforce mode will meet: what waits for a decision, how much that is new is to be expected of the
devices that are protected, and whom it will not block yet, or too much.
"""

import sqlite3
from typing import NamedTuple

from smartrouter.core.explanations import would_be_blocked
from smartrouter.core.learning import Progress, State
from smartrouter.core.novelty import Prior
from smartrouter.listings import forecast
from smartrouter.listings.devices import kept_prior
from smartrouter.listings.known import Known
from smartrouter.store import queries
from smartrouter.store.alerts import AlertState, StoredAlert, alerts


class Consequences(NamedTuple):
    """`waiting`: open alerts on what will be blocked. `progress`: of the devices concerned, and `prior`, what
    to expect of any (see `forecast`). `learning`: MACs of those that are not blocked yet; `nameless`: of
    those that are judged by bare addresses."""

    waiting: list[StoredAlert]
    progress: dict[str, Progress]
    prior: Prior
    learning: list[str]
    nameless: list[str]

    def news(self) -> dict[str, dict[str, dict[str, float]]]:
        """What is to be expected of each protected device, under the keys of `forecast.NOVELTY`, that of
        which most is to come first."""
        found = {mac: forecast.novelty(each, self.prior) for mac, each in self.progress.items()}
        known = {mac: news for mac, news in found.items() if news is not None}
        return dict(sorted(known.items(), key=lambda item: -item[1]["week"]["expected"]))


def consequences(
    known: Known, conn: sqlite3.Connection, device: str | None, most: int = 1000
) -> Consequences:
    """Of enforce mode for one device (a MAC), or for all that are watched. Only the `most` latest of the open
    alerts are looked at."""
    waiting = [
        found
        for found in alerts(conn, state=AlertState.OPEN, mac=device, limit=most)
        if would_be_blocked(found.kind, found.reason)
    ]
    concerned = [
        found.mac
        for found in queries.devices(conn)
        if device in (None, found.mac) and known.standing(found)[0]
    ]
    progress = queries.progress(conn)
    return Consequences(
        waiting=waiting,
        progress={mac: each for mac, each in progress.items() if mac in concerned},
        prior=kept_prior(conn),
        learning=[m for m in concerned if m not in progress or progress[m].state is not State.PROTECTED],
        nameless=[mac for mac in queries.household(conn).nameless if mac in concerned],
    )
