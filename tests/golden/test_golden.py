# SPDX-License-Identifier: GPL-2.0-or-later
"""Golden rulesets: a case is a folder with a plan in and the whole ruleset out, for both kinds of kernel.

    plan.json        the fields of linux.ruleset.Plan
    native.nft       for a kernel with nft_queue
    xtables.nft      for one without: to_guard and to_dns are filled through netlink

After an intended change, `UPDATE_GOLDEN=1 pytest tests/golden` writes them anew; read the difference.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from smartrouter.linux.ruleset import Plan, render

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/plan.json"))
FORMS = {"native": True, "xtables": False}
EACH = [pytest.param(case, form, id=f"{case.name}-{form}") for case in CASES for form in FORMS]


def plan_of(case: Path) -> Plan:
    fields = json.loads((case / "plan.json").read_text())
    for name in ("lan", "iot"):
        fields[name] = tuple(fields.get(name, ()))
    for name in ("pass_mark", "block_mark"):
        if name in fields:
            fields[name] = int(fields[name], 16)
    for name in ("watched", "exempt", "enforced", "shared_resolvers"):
        if name in fields:
            fields[name] = frozenset(fields[name])
    return Plan(**fields)


def test_there_are_cases() -> None:
    assert len(CASES) >= 5


@pytest.mark.parametrize(("case", "form"), EACH)
def test_a_plan_gives_exactly_this_ruleset(case: Path, form: str) -> None:
    rendered = render(plan_of(case), FORMS[form])
    golden = case / f"{form}.nft"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(rendered)
    assert rendered == golden.read_text()


@pytest.mark.netns
@pytest.mark.parametrize(("case", "form"), EACH)
def test_nft_and_this_kernel_take_it(case: Path, form: str) -> None:
    if os.geteuid() or not shutil.which("unshare") or not shutil.which("nft"):
        pytest.skip("needs root, unshare and nft")
    lines = (case / f"{form}.nft").read_text().splitlines(keepends=True)
    if takes("".join(lines)):
        return
    # A kernel without nft_queue: all but its two statements.
    assert form == "native"
    rest = [line for line in lines if "queue flags bypass" not in line]
    assert len(rest) == len(lines) - 2
    assert takes("".join(rest))


def takes(ruleset: str) -> bool:
    """Whether `nft --check` takes it, in a network namespace that lasts as long as the call."""
    command = ["unshare", "--net", "nft", "--check", "--file", "-"]
    return not subprocess.run(command, input=ruleset, text=True, capture_output=True).returncode
