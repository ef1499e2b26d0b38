# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of each effect, in which order, and what happens where the kernel refuses."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, get_args

import pytest
from unit.made_effects import AN_ATTEMPT, AN_ALERT

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import (
    AdmitReplies,
    Block,
    Cut,
    Deny,
    Disconnect,
    DismissReplies,
    Effect,
    Enforce,
    Flow,
    Forget,
    Inspect,
    Keep,
    Know,
    Label,
    Learn,
    LookUp,
    Name,
    NameAlias,
    Pair,
    Raise,
    Record,
    Relax,
    Release,
    Unsettle,
    Unwatch,
    Verdict,
    Watch,
    Withdraw,
)
