# SPDX-License-Identifier: GPL-2.0-or-later
"""Which MAC answers for which local address, as far as that is news: at first sight, and at each change.

Values in, values out. What a change means (a new lease, or a fight) is for the guard to judge. Bounded: of
more than `MAX_ADDRESSES` the one that was not heard of for longest goes, of more than `MAX_NEWS` the oldest.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from ipaddress import ip_address
from typing import NamedTuple

from smartrouter.linux.neighbours import Neighbour

MAX_ADDRESSES = 8192
MAX_NEWS = 1024
TOLD_AT_ONCE = 256


class Claim(NamedTuple):
    """`mac` answers for `address`."""

    mac: str
    address: str


class Claims:
    """Tell it what was `heard`, then ask for the `news`."""

    def __init__(self) -> None:
        self._macs: OrderedDict[str, str] = OrderedDict()  # by address; the one heard of last is at the end
        self._news: deque[Claim] = deque(maxlen=MAX_NEWS)

    def heard(self, neighbours: Iterable[Neighbour]) -> None:
        """Local devices answered for their addresses."""
        for mac, address, *_ in neighbours:
            before = self._macs.get(address)
            if before is None and not _counts(address):
                continue
            self._macs[address] = mac
            self._macs.move_to_end(address)
            if mac != before:
                self._news.append(Claim(mac, address))
        while len(self._macs) > MAX_ADDRESSES:
            self._macs.popitem(last=False)

    def news(self) -> list[Claim]:
        """What is new since the last call, in order; not more than fits into one message."""
        return [self._news.popleft() for _ in range(min(len(self._news), TOLD_AT_ONCE))]


def _counts(address: str) -> bool:
    """IPv4, and of IPv6 what is good for more than one link: link-local ones are no whole address without
    their link."""
    parsed = ip_address(address)
    return parsed.version == 4 or not parsed.is_link_local
