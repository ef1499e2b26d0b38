# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages on threats name only tests that there are, and leave out nothing that was promised."""

import ast
import re
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = (CHECKOUT / "docs" / "threats.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[a-z_/]+\.py)::([a-z0-9_]+)`", PAGE)))
TOPICS = [
    "resolver of its own choice", "device sends replies", "nobody asked for", "bailiwick", "rebinding", "CDN",
    "DNS rebinding of the web interface",
    "`fib`", "MAC", "odd TCP flags", "fragments", "extension headers", "GRE", "IPIP", "6in4", "SCTP",
    "one-way UDP", "privacy addresses", "rogue router advertisements", "hostile names", "control socket",
    "reads the store", "secrets",
]  # fmt: skip


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) > 50
    for path, name in NAMED:
        tree = ast.parse((CHECKOUT / path).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, (
            path,
            name,
        )


def test_every_threat_has_its_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| threat")]
    assert len(rows) > 35
    assert [row for row in rows if "::test_" not in row] == []


@pytest.mark.parametrize("topic", TOPICS)
def test_what_was_promised_is_there(topic: str) -> None:
    assert topic in PAGE


def test_what_is_not_covered_is_said() -> None:
    page = (CHECKOUT / "SECURITY.md").read_text(encoding="utf-8")
    for what in (
        "Covert use of an allowed destination",
        "never crosses the router",
        "Reporting",
        "threats.md",
    ):
        assert what in page
