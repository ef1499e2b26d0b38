# SPDX-License-Identifier: GPL-2.0-or-later
"""Which addresses are local, by the kernel's routes."""

import sys
from pathlib import Path

import pytest
from unit.made_counts import packed

from smartrouter.linux.local_networks import LocalNetworks

# /proc/net/route and /proc/net/ipv6_route of a router with br-lan, a guest network and a WAN.
ROUTES4 = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
wan	00000000	016433C6	0003	0	0	0	00000000	0	0	0
br-lan	004DA8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
br-lan	0000000A	024DA8C0	0003	0	0	0	000000FF	0	0	0
ppp0	00000000	00000000	0001	0	0	0	00000000	0	0	0
guest	004EA8C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
"""
NOBODY = "00000000000000000000000000000000"
ROUTES6 = f"""\
fd770000000000000000000000000000 40 {NOBODY} 00 {NOBODY} 00000100 00000001 00000000 00000001 br-lan
20010db8000000640000000000000000 40 {NOBODY} 00 {NOBODY} 00000100 00000001 00000000 00000001 wan
20010db8000000640000000000000001 80 {NOBODY} 00 {NOBODY} 00000000 00000003 00000000 80200001 lo
{NOBODY} 00 {NOBODY} 00 20010db8000000640000000000000002 00000400 00000001 00000000 00000003 wan
"""
pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="the routes above are of such a machine")


@pytest.fixture
def networks(tmp_path: Path) -> LocalNetworks:
    (tmp_path / "route").write_text(ROUTES4)
    (tmp_path / "ipv6_route").write_text(ROUTES6)
    return LocalNetworks(("br-lan", "ppp0"), str(tmp_path / "route"), str(tmp_path / "ipv6_route"))


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("192.168.77.1", True),
        ("192.168.77.255", True),
        ("192.168.78.1", False),  # of another network
        ("10.0.0.1", False),  # behind a router on the local network
        ("203.0.113.7", False),
        ("224.0.0.251", True),
        ("255.255.255.255", True),
        ("127.0.0.1", True),
        ("fd77::1234", True),
        ("2001:db8:0:64::1", True),  # the router's own
        ("2001:db8:0:64::2", False),
        ("2001:db8::7", False),
        ("ff02::fb", True),
    ],
)
def test_local_is_what_lives_on_the_local_interfaces(
    networks: LocalNetworks, address: str, local: bool
) -> None:
    for _ in range(2):  # worked out, and remembered
        assert (packed(address) in networks) is local


def test_without_routes_nothing_is_local(tmp_path: Path) -> None:
    networks = LocalNetworks(("br-lan",), str(tmp_path / "none"), str(tmp_path / "none"))
    assert packed("192.168.77.1") not in networks
