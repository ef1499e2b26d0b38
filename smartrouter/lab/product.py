# SPDX-License-Identifier: GPL-2.0-or-later
"""The real smartrouter on the lab's router: its configuration, `smartrouter run`, and its commands.

Nothing of it is imported: it runs as it does on any router, as processes of its own, in the router's
namespace, with its files in the lab's folder. dnsmasq's leases lie where it looks for them.
"""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from smartrouter.lab.network import Network

T = TypeVar("T")

_LEASES = "/var/lib/misc"  # where Debian's dnsmasq keeps its lease file, and smartrouter looks for it
_WITH_LEASES = f'mount --bind "$0" {_LEASES} && exec "$@"'  # `ip netns exec` gave us mounts of our own
_TABLE = ["nft", "list", "table", "inet", "smartrouter"]


class Product:
    """smartrouter on `network`'s router. `options`: of section main, besides where its files are;
    `names`: what the user calls the devices, by MAC; `web`: whether it has its web interface."""

    def __init__(
        self,
        network: Network,
        options: Mapping[str, str],
        names: Mapping[str, str] | None = None,
        web: bool = False,
    ) -> None:
        self.network = network
        self.config = network.folder / "smartrouter"
        self.run_dir = network.folder / "run"
        self.database = network.folder / "state" / "smartrouter.db"
        self.log = network.folder / "smartrouter.log"
        self.process: subprocess.Popen[Any] | None = None
        own = {
            "enabled": "1",
            "database": str(self.database),
            "alert_file": str(self.database.with_name("alerts.txt")),
        }
        lines = ["config smartrouter 'main'", "\tlist device 'br-lan'"]
        lines += [f"\toption {name} '{value}'" for name, value in (own | dict(options)).items()]
        for mac, name in (names or {}).items():
            lines += ["config device", f"\toption mac '{mac}'", f"\toption name {_quoted(name)}"]
        if web:
            lines.append("config web")
        self.config.write_text("\n".join([*lines, ""]))

    def start(self, timeout: float = 60.0) -> None:
        """Start `smartrouter run` and wait until it guards. Raises RuntimeError with the end of its log."""
        with self.log.open("ab") as log:
            process = self.process = self.network.router.popen(self._argv("run"), stdout=log, stderr=log)
        try:
            self.wait_for(lambda: self.is_guarding() or process.poll() is not None, timeout)
        except TimeoutError:
            pass
        if not self.is_guarding():
            raise RuntimeError(f"smartrouter did not start guarding:\n{self.last_words()}")

    def stop(self) -> int:
        """End it as an init script does; gives its exit status."""
        assert self.process  # noqa: S101 - only what was started can be stopped
        return self.network.router.stop(self.process, patience=20.0)

    def is_guarding(self) -> bool:
        """Is the guard alive, with its rules in the kernel?"""
        if not self.has_table():
            return False
        done = self.command("status", "--json")
        return done.returncode == 0 and bool(_path(json.loads(done.stdout), "guard", "running"))

    def has_table(self) -> bool:
        """Is its table in the kernel?"""
        return self.network.router.run(_TABLE).returncode == 0

    def command(
        self, *arguments: str, timeout: float = 20.0, width: int = 0, said: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a `smartrouter` command on the router, for a screen `width` columns wide (0: no screen), that
        reads `said`."""
        env = dict(os.environ) | ({"COLUMNS": str(width)} if width else {})
        return self.network.router.run(self._argv(*arguments), timeout=timeout, env=env, input=said)

    def json(self, *arguments: str) -> Any:
        """What a command answers under --json. Raises RuntimeError with what it complained of."""
        done = self.command(*arguments, "--json")
        if done.returncode:
            raise RuntimeError(f"smartrouter {' '.join(arguments)}: {done.stderr.strip() or done.stdout}")
        return json.loads(done.stdout)

    def rows(self, sql: str, *values: str) -> list[Any]:
        """What the store answers to a query."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=20.0)) as connection:
            return connection.execute(sql, values).fetchall()

    def wait_for(self, what: Callable[[], T], timeout: float = 20.0) -> T:
        """Call `what` until it gives something true, and give that. Raises TimeoutError."""
        end = monotonic() + timeout
        while not (found := what()):
            if monotonic() > end:
                raise TimeoutError
            sleep(0.1)
        return found

    def last_words(self, lines: int = 20) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _argv(self, command: str, *arguments: str) -> list[str | Path]:
        own: list[str | Path] = ["--config", self.config, "--run-dir", self.run_dir]
        with_leases: list[str | Path] = ["sh", "-c", _WITH_LEASES, self.network.lease_folder]
        return [*with_leases, sys.executable, "-m", "smartrouter", command, *own, *arguments]


def _quoted(text: str) -> str:
    """`text` as UCI writes it."""
    return "'" + text.replace("'", "'\\''") + "'"


def _path(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value
