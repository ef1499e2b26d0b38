# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine of its own that runs pytest on this checkout under another kernel, and brings the report back.

The guest sees the host's files read-only, has no network, and ends with its tests. QEMU emulates its
processor, so everything in it is slow: what runs there must not depend on time.
"""

import os
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vm.initramfs import HOST, OWN, REPORTS, RESULTS, initramfs
from vm.kernel import Kernel, Missing

CHECKOUT = Path(__file__).resolve().parents[2]
QEMU = "qemu-system-x86_64"
_MEMORY = "1536"  # MB; what tests write stays there
# Plugins of pytest that take long to load there.
_NOT_NEEDED = ("anyio", "hypothesispytest", "platformdirs", "schemathesis")
_ROUNDS = 0.2  # of the host's: a loop takes several times as long
_MARGIN = 120.0  # seconds that the guest has for booting, and for ending its tests when their time is up
# Process 1 must not end; it restarts the machine, and that ends QEMU.
_RUN = """
cd {checkout}
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 NO_COLOR=1 ROUNDS={rounds}
ip link set lo up
timeout -s INT -k 20 {seconds} {pytest} </dev/null
echo $? > {reports}/status
exec {own}/busybox reboot -f
"""


class Outcome(NamedTuple):
    """How one test fared, with one set of parameters. `state`: passed, failed or skipped; `text`: why."""

    name: str
    state: str
    text: str


class Report(NamedTuple):
    """`outcomes` by `path::function`, a test's parameters together; `status`: pytest's, -1 if it did not end
    by itself; `console`: all that the guest printed."""

    status: int
    outcomes: dict[str, list[Outcome]]
    console: str


def run_pytest(kernel: Kernel, tests: Sequence[str], work: Path, seconds: float) -> Report:
    """Boot `kernel` and have pytest run `tests` (`path::function` in this checkout) there.

    `work`: an empty folder for the guest's files. After `seconds` the rest is not run. Raises Missing
    without QEMU.
    """
    qemu = shutil.which(QEMU)
    if qemu is None:
        raise Missing(f"{QEMU} is missing (Debian's package qemu-system-x86)")
    shared = work / RESULTS
    shared.mkdir()
    (shared / "run").write_text(_script(tests, seconds))
    (work / "initramfs").write_bytes(initramfs(kernel))
    guest = subprocess.Popen(
        [qemu, *_arguments(kernel, work)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        _, complaint = guest.communicate(timeout=seconds + _MARGIN)
    except subprocess.TimeoutExpired:
        complaint = f"The guest was stopped after {seconds + _MARGIN:.0f} s."
    finally:
        guest.kill()
        guest.wait()
    console = work / "console"
    printed = console.read_text("utf-8", "replace") if console.exists() else ""
    status = shared / "status"
    return Report(
        int(status.read_text()) if status.exists() else -1,
        _outcomes(shared / "report.xml"),
        f"{printed}\n{complaint}".strip(),
    )


def _arguments(kernel: Kernel, work: Path) -> list[str]:
    share = "local,security_model=none,multidevs=remap,path={},mount_tag={}"
    results = str(work / RESULTS).replace(",", ",,")  # as QEMU wants a comma in a value
    return [
        *("-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"),
        # Not KVM: inside a virtual machine it is often there, and broken.
        *("-accel", "tcg,thread=multi", "-cpu", "max"),
        *("-smp", str(min(2, os.cpu_count() or 1)), "-m", _MEMORY),
        *("-kernel", str(kernel.image), "-initrd", str(work / "initramfs")),
        *("-append", "console=ttyS0 quiet panic=-1 mitigations=off rcupdate.rcu_expedited=1"),
        *("-chardev", f"file,id=console,path={str(work / 'console').replace(',', ',,')}"),
        *("-serial", "chardev:console"),
        *("-virtfs", share.format("/", HOST) + ",readonly=on"),
        *("-virtfs", share.format(results, RESULTS)),
    ]


def _script(tests: Sequence[str], seconds: float) -> str:
    pytest = [
        *(sys.executable, "-m", "pytest", "-v", "-ra", "-p", "no:cacheprovider"),
        *(word for plugin in _NOT_NEEDED for word in ("-p", f"no:{plugin}")),
        *("--numprocesses", "2", "--dist", "loadfile"),  # as many as the guest has processors
        *(f"--timeout={seconds / 3:.0f}", f"--junitxml={REPORTS}/report.xml", "-o", "junit_family=xunit1"),
        *tests,
    ]
    return _RUN.format(
        checkout=shlex.quote(str(CHECKOUT)),
        rounds=min(1.0, _ROUNDS * float(os.environ.get("ROUNDS", "1"))),
        seconds=int(seconds),
        pytest=shlex.join(pytest),
        own=OWN,
        reports=REPORTS,
    )


def _outcomes(report: Path) -> dict[str, list[Outcome]]:
    """Reads pytest's JUnit report; nothing where the guest got to write none."""
    found: dict[str, list[Outcome]] = {}
    if not report.exists() or not report.stat().st_size:
        return found
    for case in ElementTree.parse(report).iter("testcase"):
        name = case.get("name", "")
        state, text = "passed", ""
        for part in case:
            if part.tag in ("failure", "error", "skipped"):
                state = "skipped" if part.tag == "skipped" else "failed"
                text = f"{part.get('message', '')}\n{part.text or ''}".strip()
        key = f"{case.get('file', '')}::{name.partition('[')[0]}"
        found.setdefault(key, []).append(Outcome(name, state, text))
    return found
