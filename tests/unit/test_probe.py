# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of a system that lacks something; what is said of this one is a network test."""

from collections.abc import Callable

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.linux import probe, queue_rule, ruleset
from smartrouter.linux.probe import Finding


class Socket:
    """Stands where netlink would."""

    def __enter__(self) -> "Socket":
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Finding]]:
    """`kernel(native=…, xtables=…, queues=…, conntrack=…)`: what is found on such a one."""

    def examined(
        native: bool, xtables: bool, queues: bool = True, conntrack: bool = True
    ) -> dict[str, Finding]:
        monkeypatch.setattr(probe, "Netlink", Socket)
        monkeypatch.setattr(queue_rule, "has_native_queue", lambda link: native)
        monkeypatch.setattr(queue_rule, "has_xt_target", lambda link: xtables)
        monkeypatch.setattr(queue_rule, "has_queues", lambda link: queues)
        monkeypatch.setattr(queue_rule, "takes", lambda link, statement: conntrack)
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
    found = kernel(True, True, queues=False, conntrack=False)
    assert not found["queues"].ok
    assert "kmod-nfnetlink-queue" in found["queues"].text
    assert not found["connection tracking"].ok
    assert "nf_conntrack" in found["connection tracking"].text


def test_without_the_program_nft_nothing_else_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *a, **k: None)
    assert probe.examine()[-1] == Finding(
        "packet rules", False, "The program nft is missing: install nftables."
    )


def test_a_program_that_is_not_nft_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ruleset, "nft_path", lambda: "/bin/false")
    with pytest.raises(Unavailable, match="fails"):
        probe.nft_version()
