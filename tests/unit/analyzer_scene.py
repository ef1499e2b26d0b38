# SPDX-License-Identifier: GPL-2.0-or-later
"""A scene for test_analyzer: the real analyzer process in a network namespace, with a supervisor's end of its
channel, a guard's writer, dnsmasq as DNS server, neighbours and leases. Prints what happened as JSON.

Run by the test inside `unshare --net --mount`; gets the folder that it may use.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from smartrouter.channel import Lines, decode
from smartrouter.config import from_text
from smartrouter.core.effects import Alert, Evidence, Kind, Raise, Severity
from smartrouter.core.policy import Reason
from smartrouter.linux.privileges import service_user
from smartrouter.store import open_reader
from smartrouter.store.files import create
from smartrouter.store.queries import devices
from smartrouter.store.runs import latest_runs
from smartrouter.store.writer import Writer

HUE, PLUG, FAR = "00:17:88:00:00:05", "50:c7:bf:00:00:06", "50:c7:bf:00:00:99"
CONFIG = """\
config smartrouter 'main'
	list device 'sr-lan'
	option database '{folder}/state/store.db'
	option alert_file '{folder}/state/alerts.txt'
	option analysis_interval '1s'
"""
RULE = """\
config rule
	option device '*'
	option destination '198.51.100.5'
	option action 'allow'
"""


class Scene:
    """The stage, and what was seen on it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.leases = folder / "dhcp.leases"
        self.database = folder / "state" / "store.db"
        self.alert_file = folder / "state" / "alerts.txt"
        self.told: list[dict[str, Any]] = []
        self.claims: list[list[str]] = []
        self.looked_up: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.beats = 0
        create(str(self.database), service_user().gid)
        ours, theirs = socket.socketpair()
        self.lines = Lines(ours)
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "smartrouter", "analyzer",
                "--channel", str(theirs.fileno()), "--leases", str(self.leases),
            ],
            pass_fds=[theirs.fileno()],
        )  # fmt: skip
        theirs.close()
        self.writer = Writer(str(self.database))

    def hear(self) -> None:
        """Take in what the analyzer says."""
        for line in self.lines.receive():
            message = decode(line)
            if message.get("tell") == "seen":
                self.told += message["devices"]
            elif message.get("tell") == "claims":
                self.claims += message["claims"]
            elif message.get("tell") == "looked_up":
                self.looked_up += message["names"]
            elif "id" in message:
                self.answers.append(message)
            self.beats += "beat" in message

    def until(self, what: Callable[[], object], patience: float = 30.0) -> float:
        """Seconds until `what` is true; -1 if it does not become so."""
        begun = time.monotonic()
        while time.monotonic() < begun + patience:
            self.hear()
            with contextlib.suppress(OSError):
                if what():
                    return time.monotonic() - begun
            time.sleep(0.01)
        return -1.0

    def configure(self, text: str, ident: int) -> None:
        """Hand it its share."""
        config = from_text(text.format(folder=self.folder)).to_share("analyzer")
        self.lines.send({"id": ident, "do": "configure", "config": config, "lan": ["sr-lan"], "iot": []})

    def knows(self, mac: str, **facts: object) -> bool:
        """Was the guard to be told this?"""
        return any(d["mac"] == mac and all(d[k] == v for k, v in facts.items()) for d in self.told)

    def alert(self, address: str, name: str, at: float) -> None:
        """The guard raises one."""
        evidence = Evidence.DNS if name else Evidence.NONE
        self.writer.put(
            Raise(
                Alert(
                    at, HUE, Kind.NEW_DESTINATION, Reason.UNKNOWN_NAME, Severity.WARNING, name or address,
                    "web", name, evidence, address, 443, 6, False,
                )
            )
        )  # fmt: skip

    def has_line(self, words: str) -> bool:
        """Is it in the alert file?"""
        return words in self.alert_file.read_text()


def ip(*arguments: str) -> None:
    """The program."""
    subprocess.run(["ip", *arguments], check=True)


def set_up(folder: Path) -> "subprocess.Popen[bytes]":
    """Interfaces, and a DNS server that knows one reverse name."""
    for command in (
        "link set lo up",
        "link add sr-lan type veth peer name sr-out",
        "link set sr-lan up",
        "link set sr-out up",
        "address add 192.0.2.1/24 dev sr-lan",
    ):
        ip(*command.split())
    conf = folder / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\n")
    conf.chmod(0o644)
    subprocess.run(["mount", "--bind", str(conf), "/etc/resolv.conf"], check=True)
    return subprocess.Popen(
        [
            "dnsmasq", "--no-daemon", "--user=root", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
            "--local=/example/", "--host-record=reverse.example,198.51.100.5",
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def status_of(pid: int) -> dict[str, str]:
    """/proc/PID/status."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def play(scene: Scene) -> dict[str, Any]:
    """Everything, in order."""
    seen: dict[str, Any] = {"up": scene.until(lambda: scene.beats)}
    scene.configure(CONFIG, 1)
    seen["configured"] = scene.until(lambda: any(a["id"] == 1 for a in scene.answers))

    ip(*f"neighbour replace 192.0.2.5 lladdr {HUE} nud reachable dev sr-lan".split())
    ip(*f"neighbour replace 203.0.113.9 lladdr {FAR} nud reachable dev sr-out".split())
    seen["neighbour"] = scene.until(lambda: scene.knows(HUE))
    seen["claim"] = scene.until(lambda: [HUE, "192.0.2.5"] in scene.claims)
    ip(*f"neighbour replace 192.0.2.5 lladdr {PLUG} nud reachable dev sr-lan".split())
    seen["change"] = scene.until(lambda: [PLUG, "192.0.2.5"] in scene.claims)
    ip(*f"neighbour replace 192.0.2.5 lladdr {HUE} nud stale dev sr-lan".split())
    seen["change back"] = scene.until(lambda: scene.claims.count([HUE, "192.0.2.5"]) == 2)
    seen["claims"] = scene.claims

    names = ["reverse.example", "nowhere.example"]
    scene.lines.send({"id": 10, "do": "look_up", "names": names})
    seen["looked up"] = scene.until(lambda: len(scene.looked_up) == 2)
    seen["answers"] = sorted(scene.looked_up, key=lambda told: str(told["name"]))
    scene.leases.write_text(f"0 {PLUG} 192.0.2.6 smart-plug *\n0 {HUE} 192.0.2.5 Philips-hue *\n")
    seen["lease"] = scene.until(lambda: scene.knows(PLUG, hostname="smart-plug", iot=True))
    seen["hostname"] = scene.until(lambda: scene.knows(HUE, hostname="Philips-hue", iot=True))

    scene.alert("198.51.100.7", "cloud.example", 1000.0)
    seen["named line"] = scene.until(lambda: scene.has_line("-> cloud.example @"))
    scene.alert("198.51.100.5", "", 2000.0)
    seen["reverse line"] = scene.until(lambda: scene.has_line("-> reverse.example @"))
    scene.alert("198.51.100.6", "", 3000.0)
    seen["unresolved line"] = scene.until(lambda: scene.has_line("-> UNRESOLVED(198.51.100.6) @"))

    conn = open_reader(str(scene.database))
    seen["run"] = scene.until(lambda: latest_runs(conn, 1))
    scene.configure(CONFIG + RULE, 2)
    allowed = "SELECT 1 FROM alerts WHERE state = 'allowed' AND destination = '198.51.100.5'"
    seen["settled"] = scene.until(lambda: conn.execute(allowed).fetchone())
    scene.lines.send({"id": 3, "do": "status"})
    seen["answered"] = scene.until(lambda: any(a["id"] == 3 for a in scene.answers))
    seen["status"] = next(a["ok"] for a in scene.answers if a["id"] == 3)
    scene.lines.send({"id": 4, "do": "dance"})
    seen["refused"] = scene.until(lambda: any(a["id"] == 4 and "error" in a for a in scene.answers))

    seen["process"] = status_of(scene.process.pid)
    seen["stored"] = [device._asdict() for device in devices(conn)]
    seen["file"] = scene.alert_file.read_text()
    seen["told"] = scene.told
    conn.close()
    return seen


def main() -> None:
    """Play the scene and print what was seen."""
    folder = Path(sys.argv[1])
    server = set_up(folder)
    scene = Scene(folder)
    try:
        seen = play(scene)
        scene.lines.close()
        seen["exit"] = scene.process.wait(30)
        print(json.dumps(seen))
    finally:
        scene.writer.close()
        for process in (scene.process, server):
            process.kill()
            process.wait()


if __name__ == "__main__":
    os.umask(0o022)
    main()
