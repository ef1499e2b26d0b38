# SPDX-License-Identifier: GPL-2.0-or-later
"""The real analyzer hands alerts over, though it is killed in the middle of it."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from netns.delivery_scene import ALERTS, KILLS
from tries import slowness

pytestmark = pytest.mark.netns
TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, Any]]:
    folder = Path(tempfile.mkdtemp(prefix="sr-delivery-"))
    folder.chmod(0o755)  # the analyzer is no longer root when it gets here
    code = "import sys; sys.path[:0] = [sys.argv[2]]; from netns.delivery_scene import main; main()"
    command = ["unshare", "--net", "--mount", "--", sys.executable, "-c", code, str(folder), str(TESTS)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout)
    finally:
        shutil.rmtree(folder)


@pytest.mark.timeout(300)
def test_an_alert_is_at_the_service_within_two_seconds_of_its_packet(seen: dict[str, Any]) -> None:
    assert 0 <= min(seen["took"]) < 2.0 * slowness(), (seen["took"], seen["log"])


def test_kills_in_the_middle_lose_nothing(seen: dict[str, Any]) -> None:
    assert seen["distinct"] == ALERTS, seen["log"]
    assert (seen["health"]["waiting"], seen["health"]["dropped"]) == (0, 0)


def test_a_kill_costs_one_message_that_is_sent_again_at_most(seen: dict[str, Any]) -> None:
    assert seen["twice"] <= KILLS
    assert seen["most"] <= 2


def test_no_secret_is_in_anything_that_it_writes_or_says(seen: dict[str, Any]) -> None:
    assert seen["secrets"] == []
