# SPDX-License-Identifier: GPL-2.0-or-later
"""DNS tunnels: data that a device carries out inside the names it asks for. No connection is ever opened.

Who asks for a name tells it to the name servers of its domain. A tunnel must never ask for the same name
twice, or a cache would answer; a device at its work asks for the same few names again and again. So each
domain has a level, in points, for each *new* name under it: a few for being new, more for what is long and
does not read like words, four times as many for a record type that nobody needs to find an address. The
level sinks steadily; a domain that reaches the threshold is reported.

Long means long without a break at a dot or hyphen, for content networks and vendors write long names of
short parts. Words are told by their vowels: Shannon's entropy of a dozen characters cannot do it
(`connectivitycheck` has 3.1 bits a character, twelve random hexadecimal digits have 3.0 on average).

One instance watches one device. What it remembers is bounded, and a flood of other domains pushes out the
domains with the lowest levels first. It knows no answer, no address and no clock.
"""

from collections import OrderedDict
from itertools import islice
from re import compile as regex
from typing import NamedTuple

from smartrouter.core.events import Question
from smartrouter.core.names import is_below, labels, registrable_domain

# Captures of 15 real devices reach 16 points at most, what else devices may do 250. Real tunnels by
# iodine and dns2tcp, in any record type, pass 400 within 13 to 19 queries; a beacon each minute after 11.
THRESHOLD = 400.0  # points
LEAK = 100 / 3600  # points a second: a new name every two minutes may go on for ever
QUIET = 3600.0  # seconds without a query, after which a reported domain may be reported again
MAX_DOMAINS = 128  # of one device, of which a level is kept; real devices ask for some dozens
MAX_SEEN = 4096  # names and labels remembered for one device, in hashes: 0.4 MB at most

_NEW_NAME = 3  # points
_MOST = 40  # points for one name: ten names at least make a tunnel, whatever they hold
_ODD_TYPE = 4  # times the points
_SHORT = 8  # characters without a break that are no sign of anything: `4g5ednsl`, `a1b2c3d4`
_ROOMY = 24  # characters of new labels that a plain name may have: `ipv4-c012-fra001-ix.1.oca`
_SAME_DOMAIN = 512  # names and labels remembered under one domain
_CANDIDATES = 8  # domains not asked for longest, of which the one with the lowest level goes

# What clients and their resolvers ask for: A, NS, SOA, PTR, AAAA, DS, DNSKEY, SVCB, HTTPS.
_PLAIN_TYPES = frozenset((1, 2, 6, 12, 28, 43, 48, 64, 65))
_TYPE_NAMES = {1: "A", 5: "CNAME", 10: "NULL", 12: "PTR", 15: "MX", 16: "TXT", 25: "KEY", 28: "AAAA",
               33: "SRV", 65: "HTTPS", 65399: "PRIVATE"}  # fmt: skip

# Nobody but the owner of these domains reads what names are asked for below them.
_BY_DESIGN_OF: dict[str, str] = {
    "names hold what is looked up, in lists of spammers and malware": """
        abuseat.org barracudacentral.org cymru.com dnswl.org e5.sk mailspike.net mcafee.com sophosxl.net
        spamcop.net spamhaus.net spamhaus.org surbl.org uceprotect.net uribl.com
    """,
    "each viewer gets other names: video, advertising, measurements": """
        akstat.io doubleclick.net fbcdn.net googlesyndication.com googlevideo.com gstatic.com nflxvideo.net
        plex.direct
    """,
}
_BY_DESIGN = frozenset(domain for domains in _BY_DESIGN_OF.values() for domain in domains.split())

_ESCAPE = regex(r"\\(?:[0-9]{3}|.)")
_BREAK = regex(r"[-_]+")
_UUID = regex(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")  # telemetry: one for each device, or message
# No six consonants in a row, and digits at the end at most.
_WORDS = regex(r"(?:[bcdfghjklmnpqrstvwxz]{0,5}[aeiouy])+[bcdfghjklmnpqrstvwxz]{0,5}[0-9]{0,3}")
_REVERSE = regex(r"(?:[0-9]{1,3}\.)+in-addr\.arpa|(?:[0-9a-f]\.)+ip6\.arpa")


class Suspicion(NamedTuple):
    """`domain`: the registrable domain that a tunnel seems to lead to. `detail`: a sentence with figures."""

    domain: str
    detail: str


class _Domain:
    """What was asked for under one domain. `common`: what all counted names end in."""

    __slots__ = ("asked", "characters", "common", "level", "names", "reported", "seen", "since", "types")

    def __init__(self, running: float):
        self.asked = self.since = running
        self.level = 0.0
        self.reported = False
        self.seen: set[int] = set()  # hashes of names and of labels
        self.names = self.characters = 0
        self.types: dict[int, int] = {}
        self.common = ""

    def sink(self, running: float) -> None:
        """Time passed until `running`. What is back at nothing starts anew."""
        if self.level:
            self.level = max(0.0, self.level - LEAK * (running - self.asked))
        if not self.level:
            self.since = running
            self.names = self.characters = 0
            self.types = {}
            self.common = ""
            self.seen.clear()


class Tunnels:
    """One device's questions, and which domains they carry something to."""

    __slots__ = ("_domains", "_seen")

    def __init__(self) -> None:
        self._domains: OrderedDict[str, _Domain] = OrderedDict()  # the one asked for longest ago first
        self._seen = 0  # entries of all `seen` together

    def __len__(self) -> int:
        return self._seen + len(self._domains)

    def level(self, domain: str) -> float:
        """The points that `domain` had when it was last asked for."""
        heard = self._domains.get(domain)
        return 0.0 if heard is None else heard.level

    def asked(self, question: Question, running: float) -> Suspicion | None:
        """The device asks `question` at `running` seconds. Gives a suspicion when it first becomes one, and
        again only after the domain was not asked for during an hour."""
        name = question.name
        if name.endswith(".arpa") and _REVERSE.fullmatch(name):
            return None
        domain = registrable_domain(name)
        suffixed = domain == name  # somebody may own the suffix itself; else there is nothing below the name
        if suffixed:
            domain = _parent(name)
            if "." not in domain:
                return None
        if domain in _BY_DESIGN:
            return None
        heard = self._heard(domain, running)
        if heard.reported:
            heard.asked = running
            return None
        key = hash(name)
        if key in heard.seen:
            return None
        before = len(heard.seen)
        heard.sink(running)
        heard.asked = running
        points = _count(heard, question, domain, at_suffix=suffixed)
        suspicion = None
        if points:
            heard.seen.add(key)
            heard.level += points
            if heard.level >= THRESHOLD:
                suspicion = Suspicion(domain, _detail(heard, running))
                heard.reported = True
                heard.seen.clear()
        if len(heard.seen) > _SAME_DOMAIN:
            heard.seen.clear()
        self._seen += len(heard.seen) - before
        while self._seen > MAX_SEEN:
            self._drop_one()
        return suspicion

    def _heard(self, domain: str, running: float) -> _Domain:
        heard = self._domains.get(domain)
        if heard is not None and heard.reported and running - heard.asked >= QUIET:
            heard = None
        if heard is None:
            heard = self._domains[domain] = _Domain(running)
        self._domains.move_to_end(domain)
        if len(self._domains) > MAX_DOMAINS:
            self._drop_one()
        return heard

    def _drop_one(self) -> None:
        oldest = islice(self._domains.items(), _CANDIDATES)
        domain, heard = min(oldest, key=lambda item: item[1].level)
        self._seen -= len(heard.seen)
        del self._domains[domain]


def _count(heard: _Domain, question: Question, domain: str, *, at_suffix: bool) -> float:
    """The points of a new name under `domain`; its new labels are remembered, its figures counted.
    `at_suffix`: the name is somebody's own registration, of which there may be many: only length counts."""
    below = question.name[: -len(domain) - 1]
    carried, length, is_service = 0.0, 0, False
    for label in labels(below):
        if label.startswith("_") and len(label) <= 16:  # a service or protocol (RFC 8552)
            is_service = True
            continue
        key = hash(label)
        if key in heard.seen:
            continue
        if len(label) >= _SHORT // 2:
            heard.seen.add(key)
        characters, excess = _weigh(label)
        length += characters
        carried += excess
    carried = max(carried, length - _ROOMY)
    carried += -_SHORT if at_suffix else _NEW_NAME
    if carried <= 0:
        return 0.0
    _add_figures(heard, question, below)
    times = 1 if is_service or question.type in _PLAIN_TYPES else _ODD_TYPE
    return min(_MOST, times * carried)


def _weigh(label: str) -> tuple[int, float]:
    """The characters of `label`, and how many of them are beyond what plain names have."""
    if "\\" in label:
        label = _ESCAPE.sub("?", label)
    if len(label) <= _SHORT:
        return len(label), 0.0
    if _UUID.fullmatch(label):
        return 0, 0.0
    excess = 0.0
    for part in _BREAK.split(label):
        if len(part) > _SHORT:
            excess += (len(part) - _SHORT) / (4 if _WORDS.fullmatch(part) else 1)
    return len(label), excess


def _add_figures(heard: _Domain, question: Question, below: str) -> None:
    heard.names += 1
    heard.characters += len(question.name) if "\\" not in below else len(_ESCAPE.sub("?", question.name))
    heard.types[question.type] = heard.types.get(question.type, 0) + 1
    heard.common = heard.common or _parent(question.name)
    while not is_below(question.name, heard.common):
        heard.common = _parent(heard.common)


def _detail(heard: _Domain, running: float) -> str:
    often = sorted(heard.types.items(), key=lambda item: item[1], reverse=True)
    types = [
        f"{100 * count // heard.names} % of type {_TYPE_NAMES.get(kind, f'TYPE{kind}')}"  # RFC 3597 section 5
        for kind, count in often[:3]
    ]
    span = max(1, round(running - heard.since))
    within = f"{span} s" if span < 600 else f"{round(span / 60)} min"
    length = round(heard.characters / heard.names) - len(heard.common) - 1
    return (
        f"{heard.names} different names under {heard.common} within {within}, {length} characters long on "
        f"average, {', '.join(types)}"
    )


def _parent(name: str) -> str:
    """`name` without its first label."""
    return name[len(labels(name)[0]) + 1 :] if name else ""
