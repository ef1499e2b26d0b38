# SPDX-License-Identifier: GPL-2.0-or-later
"""What network tests stand on: a lab of namespaces each, and reasons to skip where none can be built."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from netns.kernel_lab import Lab
from netns.rules_lab import Wire, counters, unaccounted

from smartrouter.lab.hosts import obstacle
from smartrouter.lab.network import Network
from smartrouter.linux import ruleset

NAMES = {
    "camera.example.net": ["203.0.113.10", "2001:db8:a::10"],
    "plug.example.org": ["198.51.100.20", "2001:db8:b::20"],
    "tv.example.com": ["tv.cdn.example.net"],
    "tv.cdn.example.net": ["edge7.example.org"],
    "edge7.example.org": ["192.0.2.77", "192.0.2.78", "2001:db8:c::77"],
    "shared.example.com": ["203.0.113.10"],
}
"""What the outside resolver knows in a test that does not say otherwise."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("netns") and (why := obstacle()):
        pytest.skip(why)


@pytest.fixture
def build_network() -> Iterator[Callable[..., Network]]:
    """`build_network(**options)`: another lab, with the options of `Network`; removed after the test."""
    with ExitStack() as stack:

        def build(**options: Any) -> Network:
            return stack.enter_context(Network(**({"names": NAMES} | options)))

        yield build


@pytest.fixture
def network(build_network: Callable[..., Network]) -> Network:
    """A fresh lab with an outside resolver that knows NAMES, and no device yet."""
    return build_network()


# -- for tests of the packet rules ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def built() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(built: Lab) -> Iterator[Lab]:
    """The network without any packet rule; afterwards the counters must add up."""
    built.withheld = 0
    yield built
    found = counters(built)
    with built.at("router"):
        ruleset.remove()
        assert "smartrouter" not in built.listed()
        subprocess.run(["nft", "flush", "ruleset"], check=True)
    assert unaccounted(found) == built.withheld, found


@pytest.fixture
def outside(built: Lab) -> Iterator[Wire]:
    wire = Wire(built, "outside")
    yield wire
    wire.close()
