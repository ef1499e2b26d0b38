# SPDX-License-Identifier: GPL-2.0-or-later
"""The first set-up: who may, with what, and only once."""

from pathlib import Path

import pytest
from unit.made_home import sighting
from unit.made_site import NOW, MadeSite, made_site, stranger, token_of

from smartrouter.core.errors import Unavailable
from smartrouter.store.changes import Sighting, upsert_devices
from smartrouter.store.connect import open_writer
from smartrouter.web.lockout import FREE

PHONE, PLUG, ODD = "02:00:00:00:00:01", "02:00:00:00:00:02", "02:00:00:00:00:03"
ADDRESSES = {PHONE: "192.168.1.50", PLUG: "192.168.1.51", ODD: "192.168.1.52"}
PASSWORD = {"password": "correct horse battery", "again": "correct horse battery"}


@pytest.fixture
def site(tmp_path: Path) -> MadeSite:
    """A phone, a plug, and something that nobody can tell; no password."""
    found = made_site(tmp_path, lan=("br-lan", "br-iot"))
    found.iot = ("br-iot",)
    found.macs = {address: mac for mac, address in ADDRESSES.items()}
    iot = {PHONE: False, PLUG: True, ODD: None}
    seen: list[Sighting] = [
        sighting(mac, f"host-{mac[-1]}", iot[mac], address) for mac, address in ADDRESSES.items()
    ]
    conn = open_writer(found.config.main.database)
    upsert_devices(conn, seen, NOW)
    conn.close()
    return found


def set_up(site: MadeSite, address: str, **fields: str):  # type: ignore[no-untyped-def]
    client = stranger(site, address)
    page = client.get("/setup").text
    return client, client.post("/setup", data={"csrf": token_of(page), **PASSWORD, **fields})


def test_a_persons_device_chooses_the_password_and_is_logged_in(site: MadeSite) -> None:
    client, answer = set_up(site, ADDRESSES[PHONE])
    assert (answer.status_code, answer.headers["location"]) == (303, "/welcome")
    (asked,) = site.asked
    assert asked["do"] == "set-password"
    assert asked["hash"].startswith("scrypt$8192$8$10$")
    assert client.get("/welcome").status_code == 200


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("192.168.1.51", "This device is watched"),
        ("192.168.9.20", "network is for things"),
        ("203.0.113.9", "local network only"),
    ],
    ids=["a thing", "from the things' network", "from the Internet"],
)
def test_others_may_not_even_with_the_code(site: MadeSite, address: str, says: str) -> None:
    client, answer = set_up(site, address, code=site.setup.code)
    assert answer.status_code == 403
    assert says in client.get("/setup").text
    assert site.asked == []


def test_a_thing_that_is_not_watched_may_not_either(site: MadeSite, tmp_path: Path) -> None:
    extra = f"config device\n\toption mac '{PLUG}'\n\toption watch 'never'\n"
    unwatched = made_site(tmp_path, extra)
    unwatched.macs = site.macs
    client, answer = set_up(unwatched, ADDRESSES[PLUG], code=unwatched.setup.code)
    assert answer.status_code == 403
    assert "seems to be a thing" in client.get("/setup").text


@pytest.mark.parametrize("address", [ADDRESSES[ODD], "192.168.1.99", "192.168.1.1", "127.0.0.1"],
                         ids=["unknown kind", "never seen", "the router itself", "loopback"])  # fmt: skip
def test_who_cannot_be_told_needs_the_code(site: MadeSite, address: str) -> None:
    _, answer = set_up(site, address)
    assert answer.status_code == 403
    assert site.asked == []
    _, answer = set_up(site, address, code=site.setup.code.replace("-", " "))
    assert answer.status_code == 303


def test_guessing_the_code_is_locked_out(site: MadeSite) -> None:
    for _ in range(FREE):
        _, answer = set_up(site, ADDRESSES[ODD], code="0000-0000")
    _, answer = set_up(site, ADDRESSES[ODD], code=site.setup.code)
    assert answer.status_code == 429
    assert site.asked == []


def test_once_there_is_a_password_nobody_chooses_another(site: MadeSite) -> None:
    set_up(site, ADDRESSES[PHONE])
    client, _ = set_up(site, "192.168.1.99", code=site.setup.code)
    assert len(site.asked) == 1
    assert client.get("/setup").headers["location"] == "/login"


@pytest.mark.parametrize("fields", [{"again": "another"}, {"password": "short", "again": "short"}],
                         ids=["not the same", "short"])  # fmt: skip
def test_what_is_no_password_is_said_on_the_form(site: MadeSite, fields: dict[str, str]) -> None:
    _, answer = set_up(site, ADDRESSES[PHONE], **fields)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert site.asked == []


def test_what_smartrouter_refuses_is_said_and_it_can_be_tried_again(site: MadeSite) -> None:
    site.answers["set-password"] = Unavailable("no room left")
    _, answer = set_up(site, ADDRESSES[PHONE])
    assert "no room left" in answer.text
    del site.answers["set-password"]
    _, answer = set_up(site, ADDRESSES[PHONE])
    assert answer.status_code == 303


def test_things_are_watched_and_people_left_alone(site: MadeSite) -> None:
    client, _ = set_up(site, ADDRESSES[PHONE])
    page = client.get("/welcome").text
    for mac in ADDRESSES:
        assert mac in page
    form = {"csrf": token_of(page), "listed": list(ADDRESSES), "watch": [PLUG, ODD]}
    answer = client.post("/welcome", data=form)
    assert answer.headers["location"] == "/welcome/learning"
    assert site.asked[1:] == [{"do": "watch", "watch": "always", "device": ODD}]
    assert "learning" in client.get("/welcome/learning").text


def test_the_welcome_is_not_for_strangers(site: MadeSite) -> None:
    for path in ("/welcome", "/welcome/learning"):
        assert stranger(site).get(path).headers["location"] == "/setup"
