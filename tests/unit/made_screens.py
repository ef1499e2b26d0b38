# SPDX-License-Identifier: GPL-2.0-or-later
"""Households for tests of the screens: devices, what they did, and a page taken apart."""

import sqlite3
import unicodedata
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from unit.made_effects import NOON, PLUG, TV, write
from unit.made_site import STATUS

from smartrouter.config import from_text
from smartrouter.core.effects import Effect, Keep
from smartrouter.core.learning import Progress, State
from smartrouter.listings.known import Known
from smartrouter.store.changes import Sighting, upsert_devices

VOID = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
PROTECTED = Progress(State.PROTECTED, 90000.0, 40, 8, 20, True, 6, 0, 1, True)
LEARNING = Progress(State.LEARNING, 7200.0, 5, 2, 1)
PHONE = "da:a1:19:00:00:04"


def known(conn: sqlite3.Connection, extra: str = "") -> Known:
    """What is known with this configuration (UCI) besides the store."""
    return Known(from_text(f"config smartrouter 'main'\n\tlist device 'br-lan'\n{extra}"), conn)


def status(**guard: object) -> Mapping[str, Any]:
    """What the running smartrouter says of itself."""
    return {**STATUS, "guard": {**STATUS["guard"], "mode": "monitor", **guard}}


def sighting(mac: str, called: str = "", iot: bool | None = True, **more: Any) -> Sighting:
    """A device that discovery has found."""
    found = Sighting(mac, iot=iot, confidence=0.9, reasons=("a reason",), interface="br-lan", called=called)
    return found._replace(**more)


def furnish(conn: sqlite3.Connection, *effects: Effect) -> None:
    """A TV that is protected, a plug that learns, a phone; and what else is given."""
    upsert_devices(
        conn,
        [
            sighting(TV, "Telly", maker="LG Electronics", addresses=("192.168.1.20", "fe80::1")),
            sighting(PLUG, "Plug", addresses=("192.168.1.21",)),
            sighting(PHONE, "Phone", iot=False, present=False),
        ],
        NOON,
    )
    write(conn, Keep(TV, PROTECTED), Keep(PLUG, LEARNING), *effects)


class Taken(HTMLParser):
    """A page, taken apart. `tags`: each tag with the names of its attributes; `links`: where they lead;
    `texts`: what is read, attributes that are shown too; `faults`: what is not well-formed."""

    def __init__(self, page: str):
        super().__init__(convert_charrefs=True)
        self.tags: set[tuple[str, frozenset[str]]] = set()
        self.links: list[str] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.faults: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        self.tags.add((tag, frozenset(names)))
        self.faults += [f"{tag}: {name} twice" for name in {n for n in names if names.count(n) > 1}]
        self.faults += [f"{tag}: {name}" for name in names if name.startswith("on") or name == "style"]
        for name, value in attrs:
            if name in ("href", "src", "action"):
                self.links.append(value or "")
            elif name == "id":
                self.ids.append(value or "")
            else:
                self.texts.append(value or "")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.faults.append(f"</{tag}> closes what is not open")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.faults.append(f"a comment: {data}")

    @property
    def text(self) -> str:
        """All that is read."""
        return " ".join(" ".join(self.texts).split())

    def hostile(self) -> set[str]:
        """Characters that act or hide."""
        acting = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
        return {
            c for text in self.texts for c in text if unicodedata.category(c) in acting and c not in "\n\t"
        }
