# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's switch for counting bytes: read, turned, and left as it was found."""

from pathlib import Path

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.linux import accounting
from smartrouter.supervisor.accounting import EVERY, Accounting

SOCKETS = "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
LISTENER = "00000000fda9714a {} 5877       {} 0        0        0     2        0        6391358\n"


def test_the_switch_is_read_and_turned(tmp_path: Path) -> None:
    switch = tmp_path / "nf_conntrack_acct"
    assert accounting.is_on(str(switch)) is None
    for wanted in (True, False):
        accounting.turn(on=wanted, switch=str(switch))
        assert accounting.is_on(str(switch)) is wanted


@pytest.mark.parametrize(("written", "tells"), [("0\n", False), ("1\n", True), ("2\n", True)])
def test_whether_the_kernel_tells_of_ends_is_read(tmp_path: Path, written: str, tells: bool) -> None:
    switch = tmp_path / "nf_conntrack_events"
    assert accounting.tells_ends(str(switch)) is None
    switch.write_text(written)
    assert accounting.tells_ends(str(switch)) is tells


def test_who_may_not_turn_it_is_told_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"sysctl -w net\.netfilter\.nf_conntrack_acct=1"):
        accounting.turn(on=True, switch=str(tmp_path))


@pytest.mark.parametrize(
    ("protocol", "groups", "listens"),
    [
        ("12", "00000004", True),
        ("12", "00000001", True),
        ("12", "00000010", False),
        ("0 ", "00000007", False),
    ],
)
def test_who_listens_to_connections_is_seen(
    tmp_path: Path, protocol: str, groups: str, listens: bool
) -> None:
    sockets = tmp_path / "netlink"
    sockets.write_text(SOCKETS + LISTENER.format(protocol, groups))
    assert accounting.somebody_listens(str(sockets)) is listens


def test_where_that_cannot_be_seen_somebody_may(tmp_path: Path) -> None:
    assert accounting.somebody_listens(str(tmp_path / "nothing"))


class Kernel:
    """The switch as the supervisor finds it: None while no connections are tracked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, on: bool | None, listener: bool = False) -> None:
        self.on = on
        self.turns = 0
        monkeypatch.setattr(accounting, "is_on", lambda: self.on)
        monkeypatch.setattr(accounting, "turn", self._turn)
        monkeypatch.setattr(accounting, "somebody_listens", lambda: listener)

    def _turn(self, on: bool) -> None:
        self.on = on
        self.turns += 1


def test_it_is_switched_on_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, on=False)
    accounts = Accounting()
    accounts.keep_on(0.0)
    assert kernel.on
    accounts.give_back()
    assert not kernel.on


def test_what_was_on_stays_on(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, on=True)
    accounts = Accounting()
    accounts.keep_on(0.0)
    accounts.give_back()
    assert (kernel.on, kernel.turns) == (True, 0)


def test_it_is_not_taken_from_somebody_who_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, on=False, listener=True)
    accounts = Accounting()
    accounts.keep_on(0.0)
    accounts.give_back()
    assert kernel.on


def test_it_waits_until_connections_are_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, on=None)
    accounts = Accounting()
    accounts.keep_on(0.0)
    assert kernel.turns == 0
    kernel.on = False
    accounts.keep_on(EVERY - 1)
    assert kernel.turns == 0
    accounts.keep_on(EVERY)
    assert kernel.on


def test_who_switches_it_off_meanwhile_has_his_way(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Kernel(monkeypatch, on=False)
    accounts = Accounting()
    accounts.keep_on(0.0)
    kernel.on = False
    accounts.keep_on(10 * EVERY)
    assert (kernel.on, kernel.turns) == (False, 1)
