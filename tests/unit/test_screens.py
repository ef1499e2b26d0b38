# SPDX-License-Identifier: GPL-2.0-or-later
"""The screens through the application: hostile names do nothing, no page is heavy, a click is an order."""

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from counting import steps
from unit.made_alarms import HOSTILE
from unit.made_effects import NOON, PLUG, TV, learn, raised, record, write
from unit.made_full_store import MAC, full_store
from unit.made_screens import LEARNING, PROTECTED, Taken, furnish, known, sighting
from unit.made_site import MadeSite, Owner, made_site, owner

from smartrouter.config.options import time_text
from smartrouter.core.effects import Keep, Kind, Severity
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.store.alerts import AlertState, set_alert_state, set_reverse
from smartrouter.store.changes import upsert_devices
from smartrouter.store.connect import open_writer
from smartrouter.store.exhibits import Attach, Exhibit, Role
from smartrouter.web.views.devices import devices

NOW = NOON + 600
SYN = bytes.fromhex("4500002800010000400600000a000001cb0071099c4001bb00000000000000005002200000000000")
HEAVIEST = 100_000  # bytes of a page, as it is before it is packed
RULE = f"config rule\n\toption device '{TV}'\n\toption destination 'ads.example'\n\toption action 'deny'\n"


def site_of(folder: Path, extra: str = "") -> MadeSite:
    site = made_site(folder, extra)
    site.clock = lambda: NOW
    return site


@pytest.fixture
def conn(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A writer's connection to the store that the site shows."""
    with contextlib.closing(open_writer(str(tmp_path / "store.db"))) as conn:
        yield conn


@pytest.fixture
def home(tmp_path: Path, conn: sqlite3.Connection) -> tuple[MadeSite, Owner]:
    """A household with something of everything."""
    site = site_of(tmp_path, RULE)
    furnish(
        conn, learn(TV), learn(TV, "b.example"), record(), record(accepted=False), raised(TV),
        raised(
            PLUG, destination="", service="", kind=Kind.SCAN, severity=Severity.CRITICAL,
            detail="254 addresses",
        ),
    )  # fmt: skip
    key = (TV, "new-destination", "example.net", "web")
    write(conn, Attach(key, (Exhibit(Role.FIRST, NOON, True, SYN),)))
    return site, owner(site)


PATHS = (
    "/", "/inbox", "/inbox?show=decided", f"/inbox?device={TV}", "/inbox?kind=scan",
    "/devices", "/devices?show=all", "/devices?sort=alerts&order=falling&text=t", f"/devices/{TV}",
    f"/devices/{PLUG}", "/log", f"/log?device={TV}",
    "/log?verdict=blocked&since=2026-11-20T10:00&destination=ex", "/log?verdict=odd&since=then", "/alerts/1",
    "/alerts/2", "/log/new?after=0",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_screen_is_well_formed_and_readable(home: tuple[MadeSite, Owner], path: str) -> None:
    answer = home[1].get(path)
    assert answer.status_code == 200
    page = Taken(answer.text)
    assert page.faults == []
    assert len(page.ids) == len(set(page.ids))
    assert not [link for link in page.links if not link.startswith(("/", "?", "#"))]
    if path != "/log/new?after=0":
        assert {tag for tag, _ in page.tags} >= {"main", "h1", "nav", "title"}


def test_home_says_it_in_one_sentence(home: tuple[MadeSite, Owner]) -> None:
    page = Taken(home[1].get("/").text)
    assert "2 devices, 2 need you" in page.text
    assert "Monitor: what is not known is reported, not blocked" in page.text
    assert "2 connection attempts" in page.text


def test_home_is_there_without_a_store(tmp_path: Path) -> None:
    site = site_of(tmp_path)
    (tmp_path / "store.db").unlink()
    page = Taken(owner(site).get("/").text)
    assert "There is no store" in page.text
    assert owner(site).get("/devices").status_code == 503


# -- hostile names -----------------------------------------------------------------------------------------


def names_everywhere(folder: Path, names: tuple[str, ...]) -> Owner:
    """A household in which every text that comes from the network is one of these: a device for each."""
    site = site_of(folder)
    with contextlib.closing(open_writer(str(folder / "store.db"))) as conn:
        for number, given in enumerate(names):
            name, mac = given.encode(errors="replace").decode(), mac_of(number)
            upsert_devices(
                conn,
                [sighting(mac, name, hostname=name, maker=name, probably=mac_of(number + 1), reasons=(name,),
                          probably_reasons=(name,))],
                NOON,
            )  # fmt: skip
            progress = LEARNING if number % 2 else PROTECTED
            about = raised(mac, destination=name or "x", name=name, detail=name)
            scan = raised(mac, destination="", service="", kind=Kind.SCAN, detail=name, port=23)
            seen = raised(mac, destination="seen.example", name=name)
            did = record(mac, at=NOON + number, name=name)
            write(conn, Keep(mac, progress), learn(mac, name or "x"), did, about, scan, seen)
        for number, name in conn.execute("SELECT id, name FROM alerts").fetchall():
            set_reverse(conn, [(number, name)])
        for (number,) in conn.execute("SELECT id FROM alerts WHERE destination = 'seen.example'").fetchall():
            set_alert_state(conn, number, AlertState.DISMISSED, "web:admin", NOON)
    return owner(site)


def mac_of(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


def everything(client: Owner, devices: int) -> Iterator[Taken]:
    """All pages on which names stand."""
    paths = ["/", "/devices?show=all", "/log", "/log/new?after=0"]
    paths += [f"/inbox?show={show}&page={page}" for show in ("open", "decided") for page in range(1, 7)]
    paths += [f"/devices/{mac_of(number)}" for number in range(devices)]
    paths += [f"/inbox?device={mac_of(number)}" for number in range(devices)]
    paths += [f"/alerts/{number}" for number in range(1, 3 * devices + 1)]
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, path
        yield Taken(answer.text)


def test_hostile_names_are_inert_wherever_they_stand(tmp_path: Path) -> None:
    """Pages have the tags and attributes that they have with plain names, lead nowhere else, hide nothing."""
    for each in ("plain", "hostile"):
        (tmp_path / each).mkdir()
    plain = tuple(f"name{number}.example" for number in range(len(HOSTILE)))
    usual = {
        tag
        for page in everything(names_everywhere(tmp_path / "plain", plain), len(plain))
        for tag in page.tags
    }
    shown = 0
    for page in everything(names_everywhere(tmp_path / "hostile", HOSTILE), len(HOSTILE)):
        assert page.faults == []
        assert page.tags <= usual
        assert page.hostile() == set()
        assert not [link for link in page.links if not link.startswith(("/", "?", "#"))]
        shown += "<script>alert(1)</script>" in page.text
    assert shown > 5


def test_hostile_parameters_are_inert(home: tuple[MadeSite, Owner]) -> None:
    for hostile in HOSTILE:
        for path, field in (
            ("/devices", "text"),
            ("/log", "destination"),
            ("/log", "since"),
            ("/inbox", "kind"),
        ):
            answer = home[1].get(path, params={field: hostile.encode(errors="replace").decode()})
            page = Taken(answer.text)
            assert (answer.status_code, page.faults, page.hostile()) == (200, [], set())
            assert not [link for link in page.links if not link.startswith(("/", "?", "#"))]


# -- how heavy, how slow -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> tuple[MadeSite, Owner]:
    """200 devices and a store that has seen a month."""
    folder = tmp_path_factory.mktemp("busy")
    site = site_of(folder)
    path = str(folder / "store.db")
    full_store(path, 200)
    with contextlib.closing(open_writer(path)) as conn:
        conn.executescript(
            """UPDATE devices SET iot = 1, discovered = 1, interface = 'br-lan', confidence = 0.9,
                hostname = 'device-' || id, maker = 'Espressif Inc.', reasons = 'its maker';
            INSERT INTO progress (device, state, observed, attempts, units, unit, unit_is_quiet, quiet,
                first_quiet_day, last_quiet_day, settled, new_since_second, new_logs)
                SELECT id, CASE WHEN id % 3 THEN 'protected' ELSE 'learning' END, 90000, 40, 20, 30, 1, 6, 0,
                    1, 1, 2, 1 FROM devices;"""
        )
    site.clock = lambda: NOON + 150_000
    client = owner(site)
    return site, client


WEIGHED = (
    "/", "/inbox", "/inbox?show=decided", "/inbox?page=9", f"/inbox?device={MAC}", "/devices",
    "/devices?sort=seen", "/devices?text=02:00", f"/devices/{MAC}", "/log", f"/log?device={MAC}",
    "/log?destination=nothing.like.it",
    f"/log?device={MAC}&verdict=blocked", "/log?until=2026-11-21T20:00&reason=learned", "/alerts/77",
)  # fmt: skip


@pytest.mark.parametrize("path", WEIGHED)
def test_no_page_is_heavy_or_slow_with_200_devices_and_a_full_store(
    busy: tuple[MadeSite, Owner], path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 KB, and what takes less than 100 ms: counted, as SQLite's instructions (8,000 a millisecond) and as
    lines of Python (some 3,000 a millisecond, of which a request itself takes its own)."""
    site, client = busy
    spent = 0
    usual = site.store

    @contextlib.contextmanager
    def counted() -> Iterator[sqlite3.Connection]:
        nonlocal spent

        def tick() -> int:
            nonlocal spent
            spent += 1000
            return 0

        with usual() as conn:
            conn.set_progress_handler(tick, 1000)
            yield conn

    monkeypatch.setattr(site, "store", counted)
    answer = client.get(path)
    assert answer.status_code == 200
    assert 1000 < len(answer.content) <= HEAVIEST
    assert 0 < spent <= 450_000


def test_the_longest_names_make_no_page_too_heavy(tmp_path: Path) -> None:
    longest = tuple(f"{number:02}{'<&' * 125}" for number in range(60))
    client = names_everywhere(tmp_path, longest)
    for path in ("/", "/inbox", "/devices?show=all", f"/devices/{mac_of(1)}", f"/inbox?device={mac_of(1)}"):
        assert len(client.get(path).content) <= HEAVIEST, path


def test_the_list_of_devices_takes_few_lines_for_each(tmp_path: Path, conn: sqlite3.Connection) -> None:
    upsert_devices(conn, [sighting(mac_of(n), f"device {n}") for n in range(200)], NOON)
    write(conn, *(Keep(mac_of(n), LEARNING) for n in range(200)))
    assert steps(lambda: devices(known(conn), conn, NOW)) < 150_000


# -- what a click does -------------------------------------------------------------------------------------


def test_one_click_allows_for_good_and_can_be_taken_back(home: tuple[MadeSite, Owner]) -> None:
    site, client = home
    answer = client.send_form("/alerts/1/decide", do="allow", to="/inbox?page=1")
    assert answer.headers["location"] == "/inbox?page=1"
    rule = {"device": TV, "destination": "example.net", "service": "web"}
    assert site.asked == [{"do": "allow", **rule, "until": None, "by": "web:admin"}]
    page = client.get("/inbox").text
    assert "Telly may use example.net (web) for good." in page
    assert 'action="/decisions/undo"' in page
    assert client.undo(page).headers["location"] == "/inbox?page=1"
    assert site.asked[1:] == [{"do": "remove-rule", **rule}]


def test_undo_has_the_earlier_rule_back_that_a_click_replaced(
    home: tuple[MadeSite, Owner], tmp_path: Path
) -> None:
    site, client = home
    said = (
        f"config rule\n\toption device '{TV}'\n\toption destination 'example.net'\n\toption service 'web'\n"
    )
    site.configure(site_of(tmp_path, f"{said}\toption action 'deny'\n").share)
    client.send_form("/alerts/1/decide", do="allow", to="/inbox")
    client.undo(client.get("/inbox").text)
    rule = {"device": TV, "destination": "example.net", "service": "web"}
    assert site.asked[1:] == [{"do": "deny", **rule, "until": None, "by": "web:admin"}]
    assert "example.net is blocked again, as it was before." in client.get("/inbox").text


def test_undo_of_a_mute_leaves_the_earlier_one(home: tuple[MadeSite, Owner], tmp_path: Path) -> None:
    site, client = home
    said = f"config device\n\toption mac '{TV}'\n\toption mute_until '{time_text(NOW + 432_000)}'\n"
    site.configure(site_of(tmp_path, said).share)
    client.send_form("/alerts/1/decide", do="mute", to="/inbox")
    client.undo(client.get("/inbox").text)
    assert site.asked[1]["seconds"] == 432_000.0
    for nonsense in ("ever", "inf", "nan", "-5", "1e300"):
        client.send_form("/alerts/1/decide", do="unmute", until=nonsense)
        assert site.asked[-1]["seconds"] == 0.0


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ({"do": "deny"}, {"do": "deny", "device": TV, "destination": "example.net", "until": None}),
        ({"do": "allow", "time": "1h"}, {"do": "allow", "until": NOW + 3600}),
        ({"do": "allow", "time": "nonsense"}, {"do": "allow", "until": None}),
        ({"do": "allow", "who": "all", "what": "name"}, {"device": "*", "destination": "c2.example.net"}),
        ({"do": "deny", "what": "domain"}, {"destination": "*.example.net"}),
        ({"do": "deny", "what": "address"}, {"destination": "203.0.113.9"}),
        ({"do": "dismiss"}, {"do": "dismiss", "alert": 1}),
        ({"do": "reopen"}, {"do": "reopen", "alert": 1}),
        ({"do": "mute"}, {"do": "mute", "device": TV, "seconds": 86400.0}),
        ({"do": "unmute"}, {"do": "mute", "device": TV, "seconds": 0.0}),
        ({"do": "cut"}, {"do": "deny", "device": TV, "destination": "*", "until": NOW + 86400}),
        # What an alert is about is never taken from a form.
        ({"do": "allow", "destination": "x.example", "device": "*"},
         {"device": TV, "destination": "example.net"}),
    ],
)  # fmt: skip
def test_each_choice_is_an_order(
    home: tuple[MadeSite, Owner], form: dict[str, str], wanted: dict[str, Any]
) -> None:
    site, client = home
    assert client.send_form("/alerts/1/decide", **form).status_code == 303
    [asked] = site.asked
    assert {key: asked[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/alerts/1/decide", {"do": "explode"}, 400),
        ("/alerts/99/decide", {"do": "allow"}, 404),
        ("/alerts/99999999999999999999999999/decide", {"do": "allow"}, 404),
        ("/alerts/1/decide", {"do": "allow", "what": "name;drop"}, 303),
        ("/alerts/2/decide", {"do": "allow"}, 303),
        (f"/devices/{TV}/decide", {"do": "explode"}, 400),
        (f"/devices/{TV}/decide", {"do": "watch", "watch": "sometimes"}, 400),
        (f"/devices/{TV}/decide", {"do": "mode", "mode": "panic"}, 400),
        (f"/devices/{TV}/decide", {"do": "forget"}, 400),
        (f"/devices/{TV}/decide", {"do": "mute", "time": "ever"}, 400),
        (f"/devices/{TV}/decide", {"do": "same", "other": "the TV"}, 400),
        ("/devices/the-tv/decide", {"do": "learn"}, 404),
    ],
)
def test_what_makes_no_sense_does_nothing(
    home: tuple[MadeSite, Owner], path: str, form: dict[str, str], status: int
) -> None:
    site, client = home
    assert client.send_form(path, **form).status_code == status
    assert site.asked == []


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ({"do": "rename", "name": "  Our\tTV "}, {"do": "rename", "name": "Our TV"}),
        ({"do": "watch", "watch": "never"}, {"do": "watch", "watch": "never"}),
        ({"do": "mode", "mode": "enforce"}, {"do": "mode", "mode": "enforce"}),
        ({"do": "learn"}, {"do": "learn", "finish": False}),
        ({"do": "finish"}, {"do": "learn", "finish": True}),
        ({"do": "anew"}, {"do": "forget", "destination": "*"}),
        (
            {"do": "forget", "destination": "b.example", "service": "web"},
            {"do": "forget", "destination": "b.example", "service": "web"},
        ),
        ({"do": "mute", "time": "1h"}, {"do": "mute", "seconds": 3600.0}),
        ({"do": "mute", "time": "end"}, {"do": "mute", "seconds": 0.0}),
        ({"do": "same", "other": PLUG}, {"do": "same", "other": PLUG}),
    ],
)
def test_what_is_decided_about_a_device_is_an_order(
    home: tuple[MadeSite, Owner], form: dict[str, str], wanted: dict[str, Any]
) -> None:
    site, client = home
    assert client.send_form(f"/devices/{TV}/decide", **form).headers["location"] == f"/devices/{TV}"
    [asked] = site.asked
    assert {key: value for key, value in asked.items() if key != "by"} == {**wanted, "device": TV}


def test_what_is_refused_is_said_where_it_was_asked(home: tuple[MadeSite, Owner]) -> None:
    site, client = home
    site.answers["allow"] = SmartrouterError("the disk is full")
    client.send_form("/alerts/1/decide", do="allow")
    assert "the disk is full" in client.get("/inbox").text


def test_without_the_forms_token_nothing_is_done(home: tuple[MadeSite, Owner]) -> None:
    site, client = home
    for path in ("/alerts/1/decide", f"/devices/{TV}/decide", "/decisions/undo"):
        assert client.post(path, data={"do": "allow"}).status_code == 403
        assert client.get(path).status_code in (404, 405)
    assert site.asked == []


def test_what_does_not_answer_is_said(home: tuple[MadeSite, Owner]) -> None:
    site, client = home
    site.answers["status"] = Unavailable("smartrouter does not run")
    site.outdated()
    page = Taken(client.get("/").text)
    assert "smartrouter does not answer" in page.text
    assert "smartrouter does not run" in page.text


# -- files -------------------------------------------------------------------------------------------------


def test_the_packets_are_a_capture_file(home: tuple[MadeSite, Owner]) -> None:
    answer = home[1].get("/alerts/1/packets.pcap")
    assert answer.content[:4] == b"\xd4\xc3\xb2\xa1"
    assert SYN in answer.content
    assert 'filename="smartrouter-alert-1.pcap"' in answer.headers["content-disposition"]
    assert home[1].get("/alerts/2/packets.pcap").status_code == 404
    assert home[1].get("/alerts/99/packets.pcap").status_code == 404


def test_the_log_is_a_file_as_the_address_filters_it(home: tuple[MadeSite, Owner]) -> None:
    answer = home[1].get("/log.csv?verdict=blocked")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.text.count("\r\n") == 2
    told = json.loads(home[1].get("/log.json").text)
    assert [each["verdict"] for each in told] == ["blocked", "passed"]
    assert home[1].get("/log.xlsx").status_code == 404


def test_what_is_new_in_the_log_is_given_once(home: tuple[MadeSite, Owner], conn: sqlite3.Connection) -> None:
    _, client = home
    first = client.get("/log/new?after=0")
    assert (first.text.count("<tr"), first.headers["x-newest"]) == (2, "2")
    assert client.get("/log/new?after=2").text.count("<tr") == 0
    write(conn, record(at=NOON + 9), record(PLUG, at=NOON + 10))
    newer = client.get(f"/log/new?after=2&device={PLUG}")
    assert (newer.text.count("<tr"), newer.headers["x-newest"]) == (1, "4")


def test_the_exact_time_of_the_reader_is_on_hover(home: tuple[MadeSite, Owner]) -> None:
    _, client = home
    client.cookies.set("smartrouter_zone", "120")
    page = client.get("/log").text
    assert 'datetime="2026-11-21T12:00:00Z" title="2026-11-21 14:00:00 UTC+0200"' in page
