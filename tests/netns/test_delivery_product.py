# SPDX-License-Identifier: GPL-2.0-or-later
"""From a device's first packet to the message at a service, and back to the next packet."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from netns.guard_lab import CAMERA, PATIENCE, Home, eventually, learned_home, whole_lines
from tries import within

from smartrouter.lab.hosts import Host
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns

PORT = 8099
SECRET = "S3cret-token"
SERVICE = """
import json, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()
        print(json.dumps({**body, "taken": time.monotonic()}), flush=True)
    def log_message(self, *_): pass
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
CHANNEL = f"""\
config notify
	option type 'webhook'
	option name 'hook'
	option channel 'http://127.0.0.1:{PORT}/hook?key={SECRET}'
	option token '{SECRET}'
	option min_severity 'notice'
"""


class Hook:
    """A service on the router, and what it was sent."""

    def __init__(self, home: Home, file: Path):
        self.home = home
        self.file = file
        with file.open("wb") as out:
            argv = [sys.executable, "-c", SERVICE, str(PORT)]
            self.process: subprocess.Popen[Any] = home.router.popen(argv, stdout=out)

    def wait(self, patience: float = PATIENCE, **fields: object) -> dict[str, Any]:
        """The message with these fields."""
        end = monotonic() + patience
        while True:
            for line in whole_lines(self.file):
                said: dict[str, Any] = json.loads(line)
                if all(said[key] == value for key, value in fields.items()):
                    return said
            assert monotonic() < end, self.file.read_text() + self.home.product.last_words()
            sleep(0.02)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with learned_home() as running:
        yield running


@pytest.fixture(scope="module")
def hook(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Hook:
    hook = Hook(home, tmp_path_factory.mktemp("hook") / "taken")
    config = home.product.config
    config.write_text(f"{config.read_text()}\n{CHANNEL}")
    home.ask("reload")
    end = monotonic() + PATIENCE
    while not home.product.json("notify") or home.product.command("notify", "test").returncode:
        assert monotonic() < end
        sleep(0.1)
    hook.wait(kind="test")
    return hook


def message(hook: Hook, device: Host, name: str) -> dict[str, Any]:
    return hook.wait(destination=name, mac=device.mac)


def test_from_the_first_packet_to_the_message_it_takes_no_two_seconds(home: Home, hook: Hook) -> None:
    attempts = iter(((home.camera, "other.example"), (home.tv, "other.example"), (home.tv, "third.example")))

    def told_after() -> float:
        device, name = next(attempts)
        begun = monotonic()
        assert home.visit(device, name).result == Result.REFUSED
        return float(message(hook, device, name)["taken"]) - begun

    assert within(2.0, told_after, 3)
    said = message(hook, home.camera, "other.example")
    assert said["blocked"] is True
    assert f"smartrouter allow {said['alert']}: allows this destination and service" in [
        fact["text"] for fact in said["facts"]
    ]


def test_a_decision_counts_for_the_next_packet_and_is_in_the_message_with_who_and_when(
    home: Home, hook: Hook
) -> None:
    assert home.visit(home.camera, "third.example").result == Result.REFUSED
    said = message(hook, home.camera, "third.example")
    assert home.product.command("allow", str(said["alert"]), "--for", "1h").returncode == 0
    assert home.visit(home.camera, "third.example").ok
    updated = hook.wait(key=said["key"], revision=2)
    assert updated["outcome"].startswith("allowed until ")
    assert " by cli:root at " in updated["outcome"]


def test_what_is_muted_is_not_sent_but_kept(home: Home, hook: Hook) -> None:
    assert home.product.command("mute", CAMERA, "1h").returncode == 0
    assert home.product.command("notify", "test").returncode == 0  # the analyzer has heard of it before that
    assert home.visit(home.camera, "fourth.example").result == Result.REFUSED
    assert home.visit(home.tv, "fourth.example").result == Result.REFUSED
    assert message(hook, home.tv, "fourth.example")
    sleep(1.5)
    assert not [line for line in hook.file.read_text().splitlines() if "fourth" in line and CAMERA in line]
    assert [
        a for a in home.product.json("alerts") if (a["mac"], a["destination"]) == (CAMERA, "fourth.example")
    ]


def test_status_says_how_the_channel_does_and_no_output_holds_a_secret(home: Home, hook: Hook) -> None:
    status: dict[str, Any] = {}

    def all_is_sent() -> bool:
        status.update(home.product.json("status"))
        [channel] = status["channels"]
        return bool((channel["name"], channel["state"], channel["waiting"]) == ("hook", "works", 0))

    assert eventually(all_is_sent), status["channels"]
    outputs = [json.dumps(status), home.product.log.read_text(), home.product.command("doctor").stdout]
    outputs += [home.product.command(*words).stdout for words in (["notify"], ["notify", "test"], ["alerts"])]
    pids = [part["pid"] for part in status["parts"]]
    outputs += [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]
    assert not [text for text in outputs if SECRET in text]
    state = home.product.database.parent
    assert not [path for path in state.iterdir() if path.is_file() and SECRET.encode() in path.read_bytes()]
