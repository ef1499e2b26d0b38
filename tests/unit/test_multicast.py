# SPDX-License-Identifier: GPL-2.0-or-later
"""Membership in the groups in which devices announce themselves, by the kernel's own lists."""

import socket
from pathlib import Path

from smartrouter.linux.multicast import GROUPS4, GROUPS6, Memberships


def joined(interface: str) -> set[str]:
    """The groups that this interface is a member of, more than once: others may be members as well."""
    groups = set()
    for line in Path("/proc/net/igmp6").read_text().splitlines():
        _, name, group, *_ = line.split()
        if name == interface:
            groups.add(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(group)))
    name = ""
    for line in Path("/proc/net/igmp").read_text().splitlines()[1:]:
        fields = line.split()
        if line[0].isdigit():
            name = fields[1].rstrip(":")
        elif name == interface:
            groups.add(socket.inet_ntoa(bytes.fromhex(fields[0])[::-1]))
    return groups


def test_it_is_a_member_where_it_is_to_be_and_no_longer_than_that() -> None:
    members = Memberships()
    before = joined("lo")
    members.keep(["lo", "nowhere0"])
    assert {*GROUPS4} <= joined("lo")
    if Path("/proc/net/if_inet6").read_text():
        assert {*GROUPS6} <= joined("lo")
    members.keep(["lo"])
    assert {*GROUPS4} <= joined("lo")
    members.close()
    assert joined("lo") == before
