# SPDX-License-Identifier: GPL-2.0-or-later
"""What smartrouter measures of itself, for Prometheus. docs/metrics.md lists it.

A pure function of what it is given. Labels are words of closed sets, numbers, and the names of configured
channels; what devices say or are called is in none of them.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from smartrouter.metrics.running import running
from smartrouter.metrics.stored import stored
from smartrouter.metrics.text import CONTENT_TYPE as CONTENT_TYPE


def exposition(status: Mapping[str, Any], store: sqlite3.Connection | None, now: float) -> str:
    """All metrics as text, of the type `CONTENT_TYPE`.

    `status`: what the control socket answers to `{"do": "status"}`, empty where nobody answers; `store`: a
    reader's connection, None where there is no store; `now`: epoch seconds. Raises sqlite3.Error.
    """
    lines = running(status, now)
    if store is not None:
        lines += stored(store)
    return "\n".join(lines) + "\n"
