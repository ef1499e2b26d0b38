# SPDX-License-Identifier: GPL-2.0-or-later
"""The packet rules under a kernel that has nft_queue: Debian's own, in a machine of its own.

One guest runs everything; each test here is one test there, with all its parameters.
"""

import ast

import pytest
from vm.guest import CHECKOUT, Report, run_pytest
from vm.kernel import Missing, debian_kernel

FILES = (
    "tests/vm/guest_checks.py",
    "tests/vm/guest_product.py",
    "tests/netns/test_discovery_vlans.py",
    "tests/netns/test_kernel_sets.py",
    "tests/netns/test_known_pairs.py",
    "tests/netns/test_naming_rules.py",
    "tests/netns/test_packet_rules.py",
)
LEFT_OUT = {
    # They hold a rate against the clock, and the guest is slow.
    "test_a_flood_of_one_device_reaches_the_queue_only_up_to_its_limit",
    "test_a_flood_of_queries_has_the_same_limit",
    "test_the_queries_of_a_local_resolver_have_a_limit_too",
}
SECONDS = 1500.0  # for all of them; on a machine with nothing else to do they take three minutes

pytestmark = [pytest.mark.vm, pytest.mark.timeout(SECONDS + 600)]


def wanted(file: str) -> list[str]:
    """`path::function` of every test in a file of this checkout."""
    functions = [
        node.name
        for node in ast.parse((CHECKOUT / file).read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]
    return [f"{file}::{name}" for name in functions if name.startswith("test_") and name not in LEFT_OUT]


WANTED = [test for file in FILES for test in wanted(file)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    try:
        return run_pytest(debian_kernel(), WANTED, tmp_path_factory.mktemp("guest"), SECONDS)
    except Missing as error:
        pytest.skip(str(error))


def test_the_guest_runs_every_test(report: Report) -> None:
    last_words = f"the guest's last words:\n{report.console[-6000:]}"
    assert report.status in (0, 1), last_words  # all passed, or some failed; all else is no whole run
    assert sorted(WANTED) == sorted(report.outcomes), last_words


@pytest.mark.parametrize("test", WANTED, ids=lambda test: test.rpartition("/")[2])
def test_holds_in_the_guest(report: Report, test: str) -> None:
    outcomes = report.outcomes.get(test, [])
    assert outcomes, "not run"
    failed = [f"{outcome.name}: {outcome.text}" for outcome in outcomes if outcome.state == "failed"]
    assert not failed, "in the guest:\n" + "\n".join(failed)
    skipped = [outcome.text for outcome in outcomes if outcome.state == "skipped"]
    if len(skipped) == len(outcomes):
        pytest.skip(f"in the guest: {skipped[0]}")
