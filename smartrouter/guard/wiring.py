# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard: packets in, verdicts out.

This is the wiring: a thread serves each queue, one the kernel's log, one sends what the kernel is to settle
by itself, one stores, and the main thread keeps time, answers the supervisor, keeps the table in the kernel,
and gives its heartbeat only while the other threads live. It decides nothing itself, and imports no asyncio,
scapy, pyroute2 or slack_sdk: it must be small, and back in an instant.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, Protocol, TypeVar

from smartrouter.channel import Request
from smartrouter.core.effects import LookUp, Raise
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.core.events import (
    AddressClaimed,
    ConnectionsOpen,
    DestinationForgotten,
    DeviceSeen,
    Event,
    IdentityDoubted,
    LearningFinished,
    LearningRestarted,
    LearningTakenOver,
    LookedUp,
    OutageEnded,
    Paused,
    SettingsChanged,
    SettledBefore,
    Shortcut,
    Tick,
)
from smartrouter.core.judge import Judge
from smartrouter.core.learning import State
from smartrouter.core.policy import Action, Reason, Rule
from smartrouter.guard import collector
from smartrouter.guard.accounts import Accounts, Ours
from smartrouter.guard.bench import Bench, now
from smartrouter.guard.handlers.dns import DnsHandler
from smartrouter.guard.handlers.flows import FlowHandler
from smartrouter.guard.handlers.log import LogHandler
from smartrouter.guard.handlers.overheard import Overheard, OverheardHandler
from smartrouter.guard.inspection import Inspections
from smartrouter.guard.losses import Losses
from smartrouter.guard.settling import Settling
from smartrouter.guard.share import Share
from smartrouter.guard.table import Table
from smartrouter.guard.volume import Volume
from smartrouter.journal import Journal
from smartrouter.linux import conntrack, ruleset
from smartrouter.linux.latency import Latency
from smartrouter.linux.netlink import Netlink
from smartrouter.linux.nflog import Log
from smartrouter.linux.queue import DNS_QUEUE, FLOWS_QUEUE, Handler, Marks, open_queue
from smartrouter.linux.queue_rule import LOG_GROUP, OVERHEARD_GROUP
from smartrouter.linux.sets import Sets
from smartrouter.store.connect import open_reader
from smartrouter.store.queries import load_state
from smartrouter.store.writer import Writer

log = Journal("smartrouter.guard")

TICK = 1.0  # seconds
ACCOUNTING = 3.0  # seconds between two looks at the kernel's counters
PATIENCE = 2.0  # seconds without a sign of life from a queue's thread, after which the heartbeat stops
FLUSH_PATIENCE = 1.5  # seconds that a command waits for the store
LINGER = 3.0  # seconds that attempts wait for more of them, soon after others were stored
OUTAGE = 1.0  # seconds without a guard that count as an outage
_NONE: frozenset[str] = frozenset()
MAX_LOOK_UPS = 4096  # names that wait to be handed over: those of a large household after an outage
LOOK_UPS_A_TURN = 256
MAX_ENDED = 256  # rules that wait to be handed over; the judge knows that they are over
COPIED = 2048  # bytes of what devices say of themselves: more than an Ethernet frame holds
COPIES = 1 << 20  # bytes of them in the kernel
COPIES_A_TURN = 64
BATCH = 256  # pairs, or connections, that are looked at without letting go of the judge

_Each = TypeVar("_Each")


class Guard:
    """Everything between the kernel's queues and the store, for one process. `start`, then `turn` often,
    then `stop`."""

    def __init__(self, share: Share):
        main = share.config.main
        self._started = time.monotonic()
        self._share = share
        self._stopping = threading.Event()
        self._signs: dict[str, float] = {}  # thread -> when it last gave a sign of life
        self._threads: list[threading.Thread] = []
        self._next_tick = self._next_account = 0.0
        self._accounts = Accounts({})
        self._losses = Losses()
        self._lost: Counter[str] = Counter()  # what was mended on the way, by what it was
        self._look_ups: deque[str] = deque(maxlen=MAX_LOOK_UPS)
        self._ended: deque[Rule] = deque(maxlen=MAX_ENDED)
        self._judge = Judge(share.settings())
        self._writer = Writer(main.database, main.max_size, linger=LINGER)
        self._sets = Sets()
        self._restore(main.database)
        self._bench = Bench(
            self._judge,
            self._sets,
            self._writer.put_all,
            fail_open=main.on_failure == "open",
            look_up=self._look_ups.append,
            end=self._ended.append,
        )
        marks = Marks(main.pass_mark, main.block_mark)
        inspections = Inspections(self._bench)
        workers = range(FLOWS_QUEUE, FLOWS_QUEUE + share.workers)
        flows = {number: FlowHandler(self._bench, marks, inspections) for number in workers}
        handlers: dict[int, Handler] = {DNS_QUEUE: DnsHandler(self._bench, marks), **flows}
        self._flush: dict[str, Callable[[], object]] = {
            f"queue-{number}": handler.flush for number, handler in flows.items()
        }
        self._sets.forget_inspections()  # of which no packet shall come that this guard cannot place
        self._queues = [
            open_queue(main.reader, number, handler, marks) for number, handler in handlers.items()
        ]
        self._log = Log(LOG_GROUP, LogHandler(self._bench))
        self._overheard = OverheardHandler()
        self._copies = Log(OVERHEARD_GROUP, self._overheard, copy=COPIED, receive_buffer=COPIES)
        self._studied: frozenset[str] = frozenset()
        self._volume: Volume | None = None
        self._take_up_pairs()
        self._table = Table(self._plan(share))

    def start(self) -> None:
        """Serve the queues from now on. Where an earlier guard's table is there, packets come at once, while
        the ruleset is made anew. Raises what loading it raises; `stop` must follow in any case."""
        is_there = ruleset.is_present()
        if is_there:
            self._accounts = Accounts(ruleset.read_counters(), self._ours())
            self._sets.dismiss_all()  # this guard knows of no query yet
            self._serve_all()
        self._table.load(self._table.loaded)
        if not is_there:
            self._serve_all()
        if self._share.config.main.volume:
            self._count_bytes()
        collector.settle()

    def _serve_all(self) -> None:
        served: dict[str, _Served] = {f"queue-{queue.number}": queue for queue in self._queues}
        others: dict[str, _Served] = {
            "log": self._log, "overheard": self._copies, "pairs": self._bench.pairs,
        }  # fmt: skip
        for name, what in {**served, **others}.items():
            self._signs[name] = time.monotonic()
            thread = threading.Thread(target=self._serve, args=(what, name), name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _count_bytes(self) -> None:
        """Verdicts do not hang on this, nor wait for it at the start: it gives no sign of life, and needs
        none."""
        self._volume = Volume(self._share.lan, self._addresses, self._tell)
        thread = threading.Thread(
            target=self._volume.serve, args=(self._stopping,), name="volume", daemon=True
        )
        thread.start()
        self._threads.append(thread)

    def _addresses(self) -> dict[str, str]:
        with self._bench.lock:
            return self._judge.addresses()

    def turn(self) -> bool:
        """Do what is due; False while a queue's thread gives no sign of life: then no heartbeat either."""
        at = time.monotonic()
        if at >= self._next_tick:
            self._next_tick = at + TICK
            self._tell(Tick())
        self._keep_table()
        if at >= self._next_account:
            self._next_account = at + ACCOUNTING
            self._look_at_accounts()
        return all(at - sign < PATIENCE for sign in self._signs.values())

    def _look_at_accounts(self) -> None:
        counters, accounts = ruleset.read_counters(), self._accounts
        accounts.look(counters, self._ours())
        trouble = self._writer.counters()["trouble"]
        alerts = self._losses.look(accounts.figures(), accounts.begun, counters, trouble=trouble, now=now())
        self._writer.put_all([Raise(alert) for alert in alerts])

    def to_look_up(self) -> list[str]:
        """Names that the router shall look up; each is handed out once."""
        count = min(len(self._look_ups), LOOK_UPS_A_TURN)
        return list(dict.fromkeys(self._look_ups.popleft() for _ in range(count)))

    def ended(self) -> list[list[str]]:
        """Rules that have allowed their one connection: device, destination and service; each is handed out
        once."""
        rules = [self._ended.popleft() for _ in range(len(self._ended))]
        return [[rule.device, str(rule.destination), rule.service] for rule in rules]

    def overheard(self) -> list[Overheard]:
        """What devices said of themselves; each is handed out once."""
        return self._overheard.fetch(COPIES_A_TURN)

    def stop(self) -> None:
        """Judge what still waits, store everything, and let go of the queues. The table stays."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(PATIENCE)
        self._tell(Tick())
        self._writer.close()
        self._sets.close()
        self._table.close()

    # -- what the supervisor asks ------------------------------------------------------------------

    def answer(self, request: Request) -> dict[str, Any]:
        """Do what is asked and say what came of it. Raises SmartrouterError where it cannot be."""
        arguments = request.arguments
        match request.do:
            case "configure":
                return self._configure(Share(arguments))
            case "status":
                return self.status()
            case "seen":
                for device in arguments["devices"]:
                    self._tell(DeviceSeen(**device))
                return {}
            case "claims":
                for mac, address in arguments["claims"]:
                    self._tell(AddressClaimed(mac, address))
                return {}
            case "doubts":
                for mac, reason, detail in arguments["doubts"]:
                    self._tell(IdentityDoubted(mac, Reason(reason), detail))
                return {}
            case "study":
                self._studied = frozenset(arguments["devices"])
                self._sets.study(self._studied)
                return {}
            case "lost":
                self._losses.in_queues = arguments["packets"]
                return {}
            case "looked_up":
                for found in arguments["names"]:
                    self._tell(LookedUp(found["name"], tuple(found["addresses"]), found["ttl"]))
                return {}
            case "forget":
                event = DestinationForgotten(
                    arguments["device"], arguments["destination"], arguments.get("service") or ""
                )
                forgotten = self._tell(event)
                self._stored()
                return {"forgotten": forgotten}
            case "learn":
                mac = arguments["device"]
                self._tell(LearningFinished(mac) if arguments.get("finish") else LearningRestarted(mac))
                self._stored()
                return {"state": self._judge.roster.devices[mac].learning.progress.state}
            case "same":
                effects = self._tell(LearningTakenOver(arguments["device"], arguments["other"]))
                self._stored()
                return {"taken_over": effects}
            case "pause":
                self._tell(Paused(float(arguments["seconds"])))
                return {"seconds": self._judge.paused_for(now())}
            case _:
                raise Unavailable(f"the guard cannot do {request.do!r}; is another version running?")

    def status(self) -> dict[str, Any]:
        """What the guard is doing, in numbers. Keys are part of `smartrouter status --json`."""
        with self._bench.lock:
            judged = {str(reason): count for reason, count in self._judge.counts.items()}
            devices = list(self._judge.roster.devices.values())
            watched = [device for device in devices if device.watched]
            states = Counter(str(device.learning.progress.state) for device in watched)
            settings = self._judge.roster.settings
            paused = self._judge.paused_for(now())
            pairs = self._judge.shortcuts.counts()
        return {
            "mode": str(settings.mode),
            "uptime": time.monotonic() - self._started,
            "paused": paused,
            "devices": {"watched": len(watched), **{str(state): states[str(state)] for state in State}},
            "judged": judged,
            "pairs": {str(shortcut): pairs[shortcut] for shortcut in Shortcut},
            "recorded": {str(shortcut): self._bench.recorded[shortcut] for shortcut in Shortcut},
            "unrecorded": self._log.lost,
            "studied": len(self._studied),
            "overheard": {"heard": self._copies.seen, "missed": self._copies.lost},
            "kernel": ruleset.read_counters(),
            "latency": {
                "flows": Latency.together(q.latency for q in self._queues if q.number != DNS_QUEUE),
                "dns": Latency.together(q.latency for q in self._queues if q.number == DNS_QUEUE),
            },
            "volume": None if self._volume is None else self._volume.status(),
            "store": self._writer.counters(),
            "withheld": self._bench.withheld,
            "accounts": self._accounts.figures(),
            "faults": self._bench.errors
            + self._log.faults
            + self._copies.faults
            + sum(queue.faults for queue in self._queues),
            "mended": dict(self._lost),
        }

    def _configure(self, share: Share) -> dict[str, Any]:
        """Take up a new share, or none of it."""
        before, main = self._share.config.main, share.config.main
        fixed = ("database", "pass_mark", "block_mark", "reader", "workers", "volume")
        changed = [option for option in fixed if getattr(before, option) != getattr(main, option)]
        if changed:
            # Marks of packets in flight, an open store, the threads: another process takes these up, at once.
            raise Restart(f"{', '.join(changed)} changed")
        settings = share.settings()
        with self._bench.lock:
            effects = self._judge.handle(SettingsChanged(settings), now())
            plan = self._plan(share)
        try:
            if (
                plan._replace(**_MEMBERS) != self._table.loaded._replace(**_MEMBERS)
                or plan.exempt != self._table.loaded.exempt
            ):
                self._table.load(plan)
        except SmartrouterError:
            with self._bench.lock:
                effects += self._judge.handle(SettingsChanged(self._share.settings()), now())
            self._bench.carry_out(effects)
            raise
        self._bench.carry_out(effects)
        self._bench.fail_open = main.on_failure == "open"
        denied_before = _denials(self._share)
        self._share = share
        if self._volume is not None:
            self._volume.interfaces = frozenset(share.lan)
        if _denials(share) - denied_before:
            self._cut_what_is_denied()
        return {}

    # -- inside --------------------------------------------------------------------------------------

    def _plan(self, share: Share) -> ruleset.Plan:
        devices = self._judge.roster.devices.values()
        return share.plan(devices)._replace(studied=self._studied)

    def _tell(self, event: Event) -> int:
        """Tell the judge, carry out its effects; gives their number."""
        effects = self._bench.handle(event)
        self._bench.carry_out(effects)
        return len(effects)

    def _stored(self) -> None:
        if not self._writer.flush(FLUSH_PATIENCE):
            raise Unavailable("done, but not stored yet: the disk is full, slow or read-only (see `doctor`)")

    def _cut_what_is_denied(self) -> None:
        """A rule denies more than before: find the open connections that it is about."""
        try:
            with Netlink() as link:
                for flows in _batches(conntrack.flows(link), BATCH):
                    self._tell(ConnectionsOpen(tuple(flows)))
        except Unavailable as error:
            log.warning("open connections cannot be listed: %s They are cut once they are new again.", error)
        self._bench.pairs.flush()

    def _take_up_pairs(self) -> None:
        """Know what an earlier guard had the kernel settle; what does not hold any more is asked again."""
        for pairs in _batches(self._sets.held_pairs(), BATCH):
            self._tell(SettledBefore(tuple(pairs)))

    def _restore(self, database: str) -> None:
        """Take up what an earlier guard left in the store."""
        connection = open_reader(database)
        try:
            state = load_state(connection)
        finally:
            connection.close()
        moment = now()
        protected = False
        for mac in {*state.progress, *state.learned}:
            self._judge.restore(
                mac,
                state.progress[mac],
                state.learned.get(mac, {}),
                state.names.get(mac, ()),
                moment,
                state.aliases.get(mac, ()),
                state.usual.get(mac),
            )
            protected = protected or state.progress[mac].state is State.PROTECTED
        discovered = {device.mac for device in state.devices}
        for device in state.devices:
            self._judge.handle(device, moment)
        if self._share.iot:  # whom only the kernel showed us was on one of these
            for mac in state.progress.keys() - discovered:
                self._judge.handle(DeviceSeen(mac, None, True, "", ""), moment)
        outage = self._share.outage
        if protected and (outage is None or outage > OUTAGE):
            effects = self._judge.handle(OutageEnded(), moment)
            self._look_ups.extend(effect.name for effect in effects if isinstance(effect, LookUp))

    def _ours(self) -> Ours:
        return Ours(self._bench.withheld, self._bench.recorded.total(), self._log.lost)

    def _keep_table(self) -> None:
        """Put the table back if somebody else took it away (a firewall's reset flushes everything), and what
        belongs into its sets if somebody emptied one."""
        if self._table.was_taken_away():
            lost, what = "table", "was taken away"
        elif self._table.was_emptied(self._lacking):
            lost, what = "sets", "was emptied in part"
        else:
            return
        log.warning("the table inet smartrouter %s; putting it back", what)
        self._lost[lost] += 1
        with self._bench.lock:
            plan = self._plan(self._share)
            clients = self._clients()
        self._table.load(plan)
        with self._bench.lock:
            since = self._plan(self._share)
            clients |= self._clients()
        # Some may have been put in just before the sets were filled anew without them.
        for mac in (since.watched or _NONE) - (plan.watched or _NONE):
            self._sets.watch(mac)
        for mac in (since.enforced or _NONE) - (plan.enforced or _NONE):
            self._sets.enforce(mac)
        for client in clients:
            self._sets.admit(client)
        self._bench.pairs.refill(self._wanted_pairs)

    def _lacking(self) -> frozenset[tuple[str, bytes]]:
        """Devices that the kernel's sets lack, and addresses whose replies are to be held."""
        with self._bench.lock:
            devices = list(self._judge.roster.devices.values())
            watched = [device.mac for device in devices if device.watched]
            enforced = [device.mac for device in devices if device.enforced]
            clients = self._clients()
        return self._sets.lack({"watched": watched, "enforced": enforced}, clients)

    def _clients(self) -> set[str]:
        """The addresses that asked a name. To be called with the lock."""
        return {client for device in self._judge.roster.devices.values() for client in device.clients}

    def _wanted_pairs(self) -> list[Settling]:
        with self._bench.lock:
            return self._judge.shortcuts.wanted(now())

    def _serve(self, what: "_Served", name: str) -> None:
        flush = self._flush.get(name, _nothing)

        def beat() -> None:
            self._signs[name] = time.monotonic()
            flush()

        try:
            what.serve(self._stopping, beat)
        except BaseException:
            log.exception("%s ended", name)
        finally:
            flush()
            if not self._stopping.is_set():
                self._signs[name] = 0.0  # no heartbeat from now on: the supervisor starts a new guard


def _nothing() -> None:
    """Where nothing waits."""


class _Served(Protocol):
    """What a thread of its own serves."""

    def serve(self, stop: threading.Event, beat: Callable[[], object]) -> None: ...


def _batches(each: Iterable[_Each], size: int) -> Iterator[list[_Each]]:
    source = iter(each)
    while batch := list(islice(source, size)):
        yield batch


def _denials(share: Share) -> frozenset[Rule]:
    return frozenset(rule for rule in share.settings().rules if rule.action is Action.DENY)


_MEMBERS: dict[str, Any] = dict.fromkeys(ruleset.DEVICE_SETS)


class Restart(SmartrouterError):
    """The change needs a new process."""
