# SPDX-License-Identifier: GPL-2.0-or-later
"""The event stream: alerts as they are raised and change, devices as they come, go and change, and how things
stand. Its form: https://html.spec.whatwg.org/multipage/server-sent-events.html.

    event: alert      data: the alert, as GET /alerts gives it      id: the number of its change
    event: device     data: the device, as GET /devices gives it
    event: status     data: `working`, `problem`, `mode`, `trial` (until when, or null), `is_paused`, how
                      many open `alerts` there are of each severity, and `devices` in each state
    event: reset      data: {}      what you know may be outdated: read it anew

A viewer that comes back with `Last-Event-ID` gets the alerts that it has missed. One task looks for all
viewers, while there are any; each has a short queue, and one that does not keep up has to come again.
"""

import asyncio
import contextlib
import json
import logging
import sqlite3
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import anyio.to_thread
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from smartrouter.core.effects import Severity
from smartrouter.core.errors import SmartrouterError
from smartrouter.listings.alerts import alert_json
from smartrouter.listings.known import Known
from smartrouter.listings.status import problem_of
from smartrouter.store import queries
from smartrouter.store.alerts import alerts_changed, latest_change
from smartrouter.store.inbox import open_by_severity
from smartrouter.web.api.operation import Call
from smartrouter.web.api.problems import Problem
from smartrouter.web.api.reading import listed_devices
from smartrouter.web.sessions import is_alive

if TYPE_CHECKING:
    from smartrouter.web.site import Site

log = logging.getLogger("smartrouter.web")

LOOK = 0.5  # seconds between two looks for alerts
LOOK_AROUND = 3.0  # seconds between two looks at devices, and at how things stand
HEARTBEAT = 15.0  # seconds after which a silent stream says that it lives
MOST_VIEWERS = 16
_QUEUE = 256  # events that wait for one viewer
_AT_ONCE = 200  # alerts
_RETRY = 2000  # milliseconds after which a viewer comes again


class Event(NamedTuple):
    """One event. `id`: '' keeps the viewer's last one."""

    name: str
    data: Any
    id: str = ""

    def text(self) -> bytes:
        """As it is sent. JSON has no line breaks but escaped ones."""
        number = f"id: {self.id}\n" if self.id else ""
        return (
            f"{number}event: {self.name}\ndata: {json.dumps(self.data, separators=(',', ':'))}\n\n".encode()
        )


class Viewer:
    """Somebody who looks."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue(_QUEUE)
        self.is_behind = False

    def give(self, event: Event) -> None:
        """One event more; a viewer whose queue is full is told nothing more."""
        try:
            self.events.put_nowait(event)
        except asyncio.QueueFull:
            self.is_behind = True

    def end(self) -> None:
        """Nothing more is told; who looks may come again."""
        self.is_behind = True
        with contextlib.suppress(asyncio.QueueFull):
            self.events.put_nowait(Event("reset", {}))


class Feed:
    """What all viewers of a site are told. Lives in the event loop."""

    def __init__(self, site: "Site"):
        self._site = site
        self._viewers: set[Viewer] = set()
        self._task: asyncio.Task[None] | None = None
        self._cursor: int | None = None  # the last change of an alert that was told of
        self._devices: dict[str, tuple[Any, ...]] | None = None
        self._status: dict[str, Any] = {}
        self._next_around = 0.0
        self._beginning = asyncio.Lock()

    async def join(self, last: str) -> Viewer:
        """A viewer more, whose last event had the id `last`; with what it has missed. Raises Problem."""
        if len(self._viewers) >= MOST_VIEWERS:
            detail = f"{MOST_VIEWERS} viewers are the most; try again when one has gone"
            raise Problem(429, detail, headers={"Retry-After": "10"})
        viewer = Viewer()
        self._viewers.add(viewer)
        try:
            async with self._beginning:
                if self._task is None or self._task.done():
                    self._cursor, self._devices, self._status, self._next_around = None, None, {}, 0.0
                    await self._look()
                    self._task = asyncio.create_task(self._run())
                else:
                    viewer.give(Event("status", self._status))
            if last:
                for event in await anyio.to_thread.run_sync(self._missed, last):
                    viewer.give(event)
        except BaseException:
            self._viewers.discard(viewer)
            raise
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """A viewer less; nobody looks for nobody."""
        self._viewers.discard(viewer)
        if not self._viewers and self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        """Have all viewers go: the process ends."""
        for viewer in self._viewers:
            viewer.end()

    @property
    def viewers(self) -> int:
        """How many there are."""
        return len(self._viewers)

    async def _run(self) -> None:
        while self._viewers:
            await asyncio.sleep(LOOK)
            try:
                await self._look()
            except SmartrouterError as error:
                log.debug("nothing to tell viewers: %s", error)  # said on every page
            except Exception:
                log.exception("a fault of smartrouter's")
                await asyncio.sleep(LOOK_AROUND)

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        around = now >= self._next_around
        for event in await anyio.to_thread.run_sync(self._changes, around):
            self._tell(event)
        if around:
            self._next_around = now + LOOK_AROUND
            await self._look_at_status()

    async def _look_at_status(self) -> None:
        site = self._site
        await site.refresh()
        answer = site.status
        problem = str(answer["error"]) if "error" in answer else problem_of(answer)
        guard = answer.get("guard", {})
        told = {
            "working": not problem,
            "problem": problem,
            "mode": guard.get("mode") or str(site.settings.mode),
            "trial": site.config.main.mode_until,
            "is_paused": guard.get("paused", 0) > 0,
            **await anyio.to_thread.run_sync(self._counts),
        }
        if told != self._status:
            self._status = told
            self._tell(Event("status", told))

    def _tell(self, event: Event) -> None:
        for viewer in self._viewers:
            viewer.give(event)

    # -- in a thread ---------------------------------------------------------------------------------------

    def _counts(self) -> dict[str, Any]:
        with self._site.store() as conn:
            waiting, stages = open_by_severity(conn), queries.stages(conn)
        alerts = {str(severity): waiting.get(severity, 0) for severity in reversed(Severity)}
        return {"alerts": alerts, "devices": stages}

    def _changes(self, around: bool) -> list[Event]:
        known = Known(self._site.config)
        events: list[Event] = []
        with known.store() as conn:
            latest = latest_change(conn)
            if self._cursor is None:
                self._cursor = latest
            elif latest < self._cursor:  # another store stands in its place
                self._cursor = latest
                events.append(Event("reset", {}))
            elif latest > self._cursor:
                events += _alert_events(known, conn, self._cursor)
                self._cursor = int(events[-1].id)
            if around:
                events += self._device_changes(known, conn)
        return events

    def _device_changes(self, known: Known, conn: sqlite3.Connection) -> list[Event]:
        devices = known.found()
        standing = {each.mac: _standing(known, each) for each in devices}
        before, self._devices = self._devices, standing
        if before is None:
            return []
        changed = [each for each in devices if before.get(each.mac) != standing[each.mac]]
        return [Event("device", each) for each in listed_devices(known, conn, changed)] if changed else []

    def _missed(self, last: str) -> list[Event]:
        """What happened to alerts since the event with the id `last`, up to where the others are."""
        known = Known(self._site.config)
        with known.store() as conn:
            upto = latest_change(conn) if self._cursor is None else self._cursor
            if not last.isascii() or not last.isdecimal() or int(last) > upto or upto - int(last) > _AT_ONCE:
                return [Event("reset", {}, str(upto))]
            events = _alert_events(known, conn, int(last))
        return [event for event in events if int(event.id) <= upto]


def _alert_events(known: Known, conn: sqlite3.Connection, cursor: int) -> list[Event]:
    return [
        Event("alert", alert_json(known, each), str(each.change))
        for each in alerts_changed(conn, cursor, _AT_ONCE)
    ]


def _standing(known: Known, device: queries.Device) -> tuple[Any, ...]:
    """What viewers are told of if it changes; not each attempt."""
    return (
        known.name_of(device), known.standing(device), device.stage, device.present, device.open_alerts,
        device.iot, device.addresses, device.probably,
    )  # fmt: skip


_feeds: WeakKeyDictionary["Site", Feed] = WeakKeyDictionary()


def feed_of(site: "Site") -> Feed:
    """The one feed of a site."""
    if site not in _feeds:
        _feeds[site] = Feed(site)
    return _feeds[site]


async def events(call: Call) -> Response:
    """The stream."""
    feed = feed_of(call.site)
    viewer = await feed.join(call.request.headers.get("last-event-id", "").strip()[:20])
    return _Telling(feed, viewer, call)


class _Telling(StreamingResponse):
    """The answer; however it ends, be it before it has begun, its viewer goes with it."""

    def __init__(self, feed: Feed, viewer: Viewer, call: Call):
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(_stream(viewer, call), media_type="text/event-stream", headers=headers)
        self._feed, self._viewer = feed, viewer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._feed.leave(self._viewer)


async def _stream(viewer: Viewer, call: Call) -> AsyncIterator[bytes]:
    yield f"retry: {_RETRY}\n: smartrouter\n\n".encode()
    while not viewer.is_behind and _is_admitted(call):
        event = None
        with contextlib.suppress(TimeoutError):
            event = await asyncio.wait_for(viewer.events.get(), HEARTBEAT)
        yield event.text() if event else b": it lives\n\n"


def _is_admitted(call: Call) -> bool:
    """Is who began to look still somebody who may? Sessions end, and tokens are taken away."""
    user = call.request.state.user
    site = call.site
    if user.session is not None:
        return is_alive(user.session, site.clock()) and site.sessions.has(user.session.key)
    return any(user.name == f"web:token.{token.name}" for token in site.tokens)
