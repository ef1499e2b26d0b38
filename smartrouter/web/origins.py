# SPDX-License-Identifier: GPL-2.0-or-later
"""By which names this interface may be called: against DNS rebinding, where a page of somebody else's has its
own name lead to the router, and against foreign pages that post to it.

An address cannot be rebound, so any that we listen on will do. Pure.
"""

import re
from collections.abc import Collection
from ipaddress import ip_address

from starlette.datastructures import Headers

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([A-Za-z0-9._-]{1,253}))(?::([0-9]{1,5}))?")
_OWN = ("localhost", "smartrouter", "smartrouter.lan", "smartrouter.local", "router.lan", "openwrt.lan")
_DOMAINS = ("lan", "local", "home.arpa", "internal")  # that no one on the Internet can have


def own_names(hostname: str) -> frozenset[str]:
    """What a router called `hostname` is known as on its LAN."""
    host = hostname.lower().rstrip(".")
    short = host.partition(".")[0]
    return frozenset({*_OWN, host, short, *(f"{short}.{domain}" for domain in _DOMAINS)} - {""})


class Origins:
    """`names`: host names, lower case; `addresses`: as text, those that we listen on."""

    def __init__(self, names: Collection[str], addresses: Collection[str]):
        self._names = frozenset(name.lower().rstrip(".") for name in names)
        self._addresses = frozenset(ip_address(address) for address in addresses)

    def complaint(self, scheme: str, headers: Headers) -> str:
        """Why a request is not for us, or from a foreign page; '' if all is well."""
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            return (
                "The Host of this request is no name of this router's. Use its address, or name it with "
                "`list host` in `config web`."
            )
        origins = headers.getlist("origin")
        if origins and origins != [f"{scheme}://{hosts[0]}"]:
            return "This request comes from another site's page (its Origin says so)."
        if (
            headers.get("sec-fetch-site", "none") == "cross-site"
            and headers.get("sec-fetch-mode") != "navigate"
        ):
            return "This request comes from another site's page (its Sec-Fetch-Site and Origin say so)."
        return ""

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if not found:
            return False
        six, name, _port = found.groups()
        try:
            return ip_address(six or name) in self._addresses
        except ValueError:
            return not six and name.lower().rstrip(".") in self._names
