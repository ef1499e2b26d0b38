# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter classify`: what DHCP clients are, from JSON lines, a line each, as they come.

A line that is no such object is told of on standard error, with its place, what was found and what is
allowed; the others are answered all the same. Knows the registry of makers, and nothing of this network.
"""

import json
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from smartrouter.core.classification import Evidence, classify
from smartrouter.core.errors import SmartrouterError
from smartrouter.makers import Makers
from smartrouter.terminal import inert

GIVEN = {
    "mac": "its MAC: 12 hexadecimal digits, alone, in pairs (`:` or `-` between) or in fours (`.` between)",
    "hostname": "DHCP option 12",
    "vendor_class": "DHCP option 60",
    "params": "DHCP option 55: a list of numbers from 0 to 255, in the order sent",
    "user_class": "DHCP option 77",
}
CLASSIFIED = {
    "mac": "as it was given; null if it was not",
    "class": "`iot`, `not-iot` or `unknown`",
    "confidence": "how sure that is, from 0 to 1; 0 for `unknown`",
    "maker": "the organisation that its MAC was given to; empty if nobody's",
    "reasons": "what speaks for it, in words, the weightiest first",
}
_TEXTS = ("hostname", "vendor_class", "user_class")
_LONGEST_LINE = 1 << 16  # bytes; three texts and a list of 255 numbers need 2,000
_LONGEST_TEXT = 255  # characters that are looked at: what a DHCP option can hold
_MAC = re.compile(
    r"(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}[0-9a-f]{2}|[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}|[0-9a-f]{12})",
    re.IGNORECASE,
)


class BadLine(SmartrouterError):
    """The line is no client: says what was found and what is allowed."""


def main(arguments: Namespace) -> int:
    """`smartrouter classify`; 1 if a line or a file could not be read."""
    makers = Makers()
    flawless = True
    for name in arguments.files or ["-"]:
        try:
            if name == "-":
                flawless &= _stream(sys.stdin.buffer, "standard input", makers)
            else:
                with open(name, "rb") as stream:
                    flawless &= _stream(stream, name, makers)
        except OSError as error:
            if isinstance(error, BrokenPipeError):
                raise
            _complain(f"{name}: {error.strerror}")
            flawless = False
    return 0 if flawless else 1


def _stream(stream: BinaryIO, name: str, makers: Makers) -> bool:
    """Answer each line; was there no bad one?"""
    flawless = True
    for number, line in enumerate(_lines(stream), 1):
        if not line.strip():
            continue
        try:
            answer = answered(line, makers)
        except BadLine as error:
            _complain(f"{name}, line {number}: {error}")
            flawless = False
        else:
            print(json.dumps(answer), flush=True)
    return flawless


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines; of one that is too long only as much as shows that."""
    while line := stream.readline(_LONGEST_LINE + 1):
        yield line
        while len(line) > _LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(_LONGEST_LINE + 1)


def answered(line: bytes, makers: Makers) -> dict[str, Any]:
    """The answer to one line; raises BadLine."""
    client = _object(line)
    mac = _mac(client.get("mac"))
    maker = makers.of(mac) if mac else ""
    texts = (_text(client, key) for key in _TEXTS)
    hostname, vendor_class, user_class = texts
    kind = classify(Evidence(mac, hostname, maker, vendor_class, user_class, _params(client.get("params"))))
    return {
        "mac": client.get("mac"),
        "class": kind.word,
        "confidence": kind.confidence,
        "maker": maker,
        "reasons": list(kind.reasons),
    }


def _object(line: bytes) -> Mapping[str, Any]:
    if len(line) > _LONGEST_LINE:
        raise BadLine(f"longer than {_LONGEST_LINE} bytes, which is the most that is allowed")
    try:
        client = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadLine(f"byte {line[error.start]:#04x} at {error.start + 1} is not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise BadLine(f"no JSON object ({error}): {_short(line.decode('utf-8').strip())}") from None
    if not isinstance(client, dict):
        raise BadLine(f"found {_kind(client)}, allowed is an object with {', '.join(GIVEN)}")
    return client


def _mac(value: Any) -> str:
    """`aa:bb:cc:dd:ee:ff`, or '' for none."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadLine(f"mac: found {_kind(value)}, allowed is a string or null")
    if not _MAC.fullmatch(value.strip()):
        raise BadLine(f"mac: found {_short(value)}, allowed is {GIVEN['mac'].partition(': ')[2]}")
    digits = re.sub(r"[^0-9a-f]", "", value.lower())
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def _text(client: Mapping[str, Any], key: str) -> str:
    value = client.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise BadLine(f"{key}: found {_kind(value)}, allowed is a string or null")
    return value[:_LONGEST_TEXT]


def _params(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadLine(f"params: found {_kind(value)}, allowed is a list of numbers or null")
    for number in value:
        if type(number) is not int or not 0 <= number <= 255:
            found = _short(json.dumps(number))
            raise BadLine(f"params: found {found} in the list, allowed are whole numbers from 0 to 255")
    return tuple(value[:_LONGEST_TEXT])


_KINDS = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    type(None): "null",
}


def _kind(value: Any) -> str:
    return _KINDS[type(value)]


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")


def _complain(text: str) -> None:
    print(f"smartrouter: {inert(text)}", file=sys.stderr, flush=True)
