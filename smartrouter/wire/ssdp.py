# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device announces by SSDP (UPnP Device Architecture 2.0, section 1): what it is, and who made it.

Notices, and answers to who looked for something; a search says nothing of who searches. A notice that it goes
counts like one that it is there: things send it when they start, to clear away what they said before, and it
says the same. Headers are read as leniently as small devices write them. Knows nothing of who sent a message.
"""

from re import compile as regex

from smartrouter.core.classification.signs import Announced
from smartrouter.core.errors import BadPacket
from smartrouter.wire.texts import text

MAX_MESSAGE = 4096  # bytes; notices have 300 to 600
_MAX_HEADERS = 64

_NOTICE = regex(rb"NOTIFY \* HTTP/1\.[01]")
_ANSWER = regex(rb"HTTP/1\.[01] 200(?: .*)?")
_SEARCH = regex(rb"M-SEARCH \* HTTP/1\.[01]")
_UUID = regex(r"(?i)uuid:([^:]+)")
_URN = "urn:"
# What a thing is: the architecture's SERVER; X-User-Agent as Belkin's plugs and others add it; `model` of
# Yeelight's lamps, which speak the same on a port of their own (Yeelight, Inter-Operation Specification).
_MODEL_HEADERS = ("server", "x-user-agent", "model")
# Signify's bridges: https://developers.meethue.com, "Hue Bridge Discovery". Yeelight's as above.
_ID_HEADERS = ("hue-bridgeid", "id")


def parse_notice(payload: bytes) -> Announced:
    """Read an SSDP message: the payload of a datagram from or to port 1900. Raises BadPacket, and nothing
    else."""
    lines = [line.strip(b" \t\r") for line in payload[:MAX_MESSAGE].split(b"\n", _MAX_HEADERS + 1)]
    if len(payload) > MAX_MESSAGE or len(lines) > _MAX_HEADERS + 1:
        raise BadPacket("SSDP message too long")
    if _SEARCH.fullmatch(lines[0]):
        return Announced()
    if not _NOTICE.fullmatch(lines[0]) and not _ANSWER.fullmatch(lines[0]):
        raise BadPacket("not an SSDP message")
    headers = _headers(lines[1:])
    kind, own = (headers.get(name, "") for name in ("nt" if lines[0].startswith(b"N") else "st", "usn"))
    of = own.partition("::")[2]  # `uuid:…::urn:…`
    ids = [match[1] for match in (_UUID.match(own), _UUID.match(kind)) if match]
    ids += [headers[name] for name in _ID_HEADERS if headers.get(name)]
    return Announced(
        services=_different([urn for urn in (kind, of) if urn.lower().startswith(_URN)]),
        models=_different([headers[name] for name in _MODEL_HEADERS if headers.get(name)]),
        ids=_different([found.lower() for found in ids]),
    )


def _headers(lines: list[bytes]) -> dict[str, str]:
    """By name in lower case, up to the empty line; of one that comes again, the first counts."""
    found: dict[str, str] = {}
    for line in lines:
        if not line:
            break
        name, colon, value = line.partition(b":")
        if colon:
            found.setdefault(text(name).strip().lower(), text(value.strip(b" \t")))
    return found


def _different(texts: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
