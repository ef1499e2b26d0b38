# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of a system that lacks something; what is said of this one is a network test."""

import os
from collections.abc import Callable

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.linux import probe, queue_rule, redirect_rule, ruleset
from smartrouter.linux.netlink import Netlink, number
from smartrouter.linux.nftables import expression
from smartrouter.linux.probe import Finding


class Socket:
    """Stands where netlink would."""

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Finding]]:
    """`kernel(native=…, xtables=…, queues=…, conntrack=…, fib=…, log=…)`: what is found on such a one."""

    def examined(
        native: bool,
        xtables: bool,
        queues: bool = True,
        conntrack: bool = True,
        fib: bool = True,
        log: bool = True,
    ) -> dict[str, Finding]:
        monkeypatch.setattr(probe, "Netlink", Socket)
        monkeypatch.setattr(queue_rule, "has_native_queue", lambda link: native)
        monkeypatch.setattr(queue_rule, "has_xt_target", lambda link: xtables)
        monkeypatch.setattr(queue_rule, "has_queues", lambda link: queues)
        monkeypatch.setattr(queue_rule, "has_log", lambda link: log)
        takes = {probe._CT_STATE: conntrack, probe._FIB_SOURCE: fib}
        monkeypatch.setattr(queue_rule, "takes", lambda link, statement: takes[statement])
        monkeypatch.setattr(ruleset, "try_out", lambda plan, native: None)
        monkeypatch.setattr(probe, "nft_version", lambda: "1.0.6")
        return {finding.name: finding for finding in probe.examine()}

    return examined


@pytest.mark.parametrize(
    ("native", "xtables", "ok", "text"),
    [
        (True, False, True, "nft_queue)"),
        (True, True, True, "nft_queue)"),
        (False, True, True, "xtables target NFQUEUE"),
        (False, False, False, "install the module nft_queue"),
    ],
)
def test_the_way_into_the_queue_is_named(
    kernel: Callable[..., dict[str, Finding]], native: bool, xtables: bool, ok: bool, text: str
) -> None:
    finding = kernel(native, xtables)["queue statement"]
    assert finding.ok is ok
    assert text in finding.text


def test_what_is_missing_comes_with_what_to_install(kernel: Callable[..., dict[str, Finding]]) -> None:
    found = kernel(True, True, queues=False, conntrack=False, fib=False, log=False)
    assert not found["queues"].ok
    assert "kmod-nfnetlink-queue" in found["queues"].text
    assert not found["connection tracking"].ok
    assert "nf_conntrack" in found["connection tracking"].text
    assert not found["packet log"].ok
    assert "kmod-nfnetlink-log" in found["packet log"].text
    assert not found["source check"].ok
    assert "kmod-nft-fib" in found["source check"].text


@pytest.mark.parametrize("can", [True, False])
def test_whether_it_can_redirect_is_said(monkeypatch: pytest.MonkeyPatch, can: bool) -> None:
    monkeypatch.setattr(probe, "Netlink", Socket)
    monkeypatch.setattr(redirect_rule, "has_redirect", lambda link: can)
    finding = probe.redirection()
    assert finding.ok is can
    assert can or "kmod-nft-nat" in finding.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may ask the kernel")
@pytest.mark.netns
def test_a_kernel_is_asked_for_just_what_the_rules_hold() -> None:
    """What it refuses is told apart from what it takes: here a look-up of routes with no such result."""
    unknown = expression("fib", number(1, 1), number(2, 9), number(3, 1))
    with Netlink() as link:
        assert queue_rule.takes(link, probe._FIB_SOURCE)
        assert not queue_rule.takes(link, unknown)


def test_without_the_program_nft_nothing_else_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartrouter.linux.program.find", lambda name: None)
    assert probe.examine()[-1] == Finding(
        "packet rules", False, "The program nft is missing: install nftables."
    )


def test_a_program_that_is_not_nft_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruleset, "nft_path", lambda: "/bin/false")
    with pytest.raises(Unavailable, match="fails"):
        probe.nft_version()
