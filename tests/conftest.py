# SPDX-License-Identifier: GPL-2.0-or-later
"""What every test may ask for: the shared material, where it is, and how many rounds to go. And which tests
may run at the same time.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
_GROUPS = ("netns", "vm", "browser")  # markers of what is not to be spread over workers
SHARED = Path(os.environ.get("SMARTROUTER_SHARED", CHECKOUT.parent / "shared"))


def pytest_configure() -> None:
    """How wide the terminal is must not depend on where the tests run; a worker's environment says 80. Nor
    must what a signal does: a shell's background job ignores some, and so would all that it starts."""
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)  # which is ours alone: a program that we start has its own
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several workers the tests of tests/netns go to one of them, one after the other: that is half of
    all there is to do. Another boots the kernel meanwhile, for which no test waits, and runs all else. What
    shares something dear, such as a browser, is for one worker, too."""
    for item in items:
        group = next((group for group in _GROUPS if item.get_closest_marker(group)), None)
        if group == "netns" and "netns" not in item.path.parts:
            group = "namespace"  # of its own, with nothing but a loopback
        if group:
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def shared() -> Path:
    """The folder of captures and hostile messages; skips where it is not."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared test material at {SHARED} (set SMARTROUTER_SHARED)")
    return SHARED


@pytest.fixture
def rounds() -> Callable[[int], int]:
    """`rounds(n)`: n, scaled by the environment's ROUNDS (1 in a plain run, more in a long one)."""
    factor = float(os.environ.get("ROUNDS", "1"))
    return lambda n: max(1, round(n * factor))
