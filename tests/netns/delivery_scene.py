# SPDX-License-Identifier: GPL-2.0-or-later
"""A scene for test_delivery: the real analyzer process, whose webhook is at a service in this process; it is
killed again and again while hundreds of alerts come. Prints what happened as JSON.

Run by the test inside `unshare --net --mount`; gets the folder that it may use.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from unit.analyzer_scene import set_up
from unit.stand_in import StandIn, service

from smartrouter.channel import Lines, decode
from smartrouter.config import from_text
from smartrouter.core.effects import Alert, Evidence, Kind, Raise, Severity
from smartrouter.core.policy import Reason
from smartrouter.linux.privileges import service_user
from smartrouter.store import open_reader
from smartrouter.store.files import create
from smartrouter.store.outbox import channels
from smartrouter.store.writer import Writer

SECRET = "S3cret"
ALERTS, KILLS = 120, 6
FIRST = 3  # alerts that come one by one, before the others
CONFIG = """\
config smartrouter 'main'
	list device 'sr-lan'
	option database '{folder}/state/store.db'
	option alert_file '{folder}/state/alerts.txt'
	option analysis_interval '1s'
config notify
	option type 'webhook'
	option name 'hook'
	option channel '{url}'
	option token '{secret}'
	option per_minute '600'
"""


class Scene:
    """The analyzer, its supervisor's end, and the guard's writer."""

    def __init__(self, folder: Path, hook: StandIn):
        self.hook = hook
        self.folder = folder
        self.log = folder / "log"
        self.database = str(folder / "state" / "store.db")
        self.config = CONFIG.format(folder=folder, url=hook.url(f"/{SECRET}"), secret=SECRET)
        create(self.database, service_user().gid)
        self.writer = Writer(self.database)
        self.told: list[dict[str, Any]] = []
        self.start()

    def start(self) -> None:
        """An analyzer, configured."""
        ours, theirs = socket.socketpair()
        self.lines = Lines(ours)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "smartrouter", "analyzer", "--channel", str(theirs.fileno()),
                 "--leases", str(self.folder / "none")],
                pass_fds=[theirs.fileno()], stderr=log, stdout=log,
            )  # fmt: skip
        theirs.close()
        share = from_text(self.config).to_share("analyzer")
        self.lines.send({"id": 1, "do": "configure", "config": share, "lan": ["sr-lan"], "iot": []})

    def kill(self) -> None:
        """-9."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.lines.close()

    def until(self, what: Callable[[], object], patience: float = 20.0) -> float:
        """Seconds until `what` is true; -1 if it does not become so."""
        begun = time.monotonic()
        while time.monotonic() < begun + patience:
            with contextlib.suppress(Exception):
                self.told += [decode(line) for line in self.lines.receive()]
            with contextlib.suppress(OSError):
                if what():
                    return time.monotonic() - begun
            time.sleep(0.005)
        return -1.0

    def alert(self, number: int) -> None:
        """The guard raises one: each of another device, so that none is part of a flood."""
        mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        self.writer.put(
            Raise(
                Alert(
                    time.time(), mac, Kind.NEW_DESTINATION, Reason.UNKNOWN_NAME, Severity.WARNING,
                    "a.example", "web", "a.example", Evidence.DNS, "198.51.100.7", 443, 6, False,
                )
            )
        )  # fmt: skip

    def delivered(self, number: int) -> float:
        """Seconds from when it raises one until the service has it."""
        self.alert(number)
        return self.until(lambda: len(set(self.hook.keys)) > number)


def play(folder: Path, hook: StandIn) -> dict[str, Any]:
    """Everything, in order."""
    scene = Scene(folder, hook)
    seen: dict[str, Any] = {}
    reader = None

    def is_known() -> bool:
        nonlocal reader
        reader = reader or open_reader(scene.database)
        return "hook" in channels(reader)

    scene.until(lambda: is_known(), 60.0)
    seen["took"] = [scene.delivered(number) for number in range(FIRST)]
    seen["command line"] = Path(f"/proc/{scene.process.pid}/cmdline").read_text()
    seen["uid"] = os.stat(f"/proc/{scene.process.pid}").st_uid  # its own are root's: it is not dumpable
    for number in range(FIRST, ALERTS):
        scene.alert(number)
    for kill in range(KILLS):
        before = len(hook.taken)
        until = time.monotonic() + 5
        while len(hook.taken) < before + 4 and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(0.013 * kill)
        scene.kill()
        scene.start()
    seen["all"] = scene.until(lambda: len(set(hook.keys)) == ALERTS, 150.0)
    assert reader is not None
    scene.until(lambda: not channels(reader)["hook"].waiting)
    time.sleep(1.0)
    times = Counter(hook.keys)
    seen["distinct"], seen["most"] = len(times), max(times.values())
    seen["twice"] = sum(count > 1 for count in times.values())
    seen["health"] = channels(reader)["hook"]._asdict()
    scene.kill()
    scene.writer.close()
    stored = b"".join(path.read_bytes() for path in (folder / "state").iterdir())
    seen["secrets"] = [
        where for where, found in {
            "log": scene.log.read_bytes(), "store": stored, "told": json.dumps(scene.told).encode(),
            "command line": seen["command line"].encode(),
        }.items() if SECRET.encode() in found
    ]  # fmt: skip
    seen["log"] = scene.log.read_text()[-4000:]
    return seen


def main() -> None:
    folder = Path(sys.argv[1])
    dnsmasq = set_up(folder)
    try:
        with service() as hook:
            print(json.dumps(play(folder, hook)))
    finally:
        dnsmasq.kill()


if __name__ == "__main__":
    main()
