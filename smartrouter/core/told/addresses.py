# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names a device was told for an address: what a reply teaches, and a device's book of it.

A reply teaches under the name that was asked for, however long the chain of aliases behind it. Who trusts
which resolver, and whether a reply answers anything, is decided elsewhere. Knows no clock: `now` is seconds
of a clock that never jumps.
"""

from bisect import bisect_right
from collections.abc import Sequence
from enum import Enum, auto
from functools import lru_cache
from ipaddress import IPv4Network, ip_address
from math import inf
from sys import intern

from smartrouter.core.effects import Evidence
from smartrouter.core.events import Alias, Reply
from smartrouter.core.names import is_local

MAX_HOPS = 16  # aliases followed in one reply
MAX_ADDRESSES = 4096  # in one device's book
MAX_NAMES = 16  # for one address
MAX_PAIRS = 8192  # of address and name, in one device's book
MAX_TTL = 7 * 86400  # seconds; resolvers keep nothing longer (RFC 8767 section 4)
MAX_TTL_ON_WIRE = 0x7FFFFFFF  # what is greater counts as 0 (RFC 2181 section 8)
WORTH_STORING = 3600.0  # seconds by which an expiry must have moved on

_INTERNET = 1  # class
_A, _AAAA, _SVCB, _HTTPS, _ANY = 1, 28, 64, 65, 255
_BOTH = (4, 6)
_VERSIONS = {_A: (4,), _AAAA: (6,), _SVCB: _BOTH, _HTTPS: _BOTH, _ANY: _BOTH}  # answers fit for a question


class _Reach(Enum):
    """For which names an address may stand."""

    PUBLIC = auto()  # for any
    PRIVATE = auto()  # for names of the local network
    NOWHERE = auto()  # for none: this host, one link, a group, nobody


# https://www.iana.org/assignments/iana-ipv4-special-registry and all above 224.0.0.0. The ranges for
# documentation are left out: the Internet does not route them, and laboratories stand on them.
_SPECIAL4 = sorted(
    (int(network[0]), int(network[-1]), reach)
    for reach, networks in {
        _Reach.PRIVATE: "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16",
        _Reach.NOWHERE: "0.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 192.0.0.0/24"
        " 192.88.99.0/24 198.18.0.0/15 224.0.0.0/3",
    }.items()
    for network in map(IPv4Network, networks.split())
)
_STARTS4 = [first for first, _, _ in _SPECIAL4]


def _reach4(address: int) -> _Reach:
    index = bisect_right(_STARTS4, address) - 1
    if index >= 0 and address <= _SPECIAL4[index][1]:
        return _SPECIAL4[index][2]
    return _Reach.PUBLIC


def _reach6(address: int) -> _Reach:
    """Of IPv6 only 2000::/3 is public, and not all of it; a few prefixes carry an IPv4 address."""
    top = address >> 96
    if top == 0x0064FF9B and address >> 32 == top << 64:  # 64:ff9b::/96, NAT64, RFC 6052
        embedded = address & 0xFFFFFFFF
    elif address >> 112 == 0x2002:  # 6to4, RFC 3056
        embedded = address >> 80 & 0xFFFFFFFF
    elif address >> 121 == 0xFC >> 1:  # fc00::/7, RFC 4193
        return _Reach.PRIVATE
    else:
        # 2001::/23 holds IETF protocols, such as Teredo.
        is_public = address >> 125 == 1 and address >> 105 != 0x20010000 >> 9
        return _Reach.PUBLIC if is_public else _Reach.NOWHERE
    return _Reach.PUBLIC if _reach4(embedded) is _Reach.PUBLIC else _Reach.NOWHERE


@lru_cache(maxsize=4096)
def _reach(address: str) -> _Reach:
    parsed = ip_address(address)
    return _reach4(int(parsed)) if parsed.version == 4 else _reach6(int(parsed))


def taught(reply: Reply) -> dict[str, str]:
    """Which addresses a trusted `reply` to its own question teaches, each with the name asked for.

    Nothing from a reply that is an error, cut short, or about more than one question, and nothing that
    its own chain of aliases (at most MAX_HOPS) does not lead to. A public name never stands for an
    address inside: that is how a web page reaches into a home (DNS rebinding). A local one may.
    """
    if reply.opcode or reply.rcode or reply.truncated or len(reply.questions) != 1:
        return {}
    name, kind, klass = reply.questions[0]
    versions = _VERSIONS.get(kind)
    if klass != _INTERNET or versions is None or not name:
        return {}
    chain = _chain(name, reply.aliases) if reply.aliases else (name,)
    lessons = {}
    for owner, address, _ in reply.addresses:
        if owner in chain and (6 if ":" in address else 4) in versions and may_stand(name, address):
            lessons[address] = name
    return lessons


def may_stand(name: str, address: str) -> bool:
    """May `name` stand for `address`, whoever says so? See `taught`."""
    reach = _reach(address)
    return reach is _Reach.PUBLIC or (reach is _Reach.PRIVATE and is_local(name))


def targets(reply: Reply) -> set[str]:
    """The names that the question of a trusted `reply` is an alias of, by its answer; see `taught`."""
    if reply.opcode or reply.rcode or not reply.aliases or len(reply.questions) != 1:
        return set()
    name, _, klass = reply.questions[0]
    return _chain(name, reply.aliases) - {name} if klass == _INTERNET else set()


def _chain(name: str, aliases: Sequence[Alias]) -> set[str]:
    """`name` and what it is an alias of, in whatever order the records stand; of two aliases for one name
    the first counts."""
    targets = {owner: target for owner, target, _ in reversed(aliases)}
    chain = {name}
    for _ in range(MAX_HOPS):
        if name not in targets:
            break
        name = targets[name]
        chain.add(name)
    return chain


class _Entry:
    """What was told of one address: four lists side by side, newest first, and the least `fresh_until`."""

    __slots__ = ("fresh_until", "names", "oldest", "sources", "stored_until")

    def __init__(self) -> None:
        self.names: tuple[str, ...] = ()
        self.fresh_until: list[float] = []
        self.sources: list[Evidence] = []
        self.stored_until: list[float] = []  # what `fresh_until` was when it was called worth storing
        self.oldest = inf

    def tell(self, name: str, until: float, source: Evidence) -> bool:
        """`name` is the newest now, and fresh until then at least. Is that worth storing?"""
        if name not in self.names:
            self.names = (intern(name), *self.names[: MAX_NAMES - 1])  # one may have hundreds of addresses
            self.fresh_until = [until, *self.fresh_until[: MAX_NAMES - 1]]
            self.sources = [source, *self.sources[: MAX_NAMES - 1]]
            self.stored_until = [until, *self.stored_until[: MAX_NAMES - 1]]
            self.oldest = min(self.fresh_until)
            return True
        if self.names[0] != name:
            at = self.names.index(name)
            self._keep([at, *[other for other in range(len(self.names)) if other != at]])
        if until > self.fresh_until[0]:
            self.fresh_until[0] = until
            self.sources[0] = source
            self.oldest = min(self.fresh_until)
        if until > self.stored_until[0] + WORTH_STORING:
            self.stored_until[0] = until
            return True
        return False

    def forget(self, before: float) -> None:
        """Drop the names that were fresh until before that."""
        self._keep([at for at, until in enumerate(self.fresh_until) if until >= before])

    def _keep(self, places: list[int]) -> None:
        self.names = tuple([self.names[at] for at in places])
        self.fresh_until = [self.fresh_until[at] for at in places]
        self.sources = [self.sources[at] for at in places]
        self.stored_until = [self.stored_until[at] for at in places]
        self.oldest = min(self.fresh_until, default=inf)


class AddressBook:
    """What one device was told, bounded; the oldest goes first.

    A name is fresh for its TTL and `stale_after` seconds more, then stale for `grace` seconds, then gone.
    `stale_after` may be infinite. `grace` may be changed at any time.
    """

    __slots__ = ("_entries", "_pairs", "_stale_after", "grace")

    def __init__(self, grace: float, stale_after: float = 3600.0):
        self.grace = grace
        self._stale_after = stale_after
        self._entries: dict[str, _Entry] = {}  # the least recently told address first
        self._pairs = 0

    def tell(self, address: str, name: str, ttl: int, now: float, source: Evidence = Evidence.DNS) -> bool:
        """The device was told that `name` has `address` for `ttl` seconds; `source`: by whom. True: worth
        storing, since the pair is new, or lives notably longer than when this was last said of it."""
        ttl = 0 if ttl > MAX_TTL_ON_WIRE else min(ttl, MAX_TTL)
        entry = self._entries.pop(address, None)
        if entry is None:
            entry = _Entry()
        self._entries[address] = entry
        self._pairs -= len(entry.names)
        is_news = entry.tell(name, now + ttl + self._stale_after, source)
        self._pairs += len(entry.names)
        while len(self._entries) > MAX_ADDRESSES or self._pairs > MAX_PAIRS:
            oldest = next(iter(self._entries))
            self._pairs -= len(self._entries.pop(oldest).names)
        return is_news

    def names(self, address: str, now: float) -> tuple[str, ...]:
        """The names that still count for `address`, newest first."""
        entry = self._entries.get(address)
        if entry is None:
            return ()
        if now - self.grace > entry.oldest:
            self._pairs -= len(entry.names)
            entry.forget(now - self.grace)
            self._pairs += len(entry.names)
            if not entry.names:
                del self._entries[address]
        return entry.names

    def __contains__(self, address: str) -> bool:
        """Was anything told of `address`, however long ago?"""
        return address in self._entries

    def newest(self, address: str) -> str:
        """The newest name of `address`, even past its time; '' if there is none."""
        entry = self._entries.get(address)
        return entry.names[0] if entry is not None and entry.names else ""

    def unchanged_until(self, address: str, now: float) -> float:
        """Until when, as long as nobody tells anything, `names` and `evidence` of `address` stay as they
        are."""
        entry = self._entries.get(address)
        if entry is None or not entry.names:
            return inf
        fresh = entry.fresh_until[0]
        return min(entry.oldest + self.grace, fresh if now <= fresh else inf)

    def evidence(self, address: str, now: float) -> Evidence:
        """How good the newest name of `address` is."""
        if not self.names(address, now):
            return Evidence.NONE
        entry = self._entries[address]
        return entry.sources[0] if now <= entry.fresh_until[0] else Evidence.STALE

    def all_names(self) -> set[str]:
        """Every name in it, those past their time too."""
        return {name for entry in self._entries.values() for name in entry.names}
