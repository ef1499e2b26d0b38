# SPDX-License-Identifier: GPL-2.0-or-later
"""A channel that also shows how each device stands, and on which somebody can switch its mode."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from smartrouter.core.policy import Mode


class Standing(NamedTuple):
    """A watched device as it stands now. `name`: what it is called, written by whomever."""

    mac: str
    name: str
    mode: Mode
    maker: str = ""


class Switches(Protocol):
    """See the module."""

    def show(self, devices: Iterable[Standing]) -> None:
        """All devices there are now. To be called whenever one comes, goes or changes; does not wait."""
        ...

    def obey(self, wanted: Callable[[str, Mode, str], None]) -> None:
        """From now on, call `wanted` from a thread of the channel's own for each switch that somebody turns:
        (the device's MAC, the mode, who it was as in `mqtt`)."""
        ...
