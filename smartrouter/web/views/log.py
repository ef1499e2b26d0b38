# SPDX-License-Identifier: GPL-2.0-or-later
"""*Log*: the attempts, newest first, as the address filters them. And the same as a file.

Cells of a file for spreadsheets begin with nothing that one would calculate: host names are attacker's text
(https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timezone
from typing import NamedTuple
from urllib.parse import urlencode

from smartrouter.core.inert import cut, inert
from smartrouter.core.policy import REASONS, Reason
from smartrouter.listings.known import Known
from smartrouter.store import log as stored
from smartrouter.store.attempts import StoredAttempt
from smartrouter.supervisor.seen import is_mac
from smartrouter.web.views import words

ON_A_PAGE = 100
AT_ONCE = 500  # attempts of a file that are in memory
LONGEST = 300  # characters of what is looked for
_FIELDS = ("device", "verdict", "reason", "destination", "service", "since", "until")
_VERDICTS: Mapping[str, bool] = {"passed": True, "blocked": False}
_CALCULATES = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
COLUMNS = (
    "id", "time", "mac", "device", "source", "source_port", "name", "address", "port", "protocol", "service",
    "scope", "evidence", "verdict", "reason",
)  # fmt: skip
"""Of a file; `time` in UTC."""


class Filter(NamedTuple):
    """What somebody looks for. `given`: as it was said, by field; `wanted`: what that means; `faults`: what
    makes no sense, in words, by field."""

    given: Mapping[str, str]
    wanted: stored.Wanted
    faults: Mapping[str, str]

    @property
    def query(self) -> str:
        """The same as a part of an address, '' if nothing is looked for."""
        return urlencode(self.given)


class Row(NamedTuple):
    """An attempt. `where`: the name, or the address; `sentence`: what its reason means."""

    id: int
    at: float
    mac: str
    label: str
    where: str
    address: str
    port: int
    service: str
    accepted: bool
    reason: str
    sentence: str
    evidence: str


class Log(NamedTuple):
    """See the module. `older`: the cursor of the next page, None where there is none; `is_whole`: nothing was
    left out between this page and that; `reasons`: that can be looked for; `newest`: the id of the
    newest attempt of all: what comes is above it."""

    filter: Filter
    rows: Sequence[Row]
    older: int | None
    is_whole: bool
    reasons: Sequence[str]
    newest: int


def read_filter(given: Mapping[str, str], zone: timezone | None) -> Filter:
    """From an address's parameters. Moments are `2026-11-30T22:10`, in the reader's `zone`."""
    said = {field: given.get(field, "").strip()[:LONGEST] for field in _FIELDS}
    faults: dict[str, str] = {}
    mac = said["device"].lower()
    if mac and not is_mac(mac):
        faults["device"] = "a device is named by its MAC here, as 3c:2e:ff:29:4d:93"
        mac = ""
    if said["verdict"] and said["verdict"] not in _VERDICTS:
        faults["verdict"] = "a verdict is `passed` or `blocked`"
    moments: dict[str, float | None] = {}
    for field in ("since", "until"):
        moments[field] = None
        if said[field]:
            try:
                moments[field] = _moment(said[field], zone)
            except (ValueError, OverflowError):
                faults[field] = "a moment is written as 2026-11-30T22:10"
    wanted = stored.Wanted(
        mac, _VERDICTS.get(said["verdict"]), said["reason"], said["destination"], said["service"], **moments
    )
    return Filter({field: text for field, text in said.items() if text}, wanted, faults)


def log(known: Known, conn: sqlite3.Connection, found: Filter, before: int | None) -> Log:
    """The page of attempts below the id `before` (None: the newest). Raises sqlite3.Error."""
    page = stored.page(conn, found.wanted, ON_A_PAGE, before)
    words = set(stored.reasons(conn))
    return Log(
        filter=found,
        rows=[row(known, each) for each in page.attempts],
        older=page.older,
        is_whole=page.is_whole,
        reasons=[str(reason) for reason in Reason if reason in words],
        newest=stored.newest(conn),
    )


def row(known: Known, attempt: StoredAttempt) -> Row:
    """One attempt."""
    return Row(
        id=attempt.id,
        at=attempt.at,
        mac=attempt.mac,
        label=cut(known.label(attempt.mac), words.LONGEST) if attempt.mac else "a device that is gone",
        where=words.tail(attempt.name or attempt.address),
        address=attempt.address if attempt.name else "",
        port=attempt.port,
        service=attempt.service,
        accepted=attempt.accepted,
        reason=attempt.reason,
        sentence=_sentence(attempt.reason),
        evidence=attempt.evidence,
    )


# -- as a file ---------------------------------------------------------------------------------------------

Open = Callable[[], AbstractContextManager[sqlite3.Connection]]


def as_csv(known: Known, open_store: Open, found: Filter) -> Iterator[str]:
    """The attempts as comma-separated values, a part at a time."""
    yield ",".join(COLUMNS) + "\r\n"
    for some in _parts(open_store, found.wanted):
        text = io.StringIO()
        writer = csv.writer(text)
        for attempt in some:
            writer.writerow([_harmless(str(value)) for value in _values(known, attempt).values()])
        yield text.getvalue()


def as_json(known: Known, open_store: Open, found: Filter) -> Iterator[str]:
    """The same as a list of objects, one a line."""
    before = "[\n"
    for some in _parts(open_store, found.wanted):
        for attempt in some:
            yield before + json.dumps(_values(known, attempt))
            before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _parts(open_store: Open, wanted: stored.Wanted) -> Iterator[Sequence[StoredAttempt]]:
    """All that is wanted, so many at a time, each read for itself: nothing keeps the store's log from being
    cut back while somebody takes their time."""
    before: int | None = None
    while True:
        with open_store() as conn:
            page = stored.page(conn, wanted, AT_ONCE, before)
        if page.attempts:
            yield page.attempts
        before = page.older
        if before is None:
            return


def _values(known: Known, attempt: StoredAttempt) -> dict[str, object]:
    at = datetime.fromtimestamp(attempt.at, UTC).isoformat(timespec="milliseconds")
    values = attempt._asdict() | {
        "time": at,
        "device": known.label(attempt.mac) if attempt.mac else "",
        "verdict": "passed" if attempt.accepted else "blocked",
    }
    return {column: values[column] for column in COLUMNS}


def _harmless(text: str) -> str:
    """A cell that no spreadsheet takes for a formula, and no reader for more than one line."""
    shown = inert(text)
    return f"'{shown}" if shown.startswith(_CALCULATES) else shown


def _sentence(reason: str) -> str:
    try:
        return REASONS[Reason(reason)]
    except ValueError:
        return ""


def _moment(text: str, zone: timezone | None) -> float:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None and zone is not None:
        found = found.replace(tzinfo=zone)
    return found.timestamp()
