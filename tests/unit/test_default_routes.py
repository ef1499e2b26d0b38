# SPDX-License-Identifier: GPL-2.0-or-later
"""Which routers this host's default routes lead to, from the kernel's text files."""

import socket
import sys
from pathlib import Path

import pytest

from smartrouter.linux.default_routes import gateways

GATEWAY = socket.inet_aton("192.168.1.254")
NUMBER = int.from_bytes(GATEWAY, sys.byteorder)
ROUTES4 = f"""\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t{NUMBER:08X}\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth1\t0002A8C0\t{NUMBER:08X}\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0
ppp0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
"""
NONE, LINK_LOCAL = 32 * "0", "fe8000000000000000000000000000fe"
ROUTES6 = f"""\
{NONE} 00 {NONE} 00 {LINK_LOCAL} 00000400 00000001 00000000 00450003     eth0
{NONE} 00 {NONE} 00 {NONE} ffffffff 00000001 00000000 00200200       lo
20010db8000000000000000000000000 20 {NONE} 00 {LINK_LOCAL} 00000400 00000001 00000000 00000003     eth1
"""


def test_default_routes_with_a_gateway_name_their_routers(tmp_path: Path) -> None:
    (tmp_path / "4").write_text(ROUTES4)
    (tmp_path / "6").write_text(ROUTES6)
    assert gateways(tmp_path / "4", tmp_path / "6") == {("eth0", "192.168.1.254"), ("eth0", "fe80::fe")}


@pytest.mark.parametrize("text", ["", "\n\n", "short\n"])
def test_without_routes_there_are_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "4").write_text(text)
    assert gateways(tmp_path / "4", tmp_path / "absent") == set()


def test_the_kernels_own_files_are_understood() -> None:
    for interface, address in gateways():
        assert interface in {name for _, name in socket.if_nameindex()}
        socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
