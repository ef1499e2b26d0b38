# SPDX-License-Identifier: GPL-2.0-or-later
"""The leases of odhcpd, OpenWrt's DHCPv6 (and, if so configured, DHCPv4) server: from its state file, and
from ubus, where it tells them even if it writes no file.

The file (odhcpd's statefiles.c, before that dhcpv6-ia.c) is replaced at each change. A comment is a lease:

    # interface duid iaid host expiry assigned length address/prefix …      (DHCPv6)
    # interface mac ipv4 host expiry assigned 32 address/32                 (DHCPv4)

`host` is `-` for none and begins with `broken\\x20` where it is no name; `expiry` is in epoch seconds, -1 for
never, 0 when it is over. The other lines are hosts(5)'s. Over ubus (odhcpd's ubus.c) MACs and DUIDs are
hexadecimal digits as well; `ip` became `address`, and a list of addresses one of tables.
"""

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from typing import Any

from smartrouter.linux import openwrt
from smartrouter.linux.lease import LONGEST_NAME, Lease, mac_of_digits, mac_of_duid

EVERY = 5.0  # seconds from one question to the next, at least
_BROKEN = "broken\\x20"
_ASK = (("ubus", "call", "dhcp", "ipv4leases"), ("ubus", "call", "dhcp", "ipv6leases"))


def parse(text: str, at: float = 0.0) -> Iterator[Lease]:
    """The leases of a state file that was written `at`; lines not understood are passed over."""
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 9 or fields[0] != "#" or fields[5] == "0":
            continue
        _, _, ident, iaid, host, expiry, _, length, *addresses = fields
        mac = mac_of_digits(ident) if iaid == "ipv4" else mac_of_duid(ident.lower())
        if (iaid == "ipv4" and not mac) or length not in ("32", "128"):
            continue  # not a prefix: those go to other routers
        hostname = "" if host == "-" or host.startswith(_BROKEN) else host[:LONGEST_NAME]
        for address in addresses:
            yield Lease(mac, address.partition("/")[0], hostname, expiry, at)


def read_answers(ipv4: str, ipv6: str, at: float = 0.0) -> list[Lease]:
    """The leases in ubus's answers; what is not understood is passed over."""
    return [*_read(ipv4, at), *_read(ipv6, at)]


def _read(answer: str, at: float) -> Iterator[Lease]:
    for given in _leases(answer):
        flags = given.get("flags")
        if isinstance(flags, list) and "bound" not in flags:
            continue  # offered only, or configured for a device that never came
        mac = mac_of_digits(_text(given, "mac")) or mac_of_duid(_text(given, "duid").lower())
        broken = isinstance(flags, list) and "broken-hostname" in flags
        hostname = "" if broken else _text(given, "hostname")[:LONGEST_NAME]
        if address := _text(given, "address") or _text(given, "ip"):
            if mac:
                yield Lease(mac, address, hostname, "", at)
            continue
        listed = given.get("ipv6-addr") or given.get("ipv6")
        for each in listed if isinstance(listed, list) else ():
            # In between they forgot to name the address within its table.
            address = each if isinstance(each, str) else _text(each, "address") or _text(each, "")
            if address:
                yield Lease(mac, address, hostname, "", at)


def _leases(answer: str) -> Iterator[dict[str, Any]]:
    try:
        interfaces = json.loads(answer)["device"].values()
        yield from (lease for each in interfaces for lease in each["leases"] if isinstance(lease, dict))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return


def _text(given: Any, key: str) -> str:
    value = given.get(key) if isinstance(given, dict) else None
    return value if isinstance(value, str) else ""


class Ubus:
    """Asks odhcpd over ubus, when somebody thinks that there is news, in a thread that is waited for by
    nobody. Without a program `ubus` it does nothing."""

    def __init__(self) -> None:
        self.answers = 0  # since the start
        self._answered = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._answer: list[Lease] | None = None
        self._wanted = False
        self._next = 0.0
        self._asking: threading.Thread | None = None

    def fileno(self) -> int:
        """Readable when there is an answer."""
        return self._answered

    def next_deadline(self) -> float | None:
        """When to call `news`, if nothing happens before (CLOCK_MONOTONIC seconds)."""
        return self._next if self._wanted and self._asking is None else None

    def want(self) -> None:
        """There may be news."""
        self._wanted = True

    def news(self, now: float) -> list[Lease] | None:
        """All leases, where an answer has come since the last call, else None. Asks, if that is due."""
        answer = None
        if self._asking is not None and not self._asking.is_alive():
            self._asking = None
            answer, self._answer = self._answer, None
            self.answers += answer is not None
            try:
                os.eventfd_read(self._answered)
            except BlockingIOError:
                pass
        if self._wanted and self._asking is None and now >= self._next:
            self._wanted, self._next = False, now + EVERY
            if shutil.which("ubus"):
                self._asking = threading.Thread(target=self._ask, name="ubus", daemon=True)
                self._asking.start()
        return answer

    def close(self) -> None:
        """Let go of it; an answer that is still to come is not waited for."""
        if self._asking is None or not self._asking.is_alive():
            os.close(self._answered)

    def _ask(self) -> None:
        try:
            texts = [openwrt.answer(*command) for command in _ASK]
            # One object and two methods: who knows one of them is odhcpd.
            if any(text is not None for text in texts):
                self._answer = read_answers(texts[0] or "", texts[1] or "", time.time())
        finally:
            os.eventfd_write(self._answered, 1)
