# SPDX-License-Identifier: GPL-2.0-or-later
"""Members of the table's sets, one at a time and at once: what the guard changes while packets flow.

Each call returns when the kernel has done it (about 20 µs), so a packet released afterwards is already
seen by the change. Knows no device and no rule. Standard library only; needs CAP_NET_ADMIN alone.
"""

import errno
import re
import socket
from threading import Lock

from smartrouter.core.effects import Flow
from smartrouter.core.errors import Unavailable
from smartrouter.linux import conntrack, nftables
from smartrouter.linux.netlink import Message, Netlink, unavailable

_MAC = re.compile(r"[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}")
_CLIENTS4, _CLIENTS6 = "dns_clients4", "dns_clients6"
_HELLO4, _HELLO6 = "hello4", "hello6"
_CUT_FOR = 60.0  # seconds that a connection stays cut once the kernel's memory of it is gone: if its client
#                  does not give up by then, its next packet counts as new, and is judged again


class Sets:
    """The sets of table `inet smartrouter`, over one netlink socket that any thread may use.

    Adding what is there and taking out what is not are no errors. MACs are `aa:bb:cc:dd:ee:ff`, addresses
    text; anything else is a ValueError. Every method raises Unavailable if the kernel refuses: the set is
    full, there is no table, or there is no right to change it. Flows are TCP's.
    """

    def __init__(self) -> None:
        self._link = Netlink()
        self._lock = Lock()

    def close(self) -> None:
        """Give the socket back."""
        self._link.close()

    def watch(self, mac: str) -> None:
        """New connections and DNS of `mac` go to the guard from now on."""
        self._add("watched", _mac_key(mac), mac)

    def unwatch(self, mac: str) -> None:
        """The opposite of `watch`."""
        self._delete("watched", _mac_key(mac), mac)

    def enforce(self, mac: str) -> None:
        """Invalid packets and floods of `mac` are dropped from now on."""
        self._add("enforced", _mac_key(mac), mac)

    def relax(self, mac: str) -> None:
        """The opposite of `enforce`."""
        self._delete("enforced", _mac_key(mac), mac)

    def exempt(self, mac: str) -> None:
        """Leave `mac` alone, even on an interface where every device is watched."""
        self._add("exempt", _mac_key(mac), mac)

    def include(self, mac: str) -> None:
        """The opposite of `exempt`."""
        self._delete("exempt", _mac_key(mac), mac)

    def admit(self, address: str) -> None:
        """Hold DNS replies to `address` for the guard from now on."""
        self._add(*_client(address), address)

    def dismiss(self, address: str) -> None:
        """The opposite of `admit`."""
        self._delete(*_client(address), address)

    def dismiss_all(self) -> None:
        """Hold no DNS replies: for a guard that starts and knows of no query."""
        self._change([nftables.flush_set(_CLIENTS4), nftables.flush_set(_CLIENTS6)])

    def inspect(self, flow: Flow, *, held: bool) -> None:
        """Queue what the client of `flow` sends from now on, for half a minute. `held`: from then on it is
        cut, unless it was released."""
        key, version = _flow_key(flow)
        what = f"{flow.client} to {flow.address}"
        messages = [nftables.add_element(f"hello{version}", key, what)]
        if held:
            messages.insert(0, nftables.add_element(f"cut{version}", key, what))
        self._change(messages)

    def release(self, flow: Flow) -> None:
        """Neither queue nor cut `flow` any longer."""
        key, version = _flow_key(flow)
        what = f"{flow.client} to {flow.address}"
        self._delete(f"hello{version}", key, what)
        self._delete(f"cut{version}", key, what)

    def cut(self, flow: Flow) -> None:
        """Let nothing more of `flow` through, and have the kernel forget the connection."""
        key, version = _flow_key(flow)
        name, what = f"cut{version}", f"{flow.client} to {flow.address}"
        self._delete(f"hello{version}", key, what)
        with self._lock:
            forgotten = conntrack.forget(self._link, flow)
        # An element's time only changes when it is taken out and put in again.
        lasting = nftables.add_element(name, key, what, _CUT_FOR if forgotten else None)
        self._change(
            [nftables.add_element(name, key, what), nftables.delete_element(name, key, what), lasting]
        )

    def forget_inspections(self) -> None:
        """Queue nothing of any connection: for a guard that starts and has seen no beginning of one. Without
        packet rules there is nothing to forget."""
        try:
            self._send([nftables.flush_set(_HELLO4), nftables.flush_set(_HELLO6)])
        except FileNotFoundError:
            return
        except OSError as error:
            raise _refused(error) from error

    def _add(self, name: str, key: bytes, what: str) -> None:
        self._change([nftables.add_element(name, key, what)])

    def _delete(self, name: str, key: bytes, what: str) -> None:
        # One element a transaction: an absent one refuses a whole batch, but alone it is what we wanted.
        try:
            self._send([nftables.delete_element(name, key, what)])
        except FileNotFoundError:
            return
        except OSError as error:
            raise _refused(error) from error

    def _change(self, messages: list[Message]) -> None:
        try:
            self._send(messages)
        except OSError as error:
            raise _refused(error) from error

    def _send(self, messages: list[Message]) -> None:
        with self._lock:
            self._link.transaction(nftables.SUBSYSTEM, messages)


def _mac_key(mac: str) -> bytes:
    if not _MAC.fullmatch(mac):
        raise ValueError(f"not a MAC: {mac!r}")
    return bytes.fromhex(mac.replace(":", ""))


def _client(address: str) -> tuple[str, bytes]:
    try:
        if ":" in address:
            return _CLIENTS6, socket.inet_pton(socket.AF_INET6, address)
        return _CLIENTS4, socket.inet_pton(socket.AF_INET, address)
    except OSError as error:
        raise ValueError(f"not an address: {address!r}") from error


def _flow_key(flow: Flow) -> tuple[bytes, int]:
    """The key of `flow` in a set of connections, each part padded to four bytes; and its IP version."""
    family, version = (socket.AF_INET6, 6) if ":" in flow.address else (socket.AF_INET, 4)
    try:
        client, address = socket.inet_pton(family, flow.client), socket.inet_pton(family, flow.address)
    except OSError as error:
        raise ValueError(f"not a connection: {flow}") from error
    ports = (port.to_bytes(2, "big") + bytes(2) for port in (flow.client_port, flow.port))
    return client + next(ports) + address + next(ports), version


def _refused(error: OSError) -> Unavailable:
    match error.errno:
        case errno.ENOENT:
            return Unavailable(f"{error.strerror}: the packet rules are not loaded.")
        case errno.ENFILE | errno.ENOSPC:
            return Unavailable(f"{error.strerror}: the set is full.")
        case _:
            return unavailable(error)
