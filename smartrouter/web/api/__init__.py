# SPDX-License-Identifier: GPL-2.0-or-later
"""The API: ROUTES below /api/v1. The same facts and actions as the commands and the pages, as JSON.

`operations` is the one table that requests are checked by, and that the document and docs/api.md are made of.
"""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
