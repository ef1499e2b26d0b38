# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a lease file or ubus says, what is read of it is leases, and nothing is raised."""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from smartrouter.linux import dnsmasq, odhcpd
from smartrouter.linux.lease import Lease

MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
WORDS = st.one_of(
    st.sampled_from(
        ["#", "duid", "*", "-", "ipv4", "0", "-1", "32", "128", "br-lan", "00:17:88:00:00:05", "001788000005",
         "192.168.1.5", "fd00::5/128", "192.168.1.5/32", "00030001001788000005", "1795363200"]
    ),
    st.text(max_size=12),
)  # fmt: skip
LINES = st.lists(st.lists(WORDS, max_size=12).map(" ".join), max_size=8).map("\n".join)
KEYS = st.sampled_from(
    [
        "device",
        "br-lan",
        "leases",
        "mac",
        "duid",
        "ip",
        "address",
        "ipv6-addr",
        "ipv6",
        "hostname",
        "flags",
        "",
    ]
)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)


def check(leases: list[Lease]) -> None:
    for lease in leases:
        assert lease.mac == "" or MAC.fullmatch(lease.mac)
        assert lease.address
        assert len(lease.hostname) <= 253


@given(st.one_of(LINES, st.text()))
def test_any_text_is_a_lease_file(text: str) -> None:
    check(list(dnsmasq.parse(text)))
    check(list(odhcpd.parse(text)))


@given(st.one_of(JSON.map(lambda leases: {"device": {"br-lan": {"leases": [leases, leases]}}}), JSON))
def test_any_json_is_an_answer(answer: Any) -> None:
    check(odhcpd.read_answers(json.dumps(answer), json.dumps(answer)))


@given(st.text())
def test_any_text_is_an_answer(text: str) -> None:
    check(odhcpd.read_answers(text, text))
