# SPDX-License-Identifier: GPL-2.0-or-later
"""The API, by program."""

from pathlib import Path

import pytest
from web.house import House


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_try(house: House) -> None:
    program = house.program()
    for path in [
        "status",
        "devices",
        "alerts",
        "attempts",
        "rules",
        "mode",
        "mode/consequences",
        "settings",
        "channels",
        "digest",
        "devices/3c:2e:ff:29:4d:93",
        "alerts/1",
    ]:
        answer = program.get("/api/v1/" + path)
        print(path, answer.status_code, answer.text[:300])
        assert answer.status_code == 200
