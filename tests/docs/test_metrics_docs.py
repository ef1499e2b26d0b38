# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/metrics.md lists every metric that there is, and no other; docs/volume.md every key."""

import re
from pathlib import Path

from smartrouter.core.uploads import ENOUGH, FACTOR, FLOOR, MAX_DESTINATIONS
from smartrouter.guard.volume import MAX_OPEN, Volume

CHECKOUT = Path(__file__).resolve().parents[2]
DOCS = CHECKOUT / "docs"
HELPERS = {"gauge": "", "gauges": "", "counter": "_total", "counters": "_total"}


def test_every_metric_is_listed_and_no_other() -> None:
    source = "".join(path.read_text() for path in (CHECKOUT / "smartrouter" / "metrics").glob("*.py"))
    made = {
        f"smartrouter_{name}{HELPERS[helper]}"
        for helper, name in re.findall(r"\b(gauges?|counters?)\(\s*\"(\w+)\"", source)
    }
    made |= set(re.findall(r"(?:family|histogram)\(\s*\"(smartrouter_\w+)\"", source))
    listed = re.findall(r"^\| `(smartrouter_\w+)` \|", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert set(listed) == made


def test_every_key_of_the_counting_is_explained() -> None:
    page = (DOCS / "volume.md").read_text()
    for key in Volume((), dict, list).status():
        assert f"`{key}`" in page


def test_the_figures_are_those_that_are_named() -> None:
    page = (DOCS / "volume.md").read_text()
    assert f"max({FLOOR // 10**6} MB, {FACTOR} × the busiest hour)" in page
    assert ENOUGH == 6
    assert "**Six hours at least**" in page
    assert f"{MAX_DESTINATIONS:,} destinations" in page
    assert f"{MAX_OPEN:,} at most" in page
