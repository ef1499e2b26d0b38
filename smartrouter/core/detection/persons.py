# SPDX-License-Identifier: GPL-2.0-or-later
"""Does what a device asks for look like a person's phone or computer? A plug that is being set up may carry
the phone's traffic; if it is learning then, it learns what the phone needs.

Two signs, within one hour: names that only people's devices ask for (`core.public.personal`), and very many
name groups. A thing was seen to need at most 4 groups in an hour (14 devices); the phone behind a plug 10,
five of them a person's. Local names and reverse lookups say nothing.
"""

from typing import NamedTuple

from smartrouter.core.names import is_local, is_special_use, registrable_domain
from smartrouter.core.public.personal import personal_domain

HOUR = 3600.0
_SURE, _SOME, _SOME_GROUPS, _MANY_GROUPS = 3, 1, 8, 40
_MAX_GROUPS = 256


class Sign(NamedTuple):
    """`personal`: domains that speak for a person. `groups`: name groups in this hour."""

    personal: tuple[str, ...]
    groups: int


class PersonWatch:
    """What one device asked for within the hour."""

    __slots__ = ("_groups", "_personal", "_since", "_told")

    def __init__(self) -> None:
        self._since = 0.0
        self._groups: set[str] = set()
        self._personal: dict[str, None] = {}
        self._told = False

    def asked(self, name: str, now: float) -> Sign | None:
        """The device asks for `name`. A sign if that makes it look like a person's device, once an hour at
        most."""
        if now - self._since >= HOUR:
            self._since, self._groups, self._personal, self._told = now, set(), {}, False
        group = registrable_domain(name)
        if group in self._groups or len(self._groups) >= _MAX_GROUPS:
            return None
        if is_local(name) or is_special_use(name):
            return None
        self._groups.add(group)
        personal = personal_domain(name)
        if personal:
            self._personal[personal] = None
        if self._told or not self._is_person():
            return None
        self._told = True
        return Sign(tuple(self._personal), len(self._groups))

    def _is_person(self) -> bool:
        personal, groups = len(self._personal), len(self._groups)
        return personal >= _SURE or (personal >= _SOME and groups >= _SOME_GROUPS) or groups >= _MANY_GROUPS
