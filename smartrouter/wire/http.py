# SPDX-License-Identifier: GPL-2.0-or-later
"""The first bytes of an HTTP/1 request (RFC 9112) -> the host that it asks for.

Reads no further than it must: a small device sends each line of its request by itself. Of several Host
lines the first counts; a server refuses such a request (RFC 9112 section 3.2). Knows nothing of TCP.
"""

from re import IGNORECASE
from re import compile as regex

from smartrouter.core.errors import BadPacket
from smartrouter.wire.host_names import host_name

_BOUND = 8192  # what servers take of a line, or of all of them: nginx, Apache

# A method is any token, but in use are capitals (and M-SEARCH). The line may have come in part only.
_REQUEST = regex(rb"[A-Z][A-Z-]{0,19} ([!-\xff]+) HTTP/1\.[01]\r?")
_REQUEST_SO_FAR = regex(rb"(?:[A-Z][A-Z-]{0,19}(?: (?:[!-\xff]+(?: [HTP/1.0]{0,8}\r?)?)?)?)?")
_END = regex(rb"\n\r?\n")
_HOST_LINE = regex(rb"\nhost:([^\n]*)\n", IGNORECASE)
_ABSOLUTE = regex(rb"https?://([^/?#]*)", IGNORECASE)  # a request to a proxy, RFC 9112 section 3.2.2
_PORT = regex(rb":[0-9]*\Z")


def parse_request(beginning: bytes) -> str | None:
    """The host asked for, '' if none is said or it is an address; None: more is needed. A target that
    holds a host itself goes before the Host line. Raises BadPacket."""
    beginning = beginning[:_BOUND]
    line, newline, _ = beginning.partition(b"\n")
    request = (_REQUEST if newline else _REQUEST_SO_FAR).fullmatch(line)
    if request is None:
        raise BadPacket("not an HTTP/1 request")
    if newline:
        if absolute := _ABSOLUTE.match(request[1]):
            return _host(absolute[1])
        end = _END.search(beginning)
        if host := _HOST_LINE.search(beginning, 0, end.end() if end else len(beginning)):
            return _host(host[1])
        if end:
            return ""
    if len(beginning) == _BOUND:
        raise BadPacket("HTTP request too long")
    return None


def _host(authority: bytes) -> str:
    return host_name(_PORT.sub(b"", authority.strip(b" \t\r")))
