# SPDX-License-Identifier: GPL-2.0-or-later
"""The feed's recipes: what they say of their packages, and what is in them."""

import fnmatch
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from openwrt.feed import CHECKOUT, FEED, RECIPES, SITE, filespecs, install, make, scan, script

import smartrouter

OURS = ["smartrouter", "smartrouter-analyzer", "smartrouter-notify", "smartrouter-web", "smartrouter-tools"]
PARTS = {
    "smartrouter": ["smartrouter.guard.daemon", "smartrouter.supervisor.daemon", "smartrouter.cli.status"],
    "smartrouter-analyzer": ["smartrouter.analyzer.daemon"],
    "smartrouter-notify": [
        "smartrouter.notify.slack",
        "smartrouter.notify.email",
        "smartrouter.notify.webhook",
    ],
    "smartrouter-web": ["smartrouter.web.daemon", "smartrouter.web.app"],
    "smartrouter-tools": ["smartrouter.replay", "smartrouter.lab.demo", "smartrouter.evaluate"],
}


def run(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """The interpreter with what is installed below `root`, and libraries, but not with the checkout."""
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    code = (
        "import sys; sys.path[:0] = [sys.argv[1]]; sys.path += sys.argv[2].split(':'); "
        "sys.argv[1:3] = []; exec(sys.argv.pop(1))"
    )
    return subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, str(root / SITE), ":".join(libraries), *words],
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
    )


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`installed(package, …)`: the root of a system with these, as bytecode alone; made once."""
    return cache(lambda *packages: install(list(packages), tmp_path_factory.mktemp("root")))


COMMAND = "from smartrouter.cli import main; sys.exit(main())"


@pytest.mark.parametrize("recipe", RECIPES)
def test_each_recipe_says_what_a_package_index_needs(recipe: str) -> None:
    packages = scan(recipe)
    assert packages
    for name, fields in packages.items():
        assert fields["PKG_LICENSE"], name
        assert re.fullmatch(r".+ <\S+@\S+>", fields["PKG_MAINTAINER"]), name
        assert len(fields["TITLE"]) <= 80, name
        assert fields["Description"] == "yes", name
        if recipe != "smartrouter":
            assert re.fullmatch("[0-9a-f]{64}", fields["PKG_HASH"]), name
            assert fields["PKG_SOURCE"].endswith(f"-{fields['PKG_VERSION']}.tar.gz")


def test_the_recipes_version_is_the_products() -> None:
    assert {fields["PKG_VERSION"] for fields in scan("smartrouter").values()} == {smartrouter.__version__}


def test_every_package_comes_with_its_sources() -> None:
    assert set(scan("smartrouter")) == {*OURS, *(f"{name}-src" for name in OURS)}


def test_what_a_package_needs_of_us_is_in_the_feed() -> None:
    ours = {name for recipe in RECIPES for name in scan(recipe)}
    elsewhere = {
        "ca-bundle", "firewall4", "kmod-nf-conntrack-netlink", "kmod-nfnetlink-log", "kmod-nft-core",
        "kmod-nft-fib", "kmod-nft-nat", "kmod-nft-queue", "libnetfilter-queue", "nftables-json",
        "python3-click", "python3-dns", "python3-h11", "python3-idna", "python3-jinja2",
        "python3-pyroute2", "python3-sniffio",
        "python3-typing-extensions", "rpcd-mod-file", "rpcd-mod-ucode", "ucode-mod-ubus", "scapy",
    }  # fmt: skip
    for recipe in RECIPES:
        for name, fields in scan(recipe).items():
            needs = {word.lstrip("+") for word in fields["DEPENDS"].split()}
            slices = {need for need in needs if re.fullmatch(r"python3-(light|[a-z0-9]+)", need)}
            assert needs - ours - elsewhere - slices == set(), name
    assert scan("smartrouter")["smartrouter"]["USERID"] == "smartrouter:smartrouter"


def test_a_recipe_without_its_fields_is_not_taken(tmp_path: Path) -> None:
    """That the stand-ins look at anything at all."""
    text = (FEED / "python-anyio" / "Makefile").read_text()
    broken = FEED / "python-anyio" / "broken.mk"
    try:
        for without in ("TITLE", "PKG_VERSION", "PYPI_NAME"):
            broken.write_text(re.sub(rf"^\s*{without}:=.*\n", "", text, flags=re.M))
            done = make("python-anyio", "-f", "broken.mk", "scan")
            assert done.returncode != 0
            assert without in done.stderr
    finally:
        broken.unlink()


def test_every_module_is_in_exactly_one_package(tmp_path: Path) -> None:
    places: dict[str, list[str]] = {}
    for package in OURS:
        root = install([package], tmp_path / package, sources=True)
        for path in (root / SITE).rglob("*"):
            if path.is_file():
                places.setdefault(str(path.relative_to(root / SITE)), []).append(package)
    assert {place: packages for place, packages in places.items() if len(packages) > 1} == {}
    tracked = subprocess.run(
        ["git", "ls-files", "smartrouter", "nft"], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    wanted = {
        f"smartrouter/{name}" if name.startswith("nft/") else name
        for name in tracked.stdout.split()
        if name != "smartrouter/nft"
    }
    left_out = {"smartrouter/makers/build.py", "smartrouter/makers/registries.py"}  # what makes the table
    assert wanted - set(places) == left_out


@pytest.mark.parametrize("package", PARTS)
def test_bytecode_alone_runs(package: str, installed: Callable[..., Path]) -> None:
    before = ["smartrouter", "smartrouter-analyzer"]
    root = installed(*dict.fromkeys([*before[: before.index(package) if package in before else 2], package]))
    assert list((root / SITE).rglob("*.py")) == []
    for module in PARTS[package]:
        done = run(root, f"import {module} as module; print(module.__file__)")
        assert done.stderr == "", module
        assert done.stdout.strip().startswith(str(root)), module
    done = run(root, COMMAND, "--version")
    assert done.stdout.strip() == f"smartrouter {smartrouter.__version__}"


def test_the_ruleset_and_the_makers_are_found_beside_bytecode(installed: Callable[..., Path]) -> None:
    root = installed("smartrouter", "smartrouter-analyzer")
    done = run(
        root,
        "from smartrouter.linux.ruleset import Plan, render; from smartrouter.makers import Makers; "
        "print(len(render(Plan(('br-lan',)), True)), repr(Makers().problem))",
    )
    assert done.stderr == ""
    size, problem = done.stdout.split()
    assert int(size) > 10_000
    assert problem == "''"


def test_the_guard_alone_says_what_is_not_there(installed: Callable[..., Path], tmp_path: Path) -> None:
    root = installed("smartrouter")
    config = tmp_path / "config"
    config.write_text("config smartrouter 'main'\n\tlist device 'lo'\n")
    files = ["--config", str(config), "--run-dir", str(tmp_path)]
    for words, package in (
        (["digest", *files], "smartrouter-analyzer"),
        (["analyzer", *files], "smartrouter-analyzer"),
        (["replay", "x.pcap"], "smartrouter-tools"),
        (["demo"], "smartrouter-tools"),
    ):
        done = run(root, COMMAND, *words)
        assert done.returncode == 1, words
        assert done.stderr.strip().endswith(f"install the package {package}"), done.stderr
    done = run(root, COMMAND, "doctor", "--json", *files)
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert "smartrouter-analyzer" in checks["parts"]["mend"]
    assert checks["libraries"]["level"] == "ok"
    done = run(
        root,
        "from smartrouter.supervisor.daemon import usual_parts; print([p.name for p in usual_parts('', '')])",
    )
    assert done.stdout.strip() == "['guard']"


def test_a_channel_that_is_not_there_is_named_with_its_package(
    installed: Callable[..., Path], tmp_path: Path
) -> None:
    root = installed("smartrouter", "smartrouter-analyzer")
    config = tmp_path / "config"
    config.write_text(
        "config smartrouter 'main'\n\tlist device 'lo'\nconfig notify\n\toption type 'webhook'\n"
        "\toption channel 'https://hooks.example/x'\n"
    )
    done = run(root, COMMAND, "doctor", "--config", str(config), "--run-dir", str(tmp_path))
    assert "smartrouter-notify" in done.stdout


def test_the_files_are_where_openwrt_looks_for_them(installed: Callable[..., Path]) -> None:
    root = installed("smartrouter", "smartrouter-analyzer")
    modes = {
        "etc/config/smartrouter": 0o600,
        "etc/init.d/smartrouter": 0o755,
        "etc/uci-defaults/90-smartrouter": 0o755,
        "etc/hotplug.d/iface/90-smartrouter": 0o644,
        "etc/hotplug.d/dhcp/90-smartrouter": 0o644,
        "etc/capabilities/smartrouter.json": 0o644,
        "lib/upgrade/keep.d/smartrouter": 0o644,
        "usr/bin/smartrouter": 0o755,
        "usr/share/acl.d/smartrouter.json": 0o644,
        "usr/share/rpcd/acl.d/smartrouter.json": 0o644,
        "usr/share/rpcd/ucode/smartrouter.uc": 0o644,
    }
    for place, mode in modes.items():
        assert (root / place).stat().st_mode & 0o777 == mode, place
    assert scan("smartrouter")["smartrouter"]["Conffiles"] == "/etc/config/smartrouter"
    assert (root / "usr/bin/smartrouter").read_text().startswith("#!/usr/bin/python3\n")
    capabilities = json.loads((root / "etc/capabilities/smartrouter.json").read_text())
    assert set(capabilities) == {"bounding", "effective", "permitted", "inheritable", "ambient"}


def test_a_package_brings_no_empty_folder(installed: Callable[..., Path]) -> None:
    """OpenWrt would take it away: what is to be there is made by who needs it."""
    text = (FEED / "smartrouter" / "Makefile").read_text()
    for folder in re.findall(r"\$\(1\)(/[\w./-]+)", text):
        assert (installed(*OURS[:2]) / folder.lstrip("/")).exists(), folder


@pytest.mark.parametrize("name", ["postinst", "postrm"])
@pytest.mark.parametrize("image", ["", "/somewhere"], ids=["on a router", "into an image"])
def test_rpcd_takes_the_plugin_up_when_it_comes_and_lets_it_go_with_the_package(
    name: str, image: str, tmp_path: Path
) -> None:
    rpcd = tmp_path / "rpcd"
    rpcd.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/said\nexit 1\n')
    rpcd.chmod(0o755)
    text = script("smartrouter", name)
    assert text.startswith("#!/bin/sh\n")
    done = subprocess.run(
        ["sh", "-u", "-c", text.replace("/etc/init.d/rpcd", str(rpcd))],
        env=os.environ | {"IPKG_INSTROOT": image}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    said = tmp_path / "said"
    assert (said.read_text() if said.exists() else "") == ("" if image else "reload\n")
    for package in OURS[1:]:
        assert script(package, name) == ""


@pytest.mark.parametrize("wheel", ["NetfilterQueue-1.1.0-cp311-cp311", "netfilterqueue-1.1.0-cp313-cp313"])
def test_the_wheel_is_found_as_either_setuptools_spells_it(wheel: str) -> None:
    fields = scan("python-netfilterqueue")["python3-netfilterqueue"]
    pattern = f"{fields['PYTHON3_PKG_WHEEL_NAME']}-{fields['PKG_VERSION']}-*.whl"
    assert fnmatch.fnmatchcase(f"{wheel}-linux_x86_64.whl", pattern)


def test_a_change_of_the_checkout_builds_the_package_anew() -> None:
    """OpenWrt looks for changes beside the recipe, and where the recipe tells it to."""
    text = (FEED / "smartrouter" / "Makefile").read_text()
    (looked,) = re.findall(r"^PKG_FILE_DEPENDS:=(.+)$", text, re.M)
    copied = {
        word
        for line in re.findall(r"^\t\$\(CP\) (\$\(SMARTROUTER_SOURCE\).+) \S+$", text, re.M)
        for word in line.split()
    }
    assert set(looked.split()) == copied - {"$(SMARTROUTER_SOURCE)/LICENSE"}
    for place in looked.split():
        assert (FEED / "smartrouter" / place.replace("$(SMARTROUTER_SOURCE)", "../..")).is_dir()


def test_the_recipes_of_libraries_are_of_versions_that_we_work_with() -> None:
    for recipe, name in (
        ("python-netfilterqueue", "NetfilterQueue"),
        ("python-slack-sdk", "slack_sdk"),
        ("python-publicsuffixlist", "publicsuffixlist"),
    ):
        wanted = next(iter(scan(recipe).values()))["PKG_VERSION"]
        assert importlib.metadata.version(name).split(".")[0] == wanted.split(".")[0]


def test_only_files_that_a_recipe_installs_lie_beside_it() -> None:
    text = (FEED / "smartrouter" / "Makefile").read_text()
    named = set(re.findall(r"\./files/(\S+)", text))
    there = {path.name for path in (FEED / "smartrouter" / "files").iterdir()}
    assert {name for name in there if name.startswith("smartrouter")} - named == set()
    assert named - there == set()
    assert os.access(FEED / "smartrouter" / "test.sh", os.X_OK)
    assert set(filespecs("smartrouter")) == set(OURS)
