# SPDX-License-Identifier: GPL-2.0-or-later
"""Which resolvers the router asks, from the files of the usual systems."""

from pathlib import Path

import pytest

from smartrouter.linux.upstreams import upstreams

CASES = {
    "nothing there": ({}, set()),
    "a plain Debian": (
        {"etc/resolv.conf": "search home\nnameserver 192.0.2.1\nnameserver 192.0.2.2\n"},
        {"192.0.2.1", "192.0.2.2"},
    ),
    "systemd-resolved": (
        {
            "etc/resolv.conf": "nameserver 127.0.0.53\n",
            "run/systemd/resolve/resolv.conf": "nameserver 192.0.2.1\n",
        },
        {"192.0.2.1"},
    ),
    "OpenWrt": (
        {
            "etc/resolv.conf": "search lan\nnameserver 127.0.0.1\nnameserver ::1\n",
            "tmp/resolv.conf.d/resolv.conf.auto": "# Interface wan\nnameserver 192.0.2.1\n"
            "# Interface wan6\nnameserver 2001:DB8:0::1\nnameserver fe80::1%eth1\n",
        },
        {"192.0.2.1", "2001:db8::1", "fe80::1"},
    ),
    "dnsmasq with a file of its own": (
        {
            "etc/dnsmasq.conf": "domain-needed\nresolv-file=/etc/isp.conf\n#server=198.51.100.9\n",
            "etc/isp.conf": "nameserver 192.0.2.7\n",
        },
        {"192.0.2.7"},
    ),
    "dnsmasq with servers, one for all and some for one domain": (
        {
            "etc/dnsmasq.d/upstream.conf": "server = 192.0.2.1\nserver=/corp.example/192.0.2.2#5353\n"
            "server=2001:db8::53@eth1 # the second line\n"
            "server=/lan/\nserver=/own/#\nserver=127.0.0.1#5353\n",
            "var/etc/dnsmasq.conf.cfg01411c": "server=192.0.2.4#53@192.0.2.100\n",
        },
        {"192.0.2.1", "192.0.2.2", "2001:db8::53", "192.0.2.4"},
    ),
    "what is no address": (
        {
            "etc/resolv.conf": "nameserver\nnameserver dns.example\n"
            "nameserver 300.1.1.1\nnameserver 0.0.0.0\n"
            "nameserver ::\nnameservers 192.0.2.1\n"
            "; nameserver 192.0.2.2\nnameserver 127.8.9.1\n"
        },
        set(),
    ),
    "bytes that are no text": ({"etc/resolv.conf": "nameserver 192.0.2.1\n\udcff\udcfe\n"}, {"192.0.2.1"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_resolvers_of(case: str, tmp_path: Path) -> None:
    files, expected = CASES[case]
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(errors="surrogateescape"))
    assert upstreams(str(tmp_path)) == expected


def test_a_directory_in_place_of_a_file_names_nobody(tmp_path: Path) -> None:
    (tmp_path / "etc" / "resolv.conf").mkdir(parents=True)
    assert upstreams(str(tmp_path)) == frozenset()
