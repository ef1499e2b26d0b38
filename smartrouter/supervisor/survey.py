# SPDX-License-Identifier: GPL-2.0-or-later
"""What the supervisor needs to know before it starts anything: each part's share of the configuration, the
interfaces and resolvers around us, a store that the parts can use. And the changes that it makes.

These are errands: they import what the supervisor is too small for, and give values that fit into JSON.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smartrouter.core.errors import SmartrouterError
from smartrouter.linux.privileges import User
from smartrouter.supervisor.errands import Work
from smartrouter.supervisor.keeping import keep_ruleset, restore


def whole(config_path: str, parts: Sequence[str], user: User) -> Work:
    """Read the configuration; if it wants us to run, look around and make the store, from what was kept of
    it where there is none.

    Gives what `_configuration` gives, and `around` (see `_around`), or `problem` in words where we must
    wait for something: a LAN interface that is not up yet, a disk that is not mounted.
    """

    def work() -> Mapping[str, Any]:
        found = _configuration(config_path, parts)
        if not found["enabled"]:
            return found
        from smartrouter.store.files import create

        try:
            create(found["database"], user.gid)
            around = _around(found["networks"])
            return {**found, "around": around, "not_restored": restore(found, user)}
        except SmartrouterError as error:
            return {**found, "problem": str(error)}

    return work


def around(networks: Sequence[Sequence[str]]) -> Work:
    """Only look around again, for the networks, devices and IoT networks of an earlier survey."""
    return functools.partial(_around, networks)


def change(config_path: str, parts: Sequence[str], write: Callable[[str], None]) -> Work:
    """Have `write(config_path)` change the configuration and read it again, without looking around."""

    def work() -> Mapping[str, Any]:
        write(config_path)
        return _configuration(config_path, parts)

    return work


def remove_table(found: Mapping[str, Any]) -> Work:
    """Leave no trace of ours in the kernel; but keep on flash what the next boot is to begin with."""

    def work() -> Mapping[str, Any]:
        from smartrouter.linux import ruleset

        try:
            if found:
                keep_ruleset(found)
        finally:
            ruleset.remove()
        return {}

    return work


def _configuration(path: str, parts: Sequence[str]) -> dict[str, Any]:
    """`enabled`, `shares` (part -> its share), `networks` (names of networks, devices, IoT networks),
    `database`, `volume`, `snapshot` ('' for none), `snapshot_interval`, and `mode_until` (of a mode on trial,
    epoch seconds, or None). Raises BadConfig."""
    from smartrouter.config import load

    config = load(path)
    main = config.main
    return {
        "enabled": main.enabled,
        "shares": {part: config.to_share(part) for part in parts},
        "networks": [list(main.network), list(main.device), list(main.iot_network)],
        "database": str(main.database),
        "volume": main.volume,
        "snapshot": str(main.snapshot or ""),
        "snapshot_interval": main.snapshot_interval,
        "mode_until": main.mode_until,
    }


def _around(networks: Sequence[Sequence[str]]) -> Mapping[str, Any]:
    """`lan`, `iot`, `missing` (see `interfaces.Interfaces`), `upstreams` (sorted), and the numbers of the
    guard's `queues`. Raises Unavailable."""
    from smartrouter.linux.interfaces import find
    from smartrouter.linux.queue_rule import DNS_QUEUE, FLOWS_QUEUE
    from smartrouter.linux.ruleset import MAX_WORKERS
    from smartrouter.linux.upstreams import upstreams

    found = find(*networks)
    return {
        "lan": list(found.lan),
        "iot": list(found.iot),
        "missing": list(found.missing),
        "upstreams": sorted(upstreams()),
        "queues": [DNS_QUEUE, *range(FLOWS_QUEUE, FLOWS_QUEUE + MAX_WORKERS)],  # those that there may be
    }
