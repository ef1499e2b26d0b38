# SPDX-License-Identifier: GPL-2.0-or-later
"""The analyzer as a process: what it finds, whom it tells, what it writes, what it may."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tries import TRIES, slowness
from unit.analyzer_scene import FAR, HUE, PLUG
from unit.made_effects import TV, raised

from smartrouter.analyzer import delivery
from smartrouter.analyzer.turns import alone
from smartrouter.analyzer.work import Analyzer
from smartrouter.config import from_text
from smartrouter.linux.leases import LeaseFiles
from smartrouter.makers import Makers
from smartrouter.notify.message import Answer, Message
from smartrouter.store.connect import open_reader
from smartrouter.store.queries import meta
from smartrouter.store.runs import TROUBLE, latest_runs
from smartrouter.store.writer import Writer
from smartrouter.supervisor.relay import sound_decision

SCENE = Path(__file__).with_name("analyzer_scene.py")
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a network namespace")


LIMITS = {
    "neighbour": 2.0, "lease": 2.0, "hostname": 2.0, "claim": 2.0, "change": 2.0, "change back": 2.0,
    "looked up": 1.0, "named line": 2.0, "reverse line": 2.0, "unresolved line": 2.0,
    "run": 5.0, "settled": 2.0,
}  # fmt: skip
"""Seconds from what happened to what is to come of it, by the scene's names."""


@pytest.fixture(scope="module")
def seen() -> dict[str, Any]:
    """The first scene in which all promises about time were kept, of a few."""
    for _ in range(TRIES):
        folder = Path(tempfile.mkdtemp(prefix="sr-analyzer-"))
        folder.chmod(0o755)  # the analyzer is no longer root when it gets here
        command = ["unshare", "--net", "--mount", "--", sys.executable, str(SCENE), str(folder)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        finally:
            shutil.rmtree(folder)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        if all(0 <= found[what] < limit for what, limit in LIMITS.items()):
            break
    slow = slowness()
    return found | {"limits": {what: limit * slow for what, limit in LIMITS.items()}}


@ROOT
@pytest.mark.netns
@pytest.mark.parametrize("what", ["neighbour", "lease", "hostname"])
def test_the_guard_is_told_of_a_device_within_two_seconds(seen: dict[str, Any], what: str) -> None:
    assert 0 <= seen[what] < seen["limits"][what]


@ROOT
@pytest.mark.netns
@pytest.mark.parametrize("what", ["claim", "change", "change back"])
def test_the_guard_is_told_who_answers_for_an_address_within_two_seconds(
    seen: dict[str, Any], what: str
) -> None:
    assert 0 <= seen[what] < seen["limits"][what]


@ROOT
@pytest.mark.netns
def test_only_news_of_the_local_network_are_claims(seen: dict[str, Any]) -> None:
    assert seen["claims"] == [[HUE, "192.0.2.5"], [PLUG, "192.0.2.5"], [HUE, "192.0.2.5"]]


@ROOT
@pytest.mark.netns
def test_names_that_the_guard_wants_looked_up_come_back_soon(seen: dict[str, Any]) -> None:
    assert 0 <= seen["looked up"] < seen["limits"]["looked up"]
    nowhere, known = seen["answers"]
    assert nowhere == {"name": "nowhere.example", "addresses": [], "ttl": 60}
    assert (known["name"], known["addresses"]) == ("reverse.example", ["198.51.100.5"])


@ROOT
@pytest.mark.netns
def test_only_devices_of_the_local_network_are_told_of_and_kept(seen: dict[str, Any]) -> None:
    assert FAR not in {device["mac"] for device in seen["told"]}
    assert {device["mac"] for device in seen["stored"]} == {HUE, PLUG}


@ROOT
@pytest.mark.netns
def test_what_is_known_of_a_device_is_kept(seen: dict[str, Any]) -> None:
    hue = next(device for device in seen["stored"] if device["mac"] == HUE)
    assert (hue["hostname"], hue["interface"], hue["iot"]) == ("Philips-hue", "sr-lan", True)
    assert hue["addresses"] == ["192.0.2.5"]
    assert hue["reasons"]
    assert abs(hue["last_seen"] - time.time()) < 120


@ROOT
@pytest.mark.netns
@pytest.mark.parametrize("what", ["named line", "reverse line", "unresolved line"])
def test_an_alert_is_in_the_file_soon_with_what_is_known(seen: dict[str, Any], what: str) -> None:
    assert 0 <= seen[what] < seen["limits"][what]


@ROOT
@pytest.mark.netns
def test_each_alert_is_in_the_file_once(seen: dict[str, Any]) -> None:
    names = [line.split(" ")[2] for line in seen["file"].splitlines()]
    assert names == ["cloud.example", "reverse.example", "UNRESOLVED(198.51.100.6)"]


@ROOT
@pytest.mark.netns
def test_the_periodic_run_leaves_its_record(seen: dict[str, Any]) -> None:
    assert 0 <= seen["run"] < seen["limits"]["run"]
    assert seen["status"]["run"]["seconds"] < seen["limits"]["run"]


@ROOT
@pytest.mark.netns
def test_a_rule_decides_the_alerts_that_it_speaks_of(seen: dict[str, Any]) -> None:
    assert 0 <= seen["settled"] < seen["limits"]["settled"]


@ROOT
@pytest.mark.netns
def test_it_answers_the_supervisor(seen: dict[str, Any]) -> None:
    assert seen["status"]["devices"] == 2
    assert seen["status"]["trouble"] == {}
    assert seen["refused"] >= 0


@ROOT
@pytest.mark.netns
def test_it_has_no_rights_left(seen: dict[str, Any]) -> None:
    process = seen["process"]
    assert "0" not in process["Uid"].split()
    assert int(process["CapEff"], 16) == int(process["CapPrm"], 16) == int(process["CapBnd"], 16) == 0
    assert process["NoNewPrivs"] == "1"


@ROOT
@pytest.mark.netns
def test_it_stays_small(seen: dict[str, Any]) -> None:
    assert int(seen["process"]["VmRSS"].split()[0]) <= 64 * 1024


@ROOT
@pytest.mark.netns
def test_it_ends_when_the_supervisor_is_gone(seen: dict[str, Any]) -> None:
    assert seen["exit"] == 1


@ROOT
@pytest.mark.netns
def test_alone_it_reads_the_configuration_itself_and_ends_when_asked_to(tmp_path: Path) -> None:
    config, database = tmp_path / "config", tmp_path / "store.db"
    lines = ("config smartrouter 'main'", "\tlist device 'sr-lan'", f"\toption database '{database}'", "")
    config.write_text("\n".join(lines))
    inside = 'ip link add sr-lan type veth peer name sr-out && exec "$@"'
    program = [sys.executable, "-m", "smartrouter", "analyzer", "--config", str(config)]
    command = ["unshare", "--net", "sh", "-c", inside, "sh", *program]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "analyzing" in process.stderr.readline()
    until = time.monotonic() + 20
    while not database.exists() and time.monotonic() < until:
        time.sleep(0.02)
    process.terminate()
    assert process.wait(30) == 0
    assert database.exists()


def tell_nobody(what: str, **facts: object) -> None:
    pass


@pytest.fixture
def analyzer(tmp_path: Path) -> Iterator[Analyzer]:
    analyzer = Analyzer(share(tmp_path), Makers(), tell_nobody, LeaseFiles([tmp_path / "leases"]))
    yield analyzer
    analyzer.stop()


def share(folder: Path, alert_file: str = "alerts.txt", more: str = "") -> dict[str, Any]:
    text = (
        "config smartrouter 'main'\n\tlist device 'sr-none'\n"
        f"\toption database '{folder}/store.db'\n\toption alert_file '{folder}/{alert_file}'\n"
    )
    return {"config": from_text(text + more).to_share("analyzer"), "lan": ["sr-none"], "iot": []}


def runs_within(folder: Path, patience: float) -> int:
    """How many runs there are in the store as soon as there is one, or after so long."""
    until = time.monotonic() + patience
    conn = open_reader(str(folder / "store.db"))
    try:
        while not (runs := latest_runs(conn, 10)) and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        conn.close()
    return len(runs)


def test_a_run_waits_for_the_one_that_goes_on_elsewhere(tmp_path: Path) -> None:
    hasty = share(tmp_path, more="\toption analysis_interval '1s'\n")
    Writer(str(tmp_path / "store.db")).close()
    with alone(str(tmp_path / "store.db")) as ours:
        assert ours
        analyzer = Analyzer(hasty, Makers(), tell_nobody, LeaseFiles([tmp_path / "leases"]))
        try:
            assert runs_within(tmp_path, 1.5) == 0
            assert analyzer.status()["trouble"] == {}
        except BaseException:
            analyzer.stop()
            raise
    try:
        assert runs_within(tmp_path, 20.0) >= 1
    finally:
        analyzer.stop()


def raise_alert(folder: Path, name: str) -> None:
    writer = Writer(str(folder / "store.db"))
    writer.put(raised(destination=name, name=name))
    assert writer.flush(20.0)
    writer.close()


def test_a_store_that_is_gone_is_begun_anew(analyzer: Analyzer, tmp_path: Path) -> None:
    analyzer.turn()
    for path in tmp_path.glob("store.db*"):
        path.unlink()
    raise_alert(tmp_path, "new.example")
    analyzer.turn()
    assert " -> new.example @ " in (tmp_path / "alerts.txt").read_text()
    assert analyzer.status()["trouble"] == {}


def test_what_fails_is_in_the_status_and_in_the_store_until_it_works(
    analyzer: Analyzer, tmp_path: Path
) -> None:
    (tmp_path / "alerts.txt").mkdir()
    raise_alert(tmp_path, "new.example")
    analyzer.turn()
    analyzer.turn()
    assert list(analyzer.status()["trouble"]) == ["alert file"]
    conn = open_reader(str(tmp_path / "store.db"))
    assert list(json.loads(meta(conn, TROUBLE) or "")) == ["alert file"]
    (tmp_path / "alerts.txt").rmdir()
    analyzer.turn()
    assert analyzer.status()["trouble"] == {}
    assert meta(conn, TROUBLE) == "{}"
    conn.close()
    assert " -> new.example @ " in (tmp_path / "alerts.txt").read_text()


def test_another_alert_file_is_taken_up_at_once(analyzer: Analyzer, tmp_path: Path) -> None:
    analyzer.turn()
    analyzer.configure(share(tmp_path, "others.txt"))
    raise_alert(tmp_path, "new.example")
    analyzer.turn()
    assert " -> new.example @ " in (tmp_path / "others.txt").read_text()


class Chat:
    """A channel on which somebody answers whatever is sent."""

    def __init__(self, answers: list[Answer]):
        self.answers = answers
        self.sent: list[Message] = []
        self.answered: Callable[[str, Answer, str], None] | None = None

    def listen(self, answered: Callable[[str, Answer, str], None]) -> None:
        self.answered = answered

    def send(self, message: Message, receipt: str) -> str:
        self.sent.append(message)
        if self.answers and self.answered is not None:
            self.answered(message.key, self.answers.pop(), "slack:U024BE7LH")
        return "receipt"

    def close(self) -> None:
        """Nothing to let go of."""


CHANNEL = "config notify\n\toption type 'slack'\n\toption token 'xoxb-1'\n\toption app_token 'xapp-1'\n"


def test_what_a_new_rule_speaks_of_is_told_as_no_news_though_the_guard_was_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = Chat([])
    monkeypatch.setattr(delivery.Delivery.__init__, "__defaults__", (lambda config: chat, lambda: 1.0))
    rule = (
        "config rule\n\toption device '*'\n\toption destination 'allowed.example'\n\toption action 'allow'\n"
    )
    analyzer = Analyzer(
        share(tmp_path, more=CHANNEL), Makers(), tell_nobody, LeaseFiles([tmp_path / "leases"])
    )
    try:
        analyzer.turn()
        analyzer.configure(share(tmp_path, more=CHANNEL + rule))
        analyzer.turn()
        for name in ("allowed.example", "other.example"):
            raise_alert(tmp_path, name)
        until = time.monotonic() + 20
        while not chat.sent and time.monotonic() < until:
            analyzer.turn()
            time.sleep(0.02)
    finally:
        analyzer.stop()
    assert [message.destination for message in chat.sent] == ["other.example"]
    conn = open_reader(str(tmp_path / "store.db"))
    states = dict(conn.execute("SELECT destination, state FROM alerts"))
    conn.close()
    assert states == {"allowed.example": "allowed", "other.example": "open"}


@pytest.mark.parametrize(("answer", "told"), [
    (Answer.ALLOW, {"answer": "allow", "destination": "example.net", "service": "web", "alert": 1}),
    (Answer.ALLOW_HOUR, {"answer": "allow-hour", "destination": "example.net", "service": "web", "alert": 1}),
    (Answer.MUTE, {"answer": "mute", "destination": "example.net", "service": "web", "alert": 1}),
    (Answer.KEEP_BLOCKING, None),
])  # fmt: skip
def test_what_is_answered_is_told_to_the_supervisor_and_what_was_seen_is_kept_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, told: dict[str, Any] | None
) -> None:
    chat = Chat([answer])
    monkeypatch.setattr(delivery.Delivery.__init__, "__defaults__", (lambda config: chat, lambda: 1.0))
    heard: list[dict[str, Any]] = []

    def tell(what: str, **facts: Any) -> None:
        if what == "answered":
            heard.append(facts)

    analyzer = Analyzer(share(tmp_path, more=CHANNEL), Makers(), tell, LeaseFiles([tmp_path / "leases"]))
    try:
        analyzer.turn()
        writer = Writer(str(tmp_path / "store.db"))
        writer.put(raised())
        assert writer.flush(20.0)
        writer.close()
        conn = open_reader(str(tmp_path / "store.db"))

        def state() -> str:
            return str(conn.execute("SELECT state || ' ' || decided_by FROM alerts").fetchone()[0])

        until = time.monotonic() + 30
        while not (heard if told else state() != "open ") and time.monotonic() < until:
            analyzer.turn()
            time.sleep(0.02)
        if told is None:
            assert state() == "dismissed slack:U024BE7LH"
            while len(chat.sent) < 2 and time.monotonic() < until:
                analyzer.turn()
                time.sleep(0.02)
            assert chat.sent[1].outcome.startswith("dismissed by slack:U024BE7LH at ")
        else:
            assert heard == [{**told, "device": TV, "by": "slack:U024BE7LH"}]
            assert sound_decision(heard[0], {"slack"}) is not None
        conn.close()
    finally:
        analyzer.stop()
