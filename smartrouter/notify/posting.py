# SPDX-License-Identifier: GPL-2.0-or-later
"""One HTTP request to a service, by the standard library alone. Redirections are not followed: what we send
(a token among it) goes to the address that was configured, and to no other.
"""

import time
from collections.abc import Mapping
from email.message import Message as Headers
from http.client import HTTPResponse
from ssl import SSLContext
from typing import IO, NamedTuple
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener

from smartrouter.notify.channel import PATIENCE, NotDelivered
from smartrouter.notify.trouble import not_reached

MOST_READ = 64 * 1024  # bytes of an answer


class Response(NamedTuple):
    """What came back. `headers`: names as they were written; `body`: its beginning."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def post(
    url: str, body: bytes, headers: Mapping[str, str], whom: str, tls: SSLContext, patience: float = PATIENCE
) -> Response:
    """POST `body` to `url`; any status is a response. `whom`: what the service is called in NotDelivered,
    which is raised where none comes."""
    request = Request(url, data=body, headers=dict(headers), method="POST")  # noqa: S310 - checked when opened
    opener = build_opener(_Stay(), HTTPSHandler(context=tls))
    try:
        with opener.open(request, timeout=patience) as answer:
            return Response(answer.status, dict(answer.headers.items()), _read(answer, patience))
    except HTTPError as error:
        with error:
            return Response(error.code, dict(error.headers.items()), b"")
    except Exception as error:
        failure: NotDelivered = not_reached(error, whom)
    raise failure  # here, not above: the error that it came from may quote the address


def _read(answer: HTTPResponse, patience: float) -> bytes:
    deadline, body = time.monotonic() + patience, b""
    while len(body) < MOST_READ and (part := answer.read1(MOST_READ - len(body))):
        body += part
        if time.monotonic() > deadline:
            raise TimeoutError
    return body


class _Stay(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Headers, newurl: str
    ) -> None:
        """None: the redirection is the answer."""
