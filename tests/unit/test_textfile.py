# SPDX-License-Identifier: GPL-2.0-or-later
"""The alert file in its old form, whatever the network sends and the disk does."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.notify import textfile
from smartrouter.notify.textfile import LONGEST_DETAIL, OLDER, append, destination, line

MAC = "cc:44:63:ea:63:63"


@pytest.fixture
def stockholm() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("stockholm")
@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        (
            "am2-005-edge.digitalhub.com",
            1522174885.473550,
            "cc:44:63:ea:63:63 -> am2-005-edge.digitalhub.com @ 2018-03-27 20:21:25.473550",
        ),
        (
            "",
            1522174885.473550,
            "cc:44:63:ea:63:63 -> UNRESOLVED(108.177.127.97) @ 2018-03-27 20:21:25.473550",
        ),
        ("a.example", 1514764800.0, "cc:44:63:ea:63:63 -> a.example @ 2018-01-01 01:00:00.000000"),
        ("a.example", 0.0, "cc:44:63:ea:63:63 -> a.example @ 1970-01-01 01:00:00.000000"),
    ],
)
def test_a_line_has_the_form_that_scripts_read(name: str, at: float, expected: str) -> None:
    assert line(MAC, destination(name, "108.177.127.97", "new-destination", ""), at) == expected


@pytest.mark.usefixtures("stockholm")
def test_what_is_about_the_router_says_so_in_place_of_a_mac() -> None:
    what = destination("", "", "accounting", "3 packets")
    assert line("", what, 0.0) == "router -> accounting (3 packets) @ 1970-01-01 01:00:00.000000"


@pytest.mark.parametrize(
    ("name", "group", "kind", "detail", "what"),
    [
        ("a.example.com", "example.com", "new-destination", "", "a.example.com"),
        ("", "2001:db8::7", "new-destination", "", "UNRESOLVED(2001:db8::7)"),
        ("", "9.9.9.9", "foreign-resolver", "", "UNRESOLVED(9.9.9.9)"),
        ("", "tunnel.example", "dns-tunnel", "900 names", "tunnel.example"),
        ("", "", "scan", "254 addresses, tcp/23", "scan (254 addresses, tcp/23)"),
        ("", "", "repeater", "", "repeater"),
    ],
)
def test_what_has_no_name_is_told_by_the_next_best_thing(
    name: str, group: str, kind: str, detail: str, what: str
) -> None:
    assert destination(name, group, kind, detail) == what


HOSTILE = [
    "a.example\ncc:44:63:ea:63:63 -> fine.example @ 2018-03-27 20:21:25.473550",
    "a.example @ 2018-03-27 20:21:25.473550",
    "a\r\x1b[2Jb\x00\x7f\x9b",
    "\u202emoc.elgoog",
    "a\u2028b\u0085c",
    "\ud800",
    "ü.example",
]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_stays_inside_its_place(tmp_path: Path, hostile: str) -> None:
    path = tmp_path / "alerts.txt"
    made = [
        line(MAC, destination(hostile, "192.0.2.1", "new-destination", ""), 0.0),
        line(MAC, destination("", hostile, "dns-tunnel", ""), 0.0),
    ]
    append(str(path), made)
    text = path.read_bytes()
    assert text == "".join(f"{each}\n" for each in made).encode("ascii")
    assert re.fullmatch(rb"(cc:44:63:ea:63:63 -> [!-~]+ @ [0-9-]{10} [0-9:.]{15}\n){2}", text)


@pytest.mark.parametrize("hostile", [*HOSTILE, ") @ 2018-03-27 20:21:25.473550", "x" * 5000, "a -> b"])
def test_a_hostile_detail_stays_inside_its_brackets(tmp_path: Path, hostile: str) -> None:
    path = tmp_path / "alerts.txt"
    made = line(MAC, destination("", "", "scan", hostile), 0.0)
    append(str(path), [made])
    text = path.read_text("ascii")
    assert text == made + "\n"
    assert re.fullmatch(r"cc:44:63:ea:63:63 -> scan \([ -?A-~]+\) @ [0-9-]{10} [0-9:.]{15}\n", text)
    assert len(re.findall("[@()>]", text)) == 4
    assert len(text) < len(MAC) + 4 * LONGEST_DETAIL + 60


def test_no_control_character_gets_into_the_file_by_any_way(tmp_path: Path) -> None:
    path = tmp_path / "alerts.txt"
    append(str(path), ["one\ntwo\x1b", "three"])
    assert path.read_bytes() == b"one\\010two\\027\nthree\n"


def test_lines_are_added(tmp_path: Path) -> None:
    path = tmp_path / "alerts.txt"
    append(str(path), ["one", "two"])
    append(str(path), [])
    append(str(path), ["three"])
    assert path.read_text() == "one\ntwo\nthree\n"


@pytest.mark.parametrize("umask", [0o000, 0o007, 0o077])
def test_the_file_is_the_owners_to_write_and_the_groups_to_read(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "alerts.txt"
    before = os.umask(umask)
    try:
        append(str(path), ["one"])
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_exists_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "alerts.txt"
    path.touch()
    path.chmod(0o604)
    append(str(path), ["one"])
    assert path.stat().st_mode & 0o777 == 0o604


def test_a_file_that_was_rotated_away_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "alerts.txt"
    append(str(path), ["one"])
    path.rename(tmp_path / "alerts.txt.1")
    append(str(path), ["two"])
    assert path.read_text() == "two\n"
    assert (tmp_path / "alerts.txt.1").read_text() == "one\n"


def test_a_full_file_makes_way_and_the_oldest_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(textfile, "LARGEST", 10)
    path = tmp_path / "alerts.txt"
    for number in range(10):
        append(str(path), [f"line number {number}"])
    kept = {each.name: each.read_text() for each in tmp_path.iterdir()}
    names = ["alerts.txt", *(f"alerts.txt.{number}" for number in range(1, OLDER + 1))]
    assert kept == {name: f"line number {9 - back}\n" for back, name in enumerate(names)}


def test_where_the_directory_is_somebody_elses_the_file_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(textfile, "LARGEST", 10)

    def refuses(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "replace", refuses)
    path = tmp_path / "alerts.txt"
    for number in range(3):
        append(str(path), [f"line number {number}"])
    assert path.read_text().splitlines() == ["line number 0", "line number 1", "line number 2"]
    assert list(tmp_path.iterdir()) == [path]


def test_a_line_that_a_crash_left_unfinished_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "alerts.txt"
    path.write_text("one\ntw")
    append(str(path), ["three"])
    assert path.read_text() == "one\ntw\nthree\n"


def test_a_disk_that_is_full_is_said_clearly_and_leaves_no_half_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alerts.txt"
    append(str(path), ["one"])
    write = os.write

    def small(handle: int, data: bytes) -> int:
        if len(data) < 10:
            raise OSError(28, "No space left on device")
        return write(handle, data[:5])

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", small)
        with pytest.raises(Unavailable, match=r"alerts\.txt: No space left on device"):
            append(str(path), ["a long enough line"])
    assert path.read_text() == "one\n"
    append(str(path), ["two"])
    assert path.read_text() == "one\ntwo\n"


def pipe(path: Path) -> None:
    os.mkfifo(path)


def directory(path: Path) -> None:
    path.mkdir()


def link(path: Path) -> None:
    path.symlink_to("/etc/motd")


@pytest.mark.parametrize("place", [pipe, directory, link])
def test_what_is_no_plain_file_is_refused_without_waiting(tmp_path: Path, place: object) -> None:
    assert callable(place)
    place(tmp_path / "alerts.txt")
    with pytest.raises(Unavailable, match="option alert_file"):
        append(str(tmp_path / "alerts.txt"), ["one"])


def test_a_missing_directory_is_said_clearly(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="No such file or directory"):
        append(str(tmp_path / "missing" / "alerts.txt"), ["one"])
