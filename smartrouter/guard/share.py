# SPDX-License-Identifier: GPL-2.0-or-later
"""What the supervisor hands the guard: its part of the configuration, and what was found out for it; and the
ruleset that follows from both. Knows nothing of packets or processes."""

import os
from collections.abc import Iterable
from typing import Any

from smartrouter.config import Config, load
from smartrouter.core.policy import Settings, Watching
from smartrouter.core.roster import Device
from smartrouter.linux.ruleset import Plan

MAX_WORKERS_BY_ITSELF = 4  # with `workers 'auto'`; one core is left to the rest, so 1 where there are two


class Share:
    """The guard's share of the configuration, and of what the supervisor found out for it."""

    def __init__(self, message: dict[str, Any]):
        self.config = Config.from_share(message["config"])
        self.lan: tuple[str, ...] = tuple(message["lan"])
        self.iot: tuple[str, ...] = tuple(message["iot"])
        self.upstreams: frozenset[str] = frozenset(message["upstreams"])
        self.outage: float | None = message.get("outage")

    @property
    def workers(self) -> int:
        """Threads that judge new connections, each with a queue of its own."""
        wanted = self.config.main.workers
        return wanted or max(1, min(MAX_WORKERS_BY_ITSELF, (os.cpu_count() or 1) - 1))

    @classmethod
    def from_file(cls, path: str) -> "Share":
        """What the supervisor would have handed over, for a guard that runs alone."""
        from smartrouter.linux import interfaces  # what only a guard that runs alone needs
        from smartrouter.linux.upstreams import upstreams

        config = load(path)
        found = interfaces.find(config.main.network, config.main.device, config.main.iot_network)
        return cls(
            {
                "config": config.to_share("guard"),
                "lan": found.lan,
                "iot": found.iot,
                "upstreams": sorted(upstreams()),
            }
        )

    def settings(self) -> Settings:
        """What the judge goes by."""
        return self.config.settings(self.upstreams)

    def plan(self, devices: Iterable[Device]) -> Plan:
        """The ruleset that this, and how the judge's `devices` stand, ask for."""
        main, settings = self.config.main, self.settings()
        known = list(devices)
        return Plan(
            lan=self.lan,
            iot=self.iot,
            on_failure=main.on_failure,
            block_action=main.block_action,
            pass_mark=main.pass_mark,
            block_mark=main.block_mark,
            workers=self.workers,
            redirect_dns=settings.redirect_dns,
            shared_resolvers=settings.shared_resolvers,
            watched=frozenset(device.mac for device in known if device.watched),
            enforced=frozenset(device.mac for device in known if device.enforced),
            exempt=frozenset(device.mac for device in known if device.told.watch is Watching.NEVER),
        )
