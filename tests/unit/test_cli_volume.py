# SPDX-License-Identifier: GPL-2.0-or-later
"""What `status` and `doctor` say of the counting of bytes."""

from typing import Any

import pytest

from smartrouter.guard.volume import STARTING
from smartrouter.listings.volume import losses, told, trouble

WELL: dict[str, Any] = {
    "accounting": True, "events": True, "problem": "", "addresses": 3, "heard": 9, "lost": 0,
    "uncounted": 0, "open": 1,
    "offloaded": {}, "bytes_out": 1_500_000, "bytes_in": 10, "packets_out": 1, "packets_in": 1, "flows": 1,
}  # fmt: skip


def test_where_all_is_well_it_is_said_how_much_there_was() -> None:
    assert trouble(WELL) is None
    assert told(WELL) == "1.5 MB sent and 10 B received by watched devices"


@pytest.mark.parametrize(
    ("change", "said", "mend"),
    [
        ({"accounting": False}, "The kernel does not count bytes", "nf_conntrack_acct=1"),
        ({"events": False}, "does not tell when connections end", "nf_conntrack_events"),
        ({"problem": "no such module."}, "is not counted: no such module.", ""),
        ({"offloaded": {"a": 2, "b": 3}}, "that are offloaded: 5. What they carry", "flow_offloading=0"),
    ],
)
def test_what_is_wrong_is_said_with_how_to_mend_it(change: dict[str, Any], said: str, mend: str) -> None:
    found = trouble(WELL | change)
    assert found is not None
    assert said in found[0]
    assert mend in found[1]


def test_what_was_lost_is_said() -> None:
    assert losses(WELL) == ""
    lost = WELL | {"lost": 12, "uncounted": 3}
    assert "12 connections that ended faster than" in losses(lost)
    assert "3 that are older than" in told(lost)


@pytest.mark.parametrize("nothing", [None, WELL | {"problem": STARTING}])
def test_where_nothing_is_counted_yet_nothing_is_said(nothing: dict[str, Any] | None) -> None:
    assert trouble(nothing) is None
    assert told(nothing) == ""
