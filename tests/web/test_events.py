# SPDX-License-Identifier: GPL-2.0-or-later
"""The event stream, over a real connection: what a viewer is told, what one that comes back has missed, and
how many there may be."""

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from unit.made_home import PHONE, PLUG, TV, alert, sighting
from web.house import PATIENCE, House

from smartrouter.store.changes import upsert_devices
from smartrouter.store.connect import open_writer
from smartrouter.web.api import events
from smartrouter.web.api.events import MOST_VIEWERS, Event, Viewer, feed_of


class Stream:
    """A viewer's connection."""

    def __init__(self, url: str, secret: str, last: str = ""):
        headers = {"Authorization": f"Bearer {secret}"} | ({"Last-Event-ID": last} if last else {})
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)
        self._connection.request("GET", "/api/v1/events", headers=headers)
        self.answer = self._connection.getresponse()

    def block(self) -> dict[str, str]:
        """The lines up to the next empty one, by their names; the last of each."""
        found: dict[str, str] = {}
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            found[name] = value
        return found

    def event(self, *names: str) -> tuple[str, Any]:
        """The id and the data of the next event of one of these names."""
        while True:
            block = self.block()
            if block.get("event") in names:
                return block.get("id", ""), json.loads(block["data"])

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def url(house: House) -> Iterator[str]:
    with house.served() as url:
        yield url


def test_a_viewer_is_told_how_things_stand_then_of_each_change(house: House, url: str) -> None:
    stream = Stream(url, house.secrets["read"])
    assert stream.answer.status == 200
    assert stream.answer.headers["content-type"].startswith("text/event-stream")
    assert stream.block()["retry"] == "2000"
    _, status = stream.event("status")
    assert status == {
        "working": True, "problem": "", "mode": "monitor", "trial": None, "is_paused": False,
        "alerts": {"critical": 0, "warning": 2, "notice": 0}, "devices": {"learning": 1, "protected": 1},
    }  # fmt: skip
    house.put(alert(TV, "new.example"))
    number, told = stream.event("alert")
    assert (told["id"], told["destination"], told["state"]) == (3, "new.example", "open")
    house.program().post("/api/v1/alerts/3/deny", json={})
    later, told = stream.event("alert")
    assert (told["id"], told["state"], told["decided_by"]) == (3, "denied", "web:token.all")
    assert int(later) > int(number)
    stream.close()


def test_a_viewer_is_told_of_devices_that_come_and_change(
    house: House, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "LOOK_AROUND", 0.0)
    stream = Stream(url, house.secrets["read"])
    stream.event("status")
    conn = open_writer(house.database)
    upsert_devices(conn, [sighting(PHONE, "Pixel-8", False, "192.168.1.22")], time.time())
    conn.close()
    _, told = stream.event("device")
    assert (told["mac"], told["label"], told["watched"]) == (PHONE, "Pixel-8", False)
    house.program().patch(f"/api/v1/devices/{PLUG}", json={"name": "Lamp"})
    _, told = stream.event("device")
    assert (told["mac"], told["label"]) == (PLUG, "Lamp")
    stream.close()


def test_each_first_viewer_is_told_how_things_stand(house: House, url: str) -> None:
    for _ in range(3):
        stream = Stream(url, house.secrets["read"])
        assert stream.event("status")[1]["working"]
        stream.close()
        wait_until(lambda: feed_of(house.site).viewers == 0)


def test_who_comes_back_gets_what_was_missed_and_no_more(house: House, url: str) -> None:
    stream = Stream(url, house.secrets["read"])
    stream.event("status")
    house.put(alert(TV, "one.example"))
    last, _ = stream.event("alert")
    stream.close()
    house.put(alert(TV, "two.example"), alert(TV, "three.example"))
    again = Stream(url, house.secrets["read"], last)
    assert [again.event("alert")[1]["destination"] for _ in range(2)] == ["two.example", "three.example"]
    again.close()


@pytest.mark.parametrize("last", ["999999", "nonsense", "-1"])
def test_who_knows_what_never_was_is_told_to_begin_anew(last: str, house: House, url: str) -> None:
    stream = Stream(url, house.secrets["read"], last)
    number, data = stream.event("reset")
    assert data == {}
    assert number.isdecimal()
    stream.close()


def test_one_looks_for_all_and_nobody_for_nobody(house: House, url: str) -> None:
    feed = feed_of(house.site)
    streams = [Stream(url, house.secrets["read"]) for _ in range(MOST_VIEWERS)]
    one_too_many = Stream(url, house.secrets["read"])
    assert one_too_many.answer.status == 429
    assert one_too_many.answer.headers["retry-after"] == "10"
    assert feed.viewers == MOST_VIEWERS
    house.put(alert(TV, "new.example"))
    assert {stream.event("alert")[1]["id"] for stream in streams} == {3}
    for stream in (*streams, one_too_many):
        stream.close()
    wait_until(lambda: feed.viewers == 0)


def test_a_viewer_that_does_not_read_is_let_go() -> None:
    viewer = Viewer()
    for number in range(1000):
        viewer.give(Event("alert", {}, str(number)))
    assert viewer.is_behind
    assert viewer.events.qsize() < 1000


def test_whose_token_is_taken_away_sees_no_more(
    house: House, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "HEARTBEAT", 0.1)
    stream = Stream(url, house.secrets["read"])
    stream.event("status")
    house.site.tokens = [token for token in house.site.tokens if token.name != "read"]
    assert stream.answer.read() is not None  # it ends
    stream.close()


def test_an_event_is_a_few_lines_whatever_is_in_it() -> None:
    hostile = "a\nevent: alert\n\ndata: {}\r\n\u2028</script>"
    text = Event("device", {"label": hostile}, "7").text().decode()
    assert text.count("\n") == 4
    assert "\r" not in text
    name, event, data, *_ = text.split("\n")
    assert (name, event) == ("id: 7", "event: device")
    assert json.loads(data.removeprefix("data: ")) == {"label": hostile}


def wait_until(is_so: Any) -> None:
    end = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)
