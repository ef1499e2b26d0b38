# SPDX-License-Identifier: GPL-2.0-or-later
"""Which organisation a MAC belongs to, by the table that ships."""

import compileall
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from counting import steps

from smartrouter.makers import REMEMBERED, TABLE, Makers
from smartrouter.makers.table import pack

SPLIT, LONGER = (0x001BC5, 24), (0x001BC50, 28)
SAMPLE = {
    SPLIT: "",
    (0x001BC5000, 36): "Converging Systems Inc.",
    (0x001BC5001, 36): "OpenRB.com, Direct SIA",
    (0x001788, 24): "Philips Lighting BV",
    (0xFCFEC2, 24): "Somebody",
    (0xFCFEC22, 28): "Invensys Controls UK Limited",
    (0xFCFEC22FF, 36): "Longest GmbH",
    (0xFCFFAA, 24): "The last Señor",
}


@pytest.fixture
def makers(tmp_path: Path) -> Makers:
    path = tmp_path / "table"
    path.write_bytes(pack(SAMPLE, "a sample"))
    return Makers(path)


@pytest.mark.parametrize(
    ("mac", "maker"),
    [
        ("00:17:88:24:76:ff", "Philips Lighting BV"),
        ("00:17:88:24:76:FF", "Philips Lighting BV"),
        ("00:1b:c5:00:0f:ff", "Converging Systems Inc."),
        ("00:1b:c5:00:1f:ff", "OpenRB.com, Direct SIA"),
        ("00:1b:c5:ff:00:00", ""),
        ("fc:fe:c2:2a:00:01", "Invensys Controls UK Limited"),
        ("fc:fe:c2:2f:f0:01", "Longest GmbH"),
        ("fc:fe:c2:3a:00:01", "Somebody"),
        ("fc:ff:aa:00:00:01", "The last Señor"),
        ("fc:ff:ab:00:00:01", ""),
        ("34:29:8f:1e:41:25", ""),
        ("00:00:00:00:00:00", ""),
        ("", ""),
        ("00:17:88", ""),
        ("00:17:88:24:76:zz", ""),
        ("-0:17:88:24:76:ff", ""),
    ],
)
def test_the_longest_prefix_names_the_maker(makers: Makers, mac: str, maker: str) -> None:
    assert makers.of(mac) == maker


@pytest.mark.parametrize("first", ["02", "03", "01", "fe", "ff"])
def test_a_local_or_group_address_has_no_maker_whatever_the_table_says(tmp_path: Path, first: str) -> None:
    path = tmp_path / "table"
    path.write_bytes(pack({(int(first, 16) << 16 | 0x1788, 24): "Somebody"}, "a sample"))
    assert Makers(path).of(f"{first}:17:88:00:00:01") == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"", "is no table of makers"),
        (b"SRMAKERS", "is no table of makers"),
        (b"\x00" * 4096, "is no table of makers"),
    ],
)
def test_without_a_usable_table_nobody_has_a_maker_and_that_is_said(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "table"
    if content is not None:
        path.write_bytes(content)
    makers = Makers(path)
    assert said in makers.problem
    assert "install smartrouter again" in makers.problem
    assert makers.of("00:17:88:00:00:01") == ""


def test_the_table_that_ships_knows_well_known_makers() -> None:
    makers = Makers()
    assert makers.problem == ""
    assert makers.of("00:17:88:00:00:01") == "Philips Lighting BV"
    assert makers.of("5c:cf:7f:07:ae:fb") == "Espressif Inc."
    assert makers.of("00:50:c2:25:50:01") != ""  # an IAB: 36 bits, of the time before MA-S


def test_it_is_found_where_a_package_holds_bytecode_only(tmp_path: Path) -> None:
    """As OpenWrt's packages do."""
    home = TABLE.parents[1]
    for name in ("__init__.py", "core/__init__.py", "core/errors.py", "makers"):
        to = tmp_path / "smartrouter" / name
        to.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (home / name).is_dir() else shutil.copy)(home / name, to)
    compileall.compile_dir(tmp_path, quiet=1, legacy=True)
    for source in tmp_path.rglob("*.py"):
        source.unlink()
    script = "from smartrouter import makers; print(makers.__file__, makers.Makers().of('00:17:88:00:00:01'))"
    # Without `site`, which would find this checkout.
    command = [sys.executable, "-S", "-c", script]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert said.strip() == f"{tmp_path}/smartrouter/makers/__init__.pyc Philips Lighting BV"


def test_the_table_that_ships_is_small_on_disk_and_in_memory_and_soon_there() -> None:
    script = """if True:
        from pathlib import Path
        def resident():
            return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
        from smartrouter.makers import Makers
        before = resident()
        Makers().of("00:17:88:00:00:01")
        print(resident() - before)
    """
    grown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert int(grown) < 1.5 * (1 << 20)  # 0.9 MiB where it was measured
    assert TABLE.stat().st_size < 600_000


def test_a_look_up_takes_few_steps_however_many_makers_there_are() -> None:
    makers = Makers()

    def look_up() -> None:
        for number in range(200):
            makers.of(f"00:17:{number:02x}:00:00:01")

    assert steps(look_up) < 200 * 150


def test_only_so_many_makers_are_remembered(makers: Makers) -> None:
    for number in range(REMEMBERED + 100):
        makers.of(f"00:17:88:00:{number >> 8:02x}:{number & 255:02x}")
    assert makers.of.cache_info().currsize == REMEMBERED
