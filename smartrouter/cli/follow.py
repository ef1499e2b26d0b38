# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter alerts --follow`: alerts as they are raised, and as they change, until it is interrupted.

Looks into the store, and needs no running smartrouter. What was there before is not shown.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator

from smartrouter.listings.alerts import alert_json
from smartrouter.listings.known import Known
from smartrouter.notify.wording import decided, title
from smartrouter.store.alerts import StoredAlert, alerts_changed, latest_change
from smartrouter.terminal import inert, when

LOOK = 0.5  # seconds between two looks
_AT_ONCE = 500  # alerts


def follow(know: Callable[[], Known], is_wanted: Callable[[StoredAlert], bool], as_json: bool) -> int:
    """Print what comes, a line each. `know`: reads the configuration, which may change meanwhile."""
    try:
        for known, found in _coming(know):
            if is_wanted(found):
                print(json.dumps(alert_json(known, found)) if as_json else _line(known, found))
                sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    return 0


def _coming(know: Callable[[], Known]) -> Iterator[tuple[Known, StoredAlert]]:
    cursor: int | None = None
    known = know()
    while True:
        with known.store() as conn:  # anew each time: the file may have been replaced
            latest = latest_change(conn)
            if cursor is None or latest < cursor:
                cursor = latest if cursor is None else 0
            changed = alerts_changed(conn, cursor, _AT_ONCE)
        if changed:
            known, cursor = know(), changed[-1].change
            yield from ((known, found) for found in changed)
        else:
            time.sleep(LOOK)


def _line(known: Known, found: StoredAlert) -> str:
    times = f" ({found.occurrences} times)" if found.occurrences > 1 else ""
    outcome = decided(found)
    more = f" [{outcome}]" if outcome else ""
    said = title(found, known.label(found.mac))
    return inert(f"{when(found.last)}  {found.id}  {found.severity}  {said}{times}{more}")
