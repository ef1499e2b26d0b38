# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the kernel counts the bytes of each connection, and having it do so.

The switch is of the network namespace, and of connections that begin after it was turned. Who else goes by
these counts nobody knows; but whoever listens to the end of connections can be seen. Standard library only:
the supervisor asks.
"""

from smartrouter.core.errors import Unavailable

_SWITCH = "/proc/sys/net/netfilter/nf_conntrack_acct"
_EVENTS = "/proc/sys/net/netfilter/nf_conntrack_events"
_SOCKETS = "/proc/thread-self/net/netlink"
_NETFILTER = "12"  # NETLINK_NETFILTER
_OF_CONNECTIONS = 0b111  # NFNLGRP_CONNTRACK_NEW, _UPDATE and _DESTROY


def is_on(switch: str = _SWITCH) -> bool | None:
    """Does the kernel count? None if that cannot be told: connections are not tracked (yet)."""
    try:
        with open(switch) as file:
            return file.read().strip() == "1"
    except OSError:
        return None


def tells_ends(switch: str = _EVENTS) -> bool | None:
    """Does the kernel tell when a connection ends? None if that cannot be told."""
    try:
        with open(switch) as file:
            return file.read().strip() != "0"  # 1: always; 2: to those that listen, which is usual
    except OSError:
        return None


def turn(on: bool, switch: str = _SWITCH) -> None:
    """Have the kernel count, or not. Raises Unavailable."""
    try:
        with open(switch, "w") as file:
            file.write("1" if on else "0")
    except OSError as error:
        what = "on" if on else "off"
        raise Unavailable(
            f"counting bytes cannot be switched {what} ({error.strerror}); as root: "
            f"`sysctl -w net.netfilter.nf_conntrack_acct={int(on)}`"
        ) from error


def somebody_listens(sockets: str = _SOCKETS) -> bool:
    """Does any program of this network namespace listen to what becomes of connections?"""
    try:
        with open(sockets) as file:
            rows = [line.split() for line in file.read().splitlines()[1:]]
    except OSError:
        return True  # then better nothing is taken from anybody
    return any(len(row) > 3 and row[1] == _NETFILTER and int(row[3], 16) & _OF_CONNECTIONS for row in rows)
