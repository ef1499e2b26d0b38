# SPDX-License-Identifier: GPL-2.0-or-later
"""Is a service on this machine? Nobody listens in on the way to it then, and TLS may be left out."""

from ipaddress import ip_address


def is_here(host: str) -> bool:
    """Whether `host`, a name or an address as it stands in a URL, is this machine's loopback."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
