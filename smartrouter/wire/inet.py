# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses on the wire -> text, as `socket.inet_ntop` gives it.

A network talks to the same few addresses again and again: remembering their text takes a third of the time,
and whoever keeps it keeps one copy. Knows nothing of what an address is for.
"""

from functools import lru_cache, partial
from socket import AF_INET6, inet_ntoa, inet_ntop

REMEMBERED = 1024  # each takes 200 bytes; a home talks to some hundred

ipv4 = lru_cache(maxsize=REMEMBERED)(inet_ntoa)
"""Text of four bytes."""

ipv6 = lru_cache(maxsize=REMEMBERED)(partial(inet_ntop, AF_INET6))
"""Text of sixteen bytes."""
