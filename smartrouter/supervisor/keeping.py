# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept on flash while the database lies in memory, and when: `option snapshot`.

    DIRECTORY/ruleset.nft   with `closed`: what the init script loads before the network (root's alone)
    DIRECTORY/state/        the copy of the store and the journal of what was learned (the service group's)

All of it is done by errands, for which nothing else waits: flash is slow. Those that open the store give up
root first: whom the group lets in could have put anything in its place.
"""

import functools
import os
import time
from collections.abc import Callable, Mapping
from typing import Any

from smartrouter.channel import Answer
from smartrouter.core.errors import SmartrouterError
from smartrouter.journal import Journal
from smartrouter.linux.privileges import User, drop
from smartrouter.supervisor.errands import Errands

log = Journal("smartrouter.supervisor")

STATE = "state"
NOTE_EVERY = 60.0  # seconds between two looks at what was learned
RULESET_AFTER = 20.0  # seconds from a change of the configuration until the ruleset is kept


class Keeping:
    """Times are CLOCK_MONOTONIC seconds."""

    def __init__(self, errands: Errands, user: User):
        self._problems: dict[str, str] = {}  # what fails -> why
        self._errands = errands
        self._user = user
        self._found: Mapping[str, Any] = {}
        self._lost = ""  # why what was kept could not be taken up
        self._busy = False
        self._copied = self._noted = 0.0  # when
        self._signature: list[int] | None = None  # of the store when it was last copied
        self._ruleset_at: float | None = None

    @property
    def directory(self) -> str:
        """Where; '' for nowhere: what could not be taken up from there must not be written over."""
        return "" if self._lost else str(self._found.get("snapshot") or "")

    @property
    def problem(self) -> str:
        """Why something cannot be kept at the moment; '' if all can."""
        return self._lost or next(iter(self._problems.values()), "")

    def configure(self, found: Mapping[str, Any], now: float) -> None:
        """Take up what a survey found (`supervisor.survey`)."""
        if not self._found:
            self._copied = self._noted = now
        self._lost = self._lost or str(found.get("not_restored") or "")
        self._found = found
        self._ruleset_at = now + RULESET_AFTER

    def step(self, now: float) -> None:
        """Have done what is due."""
        if not self.directory or self._busy or not self._found.get("enabled"):
            return
        if now - self._copied >= self._found["snapshot_interval"]:
            self._copied = self._noted = self._ruleset_at = now
            self._do("the store", functools.partial(_copy, self._found, self._user, self._signature), now)
        elif now - self._noted >= NOTE_EVERY:
            self._noted = now
            self._do("what was learned", functools.partial(_note, self._found, self._user), now)
        elif self._ruleset_at is not None and now >= self._ruleset_at:
            self._ruleset_at = None
            self._do("the ruleset", functools.partial(keep_ruleset, self._found), now)

    def finish(self, now: float) -> None:
        """Nothing writes into the store any more: keep it."""
        if self.directory:
            self._do("the store", functools.partial(_copy, self._found, self._user, self._signature), now)

    def _do(self, what: str, work: Callable[[], Mapping[str, Any]], now: float) -> None:
        def done(answer: Answer) -> None:
            self._busy = False
            before, why = self._problems.pop(what, ""), str(answer.get("error", ""))
            if why:
                self._problems[what] = why
            if why and why != before:
                log.error("%s not kept in %s: %s", what, self.directory, why)
            elif before and not why:
                log.warning("%s kept in %s again", what, self.directory)
            self._signature = answer.get("ok", {}).get("signature", self._signature)

        self._busy = True
        self._errands.send(work, done, now)


def restore(found: Mapping[str, Any], user: User) -> str:
    """Have the store be what was kept of it, where it lies in memory that is empty. An errand's last act: it
    gives up root. Gives why it could not, '' if it could or there was nothing: the guard runs even so."""
    import sqlite3

    try:
        _restore(found, user)
    except (SmartrouterError, sqlite3.Error, OSError) as error:
        log.critical("%s", error)
        return f"{error}; nothing is written there until the next start"
    return ""


def _restore(found: Mapping[str, Any], user: User) -> None:
    from smartrouter.store import snapshot
    from smartrouter.store.files import make_directory

    if not found["snapshot"]:
        return
    make_directory(os.path.join(found["snapshot"], STATE), user.gid)
    if os.path.getsize(found["database"]):
        return
    began = time.monotonic()
    drop(user, keep_net_admin=False)
    state = snapshot.restore(found["database"], os.path.join(found["snapshot"], STATE))
    for path in state.damaged:
        log.critical("what was kept cannot be read: set aside as %s", path)
    if state.copy:
        log.info(
            "took up the store from %s in %.1f s; learned since it was copied: %d, forgotten: %d",
            found["snapshot"], time.monotonic() - began, state.learned, state.forgotten,
        )  # fmt: skip


def keep_ruleset(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep the ruleset for the next boot, where it must be there before the guard; else have none kept."""
    if not found.get("snapshot"):
        return {}
    from smartrouter.config import Config
    from smartrouter.linux import kept_ruleset
    from smartrouter.linux.ruleset import Plan

    path = os.path.join(found["snapshot"], kept_ruleset.NAME)
    config = Config.from_share(found["shares"]["guard"])
    main = config.main
    if main.on_failure != "closed" or not found["enabled"] or "around" not in found:
        if main.on_failure != "closed" or not found["enabled"]:
            kept_ruleset.drop(path)
        return {}
    around = found["around"]
    plan = Plan(
        lan=tuple(around["lan"]),
        iot=tuple(around["iot"]),
        on_failure=main.on_failure,
        block_action=main.block_action,
        pass_mark=main.pass_mark,
        block_mark=main.block_mark,
        redirect_dns=main.redirect_dns,
        shared_resolvers=config.settings(frozenset(around["upstreams"])).shared_resolvers,
    )
    os.makedirs(found["snapshot"], exist_ok=True)
    return {"bytes": kept_ruleset.keep(path, plan)}


def _copy(found: Mapping[str, Any], user: User, before: list[int] | None) -> Mapping[str, Any]:
    from smartrouter.store import snapshot

    drop(user, keep_net_admin=False)
    signature = snapshot.signature(found["database"])
    if signature == before:
        return {"signature": signature}
    size = snapshot.take(found["database"], os.path.join(found["snapshot"], STATE))
    return {"signature": signature, "bytes": size}


def _note(found: Mapping[str, Any], user: User) -> Mapping[str, Any]:
    from smartrouter.store import snapshot

    drop(user, keep_net_admin=False)
    return {"bytes": snapshot.note(found["database"], os.path.join(found["snapshot"], STATE))}
