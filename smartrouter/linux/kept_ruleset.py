# SPDX-License-Identifier: GPL-2.0-or-later
"""The ruleset on flash, for `on_failure 'closed'`: what `nft -f` loads at boot, before there is a network and
a guard. The rules as they were last, the devices that they are for, and the pairs that were known or denied.

No queue is in it, so that any kernel takes it: what would go to the guard goes on to the gate, which does
what it does when the guard is dead. The guard then makes it whole, and looks at each pair. Standard library
only.
"""

import contextlib
import glob
import os
from collections.abc import Iterable, Iterator
from typing import Any

from smartrouter.core.events import Pair, Shortcut
from smartrouter.linux import nftables, ruleset
from smartrouter.linux.netlink import Netlink
from smartrouter.linux.pairs import encode
from smartrouter.linux.ruleset import DEVICE_SETS, Plan
from smartrouter.linux.sets import Sets

NAME = "ruleset.nft"
LASTS = "1d"  # that a pair is known, or denied, to the kernel, unless the guard says so again
_AT_ONCE = 1000  # pairs in a line


def text(plan: Plan, pairs: Iterable[tuple[Pair, Shortcut]]) -> str:
    """The file for `plan` and those of `pairs` that are known or denied. Raises BadConfig for a plan that
    cannot be."""
    rows: dict[str, dict[str, None]] = {}
    for pair, shortcut in pairs:
        if shortcut is not Shortcut.BLOCKED:
            pair_set, _ = encode(pair, shortcut)
            port = f" . {pair.port}" if pair_set.ports else ""
            element = f"{pair.mac} . {pair.address} . {pair.protocol}{port} timeout {LASTS}"
            rows.setdefault(pair_set.name, {})[element] = None
    return "".join([ruleset.render(plan, native_queue=False), "\n", *_additions(rows)])


def keep(path: str, plan: Plan) -> int:
    """Write the file at `path` for the table as it is in the kernel; gives the bytes written, 0 if there is
    nothing new, or no table. `plan`: but for the devices. Raises OSError, Unavailable, BadConfig."""
    try:
        with Netlink() as link:
            devices: dict[str, Any] = {name: frozenset(_macs(link, name)) for name in DEVICE_SETS}
        sets = Sets()
        try:
            pairs = sorted(sets.held_pairs())
        finally:
            sets.close()
    except FileNotFoundError:
        return 0
    found = text(plan._replace(**devices), pairs).encode()
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
        if file.read() == found:
            return 0
    new = f"{path}.new-{os.getpid()}"  # somebody else may be at it
    try:
        with open(new, "wb", opener=_for_root_alone) as file:
            file.write(found)
            file.flush()
            os.fsync(file.fileno())
        os.rename(new, path)
    finally:
        _remove(new)
    return len(found)


def drop(path: str) -> None:
    """There shall be no such file."""
    for each in (path, *glob.glob(f"{glob.escape(path)}.new-*")):
        _remove(each)


def _additions(rows: dict[str, dict[str, None]]) -> Iterator[str]:
    for name in sorted(rows):
        elements = list(rows[name])
        for at in range(0, len(elements), _AT_ONCE):
            listed = ", ".join(elements[at : at + _AT_ONCE])
            yield f"add element inet smartrouter {name} {{ {listed} }}\n"


def _macs(link: Netlink, name: str) -> Iterator[str]:
    for element in nftables.list_elements(link, name):
        yield element[1][4:10].hex(":")  # NFTA_SET_ELEM_KEY, and in it NFTA_DATA_VALUE


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _for_root_alone(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
