# SPDX-License-Identifier: GPL-2.0-or-later
"""What one operation of the API is: a row of the table that everything else goes by."""

import contextlib
import sqlite3
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from starlette.requests import Request

from smartrouter.listings.known import Known
from smartrouter.web.api.schema import Schema
from smartrouter.web.tokens import Scope

if TYPE_CHECKING:
    from smartrouter.web.site import Site


class Call(NamedTuple):
    """One request, as its operation gets it: everything in it is as the schemas say. `by`: who asks, as in
    `web:admin`; `path`, `query`: parameters that were given, as values."""

    request: Request
    site: "Site"
    by: str
    path: Mapping[str, Any]
    query: Mapping[str, Any]
    body: Any

    def known(self) -> Known:
        """The configuration as it is now, and what the store says of devices."""
        return Known(self.site.config)

    @contextlib.contextmanager
    def reading(self) -> Iterator[tuple[Known, sqlite3.Connection]]:
        """The same, and the store: one connection for both. Raises Unavailable, see `Site.store`."""
        with self.site.store() as conn:
            yield Known(self.site.config, conn), conn


class Made(NamedTuple):
    """The answer of an operation that made something: where that is."""

    location: str
    value: Any


# A plain function runs in a thread of its own and may take its time.
Does: TypeAlias = Callable[[Call], Any] | Callable[[Call], Awaitable[Any]]


class Parameter(NamedTuple):
    """A parameter in the query; a list may be given several times."""

    name: str
    schema: Schema
    doc: str


class Operation(NamedTuple):
    """One operation. `path`: below /api/v1, with `{name}` for parameters, whose forms are `PATH`'s; `scope`:
    what a token must be for; `answer`: the schema of what it gives; `problems`: statuses that it may end with
    besides those that all may; `streams`: it gives an event stream."""

    name: str
    method: str
    path: str
    tag: str
    scope: Scope
    does: Does
    answer: Schema
    summary: str
    doc: str = ""
    query: tuple[Parameter, ...] = ()
    body: Schema | None = None
    status: int = 200
    problems: tuple[int, ...] = ()
    streams: bool = False
