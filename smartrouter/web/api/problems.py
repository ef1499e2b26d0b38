# SPDX-License-Identifier: GPL-2.0-or-later
"""What went wrong with a request, in the one form that all errors of the API have: problem details for HTTP
(RFC 9457), as `application/problem+json`.

A text comes from us, never from an exception that nobody expected: so it tells nothing of our insides.
"""

import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from smartrouter.web.api.schema import Fault, Schema

MEDIA_TYPE = "application/problem+json"
PROBLEM: Schema = {
    "type": "object",
    "title": "Problem",
    "description": "Problem details, RFC 9457.",
    "properties": {
        "type": {"type": "string", "description": "always `about:blank`: `status` says what it is"},
        "title": {"type": "string", "description": "what `status` is called"},
        "status": {"type": "integer", "description": "the status of the answer"},
        "detail": {"type": "string", "description": "what is wrong, and what to do about it"},
        "errors": {
            "type": "array",
            "description": "where in the request, one by one",
            "items": {
                "type": "object",
                "properties": {
                    "in": {"type": "string", "enum": ["path", "query", "body"]},
                    "pointer": {
                        "type": "string",
                        "description": "a JSON pointer (RFC 6901) into the body, or a parameter's name",
                    },
                    "detail": {"type": "string", "description": "what was found, and what is allowed"},
                },
                "required": ["in", "pointer", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail"],
}


class Problem(Exception):
    """Ends the handling of a request. `errors`: part of the request (`path`, `query`, `body`), and what is
    wrong there."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: Iterable[tuple[str, Fault]] = (),
        headers: Mapping[str, str] | None = None,
    ):
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def answer(problem: Problem) -> Response:
    """The answer that tells of it."""
    told: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.errors:
        told["errors"] = [
            {"in": where, "pointer": fault.pointer, "detail": fault.text} for where, fault in problem.errors
        ]
    return Response(
        json.dumps(told), problem.status, {**problem.headers, "Cache-Control": "no-store"}, MEDIA_TYPE
    )
