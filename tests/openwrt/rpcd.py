# SPDX-License-Identifier: GPL-2.0-or-later
"""Has ubus calls answered by the rpcd plugin that the package ships; see rpcd.js."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PACKAGES = CHECKOUT / "openwrt-package"
PLUGIN = PACKAGES / "smartrouter" / "files" / "smartrouter.uc"
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="there is no node here to run JavaScript")


def run_node(script: str, *arguments: str, given: object = None) -> Any:
    """What a script of this folder prints as JSON."""
    assert NODE is not None
    command = [NODE, str(CHECKOUT / "tests" / "openwrt" / script), *arguments]
    done = subprocess.run(
        command, input=json.dumps(given), capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def signature() -> dict[str, dict[str, Any]]:
    """The plugin's methods, with a value of its type for each argument."""
    found: dict[str, dict[str, Any]] = run_node("rpcd.js", str(PLUGIN), given={"calls": []})["signature"]
    return found


def ubus(*calls: tuple[str, dict[str, Any]], outcomes: Sequence[object] = (), **plan: Any) -> list[Any]:
    """The answers to `calls` (method, arguments), each with `status`, `reply` and what was `ran`."""
    wanted = [{"method": method, "args": args} for method, args in calls]
    given = {"calls": wanted, "outcomes": outcomes, **plan}
    answers: list[Any] = run_node("rpcd.js", str(PLUGIN), given=given)["answers"]
    return answers


def ubus_at(home: Any, method: str, **args: Any) -> tuple[int, Any]:
    """Status and reply of one call where the commands of `home` are run."""
    program, place = [sys.executable, "-m", "smartrouter"], home.command("")[1:]
    sessions = {"a-session": "anna"}
    answer = ubus((method, args), program=program, append=place, sessions=sessions)[0]
    return answer["status"], answer["reply"]
