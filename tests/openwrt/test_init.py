# SPDX-License-Identifier: GPL-2.0-or-later
"""The init script and its companions, run by busybox's ash as OpenWrt does it, with stand-ins for rc.common,
procd, ubus and uci: what procd is told, and what is not done twice.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from openwrt.feed import FEED

FILES = FEED / "smartrouter" / "files"
INIT = FILES / "smartrouter.init"
RC = Path(__file__).with_name("rc.sh")
SCRIPTS = [
    *(FILES / f"smartrouter.{name}" for name in ("init", "defaults", "iface", "dhcp")),
    FEED / "smartrouter" / "test.sh",
    RC,
]
BUSYBOX = shutil.which("busybox")

pytestmark = pytest.mark.skipif(
    BUSYBOX is None, reason="busybox is missing (Debian's package busybox-static)"
)


class Router:
    """The programs that a script finds, and the log of what they were asked."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.said = folder / "said"
        self.bin = folder / "bin"
        self.bin.mkdir()
        for applet in (
            "sh",
            "cat",
            "awk",
            "tail",
            "tr",
            "cut",
            "mv",
            "printf",
            "mkdir",
            "chmod",
            "grep",
            "sleep",
        ):
            (self.bin / applet).symlink_to(str(BUSYBOX))
        (self.bin / "flock").symlink_to(str(shutil.which("flock")))
        self.program("uci-option", "exit 0")
        self.program("ubus", "exit 1")
        self.program("jsonfilter", "/bin/cat >/dev/null")
        self.program("nft", f'echo nft "$@" >> {self.said}')
        self.program("logger", f'echo logger "$@" >> {self.said}')

    def program(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def configure(self, **options: str) -> None:
        lines = [f"main/{name}) echo '{value}' ;;" for name, value in options.items()]
        self.program("uci-option", f'case "$1/$2" in {" ".join(lines)} esac')

    def runs_as(self, *pids: int) -> None:
        """procd has a process of this number, and after the next question of the one behind it."""
        counter = self.folder / "asked"
        counter.unlink(missing_ok=True)
        answers = " ".join(f"{number}) echo {pid} ;;" for number, pid in enumerate(pids, 1))
        self.program("ubus", "echo '{}'")
        self.program(
            "jsonfilter",
            f'/bin/cat >/dev/null; echo x >> {counter}; case "$(grep -c x {counter})" in {answers} esac',
        )

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": str(self.bin), "SAID": str(self.said), "UCI": str(self.bin / "uci-option"), **more}

    def do(self, action: str, script: Path = INIT) -> list[str]:
        """What was said while init did this."""
        before = self.lines()
        done = subprocess.run(
            [str(BUSYBOX), "ash", str(RC), str(script), action],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return self.lines()[len(before) :]

    def note(self, text: str) -> None:
        with self.said.open("a") as file:
            file.write(f"{text}\n")

    def lines(self) -> list[str]:
        return self.said.read_text().splitlines() if self.said.exists() else []


@pytest.fixture
def router(tmp_path: Path) -> Router:
    return Router(tmp_path)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
@pytest.mark.parametrize("shell", ["sh", "busybox ash", "shellcheck"])
def test_the_shell_takes_each_script(shell: str, script: Path) -> None:
    options = {"shellcheck": ["--shell=sh", "--exclude=SC1090,SC2154"]}
    words = [*shell.split(), *options.get(shell, ["-n"]), str(script)]
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is missing")
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_procd_is_told_to_look_after_one_instance_for_ever(router: Router) -> None:
    assert router.do("start") == [
        "service",
        "open_instance",
        "set_param command /usr/bin/smartrouter run",
        "set_param respawn 3600 1 0",
        "set_param reload_signal HUP",
        "set_param term_timeout 40",
        "set_param stdout 1",
        "set_param stderr 1",
        "set_param env SMARTROUTER_LOG=stdout",
        "set_param no_new_privs 1",
        "close_instance",
        "add_reload_trigger smartrouter network firewall dhcp",
        "set",
    ]


@pytest.mark.parametrize("log", ["stdout", ""])
def test_what_is_logged_goes_where_the_init_script_says(log: str) -> None:
    done = subprocess.run(
        [sys.executable, str(FILES / "smartrouter"), "no-such-command"],
        env=os.environ | {"SMARTROUTER_LOG": log}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert [bool(done.stdout), bool(done.stderr)] == [bool(log), not log]


def test_switched_off_it_is_a_service_without_an_instance(router: Router) -> None:
    router.configure(enabled="0")
    said = router.do("start")
    assert "open_instance" not in said
    assert any("option enabled is 0" in line for line in said)
    assert said[-2:] == [
        "add_reload_trigger smartrouter network firewall dhcp",
        "set",
    ]  # so that it can come back


def socket_of(init: Path, folder: Path) -> tuple[Path, socket.socket]:
    """The init script with its run directory in `folder`, and the socket that a supervisor has there."""
    run_dir = folder / "run"
    run_dir.mkdir()
    moved = folder / "init"
    text = init.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("[ -d /run ]")]
    moved.write_text("\n".join(lines).replace("/var/run/smartrouter", str(run_dir)) + "\n")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(run_dir / "control.sock"))
    return moved, listener


def test_a_reload_is_a_signal_to_what_runs(router: Router, tmp_path: Path) -> None:
    script, listener = socket_of(INIT, tmp_path)
    with listener:
        router.runs_as(4711, 4711)
        said = router.do("reload", script)
    assert said[-1] == "send_signal smartrouter * HUP"
    assert said[0] == "service"  # procd hears of `enabled`, too


@pytest.mark.parametrize("pids", [(), (4711, 4712)], ids=["did not run", "was started anew"])
def test_what_was_just_started_gets_no_signal(pids: tuple[int, ...], router: Router, tmp_path: Path) -> None:
    script, listener = socket_of(INIT, tmp_path)
    with listener:
        if pids:
            router.runs_as(*pids)
        assert "send_signal smartrouter * HUP" not in router.do("reload", script)


def test_what_was_switched_off_gets_no_signal_while_it_ends(router: Router, tmp_path: Path) -> None:
    script, listener = socket_of(INIT, tmp_path)
    with listener:
        router.configure(enabled="0")
        router.runs_as(4711, 4711)
        said = router.do("reload", script)
    assert "set" in said  # by which procd ends it
    assert "send_signal smartrouter * HUP" not in said


def test_stop_is_over_when_the_supervisor_is_gone(router: Router) -> None:
    supervisor = subprocess.Popen(["sleep", "600"])
    router.runs_as(supervisor.pid)

    def end_when_told() -> None:  # as procd does it
        while "delete" not in router.lines():
            time.sleep(0.01)
        time.sleep(0.3)
        supervisor.kill()
        supervisor.wait()
        router.note("gone")

    procd = threading.Thread(target=end_when_told)
    procd.start()
    assert router.do("stop") == ["delete", "gone", "stopped"]
    procd.join()


def test_stop_does_not_wait_for_ever_nor_for_what_does_not_run(router: Router, tmp_path: Path) -> None:
    script = tmp_path / "init"
    script.write_text(INIT.read_text().replace("STOP_PATIENCE=40", "STOP_PATIENCE=-1"))
    router.runs_as(os.getpid())
    assert router.do("stop", script) == ["delete", "stopped"]
    router.runs_as()
    assert router.do("stop") == ["delete", "stopped"]


def test_what_does_not_listen_yet_gets_no_signal(router: Router, tmp_path: Path) -> None:
    script, listener = socket_of(INIT, tmp_path)
    listener.close()
    (tmp_path / "run" / "control.sock").unlink()
    router.runs_as(4711, 4711)
    assert "send_signal smartrouter * HUP" not in router.do("reload", script)


@pytest.mark.parametrize(
    ("options", "kept", "loads"),
    [
        ({"on_failure": "closed"}, True, True),
        ({"on_failure": "open"}, True, False),
        ({}, True, False),
        ({"on_failure": "closed", "enabled": "0"}, True, False),
        ({"on_failure": "closed"}, False, False),
    ],
    ids=["closed", "open", "default", "switched off", "nothing kept"],
)
def test_with_closed_the_kept_ruleset_is_loaded_at_boot_before_anything_is_started(
    options: Mapping[str, str], kept: bool, loads: bool, router: Router, tmp_path: Path
) -> None:
    router.configure(snapshot=str(tmp_path), **options)
    if kept:
        (tmp_path / "ruleset.nft").write_text("table inet smartrouter { }\n")
    said = router.do("boot")
    load = f"nft -f {tmp_path}/ruleset.nft"
    assert (load in said) is loads
    if loads:
        assert said.index(load) < said.index("service")
    if options.get("on_failure") == "closed" and not kept:
        assert any("everything passes" in line for line in said)
    assert load not in router.do("start")  # a reload does that, and keeps the table


def test_a_restart_leaves_no_gap_with_closed(router: Router, tmp_path: Path) -> None:
    router.configure(snapshot=str(tmp_path), on_failure="closed")
    (tmp_path / "ruleset.nft").write_text("table inet smartrouter { }\n")
    said = router.do("restart")
    load = f"nft -f {tmp_path}/ruleset.nft"
    assert said.index("stopped") < said.index(load) < said.index("service") < said.index("set")
    router.configure(snapshot=str(tmp_path), on_failure="open")
    assert load not in router.do("restart")


def test_it_starts_before_the_firewall_and_the_network_and_stops_behind_them() -> None:
    numbers = dict(
        line.split("=") for line in INIT.read_text().splitlines() if line.startswith(("START=", "STOP="))
    )
    assert int(numbers["START"]) < 19  # firewall; the network has 20
    assert 90 < int(numbers["STOP"]) < 99  # network, umount


def test_the_doctor_can_be_asked_for_like_any_service_command(router: Router, tmp_path: Path) -> None:
    script = tmp_path / "init"
    script.write_text(INIT.read_text().replace("/usr/bin/smartrouter", str(router.bin / "smartrouter")))
    router.program("smartrouter", f'echo smartrouter "$@" >> {router.said}')
    assert router.do("doctor", script) == ["smartrouter doctor"]


def test_a_jail_is_made_only_where_it_is_wanted_and_can_be(router: Router) -> None:
    router.configure(jail="1", snapshot="/etc/smartrouter")
    said = router.do("start")
    if os.access("/sbin/ujail", os.X_OK):
        assert "set_param capabilities /etc/capabilities/smartrouter.json" in said
    else:
        assert any("procd-ujail" in line for line in said)
        assert not any(line.startswith("add_jail") for line in said)
    assert "set_param command /usr/bin/smartrouter run" in said


def test_what_a_jailed_supervisor_writes_is_there_before_it_is_put_into_the_jail(
    router: Router, tmp_path: Path
) -> None:
    writes = [tmp_path / name for name in ("run", "store", "kept")]
    router.configure(jail="1", snapshot=str(writes[2]))
    router.program("ujail", "exit 0")
    moved = tmp_path / "init"
    text = "\n".join(line for line in INIT.read_text().splitlines() if not line.startswith("[ -d /run ]"))
    for place, instead in {
        "/sbin/ujail": router.bin / "ujail",
        "RUN_DIR=/var/run/smartrouter": f"RUN_DIR={writes[0]}",
        "/var/lib/smartrouter": writes[1],
    }.items():
        assert place in text
        text = text.replace(place, str(instead))
    moved.write_text(text + "\n")
    said = router.do("start", moved)
    assert "add_jail smartrouter log ubus procfs sysfs" in said
    assert f"add_jail_mount_rw /etc/config {' '.join(map(str, writes))}" in said
    assert "set_param capabilities /etc/capabilities/smartrouter.json" in said
    assert all(path.is_dir() for path in writes)


# -- leases ------------------------------------------------------------------------------------------------


class Leases:
    def __init__(self, router: Router, folder: Path):
        self.router = router
        self.path = folder / "leases"
        self.script = folder / "dhcp"
        text = (FILES / "smartrouter.dhcp").read_text()
        self.script.write_text(text.replace("/var/run/smartrouter.leases", str(self.path)))

    def happen(self, action: str, mac: str, ip: str, name: str = "") -> list[str]:
        event = {"ACTION": action, "MACADDR": mac, "IPADDR": ip, "HOSTNAME": name}
        done = subprocess.run(
            [str(BUSYBOX), "ash", str(self.script)],
            env=self.router.environment(**event), capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        return self.path.read_text().splitlines() if self.path.exists() else []


@pytest.fixture
def leases(router: Router, tmp_path: Path) -> Leases:
    return Leases(router, tmp_path)


TV, PLUG = "cc:44:63:ea:63:63", "50:c7:bf:00:56:39"


def test_a_lease_that_dnsmasq_tells_of_is_kept_in_its_own_form(leases: Leases) -> None:
    leases.happen("add", TV, "192.168.1.20", "tv")
    assert leases.happen("add", PLUG, "192.168.1.21") == [
        f"0 {TV} 192.168.1.20 tv *",
        f"0 {PLUG} 192.168.1.21 * *",
    ]
    from smartrouter.linux import dnsmasq

    assert [(lease.mac, lease.hostname) for lease in dnsmasq.parse(leases.path.read_text())] == [
        (TV, "tv"),
        (PLUG, ""),
    ]


def test_a_renewal_takes_the_place_of_what_was_and_an_end_takes_it_away(leases: Leases) -> None:
    leases.happen("add", TV, "192.168.1.20", "tv")
    assert leases.happen("update", TV, "192.168.1.20", "tv2") == [f"0 {TV} 192.168.1.20 tv2 *"]
    assert leases.happen("remove", TV, "192.168.1.20") == []


def test_a_host_name_is_no_word_of_a_command(leases: Leases, tmp_path: Path) -> None:
    odd = f"x; touch {tmp_path}/owned $(touch {tmp_path}/owned)\n0 aa:bb:cc:dd:ee:ff 1.2.3.4 z *"
    (line,) = leases.happen("add", TV, "192.168.1.20", odd)
    assert line.startswith(f"0 {TV} 192.168.1.20 xtouchtmp")
    assert not (tmp_path / "owned").exists()


def test_an_event_without_an_address_is_none(leases: Leases) -> None:
    assert leases.happen("add", "", "") == []


# -- configuration -----------------------------------------------------------------------------------------


def test_interfaces_that_come_and_go_are_told(router: Router, tmp_path: Path) -> None:
    init = tmp_path / "init.d-smartrouter"
    init.write_text(f'#!/bin/sh\necho "$1" >> {router.said}\n')
    init.chmod(0o755)
    script = tmp_path / "iface"
    script.write_text((FILES / "smartrouter.iface").read_text().replace("/etc/init.d/smartrouter", str(init)))
    for action in ("ifup", "ifdown", "connected"):
        subprocess.run(
            [str(BUSYBOX), "ash", str(script)], env=router.environment(ACTION=action), timeout=30, check=False
        )
    assert router.lines() == ["running", "reload"] * 2


def test_what_is_kept_over_an_upgrade() -> None:
    assert (FILES / "smartrouter.keep").read_text() == "/etc/smartrouter/\n"
    assert "option snapshot '/etc/smartrouter'" in (FILES / "smartrouter.config").read_text()


UCI = """
import json, pathlib, re, sys
state = pathlib.Path(sys.argv[1])
sections = json.loads(state.read_text())  # name -> {".type": …, option: …}; names in order
words = [word for word in sys.argv[2:] if word != "-q"]
verb, rest = words[0], (words[1] if len(words) > 1 else "").removeprefix("smartrouter.")
place, _, value = rest.partition("=")
name, _, option = place.partition(".")
if found := re.fullmatch(r"@smartrouter\\[0\\]", name):
    name = next((n for n, s in sections.items() if s[".type"] == "smartrouter"), "")
if verb == "get":
    section = sections.get(name)
    wanted = None if section is None else section.get(option or ".type")
    if wanted is None:
        sys.exit(1)
    print(wanted)
elif verb == "set" and not option:
    sections.setdefault(name, {})[".type"] = value
elif verb == "set":
    sections[name][option] = value
elif verb == "add_list":
    sections[name].setdefault(option, []).append(value)
elif verb == "rename":
    sections = {value if n == name else n: s for n, s in sections.items()}
state.write_text(json.dumps(sections))
"""
DEFAULTS = {
    ".type": "smartrouter",
    "enabled": "1",
    "database": "/var/lib/smartrouter/smartrouter.db",
    "alert_file": "/var/lib/smartrouter/alerts.txt",
    "max_size": "16M",
    "snapshot": "/etc/smartrouter",
    "network": ["lan"],
}
WITHOUT_NETWORK = {option: value for option, value in DEFAULTS.items() if option != "network"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"main": DEFAULTS}),
        ({"main": {".type": "smartrouter"}}, {"main": DEFAULTS}),
        (
            {"cfg01": {".type": "smartrouter", "device": ["br-iot"], "max_size": "64M"}},
            {"main": WITHOUT_NETWORK | {"device": ["br-iot"], "max_size": "64M"}},
        ),
        (
            {"main": {**DEFAULTS, "enabled": "0", "mode": "enforce"}, "cfg02": {".type": "rule"}},
            {"main": {**DEFAULTS, "enabled": "0", "mode": "enforce"}, "cfg02": {".type": "rule"}},
        ),
    ],
    ids=["nothing", "empty", "by hand", "whole"],
)  # fmt: skip
def test_the_configuration_is_made_and_completed_and_nothing_of_it_is_changed(
    before: Mapping[str, Any], after: Mapping[str, Any], router: Router, tmp_path: Path
) -> None:
    state, program, config = tmp_path / "state.json", tmp_path / "uci.py", tmp_path / "smartrouter"
    state.write_text(json.dumps(before))
    program.write_text(UCI)
    router.program("uci", f'exec {sys.executable} {program} {state} "$@"')
    router.program("pidof", "exit 1")
    script = tmp_path / "defaults"
    script.write_text(
        (FILES / "smartrouter.defaults").read_text().replace("/etc/config/smartrouter", str(config))
    )
    for _ in range(2):  # the second time changes nothing
        done = subprocess.run(
            [str(BUSYBOX), "ash", str(script)],
            env=router.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(state.read_text()) == after
    assert config.stat().st_mode & 0o777 == 0o600
