# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration as a whole: every claim of it holds, and it leaves nothing behind, however it ends."""

import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from smartrouter.lab.hosts import PREFIX, leftovers

pytestmark = pytest.mark.netns

DEMO = [sys.executable, "-m", "smartrouter", "demo", "--quick"]


def left_of(pid: int) -> list[str]:
    """What is left of the demonstration of process `pid`: namespaces, and processes that name its folder."""
    left = [str(path) for path in leftovers(f"{PREFIX}{pid}-")]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_text().replace("\0", " ")
        except OSError:
            continue
        if f"/{PREFIX}{pid}-" in line:
            left.append(line)
    return left


def start(*options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*DEMO, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_every_claim_of_the_demonstration_holds() -> None:
    demo = start("--stay")
    assert demo.stdout
    said = ""
    for line in demo.stdout:
        said += line
        if "Enter ends it" in line:
            break
    (url, *_) = re.findall(r"http://127\.0\.0\.1:[0-9]+/", said) or [""]
    with urllib.request.urlopen(f"{url}login", timeout=20) as page:  # as a browser on this machine
        assert b'name="password"' in page.read()
    said += demo.communicate("\n", timeout=90)[0]
    assert demo.returncode == 0, said
    assert "✗" not in said
    assert "\x1b[" not in said, "colours outside a terminal"
    assert said.count("✓") >= 15
    assert left_of(demo.pid) == []


def test_ctrl_c_in_the_middle_leaves_nothing() -> None:
    demo = start()
    assert demo.stdout
    with demo.stdout:
        assert any("Devices arrive" in line for line in demo.stdout)
        assert left_of(demo.pid), "it has begun"
        demo.send_signal(signal.SIGINT)
        said = demo.stdout.read()
    assert demo.wait(timeout=20) == 130, said
    assert "Interrupted" in said
    assert left_of(demo.pid) == []
