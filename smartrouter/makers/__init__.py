# SPDX-License-Identifier: GPL-2.0-or-later
"""Which organisation a MAC was given to, by the IEEE's registries. Knows nothing of devices.

All that is needed when smartrouter runs is the table beside this file, which `make makers` builds and which
is part of the package; `table` says what it holds and why it is made so. What an organisation makes is told
by `core.classification.makers`.

The table's data are the IEEE's public listings (https://standards.ieee.org/products-programs/regauth/), on
which the IEEE claims no copyright, in the form that Wireshark gives them, which is licensed as smartrouter is
(GPL-2.0-or-later).
"""

from functools import lru_cache
from pathlib import Path

from smartrouter.makers.table import BadTable, Table

TABLE = Path(__file__).with_name("makers.table")
REMEMBERED = 1024  # MACs whose maker is not looked up again


class Makers:
    """Looks makers up in the table at `path`. If that cannot be used, nobody has a maker, and `problem`,
    otherwise empty, says why, for whoever keeps a log to say once."""

    def __init__(self, path: Path = TABLE):
        self.problem = ""
        self._table: Table | None = None
        try:
            self._table = Table(path.read_bytes())
        except (OSError, BadTable) as error:
            self.problem = f"no device's maker will be known: {path}: {error}; install smartrouter again"
        self.of = lru_cache(maxsize=REMEMBERED)(self._of)

    def _of(self, mac: str) -> str:
        """The organisation of a MAC (`aa:bb:cc:dd:ee:ff`) as it is registered, such as 'Philips Lighting BV'.

        '' where there is none: for what is no MAC, for local MACs (so for every randomised one) and group
        addresses, for what is not registered, or without saying for whom.
        """
        try:
            number = int(mac.replace(":", ""), 16) if len(mac) == 17 else -1
        except ValueError:
            return ""
        if self._table is None or number < 0 or number >> 40 & 3:  # IEEE 802-2014 section 8.2.2: local, group
            return ""
        return self._table.owner(number)
