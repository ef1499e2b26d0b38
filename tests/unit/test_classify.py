# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter classify`: a line in, a line out; what is wrong with a line, said where it stands."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from smartrouter.cli import main
from smartrouter.cli.classify import CLASSIFIED, BadLine, answered
from smartrouter.makers import Makers

HUE = {"mac": "00:17:88:24:76:ff", "hostname": "Philips-hue", "vendor_class": "udhcp 1.19.4"}
PHONE = {"mac": "ba:73:1c:90:15:6e", "hostname": "iPhone", "params": [1, 121, 3, 6, 15, 119, 252]}


@pytest.fixture(scope="module")
def makers() -> Makers:
    return Makers()


def _written(path: Path, *lines: object) -> str:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return str(path)


def test_each_line_is_answered_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = _written(tmp_path / "a", HUE, PHONE)
    second = _written(tmp_path / "b", {"hostname": None, "params": None, "whatever": 3})
    assert main(["classify", first, second]) == 0
    hue, phone, nothing = map(json.loads, capsys.readouterr().out.splitlines())
    assert set(hue) == set(CLASSIFIED)
    assert (hue["mac"], hue["class"], hue["maker"]) == (HUE["mac"], "iot", "Philips Lighting BV")
    assert hue["confidence"] >= 0.9
    assert "DHCP client `udhcp 1.19.4`: BusyBox, as in small devices" in hue["reasons"]
    assert (phone["class"], phone["maker"]) == ("not-iot", "")
    assert (nothing["mac"], nothing["class"], nothing["confidence"]) == (None, "unknown", 0.0)
    assert nothing["reasons"]


def test_it_reads_standard_input_without_a_file_or_with_a_dash(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in ([], ["-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(HUE).encode())))
        assert main(["classify", *arguments]) == 0
        assert json.loads(capsys.readouterr().out)["class"] == "iot"


def test_it_answers_at_once_in_a_pipe() -> None:
    command = [sys.executable, "-m", "smartrouter", "classify"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        for client in (HUE, PHONE, HUE):
            running.stdin.write(json.dumps(client).encode() + b"\n")
            running.stdin.flush()
            assert json.loads(running.stdout.readline())["mac"] == client["mac"]
        running.stdin.close()
        assert running.wait(10) == 0


@pytest.mark.parametrize(
    "spelled", ["00:17:88:24:76:FF", "00-17-88-24-76-ff", "0017.8824.76ff", "00178824 76ff".replace(" ", "")]
)
def test_a_mac_may_be_spelled_in_any_usual_way(spelled: str, makers: Makers) -> None:
    answer = answered(json.dumps({"mac": spelled}).encode(), makers)
    assert answer["mac"] == spelled
    assert answer["maker"] == "Philips Lighting BV"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("xx", "no JSON object"),
        ('{"mac": ', "no JSON object"),
        ("[" * 100_000, "longer than 65536 bytes"),
        ("[" * 60_000, "no JSON object"),
        ("[1]", "found a list, allowed is an object with mac, hostname"),
        ("null", "found null, allowed is an object"),
        ('{"mac": "zz"}', "mac: found 'zz', allowed is 12 hexadecimal digits"),
        ('{"mac": "00:17-88:24:76:ff"}', "mac: found '00:17-88:24:76:ff'"),
        ('{"mac": 12}', "mac: found a number, allowed is a string or null"),
        ('{"hostname": ["x"]}', "hostname: found a list, allowed is a string or null"),
        ('{"vendor_class": true}', "vendor_class: found true or false"),
        ('{"user_class": {}}', "user_class: found an object"),
        ('{"params": "1,3"}', "params: found a string, allowed is a list of numbers or null"),
        ('{"params": [1, 256]}', "params: found '256' in the list, allowed are whole numbers from 0 to 255"),
        ('{"params": [-1]}', "params: found '-1' in the list"),
        ('{"params": [1.5]}', "params: found '1.5' in the list"),
        ('{"params": [true]}', "params: found 'true' in the list"),
    ],
)
def test_a_bad_line_is_told_of_and_the_others_are_answered(
    line: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _written(tmp_path / "clients", HUE, line, PHONE)
    assert main(["classify", path]) == 1
    shown = capsys.readouterr()
    assert [json.loads(answer)["mac"] for answer in shown.out.splitlines()] == [HUE["mac"], PHONE["mac"]]
    assert shown.err.startswith(f"smartrouter: {path}, line 2: ")
    assert said in shown.err
    assert len(shown.err.splitlines()) == 1


def test_bytes_that_are_no_utf_8_are_told_of(makers: Makers) -> None:
    with pytest.raises(BadLine, match="byte 0xff at 14 is not UTF-8"):
        answered(b'{"hostname": "\xff"}'.replace(b'"\xff', b"\xff"), makers)


def test_a_file_that_cannot_be_read_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _written(tmp_path / "clients", HUE, "")
    assert main(["classify", str(tmp_path / "none"), path]) == 1
    shown = capsys.readouterr()
    assert "none: No such file or directory" in shown.err
    assert len(shown.out.splitlines()) == 1


def test_what_a_device_says_is_inert_in_the_answer(makers: Makers) -> None:
    answer = answered(json.dumps({"hostname": "\x1b[2Jcamera\u202e", "vendor_class": "\n"}).encode(), makers)
    assert all(reason.isprintable() for reason in answer["reasons"])
