# SPDX-License-Identifier: GPL-2.0-or-later
"""The first set-up: who may choose the password while there is none.

Whoever is first owns the router, and the devices that it is to guard are there already. So none that is
watched, or seems to be a thing, may; who cannot be told (and who comes through the router itself) needs a
code, which `smartrouter status` shows and the log has. Pure, but for the code's randomness.
"""

import hmac
import secrets
from typing import NamedTuple

from smartrouter.listings.known import Known
from smartrouter.store.queries import Device
from smartrouter.web.visitors import Visitor

_DIGITS = 8


class Admission(NamedTuple):
    """May a visitor set smartrouter up? `refusal`: why not, '' if so; `needs_code`: not without the code."""

    refusal: str
    needs_code: bool = False


class SetUp:
    """The code of this run."""

    def __init__(self) -> None:
        digits = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"
        self.code = f"{digits[:4]}-{digits[4:]}"

    def is_code(self, given: str) -> bool:
        """Is it the code, however it is written?"""
        digits = "".join(filter(str.isascii, filter(str.isdigit, given[:40])))
        return hmac.compare_digest(digits.encode(), self.code.replace("-", "").encode())


def admission(visitor: Visitor, device: Device | None, known: Known, iot: tuple[str, ...]) -> Admission:
    """What `visitor` may, of whom the store says `device`. `iot`: interfaces where everything is watched."""
    if visitor.is_us:
        return Admission("", needs_code=True)
    if not visitor.interface:
        return Admission("The first set-up is for devices on the local network only.")
    if visitor.interface in iot:
        return Admission("This network is for things that are watched: set smartrouter up from another one.")
    if device is None:
        return Admission("", needs_code=True)
    if known.standing(device)[0]:
        return Admission("This device is watched, and may not set smartrouter up: use another one.")
    if device.iot:
        return Admission("This device seems to be a thing, not a person's: set smartrouter up from another.")
    return Admission("", needs_code=device.iot is None)
