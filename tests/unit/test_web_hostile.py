# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile text on the pages of settings, rules, set-up and account does nothing and hides nothing."""

from pathlib import Path

import anyio
import pytest
from unit.made_alarms import HOSTILE
from unit.made_home import alert, sighting
from unit.made_screens import Taken
from unit.made_site import NOW, MadeSite, Owner, made_site, owner

from smartrouter.core.effects import Keep
from smartrouter.core.learning import Progress, State
from smartrouter.store.changes import upsert_devices
from smartrouter.store.connect import open_writer
from smartrouter.store.writer import Writer

PATHS = (
    "/welcome", "/welcome/learning", "/rules", "/mode/enforce", "/account", "/settings",
    "/settings/notify/0", "/settings/notify/new",
)  # fmt: skip
CHANNEL = "config notify\n\toption type 'ntfy'\n\toption channel 'x'\n"


def mac_of(number: int) -> str:
    return f"02:00:00:00:00:{number:02x}"


def household(folder: Path, names: tuple[str, ...]) -> tuple[MadeSite, Owner]:
    """Devices, alerts and lines of the audit log, each with one of these names."""
    folder.mkdir()
    rule = f"config rule\n\toption device '{mac_of(0)}'\n\toption destination 'x.example'\n"
    site = made_site(folder, f"{CHANNEL}{rule}\toption action 'deny'\n")
    database = site.config.main.database
    sound = [name.encode(errors="replace").decode() for name in names]
    conn = open_writer(database)
    upsert_devices(
        conn,
        [sighting(mac_of(number), name, None, maker=name) for number, name in enumerate(sound)],
        NOW,
    )
    conn.close()
    writer = Writer(database)
    for number, name in enumerate(sound):
        progress = Progress(State.PROTECTED if number % 2 else State.LEARNING, 90000.0, 40, 8, 20, True)
        writer.put(Keep(mac_of(number), progress))
        writer.put(alert(mac_of(number), name or "x"))
    assert writer.flush(20.0)
    writer.close()
    client = owner(site)
    for name in sound:
        scope = {"client": ("192.168.1.50", 1)}
        anyio.run(site.note, scope, "web:admin", "allow", name, name)
        site.sessions.open("192.168.1.50", name, NOW)
    return site, client


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Owner, Owner]:
    """Owners of a household with plain names, and of one with hostile ones."""
    folder = tmp_path_factory.mktemp("households")
    plain = tuple(f"name{number}.example" for number in range(len(HOSTILE)))
    return household(folder / "plain", plain)[1], household(folder / "hostile", HOSTILE)[1]


@pytest.mark.parametrize("path", PATHS)
def test_pages_have_the_tags_that_they_have_with_plain_names(both: tuple[Owner, Owner], path: str) -> None:
    usual = Taken(both[0].get(path).text)
    answer = both[1].get(path)
    page = Taken(answer.text)
    assert answer.status_code == 200
    assert usual.faults == page.faults == []
    assert page.tags <= usual.tags
    assert page.hostile() == set()
    assert not [link for link in page.links if not link.startswith(("/", "?", "#"))]
    assert len(page.ids) == len(set(page.ids))


def test_what_is_typed_into_a_form_comes_back_inert(tmp_path: Path) -> None:
    _, client = household(tmp_path / "home", ("plain",))
    for name in HOSTILE:
        text = name.encode(errors="replace").decode()
        for path, fields in (
            ("/settings/smartrouter", {"retention": text, "resolver": text, "match": text}),
            ("/settings/notify/new", {"type": text, "name": text}),
            ("/rules/add", {"device": text, "destination": text, "service": text, "action": text}),
        ):
            answer = client.send_form(path, **fields)
            page = Taken(answer.text)
            assert answer.status_code in (303, 400, 413), (path, name)
            assert page.faults == []
            assert page.hostile() == set()
            assert not {tag for tag, _ in page.tags} & {"b", "img", "iframe", "svg"}
