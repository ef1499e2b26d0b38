# SPDX-License-Identifier: GPL-2.0-or-later
"""The analyzer's work: finds devices, looks names and addresses up, writes alerts out, looks at what is new.

One thread calls `turn`; one more does the periodic run (`periodic`), some wait for DNS. Whatever fails is
tried again (`troubles`). Which process it is, and who talks to it, is `daemon`'s business.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from smartrouter.analyzer.alertlog import AlertLog
from smartrouter.analyzer.analysis import settle
from smartrouter.analyzer.answers import Answered, Switched
from smartrouter.analyzer.delivery import Delivery
from smartrouter.analyzer.discovery import Found, Remembered
from smartrouter.analyzer.forward import Forward
from smartrouter.analyzer.gallery import Gallery
from smartrouter.analyzer.lookups import Lookups
from smartrouter.analyzer.periodic import Periodic
from smartrouter.analyzer.scout import Scout
from smartrouter.analyzer.second_thoughts import open_again, see, taken_back
from smartrouter.analyzer.site import site_of
from smartrouter.analyzer.study import Study
from smartrouter.analyzer.troubles import Troubles
from smartrouter.config import Config, RuleConfig
from smartrouter.core.errors import Unavailable
from smartrouter.core.events import Moment
from smartrouter.core.policy import Reason
from smartrouter.linux.leases import LeaseFiles
from smartrouter.linux.multicast import Memberships
from smartrouter.makers import Makers
from smartrouter.notify.message import Answer
from smartrouter.store.alerts import AlertState, latest_alert, set_alert_state
from smartrouter.store.changes import (
    Sighting,
    forget_presence,
    keep_portraits,
    note_successor,
    set_meta,
    upsert_devices,
)
from smartrouter.store.connect import identity, open_writer
from smartrouter.store.queries import devices, learned_names, portraits
from smartrouter.store.runs import TROUBLE, latest_runs

log = logging.getLogger("smartrouter.analyzer")

TOLD_AT_ONCE = 200  # devices a message
NEEDS_EVERY = 60.0  # seconds between two looks at what devices were seen to need
PORTRAITS_EVERY = 60.0  # seconds between two times that what devices have shown is kept
# Seconds after a change of the rules in which the guard takes it up, and stores what it raised before.
SETTLE_FOR = 5.0


class Tell(Protocol):
    """Tells the supervisor something, for the guard."""

    def __call__(self, what: str, **facts: object) -> None: ...


class Analyzer:
    """One process's work. `turn` often, and when one of `filenos` is readable, until `stop`."""

    def __init__(self, share: dict[str, Any], makers: Makers, tell: Tell, leases: LeaseFiles):
        self._tell = tell
        self._gallery = Gallery()
        self._scout = Scout(makers, leases, self._gallery)
        self._study = Study()
        self._members = Memberships()
        self._lookups = Lookups()
        self._forward = Forward(self._lookups)
        self._store: Store | None = None
        self._unsaved: dict[str, Found] = {}
        self._needed: Mapping[str, frozenset[str]] = {}
        self._next_needs = self._next_portraits = 0.0
        self._troubles = Troubles()
        self._deaf: dict[str, str] = {}  # channels on which nobody can answer -> why
        self._noted = ""  # of both, in the store
        self._has_begun = False  # has the store been open yet?
        self._delivery: Delivery | None = None
        self._config = Config()
        self._taken_back: list[RuleConfig] = []  # whose alerts are to be opened again
        self.configure(share)
        self._delivery = Delivery(self._config)
        self._delivery.configure(self._config, self._site)
        self._runs = Periodic(lambda: self._config, self._troubles)

    def filenos(self) -> list[int]:
        """Readable when there is news of devices, and when a lookup or a delivery has ended; always the same
        ones."""
        own = [] if self._delivery is None else [self._delivery.fileno()]
        return [*self._scout.filenos(), self._lookups.fileno(), *own]

    def next_deadline(self) -> float:
        """When to `turn`, if nothing happens before (CLOCK_MONOTONIC seconds)."""
        return self._scout.next_deadline()

    def configure(self, share: dict[str, Any]) -> None:
        """Take up a new share of the configuration. Raises BadConfig and keeps the old one."""
        before, self._config = self._config, Config.from_share(share["config"])
        self._taken_back += taken_back(before.rules, self._config.rules, time.time())
        self._site = site_of(self._config.web, share["lan"])
        self._scout.go(share["lan"], share["iot"])
        self._members.keep((*share["lan"], *share["iot"]))
        self._settle_until = time.monotonic() + SETTLE_FOR
        self._settled_to: int | None = None  # the latest alert of which it was asked what the rules say
        if self._delivery is not None:
            self._delivery.configure(self._config, self._site)

    @property
    def config(self) -> Config:
        """Its share of the configuration."""
        return self._config

    def look_up(self, names: object) -> None:
        """The guard wants the addresses of these names; `tell` will say what came of it."""
        self._forward.ask(names)

    def not_done(self, number: object, why: object) -> None:
        """What somebody answered on a channel could not be done."""
        if self._delivery is not None and isinstance(number, int) and isinstance(why, str):
            self._delivery.not_done(number, why)

    def see(self, do: str, number: object, by: object) -> dict[str, Any]:
        """Somebody has seen an alert, or wants to be asked again. Raises SmartrouterError."""
        conn = None if self._store is None else self._store.conn
        try:
            return see(conn, do, number, by, time.time())
        except sqlite3.Error as error:
            raise Unavailable(f"cannot write to the store: {error}") from error

    def succeeded(self, before: object, now: object) -> None:
        """The device with the MAC `before` has `now`."""
        if self._store is not None and isinstance(before, str) and isinstance(now, str):
            note_successor(self._store.conn, before, now)

    def overheard(self, packets: object) -> None:
        """The guard overheard what devices said of themselves."""
        self._gallery.heard(packets if isinstance(packets, list) else (), time.time())

    def turn(self) -> None:
        """Do what is due."""
        if news := self._forward.news():
            self._tell("looked_up", names=news)
        self._try("store", self._open_store)
        self._try("discovery", self._discover)
        self._try("looking around", self._scout.check)
        for what, do in (
            ("devices", self._save),
            ("alert file", self._write_alerts),
            ("alerts", self._settle),
            ("notifications", self._deliver),
            ("portraits", self._keep_portraits_now_and_then),
        ):
            if self._store is not None:
                self._try(what, do)
        self._note_troubles()

    def status(self) -> dict[str, Any]:
        """What it is doing."""
        run = None if self._runs.latest is None else self._runs.latest._asdict()
        return {
            **self._scout.status(),
            "run": run,
            "lookups_dropped": self._forward.dropped,
            "trouble": self._troubles.now(),
        }

    def stop(self) -> None:
        """Let go of everything."""
        self._runs.stop()
        self._try("portraits", self._keep_portraits)
        if self._delivery is not None:
            self._delivery.stop()
        self._close_store()
        self._scout.close()
        self._members.close()

    # -- devices and alerts ----------------------------------------------------------------------------

    def _discover(self) -> None:
        doubts = [[mac, Reason.OTHER_SYSTEM, detail] for mac, detail in self._gallery.doubts()]
        for mac, _, _ in doubts:
            self._scout.doubted(mac)
        if changed := self._gallery.changed():
            self._scout.shown(changed)
        news = self._scout.look()
        if news or self._scout.is_behind:
            self._scout.recognise([device.mac for device in news], self._needs())
        for mac, places in self._scout.spread():
            doubts.append([mac, Reason.TWO_PLACES, f"it is on {' and on '.join(places)} at the same time"])
        self._unsaved.update((device.mac, device) for device in news)
        for start in range(0, len(news), TOLD_AT_ONCE):
            self._tell("seen", devices=[_told(device) for device in news[start : start + TOLD_AT_ONCE]])
        if claims := self._scout.claims():
            self._tell("claims", claims=claims)
        if doubts:
            self._tell("doubts", doubts=doubts)
        studied = self._study.wanted(self._scout.there(), self._config.devices, time.monotonic())
        if studied is not None:
            self._tell("study", devices=studied)

    def _save(self) -> None:
        """Keep what was found; what cannot be kept now waits."""
        if self._store is None or not self._unsaved:
            return
        now = time.time()
        # Most were heard of just now; those that the table remembers from before, when they were.
        moments: dict[float, list[Sighting]] = {}
        for device in self._unsaved.values():
            moments.setdefault(min(now, device.at) // 60 * 60, []).append(_sighting(device))
        for at, sightings in moments.items():
            upsert_devices(self._store.conn, sightings, min(now, at + 60))
        self._unsaved.clear()

    def _needs(self) -> Mapping[str, frozenset[str]]:
        """What devices were seen to need, as it was lately."""
        now = time.monotonic()
        if self._store is not None and now >= self._next_needs:
            self._next_needs = now + NEEDS_EVERY
            self._needed = learned_names(self._store.conn)
        return self._needed

    def _keep_portraits_now_and_then(self) -> None:
        now = time.monotonic()
        if now >= self._next_portraits:
            self._next_portraits = now + PORTRAITS_EVERY
            self._keep_portraits()

    def _keep_portraits(self) -> None:
        """Keep what devices have shown, some at a time: flash wears."""
        if self._store is not None and (unsaved := self._gallery.unsaved(self._is_kept)):
            keep_portraits(self._store.conn, unsaved)
            self._gallery.saved(unsaved)

    def _is_kept(self, mac: str) -> bool:
        """Is this device in the store?"""
        return self._scout.knows(mac) and mac not in self._unsaved

    def _write_alerts(self) -> None:
        if self._store is not None:
            self._store.alerts.turn()

    def _deliver(self) -> None:
        """Hand over what is to be told, and take up what people answer."""
        if self._delivery is None or self._store is None:
            return
        now = Moment(time.monotonic(), time.time())
        for answered in self._delivery.turn(now):
            if isinstance(answered, Switched):
                self._tell("switched", device=answered.mac, mode=str(answered.mode), by=answered.by)
            else:
                self._obey(answered, now.wall)
        self._deaf = self._delivery.troubles()

    def _obey(self, answered: Answered, wall: float) -> None:
        """What lasts is written by the supervisor, which checks it; that an alert was seen stays here."""
        found, by = answered.alert, answered.by
        if answered.answer is Answer.KEEP_BLOCKING:
            if self._store is not None and found is not None:
                set_alert_state(self._store.conn, found.id, AlertState.DISMISSED, by, wall)
            return
        facts: dict[str, object] = {"answer": str(answered.answer), "device": answered.mac, "by": by}
        if found is not None:
            facts |= {"destination": found.destination, "service": found.service, "alert": found.id}
        self._tell("answered", **facts)

    # -- the store -------------------------------------------------------------------------------------

    def _open_store(self) -> None:
        """Have the store open; anew where another is wanted, or the file was replaced."""
        main = self._config.main
        place = (main.database, main.alert_file)
        if self._store is not None and self._store.is_still(*place):
            return
        self._close_store()
        self._store = Store(*place, self._lookups)
        self._settled_to = None
        if not self._has_begun:
            forget_presence(self._store.conn)
            self._has_begun = True
        if self._delivery is not None:
            self._delivery.attach(self._store.conn)
        self._gallery.restore(portraits(self._store.conn))
        self._scout.remember(
            Remembered(device.mac, device.hostname, device.first_seen, device.iot_since)
            for device in devices(self._store.conn)
        )
        self._runs.latest = self._runs.latest or next(iter(latest_runs(self._store.conn, 1)), None)

    def _settle(self) -> None:
        """After a change of the rules: decide about the alerts that they speak of. For a while also about
        those that come: the guard may have raised them before it had the change, and nobody is to hear of
        them as of something new."""
        after = self._settled_to
        if self._store is None or (after is not None and time.monotonic() > self._settle_until):
            return
        conn = self._store.conn
        latest = latest_alert(conn)
        open_again(conn, self._taken_back)
        self._taken_back.clear()
        settle(conn, self._config.settings(frozenset()), time.time(), after or 0)
        self._settled_to = latest

    def _note_troubles(self) -> None:
        """Keep for `status` what fails, where that has changed."""
        deaf = {f"channel {key} (for answers)": why for key, why in self._deaf.items()}
        troubles = json.dumps(self._troubles.now() | deaf)
        if self._store is not None and troubles != self._noted:
            with suppress(sqlite3.Error):
                set_meta(self._store.conn, TROUBLE, troubles)
                self._noted = troubles

    def _close_store(self) -> None:
        if self._store is not None:
            if self._delivery is not None:
                self._delivery.attach(None)
            self._store.close()
            self._store = None

    def _try(self, what: str, do: Callable[[], object]) -> None:
        """See `Troubles.attempt`; a store that failed is opened anew."""
        if isinstance(self._troubles.attempt(what, do), sqlite3.Error):
            self._close_store()


class Store:
    """The main thread's connection, and what hangs on it."""

    def __init__(self, database: str, alert_file: str, lookups: Lookups):
        self._place = database, alert_file
        self.conn = open_writer(database)
        self._file = identity(database)
        try:
            self.alerts = AlertLog(self.conn, alert_file, lookups)
        except BaseException:
            self.conn.close()
            raise

    def is_still(self, database: str, alert_file: str) -> bool:
        """Is it still the one that is wanted, and the file still the one that was opened?"""
        return self._place == (database, alert_file) and identity(database) == self._file

    def close(self) -> None:
        """Let go of it."""
        self.conn.close()


def _told(device: Found) -> dict[str, Any]:
    """The fields of core.events.DeviceSeen."""
    return {
        "mac": device.mac,
        "iot": device.kind.iot,
        "on_iot_network": device.on_iot_network,
        "hostname": device.hostname,
        "maker": device.maker,
    }


def _sighting(device: Found) -> Sighting:
    return Sighting(
        device.mac, device.hostname, device.maker, *device.kind, device.interface, device.on_iot_network,
        device.addresses, device.present, device.port, device.called, device.iot_since, device.probably,
        device.probably_reasons,
    )  # fmt: skip
