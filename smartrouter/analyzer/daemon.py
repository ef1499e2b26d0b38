# SPDX-License-Identifier: GPL-2.0-or-later
"""The analyzer as a process without rights: who talks to it, and when it works. No packets.

The thread here waits for what the kernel and the DHCP servers tell, for lookups, and for the supervisor; what
is done then is `work`.
"""

import logging
import select
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from smartrouter.analyzer.trials import Trials
from smartrouter.analyzer.work import Analyzer
from smartrouter.channel import Channel, Gone
from smartrouter.config import load
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.core.names import registrable_domain
from smartrouter.linux import interfaces, privileges, seccomp
from smartrouter.linux.leases import LeaseFiles, lease_paths
from smartrouter.makers import Makers
from smartrouter.notify import channels

if TYPE_CHECKING:
    from argparse import Namespace

log = logging.getLogger("smartrouter.analyzer")

TURN = 0.25  # seconds between two looks at alerts; all else is told by events


def main(arguments: "Namespace") -> int:
    """`smartrouter analyzer [--config PATH] [--leases PATH] [--channel FD]`. Under a supervisor it takes its
    configuration from the channel; alone it reads the file, and tells nobody of devices."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    paths = [Path(path) for path in arguments.leases] if arguments.leases else lease_paths()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if arguments.channel is None:
        return _run_alone(arguments.config, LeaseFiles(paths), stopping)
    with Channel(arguments.channel) as channel:
        makers = _makers()
        registrable_domain("example.com")  # reads its list; our files may be closed to the user we become
        try:
            return _run_supervised(channel, makers, LeaseFiles(paths), stopping)
        except Gone:
            log.error("the supervisor is gone")
            return 1


def _makers() -> Makers:
    makers = Makers()
    if makers.problem:
        log.warning("%s", makers.problem)
    return makers


def _run_supervised(channel: Channel, makers: Makers, leases: LeaseFiles, stopping: threading.Event) -> int:
    analyzer: Analyzer | None = None
    trials = Trials()
    has_rights = True
    poll = select.poll()
    poll.register(channel.fileno(), select.POLLIN)
    try:
        while not stopping.is_set():
            channel.beat()
            if analyzer is not None:
                analyzer.turn()
            channel.beat()
            poll.poll(_patience(analyzer))
            for tried in trials.done():
                channel.answer(tried.request, {"error": tried.error})
            for request in channel.requests():
                try:
                    if has_rights and request.do == "configure":
                        _drop_rights(request.arguments)
                        has_rights = False
                    if analyzer is None and request.do == "configure":
                        analyzer = Analyzer(request.arguments, makers, channel.tell, leases)
                        for number in analyzer.filenos():
                            poll.register(number, select.POLLIN)
                        channel.answer(request.id)
                    elif analyzer is not None and request.do == "test_channel":
                        trials.begin(request.id, analyzer.config, request.arguments.get("name"))
                    else:
                        channel.answer(request.id, _answer(analyzer, request.do, request.arguments))
                except SmartrouterError as error:
                    channel.answer(request.id, error=str(error))
    finally:
        if analyzer is not None:
            analyzer.stop()
    return 0


def _drop_rights(share: dict[str, Any]) -> None:
    """Nothing is done before the first configuration; it says what there is to import before that."""
    channels.load({str(section.get("type")) for section in share["config"].get("notify", ())})
    privileges.drop(privileges.service_user(), keep_net_admin=False)
    if why := seccomp.install(seccomp.NETWORK):
        log.warning("no filter of system calls: %s", why)


def _patience(analyzer: Analyzer | None) -> float:
    """Milliseconds until the next turn, if nothing happens before."""
    due = TURN if analyzer is None else min(TURN, analyzer.next_deadline() - time.monotonic())
    return max(0.0, due) * 1000


def _answer(analyzer: Analyzer | None, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
    match do:
        case "configure" if analyzer is not None:
            analyzer.configure(arguments)
            return {}
        case "status" if analyzer is not None:
            return analyzer.status()
        case "overheard" if analyzer is not None:
            analyzer.overheard(arguments.get("packets"))
            return {}
        case "not_done" if analyzer is not None:
            analyzer.not_done(arguments.get("alert"), arguments.get("why"))
            return {}
        case "dismiss" | "reopen" if analyzer is not None:
            return analyzer.see(do, arguments.get("alert"), arguments.get("by"))
        case "succeeded" if analyzer is not None:
            analyzer.succeeded(arguments.get("before"), arguments.get("now"))
            return {}
        case "look_up" if analyzer is not None:
            analyzer.look_up(arguments.get("names"))
            return {}
        case _:
            raise Unavailable(f"the analyzer cannot do {do!r} (now); is another version running?")


def _tell_nobody(what: str, **facts: object) -> None:
    """There is no supervisor."""


def _run_alone(path: str, leases: LeaseFiles, stopping: threading.Event) -> int:
    config = load(path)
    found = interfaces.find(config.main.network, config.main.device, config.main.iot_network)
    share = {"config": config.to_share("analyzer"), "lan": found.lan, "iot": found.iot}
    analyzer = Analyzer(share, _makers(), _tell_nobody, leases)
    log.info("analyzing; without a supervisor nobody tells the guard of new devices")
    poll = select.poll()
    for number in analyzer.filenos():
        poll.register(number, select.POLLIN)
    try:
        while not stopping.is_set():
            analyzer.turn()
            poll.poll(_patience(analyzer))
    finally:
        analyzer.stop()
    return 0
