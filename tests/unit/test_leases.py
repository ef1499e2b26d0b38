# SPDX-License-Identifier: GPL-2.0-or-later
"""What is read from dnsmasq's lease files."""

import os
from pathlib import Path

from smartrouter.linux.leases import Lease, LeaseFiles, parse

FILE = """\
1795363200 3c:2e:ff:29:4d:93 192.168.1.20 Living-room-TV 01:3c:2e:ff:29:4d:93
0 00:17:88:24:76:FF 192.168.1.21 Philips-hue *
1795363200 50:c7:bf:00:fc:a3 192.168.1.22 * *
1795363200 06-aa:bb:cc:dd:ee:ff:00:11 192.168.1.23 token-ring *
this line is broken
1795363200 short
duid 00:01:00:01:2b:5c:4d:3e:02:00:00:00:00:01
1795363200 33554433 fd00::20 Living-room-TV 00:01:00:01
"""


def test_each_ethernet_lease_gives_a_device_with_its_address_and_name() -> None:
    assert list(parse(FILE, 7.0)) == [
        Lease("3c:2e:ff:29:4d:93", "192.168.1.20", "Living-room-TV", "1795363200", 7.0),
        Lease("00:17:88:24:76:ff", "192.168.1.21", "Philips-hue", "0", 7.0),
        Lease("50:c7:bf:00:fc:a3", "192.168.1.22", "", "1795363200", 7.0),
    ]


def test_a_host_name_is_cut_at_the_length_that_a_name_can_have() -> None:
    (lease,) = parse(f"0 00:17:88:24:76:ff 192.168.1.21 {'x' * 5000} *")
    assert len(lease.hostname) == 253


def test_only_leases_that_are_new_or_renewed_are_news(tmp_path: Path) -> None:
    path = tmp_path / "dhcp.leases"
    files = LeaseFiles([path, tmp_path / "absent"])
    assert files.news() == []
    assert files.found() == []
    path.write_text(FILE)
    os.utime(path, (5, 5))
    assert [(lease.address, lease.at) for lease in files.news()] == [
        ("192.168.1.20", 5), ("192.168.1.21", 5), ("192.168.1.22", 5),
    ]  # fmt: skip
    assert files.news() == []
    assert files.found() == [path]
    path.write_text(FILE.replace("1795363200 3c", "1795370000 3c"))
    assert [lease.address for lease in files.news()] == ["192.168.1.20"]
    files.forget()
    assert len(files.news()) == 3


def test_a_lease_file_that_vanishes_takes_nothing_back(tmp_path: Path) -> None:
    path = tmp_path / "dhcp.leases"
    path.write_text(FILE)
    files = LeaseFiles([path])
    assert len(files.news()) == 3
    path.unlink()
    assert files.news() == []
    path.write_text(FILE)
    assert len(files.news()) == 3


def test_bytes_that_are_no_text_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "dhcp.leases"
    path.write_bytes(b"\xff\xfe\x00\n0 00:17:88:24:76:ff 192.168.1.21 h\xffue *\n")
    (lease,) = LeaseFiles([path]).news()
    assert lease.mac == "00:17:88:24:76:ff"
