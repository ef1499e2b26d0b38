# SPDX-License-Identifier: GPL-2.0-or-later
"""Python's cyclic garbage collector, as a process wants it that keeps much and makes hardly any cycles.

By default it looks at the young objects after each 700 that were made, and now and then at all of them: with
ten thousand names and pairs in memory that is a tenth of a packet's price, and a pause of many verdicts. What
is there after the start stays for good, and need never be looked at. What the start took for a while goes
back to the system.
"""

import gc

from smartrouter.linux import heap

MADE = 20_000  # objects more than before, after which the young ones are looked at
YOUNG, MIDDLE = 20, 20  # looks at those before the next older ones are looked at, too


def settle() -> None:
    """To be called once all that lasts has been made."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(MADE, YOUNG, MIDDLE)
    heap.give_back()
