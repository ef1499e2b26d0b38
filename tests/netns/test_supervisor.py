# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter run` as a process, with tiny parts, in a network namespace that has an interface br-lan.

What is watched is what an administrator would see: processes, sockets, tables, the log, the answers.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tries import within

from smartrouter.control import ask
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.linux import process
from smartrouter.linux.privileges import CAP_NET_ADMIN, service_user
from smartrouter.supervisor.children import SILENCE

pytestmark = pytest.mark.netns

TINY = Path(__file__).resolve().parent.parent / "tiny_part.py"
MAC = "02:5a:00:00:00:01"
RUN = """
import sys
from smartrouter.supervisor.children import Part
from smartrouter.linux.privileges import service_user
from smartrouter.supervisor.daemon import Supervisor
config, run_dir, tiny, folder = sys.argv[1:]
parts = [Part(name, (sys.executable, tiny, name, folder)) for name in ("guard", "analyzer")]
sys.exit(Supervisor(config, run_dir, parts, service_user()).run())
"""


@pytest.fixture(scope="module")
def namespace() -> Iterator[str]:
    name = f"sr-sup-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        inside(name, "ip", "link", "add", "br-lan", "type", "bridge")
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def inside(namespace: str, *command: str) -> str:
    done = subprocess.run(
        ["ip", "netns", "exec", namespace, *command], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


class Router:
    """A supervisor in its namespace, with its files in a folder of its own."""

    def __init__(self, namespace: str, folder: Path):
        self.namespace = namespace
        self.folder = folder
        self.config = folder / "smartrouter"
        self.run_dir = str(folder / "run")
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self.configure()

    def configure(self, *lines: str) -> None:
        options = ["\tlist device 'br-lan'", f"\toption database '{self.folder}/state/store.db'", *lines]
        self.config.write_text("\n".join(["config smartrouter 'main'", *options]) + "\n")

    def behave(self, part: str, *ways: str) -> None:
        (self.folder / f"{part}.way").write_text(" ".join(ways))

    def start(self, wait: bool = True, **env: str) -> None:
        command = [sys.executable, "-c", RUN, str(self.config), self.run_dir, str(TINY), str(self.folder)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *command],
                env={**process.environment(), **env},
                stderr=log,
                start_new_session=True,
            )
        if wait:
            self.until(lambda: {part["state"] for part in self.parts().values()} == {"running"})

    def until(self, what: Callable[[], Any], patience: float = 30.0) -> float:
        start = time.monotonic()
        while True:
            try:
                if what():
                    return time.monotonic() - start
            except Unavailable:
                pass
            assert time.monotonic() - start < patience, self.log.read_text()
            time.sleep(0.02)

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        return ask(self.run_dir, {"do": do, **arguments})

    def parts(self) -> dict[str, dict[str, Any]]:
        return {part["name"]: part for part in self.ask("status")["parts"]}

    def pid(self, part: str) -> int:
        pid: int = self.parts()[part]["pid"]
        return pid

    def is_back(self, part: str, pid: int) -> bool:
        """Does it run, as another process than `pid`?"""
        found = self.parts()[part]
        return bool(found["state"] == "running" and found["pid"] != pid)

    def heard(self, part: str) -> list[dict[str, Any]]:
        """What the part was asked, in order."""
        path = self.folder / f"{part}.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.send(number)
        return self.process.wait(60)

    def add_table(self) -> None:
        """As the guard would."""
        inside(self.namespace, "nft", "add", "table", "inet", "smartrouter")

    def has_table(self) -> bool:
        return "table inet smartrouter" in inside(self.namespace, "nft", "list", "tables")

    def processes(self) -> set[int]:
        return {int(pid) for pid in subprocess.check_output(["ip", "netns", "pids", self.namespace]).split()}

    def leaves_nothing(self) -> bool:
        run_dir = Path(self.run_dir)
        return not (self.processes() or self.has_table() or (run_dir.exists() and list(run_dir.iterdir())))


@pytest.fixture
def router(namespace: str, tmp_path: Path) -> Iterator[Router]:
    router = Router(namespace, tmp_path)
    yield router
    if router.process is not None and router.process.poll() is None:
        router.stop()
    for pid in router.processes():
        os.kill(pid, signal.SIGKILL)
    inside(namespace, "nft", "flush", "ruleset")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_leaves_no_table_process_or_socket(router: Router, number: signal.Signals) -> None:
    def stop() -> float:
        router.start()
        router.add_table()
        assert len(router.processes()) == 3
        before = time.monotonic()
        assert router.stop(number) == 0
        took = time.monotonic() - before
        assert router.leaves_nothing()
        return took

    assert within(2.0, stop)
    with pytest.raises(Unavailable, match="is not running"):
        router.ask("status")


def test_a_part_that_hangs_does_not_keep_it_from_stopping(router: Router) -> None:
    router.start()
    router.add_table()
    os.kill(router.pid("guard"), signal.SIGSTOP)
    assert router.stop() == 0
    assert router.leaves_nothing()


def test_a_killed_guard_is_back_within_a_second(router: Router) -> None:
    def kill() -> float:
        router.start()
        guard = router.pid("guard")
        os.kill(guard, signal.SIGKILL)
        took = router.until(lambda: router.is_back("guard", guard))
        router.stop()
        return took

    assert within(1.0, kill)


def test_a_killed_guard_is_told_of_its_outage_and_the_table_stays(router: Router) -> None:
    router.start()
    router.add_table()
    guard, analyzer = router.pid("guard"), router.pid("analyzer")
    os.kill(guard, signal.SIGKILL)
    took = router.until(lambda: router.is_back("guard", guard))
    assert router.has_table()
    assert router.pid("analyzer") == analyzer
    assert router.parts()["guard"]["restarts"] == 1
    first, second = (asked["outage"] for asked in router.heard("guard") if asked["do"] == "configure")
    assert first is None
    assert 0.2 <= second < took + SILENCE  # from its last beat on


def test_a_hanging_guard_is_killed_within_three_seconds_and_back(router: Router) -> None:

    def hang() -> float:
        router.start()
        guard = router.pid("guard")
        os.kill(guard, signal.SIGSTOP)
        took = router.until(lambda: not Path(f"/proc/{guard}").exists())
        router.until(lambda: router.is_back("guard", guard))
        router.stop()
        return took

    assert within(3.0, hang)
    assert "no sign of life for 2.5 s" in router.log.read_text()


def test_when_the_supervisor_is_killed_its_parts_end_and_the_next_one_starts(router: Router) -> None:
    router.start()
    router.stop(signal.SIGKILL)
    router.until(lambda: not router.processes())
    router.start()
    assert router.stop() == 0
    assert router.leaves_nothing()


def test_a_second_one_is_refused_and_the_first_goes_on(router: Router) -> None:
    router.start()
    first, pids = router.process, router.processes()
    assert first is not None
    router.start(wait=False)
    second, router.process = router.process, first
    assert second is not None
    assert second.wait(60) == 1
    assert f"runs already, as process {first.pid}" in router.log.read_text()
    assert router.processes() == pids
    assert router.ask("status")["pid"] == first.pid


def test_a_broken_configuration_changes_nothing_and_is_remembered(router: Router) -> None:
    router.start()
    pids = router.processes()
    router.configure("\toption mode 'panic'")
    router.send(signal.SIGHUP)
    router.until(lambda: router.ask("status")["config"]["error"])
    error = router.ask("status")["config"]["error"]
    assert "'panic'" in error
    assert "`monitor` or `enforce`" in error
    with pytest.raises(SmartrouterError, match="panic"):
        router.ask("reload")
    assert len(router.heard("guard")) == 1 + sum(asked["do"] == "status" for asked in router.heard("guard"))
    assert router.processes() == pids
    assert "'panic'" in router.log.read_text()
    router.configure("\toption mode 'enforce'")
    router.send(signal.SIGHUP)
    router.until(lambda: not router.ask("status")["config"]["error"])

    def last(part: str) -> dict[str, Any]:
        return [asked for asked in router.heard(part) if asked["do"] == "configure"][-1]

    for part in ("guard", "analyzer"):
        router.until(lambda: last(part)["config"]["smartrouter"][0]["mode"] == "enforce")  # noqa: B023 - used in this turn
        assert last(part)["outage"] is None
    assert router.processes() == pids


def test_each_part_gets_its_own_share_and_the_surroundings(router: Router) -> None:
    router.configure(
        "config notify", "\toption type 'slack'", "\toption token 'xoxb-1'", "\toption channel '#a'"
    )
    router.start()
    guard, analyzer = router.heard("guard")[0], router.heard("analyzer")[0]
    assert (guard["lan"], guard["iot"]) == (["br-lan"], [])
    assert isinstance(guard["upstreams"], list)
    assert "xoxb-1" not in json.dumps(guard)
    assert "xoxb-1" in json.dumps(analyzer)
    assert "xoxb-1" not in router.log.read_text()
    assert "xoxb-1" not in json.dumps(router.ask("status"))


def test_switched_off_it_runs_nothing_and_comes_when_it_is_switched_on(router: Router) -> None:
    router.add_table()
    router.configure("\toption enabled '0'")
    router.start(wait=False)
    router.until(lambda: not router.has_table() and router.ask("status")["enabled"] is False)
    router.until(lambda: len(router.processes()) == 1)
    assert not (router.folder / "state").exists()
    router.configure()
    router.send(signal.SIGHUP)
    router.until(lambda: router.parts()["guard"]["state"] == "running")
    router.add_table()
    router.configure("\toption enabled '0'")
    router.send(signal.SIGHUP)
    router.until(lambda: len(router.processes()) == 1 and not router.has_table())
    assert router.ask("status")["guard"]["running"] is False


def test_nothing_sound_to_start_from_is_an_error_and_leaves_nothing(router: Router) -> None:
    router.configure("\toption mode 'panic'")
    command = [sys.executable, "-m", "smartrouter", "run"]
    files = ["--config", str(router.config), "--run-dir", router.run_dir]
    done = subprocess.run(
        ["ip", "netns", "exec", router.namespace, *command, *files],
        capture_output=True,
        text=True,
        timeout=60,
        env=process.environment(),
        check=False,
    )
    assert done.returncode == 1
    assert f"smartrouter: {router.config}" in done.stderr
    assert "'panic'" in done.stderr
    assert "Traceback" not in done.stderr
    assert router.leaves_nothing()


def test_without_a_lan_interface_it_waits_and_says_so(router: Router) -> None:
    inside(router.namespace, "ip", "link", "set", "br-lan", "name", "br-away")
    try:
        router.start(wait=False)
        router.until(lambda: router.ask("status")["problem"])
        assert "there are: br-away" in router.ask("status")["problem"]
        assert not any(part["pid"] for part in router.parts().values())
    finally:
        inside(router.namespace, "ip", "link", "set", "br-away", "name", "br-lan")
    router.until(lambda: router.parts()["guard"]["state"] == "running")
    assert router.ask("status")["problem"] == ""


def test_a_device_that_is_a_port_of_a_bridge_means_the_bridge(router: Router) -> None:
    inside(router.namespace, "ip", "link", "add", "sr-port", "type", "veth", "peer", "name", "sr-far")
    inside(router.namespace, "ip", "link", "set", "sr-port", "master", "br-lan")
    try:
        text = router.config.read_text()
        router.config.write_text(text.replace("list device 'br-lan'", "list device 'sr-port'"))
        router.start()
        assert router.ask("status")["lan"] == ["br-lan"]
        inside(router.namespace, "ip", "link", "set", "sr-port", "nomaster")
        router.send(signal.SIGHUP)
        router.until(lambda: router.ask("status")["lan"] == ["sr-port"])
    finally:
        inside(router.namespace, "ip", "link", "del", "sr-port")


def test_a_rule_is_in_the_file_and_with_the_guard_before_it_is_answered(router: Router) -> None:
    router.start()
    rule = {"device": MAC.upper(), "destination": "evil.example", "service": "web"}
    router.until(lambda: router.ask("deny", **rule) == {"applied": True, "note": ""})
    assert "evil.example" in router.config.read_text()
    configured = [asked for asked in router.heard("guard") if asked["do"] == "configure"]
    assert configured[-1]["config"]["rule"][0]["destination"] == "evil.example"
    assert configured[-1]["config"]["rule"][0]["by"] == "cli:root"


def test_a_rule_that_the_guard_cannot_take_now_is_kept_and_said(router: Router) -> None:
    router.start()
    guard = router.pid("guard")
    os.kill(guard, signal.SIGSTOP)
    answer = router.ask("allow", device="*", destination="good.example")
    assert answer["applied"] is False
    assert "counts once the guard has it" in answer["note"]
    router.until(lambda: router.is_back("guard", guard))
    last = [asked for asked in router.heard("guard") if asked["do"] == "configure"][-1]
    assert last["config"]["rule"][0]["destination"] == "good.example"


def test_a_bad_rule_is_refused_and_nothing_changes(router: Router) -> None:
    router.start()
    before = router.config.read_text()
    with pytest.raises(SmartrouterError, match="destination"):
        router.ask("deny", device=MAC, destination="no such place!")
    assert router.config.read_text() == before
    assert router.ask("status")["config"]["error"] == ""


def test_what_the_guard_is_asked_reaches_it(router: Router) -> None:
    router.start()
    assert router.ask("pause", seconds=60) == {"did": "pause"}
    assert {"do": "pause", "seconds": 60} in router.heard("guard")


def test_what_the_analyzer_sees_reaches_the_guard_and_its_successor(router: Router) -> None:
    router.behave("analyzer", "tells")
    router.start()

    def times_seen() -> int:
        return sum(
            [device["mac"] for device in asked["devices"]] == [MAC]
            for asked in router.heard("guard")
            if asked["do"] == "seen"
        )

    router.until(times_seen)
    before = times_seen()
    os.kill(router.pid("guard"), signal.SIGKILL)
    router.until(lambda: times_seen() > before)


def test_an_answer_on_a_configured_channel_becomes_a_rule_that_both_parts_get(router: Router) -> None:
    router.configure("config notify", "\toption type 'slack'", "\toption token 'xoxb-1'")
    router.behave("analyzer", "answers")
    router.start()

    def rules(part: str) -> list[dict[str, str]]:
        shares: list[dict[str, Any]] = [asked for asked in router.heard(part) if asked["do"] == "configure"]
        found: list[dict[str, str]] = shares[-1]["config"]["rule"]
        return found

    router.until(lambda: rules("guard") and rules("analyzer"))
    for part in ("guard", "analyzer"):
        [rule] = rules(part)
        assert (rule["device"], rule["destination"], rule["service"]) == (MAC, "a.example", "web")
        assert (rule["action"], rule["by"]) == ("allow", "slack:U024BE7LH")
        assert "until" not in rule
    router.until(lambda: router.log.read_text().count("it does nothing") == 2)


def times(router: Router, part: str, wanted: dict[str, Any]) -> int:
    """How often was the part asked just this?"""
    return sum(asked == wanted for asked in router.heard(part))


def test_who_answers_for_an_address_reaches_the_guard_and_its_successor(router: Router) -> None:
    router.behave("analyzer", "tells")
    router.start()
    wanted = {"do": "claims", "claims": [[MAC, "192.0.2.5"]]}
    router.until(lambda: times(router, "guard", wanted))
    before = times(router, "guard", wanted)
    os.kill(router.pid("guard"), signal.SIGKILL)
    router.until(lambda: times(router, "guard", wanted) > before)


def test_a_name_that_the_guard_wants_looked_up_reaches_the_analyzer_and_the_answer_the_guard(
    router: Router,
) -> None:
    router.behave("guard", "asks")
    router.behave("analyzer", "tells")
    router.start()
    answer = {"name": "a.example", "addresses": ["198.51.100.5"], "ttl": 300}
    router.send(signal.SIGHUP)  # whoever came first, both are there now
    router.until(lambda: times(router, "analyzer", {"do": "look_up", "names": ["a.example"]}))
    os.kill(router.pid("analyzer"), signal.SIGKILL)
    router.until(lambda: times(router, "guard", {"do": "looked_up", "names": [answer]}))


def test_a_guard_that_asks_without_an_end_fills_nobodys_channel(router: Router) -> None:
    router.behave("guard", "chatters")
    router.behave("analyzer", "deaf")
    router.start()
    router.until(lambda: router.ask("status")["dropped"].get("look_up", 0) > 10_000, 60.0)
    pids = {name: part["pid"] for name, part in router.parts().items()}
    time.sleep(1)
    parts = router.parts()
    assert {name: part["pid"] for name, part in parts.items()} == pids
    assert {part["state"] for part in parts.values()} == {"running"}
    assert router.ask("status")["rss_kib"] < 24 * 1024


def test_why_a_part_cannot_start_is_in_the_status(router: Router) -> None:
    router.behave("guard", "fails")
    router.start(wait=False)
    router.until(lambda: router.parts()["guard"]["restarts"])
    status = router.ask("status")
    assert status["guard"]["running"] is False
    assert "the queue belongs to somebody else: stop that program" in status["guard"]["problem"]
    assert router.parts()["analyzer"]["problem"] == ""


def test_parts_become_the_service_user_with_one_capability_or_none(router: Router) -> None:
    for part in ("guard", "analyzer"):
        router.behave(part, "drops")
    router.start()
    for part, capabilities in (("guard", 1 << CAP_NET_ADMIN), ("analyzer", 0)):
        status = Path(f"/proc/{router.pid(part)}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        assert fields["Uid"].split() == [str(service_user().uid)] * 4
        assert {int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {capabilities}
    store = router.folder / "state" / "store.db"
    assert store.stat().st_gid == service_user().gid


@pytest.mark.parametrize("ways", [(), ("fails",)], ids=["all well", "the guard fails"])
def test_the_init_system_is_told_when_the_start_is_over(router: Router, ways: tuple[str, ...]) -> None:
    router.behave("guard", *ways)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as init:
        init.bind(str(router.folder / "notify"))
        init.settimeout(20)
        router.start(wait=False, NOTIFY_SOCKET=str(router.folder / "notify"))
        assert init.recv(100) == b"READY=1"
        guard = router.parts()["guard"]
        assert (guard["state"] == "running", bool(guard["problem"])) == (not ways, bool(ways))
        router.stop()
        assert init.recv(100) == b"STOPPING=1"


def test_a_guard_that_beats_but_does_not_judge_is_killed(router: Router, tmp_path: Path) -> None:
    """The queue's real listener here is another process, which never gives a verdict."""
    hold = "import time\nfrom netfilterqueue import NetfilterQueue\n"
    hold += "q = NetfilterQueue(); q.bind(7370, lambda p: None); print('bound', flush=True); time.sleep(60)"
    rule = ("iptables-nft", "-A", "OUTPUT", "-p", "udp", "-j", "NFQUEUE", "--queue-num", "7370")
    send = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))"
    inside(router.namespace, "ip", "link", "set", "lo", "up")

    def judge_nothing() -> float:
        router.start()
        with subprocess.Popen(
            ["ip", "netns", "exec", router.namespace, sys.executable, "-c", hold], stdout=subprocess.PIPE
        ) as holder:
            try:
                assert holder.stdout is not None
                assert holder.stdout.readline() == b"bound\n"
                inside(router.namespace, *rule)
                guard, begun = router.pid("guard"), time.monotonic()
                inside(router.namespace, sys.executable, "-c", send)
                router.until(lambda: not Path(f"/proc/{guard}").exists())
                took = time.monotonic() - begun
            finally:
                holder.kill()
        router.stop()
        inside(router.namespace, "nft", "flush", "ruleset")
        return took

    takes = []

    def take() -> float:
        takes.append(judge_nothing())
        return takes[-1]

    assert within(4.0, take)
    assert min(takes) > 2
    assert "packets wait and none is judged" in router.log.read_text()


def test_the_supervisor_stays_small(router: Router) -> None:
    """12 MiB is the aim; what is checked leaves room for other Pythons. Compiled code is what is measured."""
    env = {name: value for name, value in process.environment().items() if name != "PYTHONDONTWRITEBYTECODE"}
    env["PYTHONPYCACHEPREFIX"] = str(router.folder / "pyc")
    router.configure("\toption enabled '0'")
    command = [sys.executable, "-m", "smartrouter", "run", "--config", str(router.config)]
    for _ in range(2):
        router.process = subprocess.Popen(
            ["ip", "netns", "exec", router.namespace, *command, "--run-dir", router.run_dir],
            env=env,
            stderr=subprocess.DEVNULL,
        )
        router.until(lambda: router.ask("status")["config"]["path"] and not router.ask("status")["enabled"])
        rss = router.ask("status")["rss_kib"]
        assert router.stop() == 0
    assert rss <= 13 * 1024
