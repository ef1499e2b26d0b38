# SPDX-License-Identifier: GPL-2.0-or-later
"""Which names a device was told for an address: what a reply teaches, and a device's book of it.

A reply teaches under the name that was asked for, however long the chain of aliases behind it. Who trusts
which resolver, and whether a reply answers anything, is decided elsewhere. Knows no clock: `now` is seconds
of a clock that never jumps.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from enum import Enum, auto
from functools import lru_cache
from ipaddress import IPv4Network, ip_address
from math import inf
from typing import NamedTuple

from smartrouter.core.effects import Evidence
from smartrouter.core.events import Alias, Reply
from smartrouter.core.names import is_local

MAX_HOPS = 16  # aliases followed in one reply
MAX_ADDRESSES = 4096  # in one device's book
MAX_NAMES = 16  # for one address
MAX_PAIRS = 8192  # of address and name, in one device's book
MAX_ALONE = 4096  # names that are looked for among those of other addresses
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
_DNS = Evidence.DNS
_tuple = tuple.__new__  # makes a NamedTuple in half the time
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


class Lesson(NamedTuple):
    """What a reply teaches: `name` has `addresses`, for `ttl` seconds; it is an alias of those `behind`."""

    name: str
    addresses: tuple[str, ...]
    ttl: int
    behind: frozenset[str]


_NO_LESSON = Lesson("", (), 0, frozenset())


def lesson(reply: Reply) -> Lesson:
    """What a trusted `reply` to its own question teaches, under the name asked for.

    Nothing from a reply that is an error, or about more than one question, no address from one cut short, and
    nothing that its own chain of aliases (at most MAX_HOPS) does not lead to. A public name never stands for
    an address inside: that is how a web page reaches into a home (DNS rebinding). A local one may.
    """
    if reply.opcode or reply.rcode or len(reply.questions) != 1:
        return _NO_LESSON
    name, kind, klass = reply.questions[0]
    if klass != _INTERNET:
        return _NO_LESSON
    aliases, addresses = reply.aliases, reply.addresses
    chain = _chain(name, aliases) if aliases else {name}
    versions = _VERSIONS.get(kind, ()) if name and not reply.truncated else ()
    stand = [
        address
        for owner, address, _ in addresses
        if owner in chain and (6 if ":" in address else 4) in versions and may_stand(name, address)
    ]
    ttl = min([ttl for _, _, ttl in addresses] + [ttl for _, _, ttl in aliases], default=0)
    chain.remove(name)
    return Lesson(name, tuple(dict.fromkeys(stand)), ttl, frozenset(chain))


def may_stand(name: str, address: str) -> bool:
    """May `name` stand for `address`, whoever says so? See `lesson`."""
    reach = _reach(address)
    return reach is _Reach.PUBLIC or (reach is _Reach.PRIVATE and is_local(name))


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


class News(NamedTuple):
    """What telling something has changed. `to_store`: the pair is new, or lives notably longer than when this
    was last said of it; `shows`: `names` or `evidence` of the address are others than before."""

    to_store: bool
    shows: bool


_NOTHING, _ALL = News(False, False), News(True, True)
_TO_STORE, _SHOWS = News(True, False), News(False, True)
_OFTEN = 1.0  # seconds: what lives no longer by more than that than it was said to is no news


class _Fact(NamedTuple):
    """A name of an address. `stored_until`: what `fresh_until` was when it was called worth storing."""

    fresh_until: float
    source: Evidence
    stored_until: float


_one_name: dict[str, tuple[str, ...]] = {}


def _alone(name: str) -> tuple[str, ...]:
    """`name` by itself: one object for all addresses, of which it may have hundreds, and all devices."""
    found = _one_name.get(name)
    if found is None:
        if len(_one_name) >= MAX_ALONE:
            _one_name.clear()
        found = _one_name[name] = (name,)
    return found


class _Several(NamedTuple):
    """The names of an address that has more than one, or none any more and is about to go, newest first; what
    is known of all but the newest; and the least `fresh_until` of all."""

    names: tuple[str, ...]
    older: tuple[_Fact, ...]
    oldest: float


class _Entry:
    """What was told of one address: its name, or several, and what is known of the newest. Nearly all have
    one name, and there are very many: what is not kept here is not kept ten thousand times."""

    __slots__ = ("fresh_until", "source", "stored_until", "told")

    def __init__(self, name: str, until: float, source: Evidence):
        self.told: tuple[str, ...] | _Several = _alone(name)
        self.fresh_until = self.stored_until = until
        self.source = source

    @property
    def names(self) -> tuple[str, ...]:
        """The newest first."""
        told = self.told
        return told.names if isinstance(told, _Several) else told

    @property
    def oldest(self) -> float:
        """When the first of its names is no longer fresh."""
        told = self.told
        return told.oldest if isinstance(told, _Several) else self.fresh_until

    def tell(self, name: str, until: float, source: Evidence, now: float) -> News:
        """`name` is the newest now, and fresh until then at least."""
        told = self.told
        names = told.names if isinstance(told, _Several) else told
        if names[0] == name:
            return self._again(until, source, now)
        facts = self._facts()
        if name not in names:
            self._keep((_alone(name)[0], *names[: MAX_NAMES - 1]), (_Fact(until, source, until), *facts))
            return _ALL
        at = names.index(name)
        order = [at, *[other for other in range(len(facts)) if other != at]]
        self._keep([names[place] for place in order], [facts[place] for place in order])
        return _ALL if self._again(until, source, now).to_store else _SHOWS

    def _again(self, until: float, source: Evidence, now: float) -> News:
        """The newest name is told once more."""
        fresh_until = self.fresh_until
        if until <= fresh_until:
            return _NOTHING
        if until < fresh_until + _OFTEN and now <= fresh_until and source is self.source:
            return _NOTHING
        is_better = now > fresh_until or source is not self.source  # it was stale, or known in another way
        is_worth_it = until > self.stored_until + WORTH_STORING
        self.fresh_until, self.source = until, source
        if is_worth_it:
            self.stored_until = until
        told = self.told
        if isinstance(told, _Several):
            self.told = told._replace(oldest=min([until, *[fact.fresh_until for fact in told.older]]))
        if not is_better:
            return _TO_STORE if is_worth_it else _NOTHING
        return _ALL if is_worth_it else _SHOWS

    def forget(self, before: float) -> None:
        """Drop the names that were fresh until before that."""
        told = [each for each in zip(self.names, self._facts(), strict=True) if each[1].fresh_until >= before]
        self._keep([name for name, _ in told], [fact for _, fact in told])

    def _facts(self) -> tuple[_Fact, ...]:
        """What is known of each of its names; there is one at least."""
        told = self.told
        older = told.older if isinstance(told, _Several) else ()
        return (_Fact(self.fresh_until, self.source, self.stored_until), *older)

    def _keep(self, names: Sequence[str], facts: Sequence[_Fact]) -> None:
        if facts:
            (self.fresh_until, self.source, self.stored_until), *older = facts[:MAX_NAMES]
        if len(names) == 1:
            self.told = _alone(names[0])
            return
        oldest = min((fact.fresh_until for fact in facts[:MAX_NAMES]), default=inf)
        self.told = _Several(tuple(names), tuple(older) if facts else (), oldest)


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

    def tell(self, address: str, name: str, ttl: int, now: float, source: Evidence = Evidence.DNS) -> News:
        """The device was told that `name` has `address` for `ttl` seconds; `source`: by whom."""
        until = now + self._stale_after + (ttl if ttl <= MAX_TTL else 0 if ttl > MAX_TTL_ON_WIRE else MAX_TTL)
        entries = self._entries
        entry = entries.pop(address, None)
        if entry is None:
            entries[address] = _Entry(name, until, source)
            self._pairs += 1
            news = _ALL
        else:
            entries[address] = entry
            told = entry.told
            news = entry.tell(name, until, source, now)
            if entry.told is told:  # as nearly always
                return news
            self._pairs += len(entry.names) - (len(told.names) if isinstance(told, _Several) else 1)
        while len(entries) > MAX_ADDRESSES or self._pairs > MAX_PAIRS:
            oldest = next(iter(entries))
            self._pairs -= len(entries.pop(oldest).names)
        return news

    def tell_each(self, addresses: Iterable[str], name: str, ttl: int, now: float) -> list[tuple[str, News]]:
        """The same for the addresses of one answer; gives those of which it is news in any way. Nearly always
        there are none, for devices are told the same over and over."""
        until = now + self._stale_after + ttl  # a TTL beyond all bounds is seen to by `tell`
        entries, found = self._entries, []
        for address in addresses:
            entry = entries.get(address)
            if (  # its newest name is told once more, as `_Entry` has it; of several, `told` begins with all
                entry is not None
                and entry.told[0] == name
                and until < entry.fresh_until + _OFTEN
                and now <= entry.fresh_until
                and entry.source is _DNS
            ):
                del entries[address]
                entries[address] = entry
                continue
            news = self.tell(address, name, ttl, now)
            if news is not _NOTHING:
                found.append((address, news))
        return found

    def __len__(self) -> int:
        """How many pairs of address and name it holds."""
        return self._pairs

    def halve(self) -> None:
        """Forget half of the addresses, those that were told least recently."""
        for address in list(self._entries)[: (len(self._entries) + 1) // 2]:
            self._pairs -= len(self._entries.pop(address).names)

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

    def unchanged_until(self, address: str, now: float) -> float:
        """Until when, as long as nobody tells anything, `names` and `evidence` of `address` stay as they
        are."""
        entry = self._entries.get(address)
        if entry is None:
            return inf
        fresh = entry.fresh_until
        return min(entry.oldest + self.grace, fresh if now <= fresh else inf)

    def evidence(self, address: str, now: float) -> Evidence:
        """How good the newest name of `address` is."""
        if not self.names(address, now):
            return Evidence.NONE
        entry = self._entries[address]
        return entry.source if now <= entry.fresh_until else Evidence.STALE

    def all_names(self) -> set[str]:
        """Every name in it, those past their time too."""
        return {name for entry in self._entries.values() for name in entry.names}
