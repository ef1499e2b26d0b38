# SPDX-License-Identifier: GPL-2.0-or-later
"""One question to the router's own resolver: which name an address has, or which addresses a name has.

A reverse name counts only if the name leads back to the address; even then it is a label and never allows
anything, because an address's owner can write what he likes. Each question ends within `PATIENCE`, whatever
the resolver does: with what was found, with nothing, or without knowing. Who asks, and how often, is
`lookups`' business.
"""

import logging
import time
from collections.abc import Iterable
from enum import StrEnum
from ipaddress import ip_address
from typing import NamedTuple

import dns.exception
import dns.name

# dnspython loads record types when it meets them; by then our code may lie where we may not look.
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.DNAME
import dns.rdtypes.ANY.OPT
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.SOA
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.resolver
import dns.reversename

log = logging.getLogger("smartrouter.analyzer")

PATIENCE = 2.0  # seconds for one question, all that it takes included
LONGEST_TTL = 3600.0  # seconds that an answer is good for at most
WITHOUT_TTL = 60.0  # … and one with nothing in it
NOT_KNOWN_FOR = 5.0  # … and none at all
MAX_ADDRESSES = 128  # of a name; more than an answer without TCP has room for
_ONE_TRY = 0.7  # seconds; so that a dead server is not the only one that is asked
_LAST_PAUSE = 0.4  # seconds that dnspython may sleep before it notices that the time is up
_MAX_CANDIDATES = 3  # an address may have many names; a truthful owner's are all true


class Wanted(StrEnum):
    """What can be asked for."""

    NAME = "name"  # of an address
    ADDRESSES = "addresses"  # of a name


class Question(NamedTuple):
    """`wanted` of `of`, which is an address or a name."""

    wanted: Wanted
    of: str


class Answer(NamedTuple):
    """`found`: the one name, or the addresses, () if there is nothing; good for `ttl` seconds. `failed`:
    there was no sound answer, so that nothing is known."""

    found: tuple[str, ...]
    ttl: float
    failed: bool = False


NOTHING = Answer((), WITHOUT_TTL)
NOT_KNOWN = Answer((), NOT_KNOWN_FOR, failed=True)
_NO_ANSWER = (
    dns.exception.Timeout,
    dns.resolver.NoNameservers,
    dns.resolver.NoResolverConfiguration,
    OSError,
)


def resolve(question: Question) -> Answer:
    """Ask the resolver of /etc/resolv.conf. Takes `PATIENCE` at most, and raises nothing for its part."""
    try:
        asker = _Asker()
        return asker.name(question.of) if question.wanted is Wanted.NAME else asker.addresses(question.of)
    except (dns.exception.DNSException, OSError, ValueError) as error:
        log.debug("no %s of %s: %s", question.wanted, question.of, error)
        return NOT_KNOWN if isinstance(error, _NO_ANSWER) else NOTHING


class _Asker:
    """Asks what one question takes, within its time."""

    def __init__(self) -> None:
        self._until = time.monotonic() + PATIENCE
        self._resolver = dns.resolver.Resolver()
        self._resolver.timeout = _ONE_TRY

    def name(self, address: str) -> Answer:
        """The forward-confirmed name of `address`. Raises what `_ask` does, ValueError if it is none."""
        wanted = ip_address(address)
        kind = "AAAA" if wanted.version == 6 else "A"
        pointers = self._ask(dns.reversename.from_address(address), "PTR")
        for record in list(pointers.rrset or ())[:_MAX_CANDIDATES]:
            if self._time_is_up():
                break
            try:
                forward = self._ask(record.target, kind)
            except dns.exception.DNSException:
                continue  # the next one may be true
            if any(ip_address(each.address) == wanted for each in forward.rrset or ()):
                name = str(record.target.to_text(omit_final_dot=True)).lower()
                return Answer((name,), _ttl((pointers, forward)))
        return NOTHING

    def addresses(self, name: str) -> Answer:
        """The addresses of `name`, of both families; where there was no answer about one, it is soon asked
        about again. Raises what `_ask` does."""
        absolute = dns.name.from_text(name)
        answers, others = [self._ask(absolute, "A")], NOT_KNOWN
        if not self._time_is_up():
            try:
                answers.append(self._ask(absolute, "AAAA"))
                others = NOTHING
            except dns.exception.DNSException as error:
                log.debug("no IPv6 addresses of %s: %s", name, error)
        found = [record.address for answer in answers for record in answer.rrset or ()]
        if not found:
            return others
        ttl = min(_ttl(answers), NOT_KNOWN_FOR) if others.failed else _ttl(answers)
        return Answer(tuple(found[:MAX_ADDRESSES]), ttl)

    def _time_is_up(self) -> bool:
        return time.monotonic() >= self._until - _LAST_PAUSE

    def _ask(self, name: dns.name.Name, kind: str) -> dns.resolver.Answer:
        """Raises dns.exception.DNSException: there is no such name, or no sound answer in time."""
        left = max(0.0, self._until - _LAST_PAUSE - time.monotonic())
        return self._resolver.resolve(name, kind, lifetime=left, search=False, raise_on_no_answer=False)


def _ttl(answers: Iterable[dns.resolver.Answer]) -> float:
    """For how long all that was found holds, aliases included."""
    lifetimes = [answer.chaining_result.minimum_ttl for answer in answers if answer.rrset]
    return float(min(lifetimes, default=WITHOUT_TTL))
