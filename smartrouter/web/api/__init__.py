# SPDX-License-Identifier: GPL-2.0-or-later
"""The API: ROUTES below /api/v1."""

from starlette.routing import BaseRoute

ROUTES: list[BaseRoute] = []
