# SPDX-License-Identifier: GPL-2.0-or-later
"""What `doctor` looks at, on real files, real clocks and real disks."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from smartrouter.cli import checks
from smartrouter.cli.checks import Check, Level
from smartrouter.config import Config, from_text
from smartrouter.linux import interfaces
from smartrouter.linux.interfaces import Interfaces
from smartrouter.linux.queue_rule import FLOWS_QUEUE

ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a network namespace")


def configured(**options: str) -> Config:
    lines = [f"\toption {name} '{value}'" for name, value in options.items()]
    return from_text("\n".join(["config smartrouter 'main'", "\tlist device 'lo'", *lines, ""]))


def only(found: Any) -> Check:
    (check,) = found
    assert isinstance(check, Check)
    return check


def test_all_libraries_are_there_where_the_tests_run() -> None:
    assert only(checks.libraries()).level is Level.OK


def test_a_missing_library_is_a_problem_with_its_package_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(checks._LIBRARIES, "guard", {"no_such_module": "no-such-package"})
    check = only(checks.libraries())
    assert check.level is Level.PROBLEM
    assert "pip install no-such-package" in check.mend


@pytest.mark.parametrize(("text", "level"), [("1\n", Level.OK), ("0\n", Level.WARNING)])
def test_a_machine_that_forwards_nothing_is_no_router(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, level: Level
) -> None:
    path = tmp_path / "ip_forward"
    path.write_text(text)
    monkeypatch.setattr(checks, "_FORWARDING", path)
    assert only(checks.forwarding()).level is level


def test_an_interface_that_is_not_there_is_a_problem() -> None:
    config = from_text("config smartrouter 'main'\n\tlist device 'sr-nowhere'\n")
    check = only(checks.network(config))
    assert check.level is Level.PROBLEM
    assert "sr-nowhere" in check.text


@pytest.mark.parametrize(
    ("option", "level", "words"),
    [("device", Level.OK, "all of br-lan"), ("iot_network", Level.WARNING, "not every device there")],
)
def test_that_a_port_means_its_bridge_is_said(
    monkeypatch: pytest.MonkeyPatch, option: str, level: Level, words: str
) -> None:
    found = Interfaces(("br-lan",), (), (), (("lan3", "br-lan"),))
    monkeypatch.setattr(interfaces, "find", lambda *_: found)
    config = from_text(f"config smartrouter 'main'\n\tlist {option} 'lan3'\n")
    about, port = checks.network(config)
    assert about.level is Level.OK
    assert port.level is level
    assert words in port.text


def test_the_user_that_parts_run_as_is_named() -> None:
    check = only(checks.user())
    assert "parts run as" in check.text
    assert check.level in (Level.OK, Level.WARNING)


@pytest.mark.parametrize(("max_size", "level"), [("1M", Level.OK), ("999999G", Level.WARNING)])
def test_the_disk_must_have_room_for_what_the_store_may_take(
    tmp_path: Path, max_size: str, level: Level
) -> None:
    database = tmp_path / "not" / "made" / "yet" / "store.db"
    assert only(checks.disk(configured(database=str(database), max_size=max_size))).level is level


@ROOT
def test_a_full_disk_is_a_problem(tmp_path: Path) -> None:
    script = f"""if True:
        from smartrouter.cli import checks
        from smartrouter.config import from_text
        text = "config smartrouter 'main'\\n\\tlist device 'lo'\\n\\toption database '{tmp_path}/store.db'\\n"
        print(list(checks.disk(from_text(text)))[0].level)
    """
    inside = f'mount -t tmpfs -o size=1m none {tmp_path} && "$@"'
    command = ["unshare", "--mount", "sh", "-c", inside, "sh", sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "problem\n"


@pytest.mark.parametrize(("now", "level"), [(100.0, Level.WARNING), (1.8e9, Level.OK)])
def test_a_clock_of_1970_is_noticed(monkeypatch: pytest.MonkeyPatch, now: float, level: Level) -> None:
    monkeypatch.setattr("time.time", lambda: now)
    assert only(checks.clock()).level is level


def in_a_namespace(setup: str, what: str) -> list[list[str]]:
    """The checks that `what` gives in a network namespace after `setup`; each as name and level."""
    script = f"""if True:
        from smartrouter.cli import checks
        for check in checks.{what}:
            print(check.name, check.level, sep="|")
    """
    command = ["unshare", "--net", "sh", "-c", f'{setup}; "$@"', "sh", sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line.split("|") for line in done.stdout.splitlines()]


@ROOT
@pytest.mark.netns
def test_rules_without_a_smartrouter_are_noticed(tmp_path: Path) -> None:
    setup = "nft 'add table inet smartrouter; add counter inet smartrouter passed'"
    assert in_a_namespace(setup, f"running('{tmp_path}')") == [["running", "warning"], ["rules", "warning"]]
    assert in_a_namespace("true", f"running('{tmp_path}')") == [["running", "warning"]]


@ROOT
@pytest.mark.netns
def test_a_queue_that_another_program_took_is_a_problem(tmp_path: Path) -> None:
    listen = f'q = NetfilterQueue(); q.bind({FLOWS_QUEUE}, print); open(sys.argv[1], "w"); time.sleep(60)'
    script = f"import sys, time; from netfilterqueue import NetfilterQueue; {listen}"
    listens = tmp_path / "listens"
    setup = f"{sys.executable} -c '{script}' {listens} & child=$!; trap 'kill $child' EXIT"
    setup += f"; until [ -e {listens} ]; do sleep 0.1; done"
    assert ["queues in use", "problem"] in in_a_namespace(setup, f"running('{tmp_path}')")


@ROOT
@pytest.mark.netns
def test_no_flow_is_offloaded_in_a_fresh_namespace() -> None:
    assert in_a_namespace("true", "offload()") == [["flow offload", "ok"]]


def test_flowtables_are_read_as_nft_prints_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As nft 1.0.6 prints them on a kernel that has them; the kernels that tests run on may not."""
    nft = tmp_path / "nft"
    text = '{"nftables": [{"metainfo": {}}, {"flowtable": {"family": "inet", "table": "fw4", "name": "ft"}}]}'
    nft.write_text(f"#!/bin/sh\necho '{text}'\n")
    nft.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    check = only(checks.offload())
    assert check.level is Level.WARNING
    assert "fw4 ft" in check.text


def test_who_runs_without_a_filter_of_system_calls_is_said() -> None:
    check = only(checks.confinement({"guard": os.getpid(), "analyzer": 1 << 30}))
    filtered = "Seccomp:\t2" in Path("/proc/self/status").read_text()
    assert check.level is (Level.OK if filtered else Level.WARNING)
    assert "analyzer" not in check.text
    assert filtered or "guard" in check.text
    assert only(checks.confinement({})).level is Level.OK


@pytest.mark.parametrize(
    ("section", "mode", "level"),
    [
        ("config notify\n\toption type 'slack'\n\toption token 'xoxb-1'\n", 0o644, Level.WARNING),
        ("config notify\n\toption type 'slack'\n\toption token 'xoxb-1'\n", 0o640, Level.WARNING),
        ("config notify\n\toption type 'slack'\n\toption token 'xoxb-1'\n", 0o600, Level.OK),
        ("", 0o644, None),
    ],
)
def test_secrets_that_others_may_read_are_told(
    tmp_path: Path, section: str, mode: int, level: Level | None
) -> None:
    path = tmp_path / "smartrouter"
    path.write_text(f"config smartrouter 'main'\n\tlist device 'lo'\n{section}")
    path.chmod(mode)
    found = list(checks.secrecy(str(path), from_text(path.read_text())))
    assert [check.level for check in found] == ([] if level is None else [level])
    assert not any("xoxb" in check.text + check.mend for check in found)


@pytest.mark.parametrize(
    ("options", "how"),
    [
        ("", ""),
        ("option flow_offloading '0'", ""),
        ("option flow_offloading '1'", "software"),
        ("option flow_offloading 'on'", "software"),
        ("option flow_offloading_hw '1'", ""),  # fw4 needs both
        ("option flow_offloading '1'\n\toption flow_offloading_hw '1'", "hardware"),
    ],
    ids=["unset", "off", "software", "software as a word", "half hardware", "hardware"],
)
def test_what_openwrts_firewall_offloads_is_told(options: str, how: str, tmp_path: Path) -> None:
    path = tmp_path / "firewall"
    path.write_text(f"config defaults\n\t{options}\nconfig zone\n\toption name 'lan'\n")
    assert checks.wanted_offload(path) == how


def test_without_openwrts_firewall_nothing_is_wanted(tmp_path: Path) -> None:
    assert checks.wanted_offload(tmp_path / "firewall") == ""
    (tmp_path / "firewall").write_text("config 'nonsense\n")
    assert checks.wanted_offload(tmp_path / "firewall") == ""


@pytest.mark.parametrize(
    ("how", "words"), [("hardware", "offloaded to hardware"), ("software", "Flows are offloaded:")]
)
def test_the_doctor_tells_software_from_hardware(
    how: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "wanted_offload", lambda: how)
    monkeypatch.setattr(checks, "_flowtables", list)
    check = only(checks.offload())
    assert check.level is Level.WARNING
    assert words in check.text
    assert "flow_offloading=0" in check.mend


def test_a_part_that_is_not_installed_is_told_with_what_it_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(checks.parts()) == []
    monkeypatch.setattr(checks, "absent", lambda: ("analyzer",))
    check = only(checks.parts())
    assert check.level is Level.WARNING
    assert "no device is found by itself" in check.text
    assert "smartrouter-analyzer" in check.mend


def test_a_web_interface_that_is_wanted_and_not_installed_is_a_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wanted = from_text("config web\n")
    monkeypatch.setattr(checks, "is_installed", lambda part: part != "web")
    check = only(checks.web(wanted))
    assert check.level is Level.PROBLEM
    assert "smartrouter-web" in check.mend
    assert list(checks.web(Config())) == []
