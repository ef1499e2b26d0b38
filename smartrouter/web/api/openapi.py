# SPDX-License-Identifier: GPL-2.0-or-later
"""The API's document (OpenAPI 3.1), made of the table of operations."""

import json
import re
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from smartrouter import __version__
from smartrouter.web.api import problems
from smartrouter.web.api.endpoint import BASE, EVENTS, JSON
from smartrouter.web.api.forms import PATH
from smartrouter.web.api.operation import Operation
from smartrouter.web.api.operations import OPERATIONS
from smartrouter.web.api.schema import Schema
from smartrouter.web.tokens import MEANINGS

_ABOUT = """\
What the commands and the pages show and do, for programs.

A program sends a token, `Authorization: Bearer smr_…`; the page *Account* makes them, each for some of the
scopes {scopes}. A page of ours may use its session's cookie instead; with a change it sends the header
`X-CSRF-Token`. Times are seconds since the epoch. What goes wrong is told as problem details (RFC 9457).
"""
_ALWAYS = (401, 403, 406, 503)
_SAID = {
    400: "What was sent cannot be read.",
    401: "Nobody is logged in, and no token of ours was sent.",
    403: "The token is not for this; or a session's change came without its X-CSRF-Token.",
    404: "There is no such thing.",
    406: "It is given in another form only.",
    409: "It cannot be done as things are; `detail` says why, and `errors` where.",
    413: "The body is too large.",
    415: "The body has another form than JSON.",
    422: "The request is not as this document says; `errors` says where.",
    429: "Too many at once.",
    503: "smartrouter, or its store, does not answer.",
}
_HEADERS = {
    401: {"WWW-Authenticate": "how to log in"},
    429: {"Retry-After": "seconds"},
    503: {"Retry-After": "seconds"},
}
_JSON_SCHEMA = "https://json-schema.org/draft/2020-12/schema"


@cache
def document() -> Mapping[str, Any]:
    """The whole of it."""
    named: dict[str, Schema] = {}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        at = paths.setdefault(operation.path, {})
        at[operation.method.lower()] = _operation(operation, named)
        if names := re.findall(r"\{(\w+)\}", operation.path):
            at["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": PATH[name]} for name in names
            ]
    problem = _hoisted(problems.PROBLEM, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "smartrouter",
            "version": __version__,
            "description": _ABOUT.format(scopes=", ".join(f"`{scope}`" for scope in MEANINGS)),
            "license": {"name": "GPL-2.0-or-later", "identifier": "GPL-2.0-or-later"},
        },
        "jsonSchemaDialect": _JSON_SCHEMA,
        "servers": [{"url": BASE}],
        "paths": paths,
        "components": {
            "schemas": named,
            "responses": {str(status): _problem(status, problem) for status in _SAID},
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "; ".join(f"`{scope}`: {text}" for scope, text in MEANINGS.items()),
                }
            },
        },
    }


def statuses(operation: Operation) -> list[int]:
    """With what an operation may end, but for what it gives."""
    found = [*_ALWAYS, *operation.problems]
    if operation.body is not None:
        found += [400, 413, 415, 422]
    else:
        found += [400, 422]
    return sorted(set(found))


async def serve(_request: Request) -> Response:
    """The document, for everybody: it tells nothing of this house."""
    return Response(_text(), media_type=JSON, headers={"Cache-Control": "public, max-age=3600"})


@cache
def _text() -> bytes:
    return json.dumps(document(), separators=(",", ":")).encode()


def _operation(operation: Operation, named: dict[str, Schema]) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "security": [{"token": [str(operation.scope)]}],
        "responses": {str(operation.status): _given(operation, named)}
        | {str(status): {"$ref": f"#/components/responses/{status}"} for status in statuses(operation)},
    }
    if operation.doc:
        made["description"] = operation.doc
    if operation.query:
        made["parameters"] = [
            {
                "name": parameter.name,
                "in": "query",
                "required": False,
                "description": parameter.doc,
                "schema": parameter.schema,
            }
            for parameter in operation.query
        ]
    if operation.body is not None:
        made["requestBody"] = {"required": True, "content": {JSON: {"schema": operation.body}}}
    return made


def _given(operation: Operation, named: dict[str, Schema]) -> dict[str, Any]:
    made: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase}
    if operation.status == HTTPStatus.CREATED:
        made["headers"] = {
            "Location": {"description": "where it is", "required": True, "schema": {"type": "string"}}
        }
    if operation.status != HTTPStatus.NO_CONTENT:
        media = EVENTS if operation.streams else JSON
        made["content"] = {media: {"schema": _hoisted(operation.answer, named)}}
    return made


def _problem(status: int, schema: Schema) -> dict[str, Any]:
    made: dict[str, Any] = {
        "description": _SAID[status],
        "content": {problems.MEDIA_TYPE: {"schema": schema}},
    }
    if headers := _HEADERS.get(status):
        made["headers"] = {
            name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
        }
    return made


def _hoisted(schema: Schema, named: dict[str, Schema]) -> Schema:
    """`schema` with what has a title put into `named`, and a reference in its place."""
    made = {
        key: {name: _hoisted(each, named) for name, each in value.items()}
        if key == "properties"
        else _hoisted(value, named)
        if key == "items"
        else value
        for key, value in schema.items()
    }
    title = str(made.get("title", ""))
    if not title or "null" in str(made["type"]):
        made.pop("title", None)
        return made
    about = {"description": made.pop("description")} if "description" in made else {}
    if named.setdefault(title, made) != made:
        raise TypeError(f"two schemas are called {title}")
    return {"$ref": f"#/components/schemas/{title}", **about}
