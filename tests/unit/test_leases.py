# SPDX-License-Identifier: GPL-2.0-or-later
"""The lease files: which there are, and that they are read when they change."""

import os
import select
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartrouter.linux.lease import Lease, mac_of_duid
from smartrouter.linux.leases import USUAL_PATHS, LeaseFiles, lease_paths

DNSMASQ = "1795363200 3c:2e:ff:29:4d:93 192.168.1.20 Living-room-TV 01:3c:2e:ff:29:4d:93\n"
ODHCPD = "# br-lan 001788000005 ipv4 hue 1795363200 c0a80105 32 192.168.1.5/32\n192.168.1.5\thue.lan\thue\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dhcp.leases"


@pytest.fixture
def files(path: Path) -> Iterator[LeaseFiles]:
    files = LeaseFiles([path, path.with_name("odhcpd")])
    files.changed(time.monotonic())
    yield files
    files.close()


def wait(files: LeaseFiles) -> dict[Path, list[Lease] | None]:
    assert select.select([files], [], [], 1.0)[0]
    return files.changed(time.monotonic())


def test_a_file_of_either_server_is_read_as_soon_as_it_is_written(files: LeaseFiles, path: Path) -> None:
    assert files.found() == []
    path.write_text(DNSMASQ)
    os.utime(path, (5, 5))
    assert wait(files) == {
        path: [Lease("3c:2e:ff:29:4d:93", "192.168.1.20", "Living-room-TV", "1795363200", 5.0)]
    }
    other = path.with_name("odhcpd")
    path.with_name(".odhcpd").write_text(ODHCPD)
    path.with_name(".odhcpd").rename(other)
    os.utime(other, (6, 6))
    assert wait(files)[other] == [Lease("00:17:88:00:00:05", "192.168.1.5", "hue", "1795363200", 6.0)]
    assert files.found() == [path, other]
    assert files.problem == ""


def test_a_file_that_is_gone_is_told_apart_from_one_without_leases(files: LeaseFiles, path: Path) -> None:
    path.write_text("")
    assert wait(files) == {path: []}
    path.unlink()
    assert wait(files) == {path: None}


def test_a_line_that_is_still_being_written_is_left_for_later(files: LeaseFiles, path: Path) -> None:
    path.write_text(DNSMASQ + DNSMASQ[:-30])
    (leases,) = wait(files).values()
    assert leases is not None
    assert len(leases) == 1


def test_bytes_that_are_no_text_are_passed_over(files: LeaseFiles, path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00\n0 00:17:88:24:76:ff 192.168.1.21 h\xffue *\n")
    (leases,) = wait(files).values()
    assert leases is not None
    assert [lease.mac for lease in leases] == ["00:17:88:24:76:ff"]


def test_openwrts_configuration_names_more_files(tmp_path: Path) -> None:
    config = tmp_path / "dhcp"
    assert lease_paths(config) == USUAL_PATHS
    config.write_text("config dnsmasq\n\toption leasefile '/srv/leases'\n"
                      "config odhcpd 'odhcpd'\n\toption leasefile '/tmp/hosts/odhcpd'\n"
                      "config dhcp 'lan'\n\toption leasefile '/etc/passwd'\n")  # fmt: skip
    assert lease_paths(config) == (*USUAL_PATHS, Path("/srv/leases"))
    config.write_text("config dnsmasq 'this is broken\n")
    assert lease_paths(config) == USUAL_PATHS


@pytest.mark.parametrize(
    ("duid", "mac"),
    [
        ("000100012b5c4d3e3c2eff294d93", "3c:2e:ff:29:4d:93"),
        ("000300013c2eff294d93", "3c:2e:ff:29:4d:93"),
        ("000300063c2eff294d93", ""),
        ("00030001ffffffffffff", ""),
        ("00030001000000000000", ""),
        ("0002000000093c2eff294d93", ""),
        ("0004aabbccddeeff00112233445566778899", ""),
        ("00030001nonsense0000", ""),
        ("", ""),
    ],
    ids=["LLT", "LL", "no Ethernet", "group", "null", "enterprise", "UUID", "no digits", "none"],
)
def test_a_duid_names_a_mac_or_none(duid: str, mac: str) -> None:
    assert mac_of_duid(duid) == mac
