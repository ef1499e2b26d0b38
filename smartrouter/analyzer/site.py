# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the web interface's pages are, for messages that lead to them."""

from collections.abc import Callable, Sequence
from contextlib import suppress

from smartrouter.config import WebConfig
from smartrouter.core.errors import Unavailable
from smartrouter.linux.local_addresses import Local, addresses

PORT = 8081  # of `listen 'lan'`
_ANY = ("0.0.0.0", "[::]")  # noqa: S104 - not to listen there, but to know that it is no place to go to


def site_of(
    web: WebConfig | None, lan: Sequence[str], look: Callable[[], Sequence[Local]] = addresses
) -> str:
    """The address of the pages, as `http://192.168.1.1:8081`: what the configuration says, else the first of
    the names by which it may be called, else an address of the LAN's interfaces `lan`. '' where there are no
    pages, or nobody knows."""
    if web is None:
        return ""
    if web.url:
        return web.url.rstrip("/")
    host, _, port = web.listen.rpartition(":")
    if web.host:
        host = web.host[0]
    elif web.listen == "lan" or host in _ANY:
        host = _address(lan, look)
    scheme = "http" if web.tls == "0" else "https"
    return f"{scheme}://{host}:{port if port.isdecimal() else PORT}" if host else ""


def _address(lan: Sequence[str], look: Callable[[], Sequence[Local]]) -> str:
    """IPv4, where there is one: shorter, and not of yesterday's prefix."""
    found: list[Local] = []
    with suppress(Unavailable, OSError):
        found = [each for each in look() if each.interface in lan and not each.link_local]
    found.sort(key=lambda each: (each.prefix.version, lan.index(each.interface)))
    if not found:
        return ""
    address = found[0].prefix.ip
    return f"[{address}]" if address.version == 6 else str(address)
