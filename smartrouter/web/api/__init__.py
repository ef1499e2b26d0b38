# SPDX-License-Identifier: GPL-2.0-or-later
"""The API: ROUTES below /api/v1. The same facts and actions as the commands and the pages, as JSON.

`operations` is the one table that requests are checked by, and that the document and docs/api.md are made of.
"""

from starlette.routing import BaseRoute, Route

from smartrouter.web.api import openapi
from smartrouter.web.api.endpoint import BASE, Nothing, Resource
from smartrouter.web.api.operations import OPERATIONS

_PATHS = dict.fromkeys(operation.path for operation in OPERATIONS)

ROUTES: list[BaseRoute] = [
    Route(f"{BASE}/openapi.json", openapi.serve),
    *(Route(BASE + path, Resource([each for each in OPERATIONS if each.path == path])) for path in _PATHS),
    Route("/api/{rest:path}", Nothing()),
]
