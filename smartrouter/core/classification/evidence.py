# SPDX-License-Identifier: GPL-2.0-or-later
"""All that is known of a device, for `classify` to weigh, and what comes of it."""

from typing import NamedTuple

from smartrouter.core.classification.signs import Behaviour, SynShape


class Evidence(NamedTuple):
    """What is known of a device; '', () and None where nothing is. See `signs` for the shapes."""

    mac: str
    hostname: str = ""
    maker: str = ""  # organisation that the MAC's prefix belongs to (IEEE)
    vendor_class: str = ""
    user_class: str = ""
    params: tuple[int, ...] = ()
    client_id: str = ""
    services: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    stack: SynShape | None = None
    behaviour: Behaviour | None = None


class Classification(NamedTuple):
    """`iot`: None if it cannot be told. `confidence`: 0 to 1, in what `iot` says; 0 for None. `reasons`: a
    phrase for each clue, the weightiest first."""

    iot: bool | None
    confidence: float
    reasons: tuple[str, ...]

    @property
    def word(self) -> str:
        """`iot`, `not-iot` or `unknown`."""
        return "unknown" if self.iot is None else "iot" if self.iot else "not-iot"
