# SPDX-License-Identifier: GPL-2.0-or-later
"""The ruleset that is kept for the next boot: what stands in it, and what does not."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from smartrouter.core.errors import BadConfig
from smartrouter.core.events import Pair, Shortcut
from smartrouter.linux import kept_ruleset
from smartrouter.linux.ruleset import Plan, render

TV = "cc:44:63:ea:63:63"
PLAN = Plan(("br-lan",), on_failure="closed", watched=frozenset({TV}))
WEB = Pair(TV, "203.0.113.7", 6, 443)


def elements(text: str) -> dict[str, list[str]]:
    """What is added to each set, besides its members."""
    found = re.findall(r"^add element inet smartrouter (\w+) \{ (.*) \}$", text, re.MULTILINE)
    by_set: dict[str, list[str]] = {}
    for name, listed in found:
        if name.startswith(("known", "denied", "blocked")):
            by_set.setdefault(name, []).extend(listed.split(", "))
    return by_set


def test_it_is_the_ruleset_without_queues_and_then_the_pairs() -> None:
    text = kept_ruleset.text(PLAN, [(WEB, Shortcut.KNOWN)])
    assert text.startswith(render(PLAN, native_queue=False))
    assert "queue flags" not in text
    assert elements(text) == {"known4": [f"{TV} . 203.0.113.7 . 6 . 443 timeout 1d"]}


@pytest.mark.parametrize(
    ("pair", "shortcut", "name", "element"),
    [
        (Pair(TV, "2001:db8::7", 17, 123), Shortcut.KNOWN, "known6", f"{TV} . 2001:db8::7 . 17 . 123"),
        (Pair(TV, "203.0.113.7", 1, 0), Shortcut.KNOWN, "known_portless4", f"{TV} . 203.0.113.7 . 1"),
        (Pair(TV, "203.0.113.7", 6, 23), Shortcut.DENIED, "denied4", f"{TV} . 203.0.113.7 . 6 . 23"),
        (Pair(TV, "2001:db8::7", 58, 0), Shortcut.DENIED, "denied_portless6", f"{TV} . 2001:db8::7 . 58"),
    ],
    ids=["ipv6", "without port", "denied", "denied without port"],
)
def test_each_pair_is_in_its_set(pair: Pair, shortcut: Shortcut, name: str, element: str) -> None:
    assert elements(kept_ruleset.text(PLAN, [(pair, shortcut)])) == {name: [f"{element} timeout 1d"]}


def test_what_was_blocked_for_a_moment_is_not_kept() -> None:
    assert elements(kept_ruleset.text(PLAN, [(WEB, Shortcut.BLOCKED)])) == {}


def test_a_pair_that_the_kernel_listed_twice_is_there_once() -> None:
    assert len(elements(kept_ruleset.text(PLAN, [(WEB, Shortcut.KNOWN)] * 2))["known4"]) == 1


def test_what_is_no_pair_never_becomes_nft_syntax() -> None:
    with pytest.raises(ValueError, match="not a pair"):
        kept_ruleset.text(PLAN, [(Pair(TV, "203.0.113.7 } ; flush ruleset", 6, 443), Shortcut.KNOWN)])
    with pytest.raises(BadConfig):
        kept_ruleset.text(PLAN._replace(lan=('x"; }',)), [])


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the kernel is asked")
def test_nft_takes_ten_thousand_pairs_and_they_are_what_is_kept_again(tmp_path: Path) -> None:
    pairs = [(Pair(TV, f"203.0.{n >> 8}.{n & 255}", 6, 443), Shortcut.KNOWN) for n in range(10_000)]
    first, second = tmp_path / "first.nft", tmp_path / "second.nft"
    first.write_text(kept_ruleset.text(PLAN, pairs))
    script = (
        "from smartrouter.linux import kept_ruleset\n"
        "from smartrouter.linux.ruleset import Plan\n"
        "plan = Plan(('br-lan',), on_failure='closed')\n"
        f"print(kept_ruleset.keep({str(second)!r}, plan), kept_ruleset.keep({str(second)!r}, plan))\n"
    )
    command = f'nft -f {first} && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", command, sys.executable, script],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.stderr == ""
    assert done.stdout.split() == [str(second.stat().st_size), "0"]  # the second time nothing was new
    assert sorted(elements(second.read_text())["known4"]) == sorted(elements(first.read_text())["known4"])
    assert f"add element inet smartrouter watched {{ {TV} }}" in second.read_text()


def test_it_can_be_taken_away_and_need_not_be_there(tmp_path: Path) -> None:
    path = tmp_path / "ruleset.nft"
    path.write_text("kept")
    kept_ruleset.drop(str(path))
    kept_ruleset.drop(str(path))
    assert not path.exists()
