# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts and what they are told: which of them run, with which share of the configuration, and what
becomes of a change. The supervisor's state, without its loop and its sockets.

The guard is told to stop first, for while it lives it would put a missing table back; the others right
behind it. The table goes as soon as the guard has: nothing waits at a gate that nobody keeps.
"""

import socket
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smartrouter.channel import Answer, Then, plain
from smartrouter.core.errors import BadConfig, SmartrouterError, Unavailable
from smartrouter.journal import Journal
from smartrouter.linux import process, queue_stats
from smartrouter.linux.privileges import User
from smartrouter.linux.upstreams import upstreams
from smartrouter.supervisor import decisions, survey
from smartrouter.supervisor.accounting import Accounting
from smartrouter.supervisor.children import Child, Part, State
from smartrouter.supervisor.editing import take_back
from smartrouter.supervisor.errands import Errands
from smartrouter.supervisor.keeping import Keeping
from smartrouter.supervisor.relay import (
    NO_WEB,
    Relay,
    sound_answers,
    sound_decision,
    sound_doubts,
    sound_names,
    sound_packets,
    sound_rules,
    sound_serving,
    sound_switch,
)
from smartrouter.supervisor.seen import Claims, Seen, sound_macs
from smartrouter.supervisor.trial import Trial
from smartrouter.supervisor.watchdog import QueueWatch

log = Journal("smartrouter.supervisor")

GUARD, ANALYZER, WEB = "guard", "analyzer", "web"
GLANCE = 1.0  # seconds between two looks at which interfaces there are
LOOK_AROUND = 10.0  # … and at what else may have changed around us
RETRY = 3.0  # seconds between two tries to start while something is missing


class Household:
    """The parts of one running smartrouter. Times are CLOCK_MONOTONIC seconds."""

    def __init__(self, config_path: str, parts: Sequence[Part], user: User):
        self.config_path = config_path
        self.user = user
        self.found: Mapping[str, Any] = {}  # the survey that is in use (see `survey`); {} before the first
        self.problem = ""  # what keeps the parts from running as configured; '' if nothing
        self.config_error = ""  # why the configuration on disk is not the one in use
        self.fatal: SmartrouterError | None = None  # what `run` is to end with
        self.queues: Mapping[int, queue_stats.QueueStats] = {}
        self.errands = Errands()
        self.chores = Errands()  # that nobody waits for
        self.keeping = Keeping(self.chores, user)
        environment = process.environment()
        self.children = {part.name: Child(part, environment, self._greet, self._hear) for part in parts}
        self.relays: defaultdict[str, Relay] = defaultdict(Relay)  # by what they have done
        self._seen = Seen()
        self._claims = Claims()
        self._studied: list[str] = []  # by the analyzer, which wants copies of some of their packets
        self.trial = Trial()
        self.web = NO_WEB  # where the web interface is, and what it asks of who sets it up
        self._trial_retry = 0.0
        self._watch = QueueWatch()
        self._lost = 0  # packets for which the guard's queues had no room, as it was told
        self._accounting = Accounting()
        self._interfaces: frozenset[str] = frozenset()  # at the last look
        self._next_glance = self._next_look = 0.0
        self._reloading = self._stopping = self._table_must_go = self._state_must_be_kept = False

    # -- what can be wanted of it ----------------------------------------------------------------------

    @property
    def enabled(self) -> bool:
        """Does the configuration want the parts to run?"""
        return bool(self.found.get("enabled"))

    @property
    def is_settled(self) -> bool:
        """Has each part come up, or failed to, or need it not run?"""
        stopped = not self.enabled or bool(self.problem)
        return bool(self.found) and all(
            child.problem or child.state is State.RUNNING or (stopped and child.state is State.STOPPED)
            for child in self.wanted()
        )

    def wanted(self) -> list[Child]:
        """The parts that the configuration asks for."""
        shares = self.found.get("shares", {})
        return [
            child
            for name, child in self.children.items()
            if not child.part.optional or shares.get(name, {}).get(name)
        ]

    @property
    def is_over(self) -> bool:
        """After `end`: is everything gone?"""
        stopped = all(child.state is State.STOPPED for child in self.children.values())
        must = self._table_must_go or self._state_must_be_kept or self.errands.busy or self.chores.busy
        return self._stopping and stopped and not must

    def reload(self, then: Then, now: float) -> None:
        """Read the configuration again. `then` gets {"ok": {"applied": bool, "note": TEXT}} once the guard
        has it, or why not; or an error in words, and then the old one stays in use."""

        def read(answer: Answer) -> None:
            self._reloading = False
            if "error" in answer:
                if not self.found and answer.get("kind") == BadConfig.__name__:
                    self.fatal = BadConfig(answer["error"])
                    self.end(now)
                self._refuse(answer["error"], then)
            elif "problem" in answer["ok"] and "around" in self.found:
                self._refuse(answer["ok"]["problem"], then)
            else:
                self.config_error = ""
                self._take(answer["ok"], then)

        self._reloading = True
        self._next_look = now + RETRY
        self._interfaces = _interfaces()
        work = survey.whole(self.config_path, tuple(self.children), self.user)
        self.errands.send(work, read, now)

    def change(self, write: Callable[[str], None], then: Then, now: float) -> None:
        """Have `write(path)` change the configuration, and take that up. `then` as in `reload`."""

        def written(answer: Answer) -> None:
            if "error" in answer:
                then(answer)
            else:
                self._take(answer["ok"], then)

        work = survey.change(self.config_path, tuple(self.children), write)
        self.errands.send(work, written, now)

    def end(self, now: float) -> None:
        """Stop everything for good, and leave no table behind."""
        self._stopping = True
        self._stop_parts(now)

    def next_deadline(self) -> float | None:
        """When `step` has something to do, if nothing happens before."""
        due = [child.next_deadline() for child in self.children.values()]
        due += [self.errands.next_deadline(), self.chores.next_deadline()]
        return min((moment for moment in due if moment is not None), default=None)

    def step(self, now: float) -> None:
        """What time asks for."""
        for child in self.children.values():
            child.step(now)
        self.errands.step(now)
        self.chores.step(now)
        self._watch_queues(now)
        self._look_around(now)
        self._end_trial(now)
        guard = self.children.get(GUARD)
        if guard is not None and guard.state is State.RUNNING and self.found.get("volume"):
            self._accounting.keep_on(now)
        if self._table_must_go and (guard is None or guard.state is State.STOPPED):
            self._table_must_go = False
            self._accounting.give_back()
            self.errands.send(survey.remove_table(self.found), self._removed, now)
        if self._state_must_be_kept and all(c.state is State.STOPPED for c in self.children.values()):
            self._state_must_be_kept = False
            self.keeping.finish(now)
        if not self._stopping:
            self.keeping.step(now)

    # -- the configuration and its surroundings --------------------------------------------------------

    def _refuse(self, why: str, then: Then) -> None:
        if why != self.config_error:
            self.config_error = why
            for line in why.splitlines():
                log.error("configuration not taken: %s", line)
        then({"error": why})

    def _take(self, found: Mapping[str, Any], then: Then) -> None:
        """Act on a sound configuration."""
        now = time.monotonic()
        before, self.found = self.found, {**self.found, **found}
        self.keeping.configure(self.found, now)
        self.trial.take(found["mode_until"], time.time(), now)
        if self._stopping:
            then({"error": "smartrouter is stopping"})
            return
        if not self.enabled:
            log.info("`enabled` is 0: nothing runs")
            self.found = {key: value for key, value in self.found.items() if key != "around"}
            self._set_problem("")
            self._stop_parts(now)
            then(_outcome("smartrouter is not enabled: this counts once it is"))
            return
        self._set_problem(found.get("problem", "" if "around" in self.found else self.problem))
        if "around" not in self.found:
            then(_outcome(f"this counts once smartrouter can start: {self.problem}"))
            return
        self._table_must_go = False
        self._push(then, now, WEB if _is_of_web(before, self.found) else GUARD)
        wanted = self.wanted()
        for child in self.children.values():
            if child in wanted:
                child.start(now)
            else:
                child.stop(now)
        if "around" not in found and any(before[key] != found[key] for key in ("networks", "database")):
            self.reload(_nobody, now)  # the file was changed in more than what we wrote

    def _push(self, then: Then, now: float, whose: str = GUARD) -> None:
        """Hand the configuration to all that can take it now; `then` hears how the part `whose` took it."""

        def answered(answer: Answer) -> None:
            error = answer.get("error") if whose == GUARD else None  # without the others we guard the same
            then(_outcome(f"this counts once the guard has it: {error}" if error else ""))

        if whose not in self.children:
            then(_outcome(""))
        for name, child in self.children.items():
            child.configure(self._share(child, now), now, answered if name == whose else _nobody)

    def _share(self, child: Child, now: float) -> dict[str, Any]:
        share = {key: self.found["around"][key] for key in ("lan", "iot", "upstreams")}
        return {"config": self.found["shares"][child.part.name], **share, "outage": child.outage(now)}

    def _look_around(self, now: float) -> None:
        """Notice interfaces and resolvers that come and go: at boot they come after us."""
        if now < self._next_glance or self._stopping or self._reloading or (self.found and not self.enabled):
            return
        self._next_glance = now + GLANCE
        before, self._interfaces = self._interfaces, _interfaces()
        if self._interfaces == before and now < self._next_look:
            return
        around = self.found.get("around")
        self._next_look = now + (RETRY if around is None else LOOK_AROUND)
        if around is None:
            self.reload(_nobody, now)
            return
        came = (around["missing"] or self.problem) and self._interfaces != before
        went = not self._interfaces.issuperset(around["lan"])
        if came or went or sorted(upstreams()) != around["upstreams"]:
            self.errands.send(survey.around(self.found["networks"]), self._looked, now)

    def _end_trial(self, now: float) -> None:
        """Nobody has said that the mode on trial is to stay: it is as it was before."""
        if self._stopping or now < self._trial_retry or not self.trial.is_over(time.time(), now):
            return

        def taken_back(answer: Answer) -> None:
            if "error" in answer:
                log.error("the mode on trial cannot be taken back: %s", answer["error"])
            else:
                log.info("the trial is over, and nobody kept it: the mode is as it was before")

        self._trial_retry = now + RETRY
        self.change(take_back, taken_back, now)

    def _looked(self, answer: Answer) -> None:
        if "error" in answer:
            self._set_problem(answer["error"])
        elif self.enabled and "around" in self.found:
            self._set_problem("")
            if answer["ok"] != self.found["around"]:
                log.info("interfaces or resolvers have changed: telling the parts")
                self.found = {**self.found, "around": answer["ok"]}
                self._push(_nobody, time.monotonic())

    def _set_problem(self, problem: str) -> None:
        if problem and problem != self.problem:
            log.error("%s", problem)
        self.problem = problem

    # -- the parts -------------------------------------------------------------------------------------

    def _greet(self, child: Child, now: float) -> None:
        """A part's process is up, and wants its configuration."""

        def configured(answer: Answer) -> None:
            if child.part.name == GUARD and "ok" in answer:
                for devices in self._seen.batches():
                    child.ask("seen", {"devices": devices}, now, _nobody)
                for claims in self._claims.batches():
                    child.ask("claims", {"claims": claims}, now, _nobody)
                if self._studied:
                    child.ask("study", {"devices": self._studied}, now, _nobody)

        if "around" in self.found:
            child.configure(self._share(child, now), now, configured)

    def _hear(self, child: Child, message: dict[str, Any], now: float) -> None:
        """A part said something unasked. The analyzer: which devices it sees, who answers for which address,
        whose MAC something else seems to use, of whom it wants to see more, what people answered, and where
        names lead; the guard:
        which names it wants to know that of, which rules have allowed their one connection, and what devices
        say of themselves."""
        match child.part.name, message["tell"]:
            case "analyzer", "seen":
                devices = self._seen.update(message.get("devices"))
                guard = self.children.get(GUARD)
                if devices and guard is not None:
                    guard.ask("seen", {"devices": devices}, now, _nobody)
            case "analyzer", "claims":
                self._relay(GUARD, "claims", "claims", self._claims.update(message.get("claims")), now)
            case "analyzer", "doubts":
                self._relay(GUARD, "doubts", "doubts", sound_doubts(message.get("doubts")), now)
            case "analyzer", "study":
                self._studied = sound_macs(message.get("devices"))
                guard = self.children.get(GUARD)
                if guard is not None:
                    guard.ask("study", {"devices": self._studied}, now, _nobody)
            case "guard", "ended":
                for device, destination, service in sound_rules(message.get("rules")):
                    log.info("a rule for %s has allowed its one connection, to %s", device, destination)
                    self.change(decisions.ender(device, destination, service, time.time()), _nobody, now)
            case "guard", "overheard":
                self._relay(ANALYZER, "overheard", "packets", sound_packets(message.get("packets")), now)
            case "analyzer", "answered":
                self._decide(message, now)
            case "analyzer", "switched":
                self._switch(message, now)
            case "web", "serving":
                self.web = sound_serving(message)
            case "analyzer", "looked_up":
                self._relay(GUARD, "looked_up", "names", sound_answers(message.get("names")), now)
            case "guard", "look_up":
                self._relay(ANALYZER, "look_up", "names", sound_names(message.get("names")), now)
            case name, tell:
                log.warning("%s told what nobody understands: %.40r", name, tell)

    def _decide(self, message: Mapping[str, Any], now: float) -> None:
        """Somebody answered an alert on a channel."""
        decision = sound_decision(message, self._channel_types())
        if decision is None:
            log.warning("an answer that makes no sense, or from no channel of ours: it does nothing")
            return

        def decided(answer: Answer) -> None:
            note = answer.get("error") or answer["ok"]["note"]
            analyzer = self.children.get(ANALYZER)
            if "error" in answer and analyzer is not None:
                facts = {"alert": message.get("alert"), "why": plain(answer["error"], 300)}
                analyzer.ask("not_done", facts, time.monotonic(), _nobody)
            log.info(
                "%s: %s of %s%s", decision.by, decision.answer, decision.device, f": {note}" if note else ""
            )

        self.change(decisions.writer(decision, time.time()), decided, now)

    def _switch(self, message: Mapping[str, Any], now: float) -> None:
        """Somebody switched a device's mode on a channel."""
        switch = sound_switch(message, self._channel_types())
        if switch is None:
            log.warning("a switch that makes no sense, or of no channel of ours: it does nothing")
            return
        log.info("%s: %s is to %s", message["by"], *switch)
        self.change(decisions.switcher(*switch), _nobody, now)

    def _channel_types(self) -> set[str]:
        shares = self.found.get("shares", {})
        return {channel["type"] for channel in shares.get(ANALYZER, {}).get("notify", ())}

    def _relay(self, part: str, do: str, what: str, things: Sequence[object], now: float) -> None:
        self.relays[do].send(self.children.get(part), do, what, things, now)

    def _stop_parts(self, now: float) -> None:
        for child in self.children.values():
            child.stop(now)
        self._table_must_go = True
        self._state_must_be_kept = bool(self.found)

    def _removed(self, answer: Answer) -> None:
        if "error" in answer:
            problem = f"the table inet smartrouter may still be there: {answer['error']}"
            log.error("%s", problem)
            if self._stopping and self.fatal is None:
                self.fatal = Unavailable(problem)

    def _watch_queues(self, now: float) -> None:
        guard = self.children.get(GUARD)
        if guard is None or guard.state is not State.RUNNING:
            self.queues, self._lost = {}, 0
            self._watch.forget()
            return
        try:
            self.queues = queue_stats.read()
        except Unavailable:
            self.queues = {}
        lost = sum(queue.dropped + queue.user_dropped for queue in self.queues.values())
        if lost != self._lost:
            self._lost = lost
            guard.ask("lost", {"packets": lost}, now, _nobody)
        since = self._watch.standstill(self.found["around"]["queues"], self.queues, now)
        if since is not None:
            guard.hangs("packets wait and none is judged", since, now)


def _interfaces() -> frozenset[str]:
    return frozenset(name for _, name in socket.if_nameindex())


def _nobody(_answer: Answer) -> None:
    """Nobody waits for this answer."""


def _is_of_web(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Does the web interface itself change? Whoever sets its password logs in next."""
    ours = [found.get("shares", {}).get(WEB, {}).get(WEB) for found in (before, after)]
    return ours[0] != ours[1] and None not in ours


def _outcome(note: str) -> Answer:
    """`note`: why a change does not count yet, '' if it does."""
    return {"ok": {"applied": not note, "note": note}}
