# SPDX-License-Identifier: GPL-2.0-or-later
"""Static files: read once (later they may be closed to us), named by the hash of what is in them, so that
browsers may keep them for good.
"""

import base64
import gzip
import hashlib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "LICENSE": "text/plain; charset=utf-8",
    "md": "text/plain; charset=utf-8",
}
_FOLDER = Path(__file__).with_name("static")
_WORTH = 1000  # bytes from which on compressing is worth its while
FOR_GOOD = "public, max-age=31536000, immutable"


class Asset(NamedTuple):
    """One file. `content`: with gzip, if it `is_packed`: few browsers want it otherwise."""

    kind: str
    content: bytes
    is_packed: bool
    digest: str

    @property
    def plain(self) -> bytes:
        """As it was."""
        return gzip.decompress(self.content) if self.is_packed else self.content


@cache
def assets() -> dict[str, Asset]:
    """All of them, by name, such as `style.css` or `vendor/htmx.min.js`."""
    found: dict[str, Asset] = {}
    _gather(_FOLDER, "", found)
    return found


def url_of(name: str) -> str:
    """Where a page finds the static file `name`. Raises KeyError."""
    return f"/static/{assets()[name].digest}/{name}"


def _gather(folder: Path, prefix: str, into: dict[str, Asset]) -> None:
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            _gather(entry, f"{name}/", into)
        elif kind := _TYPES.get(entry.name.rpartition(".")[2]):
            plain = entry.read_bytes()
            is_packed = len(plain) >= _WORTH
            content = gzip.compress(plain, 9, mtime=0) if is_packed else plain
            digest = base64.b32encode(hashlib.sha256(plain).digest())[:12].decode().lower()
            into[name] = Asset(kind, content, is_packed, digest)


async def _serve(request: Request) -> Response:
    asset = assets().get(request.path_params["name"])
    if asset is None or asset.digest != request.path_params["digest"]:
        raise HTTPException(404)
    headers = {"Cache-Control": FOR_GOOD, "Vary": "Accept-Encoding"}
    if asset.is_packed and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(asset.content, media_type=asset.kind, headers=headers | {"Content-Encoding": "gzip"})
    return Response(asset.plain, media_type=asset.kind, headers=headers)


async def _favicon(_request: Request) -> Response:
    icon = assets()["icon.svg"]
    return Response(icon.plain, media_type=icon.kind, headers={"Cache-Control": "public, max-age=86400"})


ROUTES: list[BaseRoute] = [
    Route("/static/{digest}/{name:path}", _serve),
    Route("/favicon.ico", _favicon),
]
