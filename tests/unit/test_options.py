# SPDX-License-Identifier: GPL-2.0-or-later
"""The kinds of values: what is taken, how it is written again, and what is refused."""

from typing import Any

import pytest

from smartrouter.config import options as kinds
from smartrouter.config.options import Kind, duration_text, members, option, time_text, words
from smartrouter.core.policy import Mode, NewDevices

DAY = 86400.0

# kind, text, value, the same written again
TAKEN: list[tuple[Kind[Any], str, object, str]] = [
    (kinds.DURATION, "14d", 14 * DAY, "14d"),
    (kinds.DURATION, "36h", 1.5 * DAY, "1d12h"),
    (kinds.DURATION, "5m", 300.0, "5m"),
    (kinds.DURATION, "15s", 15.0, "15s"),
    (kinds.DURATION, "1h30m", 5400.0, "1h30m"),
    (kinds.DURATION, "1d1h1m1s", 90061.0, "1d1h1m1s"),
    (kinds.DURATION, "0s", 0.0, "0s"),
    (kinds.INTERVAL, "1s", 1.0, "1s"),
    (kinds.LEARNING, "auto", None, "auto"),
    (kinds.LEARNING, "14d", 14 * DAY, "14d"),
    (kinds.SIZE, "512M", 512 << 20, "512M"),
    (kinds.SIZE, "64K", 64 << 10, "64K"),
    (kinds.SIZE, "2048M", 2 << 30, "2G"),
    (kinds.TIME, "2026-12-24T18:00:00Z", 1798135200.0, "2026-12-24T18:00:00Z"),
    (kinds.TIME, "2026-12-24T18:00Z", 1798135200.0, "2026-12-24T18:00:00Z"),
    (kinds.TIME, "1970-01-01T00:00:00Z", 0.0, "1970-01-01T00:00:00Z"),
    (kinds.CLOCK, "22:00", "22:00", "22:00"),
    *[(kinds.BOOLEAN, text, True, "1") for text in ("1", "yes", "on", "true", "enabled")],
    *[(kinds.BOOLEAN, text, False, "0") for text in ("0", "no", "off", "false", "disabled")],
    (kinds.MARK, "0x40000000", 1 << 30, "0x40000000"),
    (kinds.MARK, "0X1", 1, "0x00000001"),
    (kinds.MARK, "65536", 1 << 16, "0x00010000"),
    (kinds.MARK, "2147483648", 1 << 31, "0x80000000"),
    (kinds.WORKERS, "auto", 0, "auto"),
    (kinds.WORKERS, "4", 4, "4"),
    (kinds.TEXT, "Küche, links", "Küche, links", "Küche, links"),
    (kinds.PATH, "/var/lib/x.db", "/var/lib/x.db", "/var/lib/x.db"),
    (kinds.MAC, "3C:2E:FF:29:4D:93", "3c:2e:ff:29:4d:93", "3c:2e:ff:29:4d:93"),
    (kinds.MAC, "3c-2e-ff-29-4d-93", "3c:2e:ff:29:4d:93", "3c:2e:ff:29:4d:93"),
    (kinds.MAC_OR_ANY, "*", "*", "*"),
    (kinds.ADDRESS, "9.9.9.9", "9.9.9.9", "9.9.9.9"),
    (kinds.ADDRESS, "2620:FE:0::FE", "2620:fe::fe", "2620:fe::fe"),
    (kinds.ADDRESS, "::ffff:9.9.9.9", "::ffff:9.9.9.9", "::ffff:9.9.9.9"),
    (kinds.NETWORK, "br-lan", "br-lan", "br-lan"),
    (kinds.NETWORK, "eth0.20", "eth0.20", "eth0.20"),
    (kinds.DESTINATION, "*", "*", "*"),
    (kinds.DESTINATION, "Netflix.COM.", "netflix.com", "netflix.com"),
    (kinds.DESTINATION, "*.Netflix.com", "*.netflix.com", "*.netflix.com"),
    (kinds.DESTINATION, "_tcp.bücher.de", "_tcp.xn--bcher-kva.de", "_tcp.xn--bcher-kva.de"),
    (kinds.DESTINATION, "living\\032room.lan", "living\\032room.lan", "living\\032room.lan"),
    (kinds.DESTINATION, "203.0.113.7", "203.0.113.7", "203.0.113.7"),
    (kinds.DESTINATION, "2001:DB8::1", "2001:db8::1", "2001:db8::1"),
    (kinds.DESTINATION, "203.0.113.0/24", "203.0.113.0/24", "203.0.113.0/24"),
    (kinds.DESTINATION, "2001:db8:0::/48", "2001:db8::/48", "2001:db8::/48"),
    (kinds.DESTINATION, "0.0.0.0/0", "0.0.0.0/0", "0.0.0.0/0"),
    (kinds.SERVICE, "web", "web", "web"),
    (kinds.SERVICE, "tcp/8883", "tcp/8883", "tcp/8883"),
    (kinds.SERVICE, "udp/123", "udp/123", "udp/123"),
    (kinds.SERVICE, "icmp", "icmp", "icmp"),
    (kinds.SERVICE, "gre", "gre", "gre"),
    (kinds.SERVICE, "proto-99", "proto-99", "proto-99"),
    (kinds.LISTEN, "lan", "lan", "lan"),
    (kinds.LISTEN, "192.168.1.1:8081", "192.168.1.1:8081", "192.168.1.1:8081"),
    (kinds.LISTEN, "[FD00::1]:8081", "[fd00::1]:8081", "[fd00::1]:8081"),
    (kinds.HASH, "scrypt$16384$8$1$c2E=$aGE=", "scrypt$16384$8$1$c2E=$aGE=", "scrypt$16384$8$1$c2E=$aGE="),
    (members(Mode), "enforce", Mode.ENFORCE, "enforce"),
    (words("open", "closed"), "closed", "closed", "closed"),
]


@pytest.mark.parametrize(("kind", "text", "value", "written"), TAKEN)
def test_a_value_is_taken_and_can_be_written_again(
    kind: Kind[Any], text: str, value: object, written: str
) -> None:
    assert kind.read(text) == value
    assert kind.write(value) == written
    assert kind.read(written) == value


# For each kind, texts that are no such value
REFUSED: list[tuple[Kind[Any], tuple[str, ...]]] = [
    (kinds.DURATION, (
        "", "5", "d", "1.5h", "-1h", "5 m", "1m1h", "1h1h", "1w", "1H", "٥m", "1" * 10 + "s", "3661d",
    )),
    (kinds.INTERVAL, ("0s", "0d0h")),
    (kinds.LEARNING, ("Auto", "never", "0s")),
    (kinds.SIZE, ("", "512", "512MB", "0M", "1.5G", "512m", "-1M")),
    (kinds.TIME, (
        "2026-12-24", "2026-12-24T18:00:00", "2026-12-24T18:00:00+01:00", "2026-13-24T18:00:00Z",
        "2026-02-30T18:00:00Z", "2026-12-24T24:01:00Z", "2026-12-24 18:00:00Z", "1969-12-31T23:59:59Z",
        "1798135200",
    )),
    (kinds.CLOCK, ("24:00", "7:00", "22:60", "22")),
    (kinds.BOOLEAN, ("", "2", "Yes", "ON", "y")),
    (kinds.MARK, (
        "0", "0x0", "3", "0xc0000000", "0x100000000", "4294967296", "-1", "0x", "1_0", "0b1", "x", " 1",
        "010",
    )),
    (kinds.WORKERS, ("0", "17", "-1", "all", "04")),
    (kinds.TEXT, ("a\nb", "a\x1b[31m", "x" * 201, "a\u202eb")),
    (kinds.PATH, ("x.db", "", "/var/lib/", "/a\nb", "~/x")),
    (kinds.TOKEN, ("a b", "ü", "x" * 501, "a\n")),
    (kinds.MAC, (
        "", "*", "3c:2e:ff:29:4d", "3c:2e:ff:29:4d:93:00", "3c2eff294d93", "3c:2e:ff:29:4d:9g",
        "01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff",
    )),
    (kinds.ADDRESS, (
        "9.9.9", "9.9.9.256", "9.9.9.09", "dns.example", "fe80::1%eth0", "9.9.9.9/32", " 9.9.9.9",
        ":::",
    )),
    (kinds.NETWORK, ("", "x" * 16, "-x", ".", "a b", "a/b", "a'b", "a;b", "$(x)")),
    (kinds.DESTINATION, (
        "", "**", "*.", "*netflix.com", "net*flix.com", "*.*.com", "a..b", "http://netflix.com",
        "netflix.com/24", "203.0.113.7/24", "203.0.113.0/33", "203.0.113.0/-1", "203.0.113.0/24/8",
        "203.0.113.256", "203.0.113", "1.2.3.4.5", "fd00::zz", "fe80::1%eth0", "a b.com",
        "x" * 64 + ".com", "UNRESOLVED(203.0.113.7)",
    )),
    (kinds.SERVICE, (
        "tcp", "tcp/", "tcp/0", "tcp/65536", "tcp/+1", "tcp/080", "tcp/443", "udp/443", "TCP/8883",
        "icmp/8", "proto-6", "proto-256", "web/80", "http", "tcp/8883/1",
    )),
    (kinds.LISTEN, (
        "", "wan", "192.168.1.1", "192.168.1.1:", "192.168.1.1:0", "192.168.1.1:65536", "fd00::1:8081",
        "[192.168.1.1]:80", "[fd00::1]", "router:80",
    )),
    (kinds.HASH, ("secret", "scrypt$", "scrypt$a b")),
    (members(Mode), ("Enforce", "")),
    (members(NewDevices, NewDevices.DEFAULT), ("default",)),
    (words("open", "closed"), ("ope", "open,closed")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in REFUSED for text in texts])
def test_what_is_no_such_value_is_refused(kind: Kind[Any], text: str) -> None:
    with pytest.raises(ValueError):
        kind.read(text)


def test_times_and_durations_are_written_in_the_shortest_words() -> None:
    assert [duration_text(seconds) for seconds in (0, 59, 60, 3661, 14 * DAY)] == [
        "0s",
        "59s",
        "1m",
        "1h1m1s",
        "14d",
    ]
    assert time_text(1798135200.9) == "2026-12-24T18:00:00Z"


def test_a_kind_says_what_is_allowed_in_words() -> None:
    assert members(Mode).allowed == "`monitor` or `enforce`"
    assert words("a", "b", "c").allowed == "`a`, `b` or `c`"


def test_a_default_that_is_no_value_is_our_own_fault() -> None:
    with pytest.raises(ValueError):
        option(kinds.DURATION, "soon", "…")
