# SPDX-License-Identifier: GPL-2.0-or-later
"""What is read from dnsmasq's lease file."""

from smartrouter.linux.dnsmasq import parse
from smartrouter.linux.lease import Lease

FILE = """\
1795363200 3c:2e:ff:29:4d:93 192.168.1.20 Living-room-TV 01:3c:2e:ff:29:4d:93
0 00:17:88:24:76:FF 192.168.1.21 Philips-hue *
1795363200 50:c7:bf:00:fc:a3 192.168.1.22 * *
1795363200 06-aa:bb:cc:dd:ee:ff:00:11 192.168.1.23 token-ring *
this line is broken
1795363200 short
duid 00:01:00:01:2b:5c:4d:3e:02:00:00:00:00:01
1795363200 33554433 fd00::20 Living-room-TV 00:01:00:01:2b:5c:4d:3e:3c:2e:ff:29:4d:93
1795363200 T33554434 fd00::21 * 00:03:00:01:00:17:88:24:76:ff
1795363200 33554435 fd00::22 laptop 00:04:aa:bb
1795363200 33554436 fd00::23 *
"""


def test_each_lease_gives_a_device_with_its_address_and_name() -> None:
    assert list(parse(FILE, 7.0))[:3] == [
        Lease("3c:2e:ff:29:4d:93", "192.168.1.20", "Living-room-TV", "1795363200", 7.0),
        Lease("00:17:88:24:76:ff", "192.168.1.21", "Philips-hue", "0", 7.0),
        Lease("50:c7:bf:00:fc:a3", "192.168.1.22", "", "1795363200", 7.0),
    ]


def test_a_dhcpv6_lease_has_the_mac_of_its_duid_if_that_names_one() -> None:
    assert [(lease.mac, lease.address, lease.hostname) for lease in parse(FILE)][3:] == [
        ("3c:2e:ff:29:4d:93", "fd00::20", "Living-room-TV"),
        ("00:17:88:24:76:ff", "fd00::21", ""),
        ("", "fd00::22", "laptop"),
        ("", "fd00::23", ""),
    ]


def test_a_host_name_is_cut_at_the_length_that_a_name_can_have() -> None:
    (lease,) = parse(f"0 00:17:88:24:76:ff 192.168.1.21 {'x' * 5000} *")
    assert len(lease.hostname) == 253
