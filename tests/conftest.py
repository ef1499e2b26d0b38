# SPDX-License-Identifier: GPL-2.0-or-later
"""What every test may ask for: the shared material, where it is, and how many rounds to go. And which tests
may run at the same time.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SMARTROUTER_SHARED", CHECKOUT.parent / "shared"))


def pytest_configure() -> None:
    """How wide the terminal is must not depend on where the tests run; a worker's environment says 80."""
    for name in ("COLUMNS", "LINES"):
        os.environ.pop(name, None)


@pytest.hookimpl(tryfirst=True)  # before xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that build networks, or boot a kernel, want the machine: with several workers they go to one of
    them, one after the other, while another runs all else. A browser is for one worker, too."""
    for item in items:
        if item.get_closest_marker("netns") or item.get_closest_marker("vm"):
            item.add_marker(pytest.mark.xdist_group("machine"))
        elif item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.xdist_group("browser"))


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
