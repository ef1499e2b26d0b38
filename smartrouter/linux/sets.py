# SPDX-License-Identifier: GPL-2.0-or-later
"""Members of the table's sets, one at a time and at once: what the guard changes while packets flow.

Each call returns when the kernel has done it (about 20 µs), so a packet released afterwards is already
seen by the change. Knows no device and no rule. Standard library only; needs CAP_NET_ADMIN alone.
"""

import errno
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from threading import Lock

from smartrouter.core.effects import Flow, Pair, Unsettle
from smartrouter.core.errors import Unavailable
from smartrouter.core.events import Shortcut
from smartrouter.linux import conntrack, nftables, pairs
from smartrouter.linux.netlink import Message, Netlink, attributes, unavailable
from smartrouter.linux.pairs import PairChange, mac_key

_CLIENTS4, _CLIENTS6 = "dns_clients4", "dns_clients6"
_HELLO4, _HELLO6 = "hello4", "hello6"
_CUT_FOR = 60.0  # seconds that a connection stays cut once the kernel's memory of it is gone: if its client
#                  does not give up by then, its next packet counts as new, and is judged again


_AT_ONCE = 16384  # changes of pairs in one transaction: as many as the socket has room for
_FULL = frozenset({errno.ENFILE, errno.ENOSPC})
_KEY, _VALUE = 1, 1  # NFTA_SET_ELEM_KEY, NFTA_DATA_VALUE
_LISTINGS = 10  # how often a set is listed anew that changes while it is


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
        self._add("watched", mac_key(mac), mac)

    def unwatch(self, mac: str) -> None:
        """The opposite of `watch`."""
        self._delete("watched", mac_key(mac), mac)

    def enforce(self, mac: str) -> None:
        """Invalid packets and floods of `mac` are dropped from now on."""
        self._add("enforced", mac_key(mac), mac)

    def relax(self, mac: str) -> None:
        """The opposite of `enforce`."""
        self._delete("enforced", mac_key(mac), mac)

    def exempt(self, mac: str) -> None:
        """Leave `mac` alone, even on an interface where every device is watched."""
        self._add("exempt", mac_key(mac), mac)

    def include(self, mac: str) -> None:
        """The opposite of `exempt`."""
        self._delete("exempt", mac_key(mac), mac)

    def study(self, macs: Iterable[str]) -> None:
        """Copy what shows what these devices are, and no others."""
        elements = [nftables.add_element("studied", mac_key(mac), mac) for mac in macs]
        try:
            self._send([nftables.flush_set("studied"), *elements])
        except FileNotFoundError:
            return  # without packet rules nothing is copied; who makes them puts these in
        except OSError as error:
            raise _refused(error) from error

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
        # What comes between the two is looked at once more; the other way round it would be cut.
        self._delete(f"cut{version}", key, what)
        self._delete(f"hello{version}", key, what)

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

    def change_pairs(self, changes: Sequence[PairChange]) -> int:
        """Have the kernel settle pairs, or no longer: all in one transaction, as if in this order.

        Taking out what is not there is no error. A full set keeps nothing but its own new pairs from being
        done: how many found no room is returned. What is too much for one transaction is cut into several,
        what takes pairs out first.
        """
        last_words = {pairs.subject(change): change for change in changes}
        # Room is made before it is taken. A pair that is taken out of a set comes no more than once.
        ordered = sorted(last_words.values(), key=lambda change: not isinstance(change, Unsettle))
        return sum(self._settle(ordered[at : at + _AT_ONCE]) for at in range(0, len(ordered), _AT_ONCE))

    def held_pairs(self) -> Iterator[tuple[Pair, Shortcut]]:
        """The pairs that the kernel settles, as it lists them, over a socket of the call's own. None without
        packet rules. A pair can come twice: a set that changes meanwhile is listed anew."""
        with Netlink() as link:
            for pair_set in pairs.SETS:
                for pair in _listed(link, pair_set):
                    yield pair, pair_set.shortcut

    def lack(
        self, devices: Mapping[str, Iterable[str]], clients: Iterable[str]
    ) -> frozenset[tuple[str, bytes]]:
        """Which MACs are not in their set of `devices` (by the set's name), and replies to which addresses of
        `clients` are not held: each with its set's name, as the kernel writes it. None as long as a set
        keeps changing, for then nobody can tell."""
        wanted = {name: {mac_key(mac) for mac in macs} for name, macs in devices.items()}
        for address in clients:
            name, key = _client(address)
            wanted.setdefault(name, set()).add(key)
        try:
            with Netlink() as link:
                return frozenset(
                    (name, key) for name, keys in wanted.items() if keys for key in keys - _keys(link, name)
                )
        except InterruptedError:
            return frozenset()
        except OSError as error:
            raise _refused(error) from error

    def forget_pairs(self) -> None:
        """Have the kernel settle nothing by itself. Without packet rules it does not."""
        try:
            self._send([nftables.flush_set(pair_set.name) for pair_set in pairs.SETS])
        except FileNotFoundError:
            return
        except OSError as error:
            raise _refused(error) from error

    def forget_flows(self, flows: Iterable[Flow]) -> int:
        """Have the kernel forget these connections, so that their next packets count as new. How many of
        them it knew."""
        with self._lock:
            return conntrack.forget_all(self._link, flows)

    def _settle(self, changes: list[PairChange]) -> int:
        """Carry `changes` out in one transaction; those that the kernel refuses are left out, until it takes
        the rest. How many found no room."""
        without_room = 0
        while changes:
            messages = (message for change in changes for message in pairs.messages(change))
            try:
                with self._lock:
                    refused = self._link.attempt(nftables.SUBSYSTEM, messages)
            except OSError as error:
                raise _refused(error) from error
            if not refused:
                break
            left_out = _left_out(changes, refused)
            without_room += sum(not isinstance(changes[place], Unsettle) for place in left_out)
            changes = [change for place, change in enumerate(changes) if place not in left_out]
        return without_room

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


def _left_out(changes: Sequence[PairChange], refused: dict[int, int]) -> set[int]:
    """The places of those `changes` of which messages were `refused` because a set is full. Raises
    Unavailable if it was for anything else."""
    messages = [(place, each) for place, change in enumerate(changes) for each in pairs.messages(change)]
    left_out: set[int] = set()
    for at, code in refused.items():
        place, message = messages[at]
        # What could not be put in, because there is no room, is then not there to be taken out.
        if code not in _FULL and not (code == errno.ENOENT and place in left_out):
            raise _refused(OSError(code, f"{message.what}: {os.strerror(code)}"))
        left_out.add(place)
    return left_out


def _keys(link: Netlink, name: str) -> set[bytes]:
    """The keys of a set's elements."""
    return {attributes(each[_KEY])[_VALUE] for each in nftables.list_elements(link, name)}


def _listed(link: Netlink, pair_set: pairs.PairSet) -> Iterator[Pair]:
    for _ in range(_LISTINGS):
        try:
            yield from pairs.read(pair_set, nftables.list_elements(link, pair_set.name))
        except InterruptedError:
            continue
        except FileNotFoundError:
            return
        except OSError as error:
            raise _refused(error) from error
        return
    raise Unavailable(f"Set {pair_set.name} kept changing while it was listed.")


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
