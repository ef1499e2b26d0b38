# SPDX-License-Identifier: GPL-2.0-or-later
"""odhcpd's state file and its answers over ubus, as its source writes them; ubus is played by scripts."""

import json
import select
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smartrouter.linux import odhcpd, openwrt
from smartrouter.linux.lease import Lease
from smartrouter.linux.odhcpd import Ubus, parse, read_answers

HUE, TV = "00:17:88:00:00:05", "3c:2e:ff:29:4d:93"
FILE = """\
# br-lan 000100012b5c4d3e3c2eff294d93 2a5c3e01 Living-TV 1795363200 d4f 128 fd00::d4f/128 2001:db8::d4f/128
fd00::d4f\tLiving-TV.lan\tLiving-TV
2001:db8::d4f\tLiving-TV.lan\tLiving-TV
# br-lan 0004aabbccdd 1 laptop -1 d50 128 fd00::d50/128
# br-lan 000300013c2eff294d94 0 router 1795363200 4 62 2001:db8:1:4::/62
# br-lan 000300013c2eff294d95 0 - 0 d51 128
# br-lan 001788000005 ipv4 hue 1795363200 c0a80105 32 192.168.1.5/32
192.168.1.5\thue.lan\thue
# br-lan 50c7bf000006 ipv4 broken\\x20my_plug 1795363200 c0a80106 32 192.168.1.6/32
# br-lan 000000000000 ipv4 - 1795363200 c0a80107 32 192.168.1.7/32
# br-lan nonsense ipv4 - 1795363200 c0a80108 32 192.168.1.8/32
#
# a comment
"""


def lease(**more: Any) -> dict[str, Any]:
    return {"hostname": "hue", "flags": ["bound"], "valid": 43199} | more


def answer(*leases: Any) -> str:
    return json.dumps({"device": {"br-lan": {"leases": leases}, "br-guest": {"leases": []}}})


IPV4 = answer(lease(mac="001788000005", address="192.168.1.5"), lease(mac="3c2eff294d93", ip="192.168.1.6"))
IPV6 = answer(
    lease(duid="00030001001788000005", iaid=1, assigned=3407, **{"ipv6-addr": [{"address": "fd00::d4f"}]})
)


def test_each_lease_of_the_file_is_read() -> None:
    assert list(parse(FILE, 7.0)) == [
        Lease(TV, "fd00::d4f", "Living-TV", "1795363200", 7.0),
        Lease(TV, "2001:db8::d4f", "Living-TV", "1795363200", 7.0),
        Lease("", "fd00::d50", "laptop", "-1", 7.0),
        Lease(HUE, "192.168.1.5", "hue", "1795363200", 7.0),
        Lease("50:c7:bf:00:00:06", "192.168.1.6", "", "1795363200", 7.0),
    ]


def test_answers_of_old_and_new_versions_are_read() -> None:
    assert read_answers(IPV4, IPV6, 7.0) == [
        Lease(HUE, "192.168.1.5", "hue", "", 7.0),
        Lease(TV, "192.168.1.6", "hue", "", 7.0),
        Lease(HUE, "fd00::d4f", "hue", "", 7.0),
    ]


@pytest.mark.parametrize("given", [["fd00::d4f"], [{"": "fd00::d4f", "valid-lifetime": 1}]])
def test_even_older_ones_list_addresses_otherwise(given: Any) -> None:
    old = answer(lease(duid="00030001001788000005", ipv6=given))
    assert read_answers("", old) == [Lease(HUE, "fd00::d4f", "hue")]


def test_what_is_no_lease_that_somebody_has_is_left_out() -> None:
    offered = lease(mac="001788000005", address="192.168.1.5", flags=["static"])
    prefix = lease(
        duid="00030001001788000005", **{"ipv6-prefix": [{"address": "2001:db8::", "prefix-length": 62}]}
    )
    assert read_answers(answer(offered), answer(prefix)) == []
    (named,) = read_answers(
        answer(lease(mac="001788000005", address="192.168.1.5", flags=["bound", "broken-hostname"])), ""
    )
    assert named.hostname == ""


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", "{}", '{"device": 1}', '{"device": {"a": null}}',
     '{"device": {"a": {"leases": 1}}}',
     answer(1, None, [], {}, {"mac": 5, "ip": []}, {"ipv6-addr": [1, None, {}]}), "[" * 100_000],
    ids=range(9),
)  # fmt: skip
def test_whatever_ubus_says_there_are_no_leases_and_no_fault(text: str) -> None:
    assert read_answers(text, text) == []


# -- asking ------------------------------------------------------------------------------------------------


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


@pytest.fixture
def ubus() -> Iterator[Ubus]:
    ubus = Ubus()
    yield ubus
    ubus.close()


def program(bin_: Path, script: str) -> None:
    path = bin_ / "ubus"
    path.write_text(f'#!/bin/sh\necho "$*" >>{bin_}/asked\n{script}\n')
    path.chmod(0o755)


def both(bin_: Path) -> None:
    program(bin_, f"case $4$3 in *ipv4leases*) echo '{IPV4}';; *) echo '{IPV6}';; esac")


def asked(bin_: Path) -> list[str]:
    path = bin_ / "asked"
    return path.read_text().splitlines() if path.exists() else []


def wait(ubus: Ubus, now: float) -> list[Lease] | None:
    assert select.select([ubus], [], [], 20.0)[0]
    end = time.monotonic() + 20.0
    while (found := ubus.news(now)) is None and time.monotonic() < end:
        time.sleep(0.001)
    return found


def test_it_asks_when_something_may_be_new_and_not_again_too_soon(bin_: Path, ubus: Ubus) -> None:
    both(bin_)
    assert ubus.news(100.0) is None
    assert asked(bin_) == []
    ubus.want()
    assert ubus.next_deadline() == 0.0
    assert ubus.news(100.0) is None
    found = wait(ubus, 100.1)
    assert found is not None
    assert [lease._replace(at=0.0) for lease in found] == read_answers(IPV4, IPV6)
    assert time.time() - 5 < found[0].at <= time.time()
    assert asked(bin_) == ["call dhcp ipv4leases", "call dhcp ipv6leases"]
    ubus.want()
    assert ubus.news(101.0) is None
    assert ubus.next_deadline() == 100.0 + odhcpd.EVERY
    assert len(asked(bin_)) == 2
    ubus.news(100.0 + odhcpd.EVERY)
    assert wait(ubus, 106.0)
    assert len(asked(bin_)) == 4


def test_nobody_waits_while_it_asks(bin_: Path, ubus: Ubus, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bin_, "exec /bin/sleep 60")
    monkeypatch.setattr(openwrt, "_PATIENCE", 1.0)
    ubus.want()
    assert ubus.news(100.0) is None
    assert not select.select([ubus], [], [], 0)[0]  # the question is still on its way
    assert select.select([ubus], [], [], 20.0)[0]
    assert ubus.news(100.1) is None
    assert ubus.answers == 0


def test_who_may_not_ask_gets_no_leases(bin_: Path, ubus: Ubus) -> None:
    program(bin_, "echo 'Command failed: Permission denied' >&2; exit 6")
    ubus.want()
    ubus.news(100.0)
    assert select.select([ubus], [], [], 5.0)[0]
    assert ubus.news(100.1) is None


def test_without_the_program_nothing_is_done(bin_: Path, ubus: Ubus) -> None:
    ubus.want()
    assert ubus.news(100.0) is None
    assert ubus.next_deadline() is None
    assert not select.select([ubus], [], [], 0.05)[0]
