# SPDX-License-Identifier: GPL-2.0-or-later
"""The files of the LuCI application fit together, and the settings page has every option of the table."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from openwrt.rpcd import CHECKOUT, NODE, PACKAGES, needs_node
from openwrt.template import APPLICATION, template

from smartrouter.config.luci import page, pattern_of
from smartrouter.config.options import Option, options_of
from smartrouter.config.sections import SECTIONS

RESOURCES = APPLICATION / "htdocs" / "luci-static" / "resources"
VIEWS = {path.stem for path in (RESOURCES / "view" / "smartrouter").glob("*.js")}
SOURCES = sorted(RESOURCES.glob("**/*.js"))


def read(path: str) -> Any:
    return json.loads((APPLICATION / "root" / path).read_text())


MENU = read("usr/share/luci/menu.d/luci-app-smartrouter.json")
RIGHTS = read("usr/share/rpcd/acl.d/luci-app-smartrouter.json")


def test_each_view_has_its_place_in_the_menu_and_the_reverse() -> None:
    shown = {entry["action"]["path"] for entry in MENU.values() if entry["action"]["type"] == "view"}
    assert shown == {f"smartrouter/{view}" for view in VIEWS}
    assert {"overview", "devices", "alerts", "settings"} == VIEWS
    beginning = MENU["admin/services/smartrouter"]
    assert beginning["action"]["path"] in MENU
    orders = [entry["order"] for path, entry in MENU.items() if path.count("/") == 3]
    assert orders == sorted(set(orders))


def test_the_menu_asks_for_rights_that_exist() -> None:
    wanted = {right for entry in MENU.values() for right in entry.get("depends", {}).get("acl", [])}
    assert wanted == set(RIGHTS)
    # LuCI shows buttons by the rights of the page that is open.
    assert all(entry["depends"]["acl"] for entry in MENU.values())


def test_who_may_look_and_decide_need_not_see_the_secrets() -> None:
    looks, changes = RIGHTS["luci-app-smartrouter"], RIGHTS["luci-app-smartrouter-settings"]
    own = json.loads((PACKAGES / "smartrouter" / "files" / "smartrouter.rpcd.json").read_text())[
        "smartrouter"
    ]
    assert {key: looks[key] for key in ("read", "write")} == {key: own[key] for key in ("read", "write")}
    assert changes["read"] == {"uci": ["network", "smartrouter"]}
    assert changes["write"] == {"uci": ["smartrouter"]}
    settings = (RESOURCES / "view" / "smartrouter" / "settings.js").read_text()
    others = [path.read_text() for path in SOURCES if path.stem not in ("settings", "options")]
    assert "'require uci';" in settings
    assert not [text for text in others if "uci" in text or "require fs" in text]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_source_keeps_luci_s_form(path: Any) -> None:
    text = path.read_text()
    assert text.startswith("'use strict';\n'require ")
    assert "SPDX-License-Identifier: GPL-2.0-or-later" in text[:400]
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", text)
    assert not [line for line in text.splitlines() if line != line.rstrip() or line.startswith("    ")]
    written, found = len(re.findall(r"\b_\(", text)), len(re.findall(r"\b_\('(?:[^'\\]|\\.)*'\)", text))
    assert written == found, "a text to translate is one literal in single quotes"


ESLINT = CHECKOUT / "tests" / "openwrt" / "node_modules" / "eslint" / "bin" / "eslint.js"


def lint(*arguments: str | Path, given: str = "") -> tuple[int, str]:
    config = CHECKOUT / "tests" / "openwrt" / "eslint.config.js"
    command = [str(NODE), str(ESLINT), "--config", str(config), "--max-warnings", "0", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=CHECKOUT, input=given, capture_output=True, text=True, timeout=100, check=False
    )
    return done.returncode, done.stdout + done.stderr


@needs_node
@pytest.mark.skipif(not ESLINT.exists(), reason="eslint is not installed: `make test` does, where npm is")
def test_the_sources_pass_the_linter_and_what_is_wrong_does_not() -> None:
    assert lint(*SOURCES, *sorted((CHECKOUT / "tests" / "openwrt").glob("*.js"))) == (0, "")
    wrong = (
        "'use strict';\n'require view';\n'require dom';\nreturn view.extend({ load() { return rpc; } });\n"
    )
    status, said = lint("--stdin", "--stdin-filename", str(SOURCES[0]), given=wrong)
    assert status == 1
    assert "'rpc' is not defined" in said
    assert "dom is required, and not used" in said


def test_the_template_of_translations_is_that_of_the_sources() -> None:
    written = (APPLICATION / "po" / "templates" / "smartrouter.pot").read_text()
    assert written == template(), "run: make docs"
    identities = re.findall(r'^msgid "(.+)"$', written, re.MULTILINE)
    assert len(identities) == len(set(identities)) > 100
    assert not [text for text in identities if re.search(r"  |^ | $|\\n", text)]


def test_the_makefile_is_that_of_a_luci_application_outside_luci_s_tree() -> None:
    text = (APPLICATION / "Makefile").read_text()
    assert "include $(TOPDIR)/feeds/luci/luci.mk" in text
    assert re.search(r"^LUCI_DEPENDS:=\+luci-base \+smartrouter$", text, re.MULTILINE)
    version = re.search(
        r'^__version__ = "(.+)"', (CHECKOUT / "smartrouter" / "__init__.py").read_text(), re.MULTILINE
    )
    assert version is not None
    assert f"PKG_VERSION:={version[1]}\n" in text


MAKEFILE = PACKAGES / "smartrouter" / "Makefile"


@pytest.mark.skipif(not MAKEFILE.exists(), reason="there is no Makefile of the package smartrouter")
def test_the_package_installs_the_ubus_object_and_its_rights_with_what_they_need() -> None:
    text = MAKEFILE.read_text()
    for file, place in (
        ("smartrouter.uc", "/usr/share/rpcd/ucode/smartrouter.uc"),
        ("smartrouter.rpcd.json", "/usr/share/rpcd/acl.d/smartrouter.json"),
    ):
        assert re.search(rf"{re.escape(file)}\s+\$\(1\){re.escape(place)}", text), file
    for package in ("rpcd-mod-file", "rpcd-mod-ucode", "ucode-mod-ubus"):
        assert f"+{package}" in text, package


# -- the options -------------------------------------------------------------------------------------------

OPTIONS = [(name, option) for name, section in SECTIONS.items() for option in options_of(section)]


def test_the_options_are_those_of_the_table() -> None:
    written = (RESOURCES / "smartrouter" / "options.js").read_text()
    assert written == page(), "run: make docs"


RIGHT = {
    "smartrouter.learning": ["auto", "14d", "1d12h", "36h"],
    "smartrouter.name_grace": ["0s", "7d", "1h30m"],
    "smartrouter.network": ["lan", "br-lan.10", "eth0", "wlan0-1"],
    "smartrouter.resolver": ["9.9.9.9", "2620:fe::fe", "::1", "::ffff:192.0.2.1"],
    "smartrouter.pass_mark": ["0x40000000", "0x00000001", "0X8", "1073741824"],
    "smartrouter.workers": ["auto", "1", "16"],
    "smartrouter.database": ["/var/lib/smartrouter/smartrouter.db", "/a"],
    "smartrouter.max_size": ["512M", "1G", "64K"],
    "device.mac": ["3c:2e:ff:29:4d:93", "3C-2E-FF-29-4D-93"],
    "device.name": ["Living-room TV", "Küche"],
    "device.mute_until": ["2026-12-24T18:00:00Z", "1999-01-01T00:00Z"],
    "rule.device": ["*", "3c:2e:ff:29:4d:93"],
    "rule.destination": [
        "netflix.com", "*.netflix.com", "bücher.example", "192.0.2.1", "203.0.113.0/24", "2001:db8::/32",
        "::", "*", "_tls.example", "localhost",
    ],
    "rule.service": ["web", "tcp/8883", "udp/123", "icmp", "6in4", "proto-255"],
    "notify.token": ["xoxb-1", "a-long-random-text"],
    "notify.channel": ["#alerts", "https://hooks.example.org/x y"],
    "notify.url": ["https://ntfy.example", "http://192.168.1.2:8080"],
    "notify.name": ["home-automation", "a.b_c"],
    "notify.per_minute": ["1", "20", "99", "100", "600"],
    "notify.quiet_from": ["00:00", "22:00"],
    "web.listen": ["lan", "192.168.1.1:8081", "[fd00::1]:8081"],
    "web.password_hash": ["scrypt$x"],
    "web.host": ["router.lan", "router"],
    "web.allow_from": ["10.8.0.0/24", "fd00::/8"],
    "web.token": [f"grafana:metrics:{'0' * 64}", f"a.b:read,decide:{'f' * 64}"],
}  # fmt: skip
WRONG = {
    "smartrouter.learning": ["never", "14", "0s", "d", "1h 30m", "1h1d"],
    "smartrouter.name_grace": ["x", "7 d", "1w"],
    "smartrouter.network": ["-lan", "a b", "x" * 16],
    "smartrouter.resolver": ["example.org", "9.9.9", "9.9.9.9/32"],
    "smartrouter.pass_mark": ["0x3", "0", "x", "0x100000000"],
    "smartrouter.workers": ["0", "17", "many"],
    "smartrouter.database": ["smartrouter.db", "/var/"],
    "smartrouter.max_size": ["512", "0M", "5T"],
    "device.mac": ["3d:2e:ff:29:4d:93", "3c:2e:ff:29:4d", "*"],
    "device.name": ["x" * 201],
    "device.mute_until": ["tomorrow", "2026-12-24"],
    "rule.device": ["tv"],
    "rule.destination": ["http://a.example", "a b"],
    "rule.service": ["https!", "tcp/0", "TCP/80"],
    "notify.token": ["a b", "é"],
    "notify.url": ["ftp://x", "example.org"],
    "notify.name": ["-a", "a b"],
    "notify.per_minute": ["0", "601", "x"],
    "notify.quiet_from": ["24:00", "7:00"],
    "web.listen": ["wan", "192.168.1.1"],
    "web.password_hash": ["md5$x"],
    "web.host": ["a b", "-a", ".lan"],
    "web.allow_from": ["lan", "10.8.0/24"],
    "web.token": ["grafana", f"grafana:metrics:{'0' * 63}"],
}


def of(key: str) -> Option:
    return next(option for name, option in OPTIONS if f"{name}.{option.name}" == key)


def test_every_pattern_is_tried_below() -> None:
    tried = {pattern_of(of(key)) for key in RIGHT}
    assert {pattern_of(option) for _, option in OPTIONS} - {""} - tried == {
        pattern_of(of("smartrouter.retention"))
    }
    assert WRONG.keys() | {"notify.channel"} == RIGHT.keys()


@pytest.mark.parametrize("key", RIGHT)
def test_a_pattern_takes_what_the_reader_takes(key: str) -> None:
    for text in RIGHT[key]:
        of(key).read(text)
        assert re.fullmatch(pattern_of(of(key)), text), text


@pytest.mark.parametrize("key", WRONG)
def test_a_pattern_refuses_only_what_the_reader_refuses(key: str) -> None:
    for text in WRONG[key]:
        with pytest.raises(ValueError):
            of(key).read(text)
        assert not re.fullmatch(pattern_of(of(key)), text), text
