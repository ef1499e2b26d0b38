# SPDX-License-Identifier: GPL-2.0-or-later
"""The analyzer: finds devices, names addresses, writes alerts out, and looks at what is new. No packets.

This is the wiring of one unprivileged process. The main thread waits for the kernel's neighbour table and
for the supervisor; one more does the periodic run, some wait for DNS. Whatever fails (no network, a full
disk, a damaged store) is said once, shown in `status`, and tried again.
"""

import json
import logging
import select
import signal
import sqlite3
import threading
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from smartrouter.analyzer.alertlog import AlertLog
from smartrouter.analyzer.analysis import TROUBLE, Run, analyse, last_run, settle
from smartrouter.analyzer.discovery import Found
from smartrouter.analyzer.reverse import Lookups
from smartrouter.analyzer.scout import Scout
from smartrouter.channel import Channel, Gone
from smartrouter.config import Config, load
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.core.names import registrable_domain
from smartrouter.linux import interfaces, privileges
from smartrouter.linux.leases import USUAL_PATHS, LeaseFiles
from smartrouter.linux.makers import Makers
from smartrouter.store.changes import Sighting, set_meta, upsert_devices
from smartrouter.store.connect import identity, open_writer
from smartrouter.store.queries import devices
from smartrouter.store.retention import Limits

log = logging.getLogger("smartrouter.analyzer")

TURN = 0.25  # seconds between two looks at leases and alerts
TOLD_AT_ONCE = 200  # devices a message
FIRST_RUN = 30.0  # seconds after the start, if `analysis_interval` is longer

Tell = Callable[[Sequence[dict[str, Any]]], None]


class Analyzer:
    """One process's work. `turn` often, until `stop`. `tell` hands devices on to the guard."""

    def __init__(self, share: dict[str, Any], makers: Makers, tell: Tell, leases: LeaseFiles):
        self._tell = tell
        self._scout = Scout(makers, leases)
        self._lookups = Lookups()
        self._store: Store | None = None
        self._unsaved: dict[str, Found] = {}
        self._troubles: dict[str, str] = {}  # what fails -> why
        self._noted = ""  # of these, in the store
        self._run: Run | None = None
        self._stopping = threading.Event()
        self.configure(share)
        self._runs = threading.Thread(target=self._run_periodically, name="analysis", daemon=True)
        self._runs.start()

    def fileno(self) -> int:
        """Readable when a neighbour came or changed."""
        return self._scout.fileno()

    def configure(self, share: dict[str, Any]) -> None:
        """Take up a new share of the configuration. Raises BadConfig and keeps the old one."""
        self._config = Config.from_share(share["config"])
        self._scout.go(share["lan"], share["iot"])
        self._rules_changed = True

    def turn(self) -> None:
        """Do what is due."""
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
        return {**self._scout.status(), "run": run, "trouble": dict(self._troubles)}

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
            self._tell([_told(device) for device in news[start : start + TOLD_AT_ONCE]])

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


def main(arguments: Namespace) -> int:
    """`smartrouter analyzer [--config PATH] [--leases PATH] [--channel FD]`. Under a supervisor it takes its
    configuration from the channel; alone it reads the file, and tells nobody of devices."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    paths = [Path(path) for path in arguments.leases] if arguments.leases else USUAL_PATHS
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if arguments.channel is None:
        return _run_alone(arguments.config, LeaseFiles(paths), stopping)
    with Channel(arguments.channel) as channel:
        makers = Makers()
        registrable_domain("example.com")  # reads its list; our files may be closed to the user we become
        privileges.drop(privileges.service_user(), keep_net_admin=False)
        try:
            return _run_supervised(channel, makers, LeaseFiles(paths), stopping)
        except Gone:
            log.error("the supervisor is gone")
            return 1


def _run_supervised(channel: Channel, makers: Makers, leases: LeaseFiles, stopping: threading.Event) -> int:
    analyzer: Analyzer | None = None
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)

    def tell(told: Sequence[dict[str, Any]]) -> None:
        channel.tell("seen", devices=told)

    try:
        while not stopping.is_set():
            channel.beat()
            if analyzer is not None:
                analyzer.turn()
            channel.beat()
            poll.poll(TURN * 1000)
            for request in channel.requests():
                try:
                    if analyzer is None and request.do == "configure":
                        analyzer = Analyzer(request.arguments, makers, tell, leases)
                        poll.register(analyzer.fileno(), select.POLLIN)
                        channel.answer(request.id)
                    else:
                        channel.answer(request.id, _answer(analyzer, request.do, request.arguments))
                except SmartrouterError as error:
                    channel.answer(request.id, error=str(error))
    finally:
        if analyzer is not None:
            analyzer.stop()
    return 0


def _answer(analyzer: Analyzer | None, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
    match do:
        case "configure" if analyzer is not None:
            analyzer.configure(arguments)
            return {}
        case "status" if analyzer is not None:
            return analyzer.status()
        case _:
            raise Unavailable(f"the analyzer cannot do {do!r} (now); is another version running?")


def _tell_nobody(_: Sequence[dict[str, Any]]) -> None:
    """There is no supervisor."""


def _run_alone(path: str, leases: LeaseFiles, stopping: threading.Event) -> int:
    config = load(path)
    found = interfaces.find(config.main.network, config.main.device, config.main.iot_network)
    share = {"config": config.to_share("analyzer"), "lan": found.lan, "iot": found.iot}
    analyzer = Analyzer(share, Makers(), _tell_nobody, leases)
    log.info("analyzing; without a supervisor nobody tells the guard of new devices")
    poll = select.poll()
    poll.register(analyzer.fileno(), select.POLLIN)
    try:
        while not stopping.is_set():
            analyzer.turn()
            poll.poll(TURN * 1000)
    finally:
        analyzer.stop()
    return 0
