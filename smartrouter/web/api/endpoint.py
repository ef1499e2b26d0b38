# SPDX-License-Identifier: GPL-2.0-or-later
"""From a request to an operation's answer: method, who asks, what they accept, parameters and body are held
against the table, in this order, and only what is sound reaches an operation.

Who asks was found out before (`gatekeeper`): a session, which may do everything, or a token. Everything that
goes wrong is told as a problem; what nobody expected is logged, and told as nothing but that.
"""

import inspect
import json
import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.web.api import problems
from smartrouter.web.api.forms import PATH
from smartrouter.web.api.operation import Call, Made, Operation
from smartrouter.web.api.problems import Problem
from smartrouter.web.api.schema import Fault, Schema, faults

log = logging.getLogger("smartrouter.web")

BASE = "/api/v1"
JSON = "application/json"
EVENTS = "text/event-stream"
REALM = 'Bearer realm="smartrouter"'
MOST_BODY = 64 << 10  # bytes; nobody needs more than a few hundred
_MOST_PARAMETERS = 100
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_BOOLEANS = {"true": True, "false": False}


class Resource:
    """All operations at one path, as an ASGI application."""

    def __init__(self, operations: Sequence[Operation]):
        self._operations = {operation.method: operation for operation in operations}

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        request = Request(connection, receive)
        try:
            response = await self._answer(request)
        except Problem as problem:
            response = problems.answer(problem)
        except Unavailable as error:
            response = problems.answer(Problem(503, str(error), headers={"Retry-After": "5"}))
        except SmartrouterError as error:
            response = problems.answer(Problem(409, str(error)))
        except Exception:
            log.exception("a fault of smartrouter's")
            response = problems.answer(Problem(500, "A fault of smartrouter's; its log says more."))
        await response(connection, receive, send)

    async def _answer(self, request: Request) -> Response:
        operation = self._operations.get("GET" if request.method == "HEAD" else request.method)
        if operation is None:
            return self._of_methods(request.method)
        by = _admitted(request, operation)
        _check_accept(request, EVENTS if operation.streams else JSON)
        call = Call(
            request=request,
            site=request.app.state.site,
            by=by,
            path=_path_values(request),
            query=_query_values(operation, request.scope["query_string"]),
            body=None if operation.body is None else await _body(request, operation.body),
        )
        if inspect.iscoroutinefunction(operation.does):
            found = await operation.does(call)
        else:
            found = await anyio.to_thread.run_sync(operation.does, call)
        return _response(operation, found)

    def _of_methods(self, method: str) -> Response:
        allow = ", ".join(sorted(self._operations))
        if method == "OPTIONS":
            return Response(None, 204, {"Allow": allow})
        raise Problem(405, f"there is {allow} here", headers={"Allow": allow})


class Nothing:
    """What is where the API has no path, as an ASGI application."""

    async def __call__(self, connection: Connection, receive: Receive, send: Send) -> None:
        problem = Problem(404, f"there is no such path; {BASE}/openapi.json lists them all")
        await problems.answer(problem)(connection, receive, send)


def _admitted(request: Request, operation: Operation) -> str:
    """Who asks, if they may."""
    user = request.state.user
    if user is None:
        detail = "log in, or send a token: `Authorization: Bearer smr_…`"
        raise Problem(401, detail, headers={"WWW-Authenticate": REALM})
    if operation.scope not in user.scopes:
        wanted = f'{REALM}, error="insufficient_scope", scope="{operation.scope}"'
        detail = f"this token is not for `{operation.scope}`"
        raise Problem(403, detail, headers={"WWW-Authenticate": wanted})
    return str(user.name)


def _check_accept(request: Request, given: str) -> None:
    """Is `given` among what they accept? RFC 9110 section 12.5.1; without the header, everything is."""
    header = request.headers.get("accept", "*/*")
    main, _, _ = given.partition("/")
    for each in header.split(","):
        media, *parameters = (part.strip().lower() for part in each.split(";"))
        refused = any(re.fullmatch(r"q\s*=\s*0(\.0{0,3})?", parameter) for parameter in parameters)
        if media in (given, f"{main}/*", "*/*", "") and not refused:
            return
    raise Problem(406, f"this is given as {given} only")


def _path_values(request: Request) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in request.path_params.items():
        values[name] = _value(PATH[name], text)
        if faults(PATH[name], values[name]):
            raise Problem(404, f"nothing has such a {name}: it is {PATH[name]['description']}")
    return values


def _query_values(operation: Operation, query: bytes) -> dict[str, Any]:
    """What the query says, by the schemas of its parameters."""
    known = {parameter.name: parameter.schema for parameter in operation.query}
    try:
        pairs = parse_qsl(
            query.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS, errors="strict"
        )
    except ValueError:
        raise Problem(400, "the query cannot be read: it is not UTF-8, or has too many parameters") from None
    given: dict[str, list[str]] = {}
    for name, text in pairs:
        given.setdefault(name, []).append(text)
    wrong = [Fault(name, f"it is unknown; {_there_is(known)}") for name in given if name not in known]
    values: dict[str, Any] = {}
    for name, schema in known.items():
        if name not in given:
            continue
        if schema["type"] == "array":
            values[name] = [_value(schema["items"], text) for text in given[name]]
        elif len(given[name]) > 1:
            wrong.append(Fault(name, "it is there more than once"))
            continue
        else:
            values[name] = _value(schema, given[name][0])
        wrong += [Fault(name, fault.text) for fault in faults(schema, values[name])]
    if wrong:
        raise Problem(422, _summed(wrong), errors=[("query", fault) for fault in wrong])
    return values


def _there_is(known: Mapping[str, Schema]) -> str:
    return f"there is {', '.join(known)}" if known else "there are no parameters"


def _value(schema: Schema, text: str) -> Any:
    """What `text` means where a value of `schema` belongs; the text itself if that makes no sense."""
    match schema["type"]:
        case "integer":
            return int(text) if _WHOLE.fullmatch(text) else text
        case "boolean":
            return _BOOLEANS.get(text, text)
        case _:
            return text


async def _body(request: Request, schema: Schema) -> Any:
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.strip().lower().replace('"', "").replace(" ", "")
    if media.strip().lower() != JSON or charset not in ("", "charset=utf-8", "charset=us-ascii"):
        raise Problem(415, f"send {JSON}, in UTF-8", headers={"Accept": JSON})
    text = await request.body()
    if len(text) > MOST_BODY:
        raise Problem(413, f"{MOST_BODY} bytes are the most")
    try:
        value = json.loads(text.decode(), parse_constant=_refuse)
    except (ValueError, RecursionError):  # of which what is no UTF-8 is one
        raise Problem(400, "the body is no JSON") from None
    found = faults(schema, value)
    if found:
        raise Problem(422, _summed(found), errors=[("body", fault) for fault in found])
    return value


def _refuse(word: str) -> None:
    raise ValueError(word)  # NaN and Infinity are no JSON, RFC 8259 section 6


def _summed(found: Sequence[Fault]) -> str:
    first = found[0]
    where = f"{first.pointer}: " if first.pointer else ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{where}{first.text}{more}"


def _response(operation: Operation, found: Any) -> Response:
    if isinstance(found, Response):
        return found
    headers = {"Cache-Control": "no-store"}
    if operation.status == 204:
        return Response(None, 204, headers)
    if isinstance(found, Made):
        headers["Location"] = BASE + found.location
        found = found.value
    text = json.dumps(found, separators=(",", ":"), allow_nan=False)
    return Response(text, operation.status, headers, JSON)
