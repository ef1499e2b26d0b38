# SPDX-License-Identifier: GPL-2.0-or-later
"""A button that somebody presses in Slack changes the verdict of the next packet, with the whole product."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from netns.guard_lab import CAMERA, NAMES, PATIENCE, TV, Home, learned_home, whole_lines
from tries import within

from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns

TESTS = Path(__file__).parents[1]
TOKEN, APP_TOKEN = "xoxb-S3cret", "xapp-S3cret"
# Slack stands in on the router: it prints what it is asked, and sends a press for each line that it reads.
SERVICE = """
import sys, time
sys.path[:0] = [sys.argv[1]]
import json, threading
from unit.standin_slack import SlackStandIn, press
slack = SlackStandIn()
print(json.dumps({"url": slack.url}), flush=True)
def tell():
    told = 0
    while True:
        while told < len(slack.seen):
            seen = slack.seen[told]
            told += 1
            body = seen.body.decode()
            print(json.dumps({"path": seen.path, "body": body, "at": time.monotonic()}), flush=True)
        time.sleep(0.005)
threading.Thread(target=tell, daemon=True).start()
for number, line in enumerate(sys.stdin):
    answer, key = line.split()
    slack.sockets.connected.wait(10)
    slack.sockets.send(press(answer, key, envelope=f"e{number}", at=f"{1522180900 + number}.1"))
"""
MORE = {f"again-{number}.example": [f"203.0.113.{70 + number}"] for number in range(3)}
CHANNEL = f"""\
config notify
	option type 'slack'
	option token '{TOKEN}'
	option app_token '{APP_TOKEN}'
	option channel '#alerts'
	option min_severity 'notice'
	option url '"""


class Slack:
    """The service, what it was asked, and somebody who presses buttons."""

    def __init__(self, home: Home, file: Path):
        self.home = home
        self.file = file
        with file.open("wb") as out:
            argv = [sys.executable, "-c", SERVICE, str(TESTS)]
            self.process: subprocess.Popen[Any] = home.router.popen(argv, stdout=out, stdin=subprocess.PIPE)

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in whole_lines(self.file)]

    def wait(self, *words: str, patience: float = PATIENCE, method: str = "chat.") -> dict[str, Any]:
        """The call in whose body all the words are."""
        end = monotonic() + patience
        while True:
            for each in self.said():
                if method in each.get("path", "") and all(word in each["body"] for word in words):
                    return each
            assert monotonic() < end, self.file.read_text()[-3000:] + self.home.product.last_words()
            sleep(0.02)

    def press(self, answer: str, key: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{answer} {key}\n".encode())
        self.process.stdin.flush()


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with learned_home(names={**NAMES, **MORE}) as running:
        yield running


@pytest.fixture(scope="module")
def slack(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Slack:
    slack = Slack(home, tmp_path_factory.mktemp("slack") / "said")
    end = monotonic() + PATIENCE
    while not slack.said():
        assert monotonic() < end
        sleep(0.05)
    config = home.product.config
    config.write_text(f"{config.read_text()}\n{CHANNEL}{slack.said()[0]['url']}/api/'\n")
    home.ask("reload")
    slack.wait(method="apps.connections.open")  # it is told of alerts from now on
    return slack


def alert(home: Home, name: str, mac: str = CAMERA) -> int:
    """The number of the device's alert about `name`."""
    end = monotonic() + PATIENCE
    while True:
        found = {(each["mac"], each["destination"]): each for each in home.product.json("alerts", "--all")}
        if (mac, name) in found:
            number: int = found[mac, name]["id"]
            return number
        assert monotonic() < end, f"alerts: {list(found.values())}\n{home.product.last_words()}"
        sleep(0.05)


def pressed(home: Home, slack: Slack, answer: str, name: str) -> float:
    """Seconds from a press to the first connection that passes."""
    assert home.visit(home.camera, name).result == Result.REFUSED
    slack.wait(name)
    key = f"alert:{alert(home, name)}"
    begun = monotonic()
    slack.press(answer, key)
    while home.visit(home.camera, name).result != Result.CONNECTED:
        assert monotonic() < begun + PATIENCE, home.product.last_words()
        sleep(0.05)
    return monotonic() - begun


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("allow", ["other.example", "again-0.example", "again-1.example"]),
        ("allow-hour", ["third.example", "again-2.example"]),
    ],
)
def test_a_press_lets_the_next_packet_through_within_two_seconds(
    home: Home, slack: Slack, answer: str, names: list[str]
) -> None:
    tried = iter(names)
    assert within(2.0, lambda: pressed(home, slack, answer, next(tried)), len(names))
    name = names[0]
    assert home.visit(home.tv, name).result == Result.REFUSED, "another device is not meant"
    [rule] = [r for r in home.product.json("device", CAMERA)["rules"] if r["destination"] == name]
    assert (rule["action"], rule["by"]) == ("allow", "slack:U024BE7LH")
    assert (rule["until"] is None) is (answer == "allow")
    update = slack.wait("allowed", "U024BE7LH", name, method="chat.update")
    assert TOKEN not in update["body"]


def test_a_replayed_press_and_one_about_nothing_do_nothing(home: Home, slack: Slack) -> None:
    rules = len(home.product.json("device", CAMERA)["rules"])
    slack.press("allow", f"alert:{alert(home, 'other.example')}")
    slack.press("allow", "alert:99999")
    slack.press("mute", "nonsense")
    sleep(2.0)
    assert len(home.product.json("device", CAMERA)["rules"]) == rules
    assert home.product.json("device", CAMERA)["mute_until"] is None


def test_keep_blocking_keeps_blocking_and_mute_mutes(home: Home, slack: Slack) -> None:
    """Of the TV: another alert of the camera's, which may have knocked once more before a press took effect,
    might be part of a flood."""
    name = "fourth.example"
    assert home.visit(home.tv, name).result == Result.REFUSED
    slack.wait(name)
    number = alert(home, name, TV)
    slack.press("keep-blocking", f"alert:{number}")
    slack.wait("dismissed", "U024BE7LH", method="chat.update")
    assert home.visit(home.tv, name).result == Result.REFUSED
    found = home.product.json("alert", str(number))
    assert (found["state"], found["decided_by"]) == ("dismissed", "slack:U024BE7LH")
    assert home.visit(home.tv, "stranger.example").result == Result.REFUSED
    slack.wait("stranger.example")
    slack.press("mute", f"alert:{alert(home, 'stranger.example', TV)}")
    end = monotonic() + PATIENCE
    while home.product.json("device", TV)["mute_until"] is None:
        assert monotonic() < end, home.product.last_words()
        sleep(0.1)
    assert home.product.json("device", TV)["muted_by"] == "slack:U024BE7LH"
    slack.wait("not sent until", method="chat.update")


def test_no_output_holds_a_token(home: Home, slack: Slack) -> None:
    outputs = [home.product.log.read_text(), json.dumps(home.product.json("status"))]
    outputs += [home.product.command(*words).stdout for words in (["notify"], ["doctor"], ["notify", "test"])]
    assert not [text for text in outputs if "S3cret" in text]
    state = home.product.database.parent
    assert not [path for path in state.iterdir() if path.is_file() and b"S3cret" in path.read_bytes()]
