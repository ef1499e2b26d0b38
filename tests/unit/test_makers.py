# SPDX-License-Identifier: GPL-2.0-or-later
"""Which organisation a MAC belongs to."""

import subprocess
import sys

import pytest

from smartrouter.linux.makers import Makers

REGISTRY = b"""\
# a comment
00:00:00         \t00:00:00    \tOfficially Xerox
00:17:88         \tPhilipsLight\tPhilips Lighting BV
00:1B:C5         \tIeeeRegistra\tIEEE Registration Authority
00:1B:C5:00:00/36\tConverging  \tConverging Systems Inc.
00:1B:C5:00:10/36\tOpenRBcomDir\tOpenRB.com, Direct SIA
FC:FE:C2:20:00/28\tInvensys    \tInvensys Controls UK Limited
FC:FF:AA         \tIeeeRegistra\tThe last, without a line feed"""


@pytest.mark.parametrize(
    ("mac", "maker"),
    [
        ("00:17:88:24:76:ff", "Philips Lighting BV"),
        ("00:1b:c5:00:0f:ff", "Converging Systems Inc."),
        ("00:1b:c5:00:1f:ff", "OpenRB.com, Direct SIA"),
        ("00:1b:c5:ff:00:00", "IEEE Registration Authority"),
        ("fc:fe:c2:2a:00:01", "Invensys Controls UK Limited"),
        ("fc:fe:c2:3a:00:01", ""),
        ("fc:ff:aa:00:00:01", "The last, without a line feed"),
        ("34:29:8f:1e:41:25", ""),
    ],
)
def test_the_longest_prefix_names_the_maker(mac: str, maker: str) -> None:
    assert Makers(REGISTRY).of(mac) == maker


def test_a_randomised_mac_has_no_maker_whatever_the_registry_says() -> None:
    assert Makers(b"02:17:88\tX\tSomebody\n").of("02:17:88:00:00:01") == ""


def test_the_installed_registry_knows_a_well_known_maker_and_takes_little_memory() -> None:
    script = """if True:
        from pathlib import Path
        def resident():
            return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
        import smartrouter.linux.makers as makers
        before = resident()
        registry = makers.Makers()
        print(resident() - before, registry.of("00:17:88:00:00:01"))
    """
    grown, _, maker = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.partition(" ")
    if not maker.strip():
        pytest.skip("no registry of makers is installed")
    assert maker.strip() == "Philips Lighting BV"
    assert int(grown) < 6 << 20
