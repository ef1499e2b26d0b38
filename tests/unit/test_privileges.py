# SPDX-License-Identifier: GPL-2.0-or-later
"""Giving up root: what is left of it, by the kernel's own account."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import smartrouter
from smartrouter.linux import process
from smartrouter.linux.privileges import CAP_NET_ADMIN, group_name, remember_service_user, service_user

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
NET_ADMIN = f"{1 << CAP_NET_ADMIN:016x}"
NOTHING = f"{0:016x}"
REPORT = """
import ctypes, json, os, resource, subprocess, sys
from smartrouter.core.errors import Unavailable
from smartrouter.linux.privileges import drop, service_user
{before}
try:
    drop(service_user(), keep_net_admin={keep})
except (Unavailable, RuntimeError) as error:
    print(json.dumps({{"error": str(error)}}))
    sys.exit()
fields = {{line.partition(":")[0]: line.partition(":")[2].strip() for line in open("/proc/self/status")}}
os.close(os.open("made", os.O_CREAT | os.O_WRONLY, 0o666))
{after}
print(json.dumps(fields))
"""


def report(folder: Path, keep: bool, before: str = "", after: str = "", **env: str) -> dict[str, Any]:
    """What a process that dropped its privileges says of itself."""
    folder.chmod(0o777)
    code = REPORT.format(keep=keep, before=before, after=after)
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env={**process.environment(), **env},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@root_only
@pytest.mark.parametrize(("keep", "left"), [(True, NET_ADMIN), (False, NOTHING)])
def test_one_capability_is_left_or_none(tmp_path: Path, keep: bool, left: str) -> None:
    status = report(tmp_path, keep)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {left}
    assert status["NoNewPrivs"] == "1"


@root_only
def test_the_process_is_the_service_user_in_every_way(tmp_path: Path) -> None:
    user = service_user()
    status = report(tmp_path, True)
    assert status["Uid"].split() == [str(user.uid)] * 4
    assert status["Gid"].split() == [str(user.gid)] * 4
    assert status.get("Groups", "").split() == []
    assert status["Umask"] == "0007"
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o660


@root_only
def test_there_is_no_way_back(tmp_path: Path) -> None:
    after = """
for attempt in (lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: open("/etc/shadow")):
    try:
        attempt()
    except PermissionError:
        continue
    sys.exit("got through")
"""
    assert report(tmp_path, True, after=after)["NoNewPrivs"] == "1"


@root_only
def test_programs_that_it_starts_have_the_capability_too(tmp_path: Path) -> None:
    after = "fields['child'] = os.popen('grep CapEff /proc/self/status').read().split()[1]"
    assert report(tmp_path, True, after=after)["child"] == NET_ADMIN
    assert report(tmp_path, False, after=after)["child"] == NOTHING


@root_only
def test_others_of_the_same_user_cannot_look_into_it(tmp_path: Path) -> None:
    after = "fields['owner'] = os.stat('/proc/self/mem').st_uid"
    assert report(tmp_path, True, after=after)["owner"] == 0


@root_only
def test_after_a_thread_was_started_it_is_too_late(tmp_path: Path) -> None:
    before = "import threading, time; threading.Thread(target=time.sleep, args=(5,), daemon=True).start()"
    assert "before the first one is started" in report(tmp_path, True, before)["error"]


@root_only
def test_without_root_the_capability_cannot_be_had_and_the_error_says_what_to_do(tmp_path: Path) -> None:
    become = "os.setresgid(54321, 54321, 54321); os.setresuid(54321, 54321, 54321)"
    assert "`smartrouter run`" in report(tmp_path, True, become)["error"]
    status = report(tmp_path, False, become)
    assert status["Uid"].split() == ["54321"] * 4
    assert status["NoNewPrivs"] == "1"


@root_only
def test_code_in_a_folder_that_only_root_can_enter_will_do(tmp_path: Path) -> None:
    private = tmp_path / "private"
    shutil.copytree(Path(smartrouter.__file__).parent, private / "smartrouter")
    private.chmod(0o700)
    status = report(
        tmp_path,
        True,
        "from smartrouter.channel import Channel",
        """
fields['code'] = Channel.__init__.__code__.co_filename
try:
    from smartrouter.linux import instance
    sys.exit("could still read its code")
except ImportError:
    pass
ours, theirs = __import__("socket").socketpair()
Channel(theirs.detach()).tell("seen", devices=[])
fields['told'] = ours.recv(100).decode()
""",
        PYTHONPATH=str(private),
    )
    assert status["code"].startswith(str(private))
    assert json.loads(status["told"]) == {"tell": "seen", "devices": []}
    assert status["CapEff"] == NET_ADMIN


def test_the_service_user_is_smartrouter_or_else_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = pwd.getpwnam("nobody")
    known = {"nobody": nobody}
    monkeypatch.setattr(pwd, "getpwnam", lambda name: known[name])
    assert service_user() == ("nobody", nobody.pw_uid, nobody.pw_gid)
    known["smartrouter"] = pwd.struct_passwd(("smartrouter", "x", 990, 991, "", "/", "/bin/false"))
    assert service_user() == ("smartrouter", 990, 991)


def test_who_it_is_is_looked_up_once_for_all_that_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMARTROUTER_USER", "")
    before = service_user()
    remember_service_user()
    monkeypatch.setattr(pwd, "getpwnam", lambda name: pytest.fail(f"{name} is looked up"))
    assert service_user() == before


def test_a_group_without_a_name_has_its_number() -> None:
    assert group_name(54399) == "54399"
    assert group_name(0) == "root"
