# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter guard` as a process: its rights, its signals, and where its configuration comes from.

Under a supervisor it takes everything from the channel, and ends when that is gone; alone it reads the file,
for trying things out.
"""

import signal
import threading
from typing import TYPE_CHECKING

from smartrouter.channel import Channel, Gone
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.core.names import registrable_domain
from smartrouter.guard.share import Share
from smartrouter.guard.wiring import Guard, Restart
from smartrouter.journal import Journal
from smartrouter.linux import privileges, ruleset, seccomp

if TYPE_CHECKING:
    from argparse import Namespace

log = Journal("smartrouter.guard")

TURN = 0.2  # seconds that the main thread waits for a request at most


def main(arguments: "Namespace") -> int:
    """`smartrouter guard [--config PATH] [--channel FD]`. Under a supervisor it takes its configuration from
    the channel; alone it reads the file, for trying things out."""
    if arguments.channel is None:
        return _run_alone(arguments.config)
    with Channel(arguments.channel) as channel:
        registrable_domain("example.com")  # reads its list while we still may, and not at the first packet
        ruleset.template()  # likewise
        privileges.drop(privileges.service_user(), keep_net_admin=True)
        if why := seccomp.install(seccomp.LOCAL):
            log.warning("no filter of system calls: %s", why)
        try:
            return _run_supervised(channel)
        except Gone:
            log.error("the supervisor is gone")
            return 1


def _run_supervised(channel: Channel) -> int:
    stopping = _stop_on_signals()
    guard: Guard | None = None
    try:
        while not stopping.is_set():
            if guard is None or guard.turn():
                channel.beat()
            if guard is not None and (names := guard.to_look_up()):
                channel.tell("look_up", names=names)
            if guard is not None and (rules := guard.ended()):
                channel.tell("ended", rules=rules)
            if guard is not None and (packets := guard.overheard()):
                channel.tell("overheard", packets=packets)
            for request in channel.requests(TURN):
                try:
                    if guard is None:
                        if request.do != "configure":
                            raise Unavailable("the guard is starting; try again in a moment")
                        guard = _started(Share(request.arguments))
                        channel.answer(request.id)
                    else:
                        channel.answer(request.id, guard.answer(request))
                except Restart as reason:
                    log.info("%s: starting anew", reason)
                    channel.answer(request.id)
                    return 0
                except SmartrouterError as error:
                    channel.answer(request.id, error=str(error))
    finally:
        if guard is not None:
            guard.stop()
    return 0


def _started(share: Share) -> Guard:
    guard = Guard(share)
    try:
        guard.start()
    except BaseException:
        guard.stop()
        raise
    return guard


def _run_alone(config: str) -> int:
    stopping = _stop_on_signals()
    guard = _started(Share.from_file(config))
    log.info("judging; without a supervisor nobody watches this process, and only it reads %s", config)
    try:
        while not stopping.wait(TURN):
            if not guard.turn():
                raise Unavailable("a queue's thread ended or hangs; the log says why")
    finally:
        guard.stop()
        ruleset.remove()
    return 0


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
