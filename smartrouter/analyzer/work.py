# SPDX-License-Identifier: GPL-2.0-or-later
"""The analyzer's work: finds devices, looks names and addresses up, writes alerts out, looks at what is new.

One thread calls `turn`; one more does the periodic run, some wait for DNS. Whatever fails (no network, a full
disk, a damaged store) is said once, shown in `status`, and tried again. Which process it is, and who talks
to it, is `daemon`'s business.
"""

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from smartrouter.analyzer.alertlog import AlertLog
from smartrouter.analyzer.analysis import TROUBLE, Run, analyse, last_run, settle
from smartrouter.analyzer.discovery import Found
from smartrouter.analyzer.forward import Forward
from smartrouter.analyzer.lookups import Lookups
from smartrouter.analyzer.scout import Scout
from smartrouter.config import Config
from smartrouter.core.errors import SmartrouterError
from smartrouter.linux.leases import LeaseFiles
from smartrouter.makers import Makers
from smartrouter.store.changes import Sighting, set_meta, upsert_devices
from smartrouter.store.connect import identity, open_writer
from smartrouter.store.queries import devices
from smartrouter.store.retention import Limits

log = logging.getLogger("smartrouter.analyzer")

TOLD_AT_ONCE = 200  # devices a message
FIRST_RUN = 30.0  # seconds after the start, if `analysis_interval` is longer


class Tell(Protocol):
    """Tells the supervisor something, for the guard."""

    def __call__(self, what: str, **facts: object) -> None: ...


class Analyzer:
    """One process's work. `turn` often, and when one of `filenos` is readable, until `stop`."""

    def __init__(self, share: dict[str, Any], makers: Makers, tell: Tell, leases: LeaseFiles):
        self._tell = tell
        self._scout = Scout(makers, leases)
        self._lookups = Lookups()
        self._forward = Forward(self._lookups)
        self._store: Store | None = None
        self._unsaved: dict[str, Found] = {}
        self._troubles: dict[str, str] = {}  # what fails -> why
        self._noted = ""  # of these, in the store
        self._run: Run | None = None
        self._stopping = threading.Event()
        self.configure(share)
        self._runs = threading.Thread(target=self._run_periodically, name="analysis", daemon=True)
        self._runs.start()

    def filenos(self) -> tuple[int, int]:
        """Readable when a neighbour came or changed, and when a lookup has ended."""
        return self._scout.fileno(), self._lookups.fileno()

    def configure(self, share: dict[str, Any]) -> None:
        """Take up a new share of the configuration. Raises BadConfig and keeps the old one."""
        self._config = Config.from_share(share["config"])
        self._scout.go(share["lan"], share["iot"])
        self._rules_changed = True

    def look_up(self, names: object) -> None:
        """The guard wants the addresses of these names; `tell` will say what came of it."""
        self._forward.ask(names)

    def turn(self) -> None:
        """Do what is due."""
        if news := self._forward.news():
            self._tell("looked_up", names=news)
        self._try("store", self._open_store)
        self._try("discovery", self._discover)
        for what, do in (
            ("devices", self._save),
            ("alert file", self._write_alerts),
            ("alerts", self._settle),
        ):
            if self._store is not None:
                self._try(what, do)
        self._note_troubles()

    def status(self) -> dict[str, Any]:
        """What it is doing."""
        run = None if self._run is None else self._run._asdict()
        return {
            **self._scout.status(),
            "run": run,
            "lookups_dropped": self._forward.dropped,
            "trouble": dict(self._troubles),
        }

    def stop(self) -> None:
        """Let go of everything."""
        self._stopping.set()
        self._runs.join(1.0)
        self._close_store()
        self._scout.close()

    # -- devices and alerts ----------------------------------------------------------------------------

    def _discover(self) -> None:
        news = self._scout.look()
        self._unsaved.update((device.mac, device) for device in news)
        for start in range(0, len(news), TOLD_AT_ONCE):
            self._tell("seen", devices=[_told(device) for device in news[start : start + TOLD_AT_ONCE]])
        if claims := self._scout.claims():
            self._tell("claims", claims=claims)

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

    def _write_alerts(self) -> None:
        if self._store is not None:
            self._store.alerts.turn()

    # -- the store -------------------------------------------------------------------------------------

    def _open_store(self) -> None:
        """Have the store open; anew where another is wanted, or the file was replaced."""
        main = self._config.main
        place = (main.database, main.alert_file)
        if self._store is not None and self._store.is_still(*place):
            return
        self._close_store()
        self._store = Store(*place, self._lookups)
        self._scout.remember((device.mac, device.hostname) for device in devices(self._store.conn))
        self._run = self._run or last_run(self._store.conn)

    def _settle(self) -> None:
        """After a change of the rules: decide about the alerts that they speak of."""
        if self._store is not None and self._rules_changed:
            settle(self._store.conn, self._config.settings(frozenset()), time.time())
            self._rules_changed = False

    def _note_troubles(self) -> None:
        """Keep for `status` what fails, where that has changed."""
        troubles = json.dumps(self._troubles)
        if self._store is not None and troubles != self._noted:
            with suppress(sqlite3.Error):
                set_meta(self._store.conn, TROUBLE, troubles)
                self._noted = troubles

    def _close_store(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _try(self, what: str, do: Callable[[], object]) -> None:
        """Do it; say when it begins to fail, and when it works again."""
        try:
            do()
        except (SmartrouterError, sqlite3.Error, OSError) as error:
            if isinstance(error, sqlite3.Error) and threading.current_thread() is not self._runs:
                self._close_store()
            if self._troubles.get(what) != str(error):
                log.error("%s: %s", what, error)
            self._troubles[what] = str(error)
        else:
            if self._troubles.pop(what, None) is not None:
                log.warning("%s: works again", what)

    # -- the periodic run, in its own thread -------------------------------------------------------------

    def _run_periodically(self) -> None:
        wait = min(FIRST_RUN, self._config.main.analysis_interval)
        while not self._stopping.wait(wait):
            try:
                self._try("analysis", self._analyse)
            except Exception as fault:
                log.exception("a fault of ours; the next run goes on")
                self._troubles["analysis"] = f"a fault of smartrouter's: {type(fault).__name__}"
            wait = self._config.main.analysis_interval

    def _analyse(self) -> None:
        main = self._config.main
        conn = open_writer(main.database)
        try:
            limits = Limits(main.attempts_kept, main.retention, main.max_size)
            self._run = analyse(conn, main.match, limits)
        finally:
            conn.close()
        for finding in self._run.findings:
            log.info("%s", finding)


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
        device.addresses,
    )  # fmt: skip
