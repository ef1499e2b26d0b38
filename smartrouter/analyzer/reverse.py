# SPDX-License-Identifier: GPL-2.0-or-later
"""Reverse lookups: what an address without a name is called by its owner, where its owner is truthful.

A reverse name counts only if the name leads back to the address; even then it is a label and never allows
anything, because an address's owner can write what he likes. Looked up by threads of their own: a lookup
that hangs delays nobody. Bounded in time, in number and in memory; a failure is an answer, ''.
"""

import logging
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import ip_address

import dns.exception

# dnspython loads record types when it meets them; by then our code may lie where we may not look.
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.ANY.DNAME
import dns.rdtypes.ANY.OPT
import dns.rdtypes.ANY.PTR
import dns.rdtypes.ANY.SOA
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.resolver

log = logging.getLogger("smartrouter.analyzer")

PATIENCE = 2.0  # seconds for one address, confirmation included
WORKERS = 4
MAX_WAITING = 256  # addresses; more are not looked up
MAX_CACHED = 1024
KEPT, KEPT_WITHOUT = 3600.0, 600.0  # seconds that a name, and that none, is remembered
_MAX_CANDIDATES = 3  # an address may have many names; a truthful owner's are all true


def look_up(address: str) -> str:
    """The forward-confirmed name of `address`, '' if there is none. Takes `PATIENCE` at most."""
    until = time.monotonic() + PATIENCE
    kind = "AAAA" if ":" in address else "A"
    try:
        resolver = dns.resolver.Resolver()
        found = resolver.resolve_address(address, lifetime=PATIENCE)
        for record in list(found)[:_MAX_CANDIDATES]:
            left = until - time.monotonic()
            if left <= 0:
                break
            if _leads_to(resolver, record.target, kind, address, left):
                return str(record.target.to_text(omit_final_dot=True)).lower()
    except (dns.exception.DNSException, OSError, ValueError) as error:
        log.debug("no reverse name for %s: %s", address, error)
    return ""


def _leads_to(
    resolver: dns.resolver.Resolver, name: object, kind: str, address: str, patience: float
) -> bool:
    try:
        answers = resolver.resolve(name, kind, lifetime=patience, search=False)  # type: ignore[arg-type]
    except dns.exception.DNSException:
        return False
    return any(ip_address(answer.address) == ip_address(address) for answer in answers)


class Lookups:
    """Looks addresses up in the background. `ask`, and later find in `answers` what came of it."""

    def __init__(self, look_up: Callable[[str], str] = look_up):
        self._look_up = look_up
        self._waiting: queue.Queue[str] = queue.Queue(MAX_WAITING)
        self._done: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._cache: OrderedDict[str, tuple[str, float]] = OrderedDict()  # address -> name, good until
        self._asked: set[str] = set()
        self._workers = 0

    def ask(self, address: str) -> None:
        """Look `address` up, unless it is known, being looked up, or too many wait."""
        if address in self._asked or self.name(address) is not None:
            return
        try:
            self._waiting.put_nowait(address)
        except queue.Full:
            return
        self._asked.add(address)
        if self._workers < min(WORKERS, len(self._asked)):
            self._workers += 1
            threading.Thread(target=self._work, name=f"reverse-{self._workers}", daemon=True).start()

    def name(self, address: str) -> str | None:
        """The name that was found lately, '' if there is none, None if nobody looked yet."""
        name, until = self._cache.get(address, ("", 0.0))
        return name if time.monotonic() < until else None

    def answers(self) -> list[tuple[str, str]]:
        """(address, name) of the lookups that ended since the last call."""
        ended = []
        while not self._done.empty():
            address, name = self._done.get()
            self._asked.discard(address)
            self._cache[address] = name, time.monotonic() + (KEPT if name else KEPT_WITHOUT)
            self._cache.move_to_end(address)
            if len(self._cache) > MAX_CACHED:
                self._cache.popitem(last=False)
            ended.append((address, name))
        return ended

    def _work(self) -> None:
        while True:
            address = self._waiting.get()
            try:
                name = self._look_up(address)
            except Exception:
                log.exception("a fault of ours while looking up %s", address)
                name = ""
            self._done.put((address, name))
