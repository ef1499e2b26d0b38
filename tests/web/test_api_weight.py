# SPDX-License-Identifier: GPL-2.0-or-later
"""What an answer weighs and costs with 200 devices and a store that has seen a month."""

import contextlib
import sqlite3
from collections.abc import Iterator

import pytest
from unit.made_full_store import MAC, full_store
from web.house import House

HEAVIEST = 200_000  # bytes of the longest page that one can ask for
MOST_STEPS = 450_000  # of SQLite's instructions: 8,000 take a millisecond


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("busy")
    house = House(folder)
    for each in folder.glob("store.db*"):
        each.unlink()
    full_store(house.database, 200)
    return house


@pytest.mark.parametrize(
    "path",
    [
        "status", "devices", "devices?limit=200", f"devices/{MAC}", "alerts", "alerts?limit=200",
        "alerts?state=open&kind=scan", "alerts/77", "attempts?limit=200", f"attempts?device={MAC}",
        "attempts?limit=200&destination=nothing.like.it", "mode/consequences", "digest", "digest?of=week",
    ],
)  # fmt: skip
def test_an_answer_is_light_and_quick(busy: House, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 0
    usual = busy.site.store

    @contextlib.contextmanager
    def counted() -> Iterator[sqlite3.Connection]:
        def tick() -> int:
            nonlocal steps
            steps += 1000
            return 0

        with usual() as conn:
            conn.set_progress_handler(tick, 1000)
            yield conn

    monkeypatch.setattr(busy.site, "store", counted)
    answer = busy.program().get(f"/api/v1/{path}")
    assert answer.status_code == 200
    assert len(answer.content) <= HEAVIEST
    assert steps <= MOST_STEPS
