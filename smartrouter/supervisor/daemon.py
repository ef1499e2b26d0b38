# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter run`: starts the parts and looks after them. Root, one thread, no network, standard library.

It must not know what is in a packet, and it must not grow: whatever needs more than a few megabytes is
done by an errand. Who wants something of it comes through the control socket (`control`, `orders`) or by
signal: SIGHUP reads the configuration again, SIGTERM and SIGINT end it all.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from smartrouter.channel import plain
from smartrouter.control import Server
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.journal import Journal
from smartrouter.linux import process
from smartrouter.linux.instance import Instance, Signals, notify
from smartrouter.linux.privileges import User, remember_service_user, service_user
from smartrouter.supervisor.children import Part
from smartrouter.supervisor.household import ANALYZER, GUARD, WEB, Household
from smartrouter.supervisor.installed import is_installed
from smartrouter.supervisor.orders import Orders

if TYPE_CHECKING:
    from argparse import Namespace

log = Journal("smartrouter.supervisor")

TURN = 0.5  # seconds between two looks at the queues
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Source(Protocol):
    """Something to poll; `fileno` is -1 while there is nothing."""

    @property
    def unsent(self) -> bool: ...
    def fileno(self) -> int: ...
    def ready(self, now: float) -> None: ...


class Supervisor:
    """The loop around a household: its sockets, its signals, its time."""

    def __init__(self, config_path: str, run_dir: str, parts: Sequence[Part], user: User):
        self._run_dir = run_dir
        self._user = user
        self._household = Household(config_path, parts, user)
        self._said_ready = False

    def run(self) -> int:
        """Work until a signal ends it, and leave nothing behind. Gives the exit status; call it once.

        Raises Unavailable if another one runs, BadConfig if there is nothing sound to start from.
        """
        household = self._household
        instance = Instance(self._run_dir)
        try:
            server = Server(self._run_dir, self._user, Orders(household).handle)
            try:
                with Signals(_SIGNALS, self._on_signal) as signals:
                    household.reload(lambda _: None, time.monotonic())
                    while not household.is_over:
                        self._turn(server, signals)
            finally:
                server.close()
        finally:
            instance.release()
        if household.fatal is not None:
            raise household.fatal
        return 0

    def _turn(self, server: Server, signals: Signals) -> None:
        sources = {source.fileno(): source for source in self._sources(server, signals)}
        sources.pop(-1, None)
        poll = select.poll()
        for fd, source in sources.items():
            poll.register(fd, select.POLLIN | (select.POLLOUT if source.unsent else 0))
        deadline = self._household.next_deadline()
        patience = TURN if deadline is None else min(TURN, max(0.0, deadline - time.monotonic()))
        ready = poll.poll(1000 * patience)
        now = time.monotonic()
        for fd, _ in ready:
            _survive(sources[fd].ready, now)
        _survive(self._household.step, now)
        _survive(server.step, now)
        if not self._said_ready and self._household.is_settled:
            self._said_ready = True
            notify("READY=1")

    def _sources(self, server: Server, signals: Signals) -> Iterator[Source]:
        yield signals
        yield server
        yield from server.clients
        yield self._household.errands
        yield self._household.chores
        yield from self._household.children.values()

    def _on_signal(self, number: signal.Signals, now: float) -> None:
        if number == signal.SIGHUP:
            log.info("SIGHUP: reading %s again", self._household.config_path)
            self._household.reload(lambda _: None, now)
        elif number != signal.SIGCHLD:
            log.info("%s: stopping", number.name)
            notify("STOPPING=1")
            self._household.end(now)


def _survive(do: Callable[[float], None], now: float) -> None:
    """A fault of ours must not end what looks after everything else."""
    try:
        do(now)
    except Exception:
        log.exception("a fault of smartrouter's")
        time.sleep(TURN / 2)  # should it come back at once, it shall not eat the router


def usual_parts(config_path: str, run_dir: str) -> tuple[Part, ...]:
    """The parts that are installed, in the order in which they are started and told to stop."""
    # As ourselves, see `main`: without what `site` loads, and from nowhere but the path that we were given.
    python = (sys.executable, "-S", "-P", "-m", "smartrouter.supervisor.part")
    files = ("--config", config_path, "--run-dir", run_dir)
    names = [name for name in (GUARD, ANALYZER, WEB) if is_installed(name)]
    return tuple(Part(name, (*python, name, *files), name == WEB) for name in names)


def main(arguments: "Namespace") -> int:
    """`smartrouter run [--config PATH] [--run-dir DIR]`. Raises Unavailable, or does not come back."""
    if os.geteuid() != 0:
        raise Unavailable("smartrouter run needs root: it gives each part the rights that it needs, no more")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # "read it again" must not end who has not read it yet
    command = (sys.executable, "-S", "-P", "-m", "smartrouter.supervisor.daemon")
    files = (os.path.abspath(arguments.config), os.path.abspath(arguments.run_dir))
    remember_service_user()
    # The memory that reading the command line took would be ours for good. So begin anew without that, and
    # (-S) without what `site` loads: errands find their modules by the path. The folder of the script, or
    # the one that we were started in (-P), is no place to import from.
    paths = sys.path if sys.flags.safe_path else sys.path[1:]
    os.environ["PYTHONPATH"] = os.pathsep.join((process.home(), *paths))
    os.execv(command[0], (*command, *files))  # noqa: S606 - no shell is what we want


def _begin(config_path: str, run_dir: str) -> int:
    os.chdir("/")  # keep no mount busy
    os.umask(0o022)
    try:
        return Supervisor(config_path, run_dir, usual_parts(config_path, run_dir), service_user()).run()
    except SmartrouterError as error:
        for line in str(error).splitlines():
            print(f"smartrouter: {plain(line)}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(_begin(*sys.argv[1:]))
