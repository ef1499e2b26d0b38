# SPDX-License-Identifier: GPL-2.0-or-later
"""The whole product with no more of root's rights than systemd, and OpenWrt's jail, leave it."""

import json
from pathlib import Path
from typing import Any

import pytest
from netns.guard_lab import KNOWN, VERSIONS, learned_home

from smartrouter.lab.product import Product
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns

FILES = Path(__file__).resolve().parents[2] / "openwrt-package" / "smartrouter" / "files"


def test_it_needs_no_other_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    allowed = json.loads((FILES / "smartrouter.capabilities.json").read_text())["bounding"]
    names = ",".join(f"+{name.removeprefix('CAP_').lower()}" for name in allowed)
    usual = Product._argv

    def confined(self: Product, command: str, *arguments: str) -> list[Any]:
        words = usual(self, command, *arguments)
        at = words.index("smartrouter") - 2  # the interpreter; what is before mounts something for the test
        return [*words[:at], "setpriv", f"--bounding-set=-all,{names}", "--no-new-privs", *words[at:]]

    monkeypatch.setattr(Product, "_argv", confined)
    with learned_home() as home:
        for version in VERSIONS:
            assert home.camera.connect(KNOWN[version == 6], 443).ok
            assert home.visit(home.camera, "stranger.example", version).result == Result.REFUSED
        assert home.product.command("deny", home.camera.mac, "cloud.maker.example").returncode == 0
        assert home.camera.connect(KNOWN[0], 443).result == Result.REFUSED
        assert home.product.stop() == 0
        assert not home.product.has_table()
