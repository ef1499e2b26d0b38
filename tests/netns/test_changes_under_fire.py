# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration changes, over and over, while a protected device floods what it never learned: nothing of
that may slip through, and what is learned passes.

`ROUNDS=25` sends a million packets; docs/reliability.md says how that went.
"""

import itertools
from collections.abc import Callable

import pytest
from netns.guard_lab import CAMERA, KNOWN, Background, Home, eventually, learned_home

from smartrouter.config.uci_edit import set_options
from smartrouter.lab import packets
from smartrouter.lab.hosts import Host

pytestmark = [pytest.mark.netns, pytest.mark.timeout(1800)]

PACKETS = 40_000
OPTIONS = (  # none of which lets more pass than before: `unnamed_tls 'hello'` lets connections begin
    {"block_action": "drop"},
    {"redirect_dns": "1"},
    {"foreign_dns": "allow"},
    {"block_action": "reject"},
    {"on_failure": "open"},
    {"redirect_dns": "0", "foreign_dns": "block", "name_grace": "1d"},
    {"on_failure": "closed"},
    # With these the guard starts anew: `closed` is for that.
    {"pass_mark": "0x10000000"},
    {"workers": "2"},
    {"pass_mark": "0x40000000", "workers": "1"},
)
COUNTED = ("queued_flows", "blocked_again", "denied", "cut", "over_limit_dropped", "invalid_dropped")


class Fire(Background):
    """A device that sends these frames over and over. `sent`: how many so far."""

    def __init__(self, device: Host, frames: list[bytes]) -> None:
        super().__init__()
        self._device, self._frames = device, frames
        self.sent = 0

    def _run(self) -> None:
        with self._device.frames("eth0") as sock:
            for frame in itertools.cycle(self._frames):
                if self._over.is_set():
                    return
                sock.send(frame)
                self.sent += 1


def strange(home: Home) -> list[bytes]:
    """The first packets of connections of the TV, to places and ports that it never learned."""
    frames = []
    for number in range(2000):
        destination = f"198.51.100.{number % 250 + 1}" if number % 2 else f"2001:db8:99::{number:x}"
        way = home.network.way_out(home.tv, destination)
        frames.append(packets.syn(way, 443 if number % 4 < 2 else 1024 + number, 1024 + number))
    return frames


def apply(home: Home, options: dict[str, str]) -> None:
    config = home.product.config
    config.write_text(set_options(config.read_text(), "main", options))
    home.ask("reload")


def test_while_the_configuration_changes_nothing_slips_through(
    rounds: Callable[[int], int], record_property: Callable[[str, object], None]
) -> None:
    with learned_home({"on_failure": "closed", "workers": "1"}) as home:
        before = home.counters()
        fire, changes = Fire(home.tv, strange(home)), 0
        with home.wire() as wire:
            with fire.going_on():
                for options in itertools.cycle(OPTIONS):
                    apply(home, options)
                    home.ask("deny" if changes % 2 else "allow", device=CAMERA, destination="fourth.example")
                    assert eventually(lambda: home.camera.connect(KNOWN[0], 443).ok), options
                    changes += 2
                    if fire.sent >= rounds(PACKETS) and changes > 2 * len(OPTIONS):
                        break
            assert eventually(home.product.is_guarding, 20.0)
            leaked = wire.by(home.tv.ipv4, home.tv.ipv6)
        after = home.counters()
        assert leaked == [], (len(leaked), leaked[:3])
        assert after["passed"] - before["passed"] < changes + 50  # the camera's
        met = sum(after[name] - before[name] for name in COUNTED)
        assert met > 0.9 * fire.sent, (met, fire.sent, after)
        record_property("figures", {"packets": fire.sent, "changes": changes})
        print(fire.sent, "packets,", changes, "changes")
