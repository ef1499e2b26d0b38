# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile input for each target of `fuzz`: its seeds, and changes of them, the same each time."""

import json
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from types import FrameType

import pytest
from counting import steps

import smartrouter
from fuzz import corpus
from fuzz.__main__ import main
from fuzz.mutation import mutations
from fuzz.targets import TARGETS, once

MEASURED_EVERY = 25
CHANGES = 3000
CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_breaks_it_and_nothing_takes_long(name: str, rounds: Callable[[int], int]) -> None:
    seeds = corpus.of(name)
    for number, data in enumerate([*seeds, *islice(mutations(seeds), rounds(CHANGES))]):
        try:
            if number % MEASURED_EVERY == 0:
                assert steps(partial(once, name, data)) <= TARGETS[name].lines
            else:
                once(name, data)
        except Exception as error:
            error.add_note(f"{name}: {data.hex()}")
            raise


def test_each_target_has_seeds_and_each_corpus_its_target() -> None:
    assert {path.name for path in corpus.FOLDER.iterdir()} == set(TARGETS)
    assert all(corpus.of(name) for name in TARGETS)


def test_no_module_that_reads_the_wire_is_left_out() -> None:
    """Each of them runs for some seed."""
    package = Path(smartrouter.__file__).parent
    entered: set[str] = set()

    def note(frame: FrameType, event: str, _value: object) -> None:
        if event == "call" and frame.f_code.co_name != "<module>":
            entered.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        for name in TARGETS:
            for data in corpus.of(name):
                once(name, data)
    finally:
        sys.setprofile(before)
    wire = {str(path) for path in (package / "wire").glob("*.py") if "def " in path.read_text()}
    assert wire - entered == set()


def test_changes_are_the_same_for_the_same_seed_and_differ_otherwise() -> None:
    seeds = corpus.of("dns")
    once, again, other = (list(islice(mutations(seeds, seed), 50)) for seed in (1, 1, 2))
    assert once == again != other
    assert len(set(once)) > 40


def test_a_fault_is_found_kept_and_shown_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def faulty(data: bytes) -> None:
        assert b"\0" not in data[:1]

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(TARGETS, "ntp", TARGETS["ntp"]._replace(run=faulty))
    monkeypatch.setattr(sys, "argv", ["fuzz", "--engine", "own", "--time", "60", "ntp"])
    assert main() == 1
    (found,) = (tmp_path / "build/fuzz").iterdir()
    assert found.read_bytes()[:1] == b"\0"
    assert "AssertionError" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["fuzz", "--again", str(found), "ntp"])
    with pytest.raises(AssertionError):
        main()


def test_an_input_that_takes_too_long_is_a_finding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(TARGETS, "ntp", TARGETS["ntp"]._replace(run=lambda _: sum(range(3_000_000))))
    monkeypatch.setattr(sys, "argv", ["fuzz", "--engine", "own", "--time", "60", "ntp"])
    assert main() == 1
    assert "takes" in capsys.readouterr().out


def test_hostile_messages_and_packets_of_others_break_no_target(shared: Path) -> None:
    """The collected ones: through the parsers, and through the guard as queued packets."""
    lines = (shared / "badinput" / "crafted.jsonl").read_text(encoding="utf-8").splitlines()
    for line in lines:
        wire = bytes.fromhex(json.loads(line)["hex"])
        for name in ("dns", "dns_tcp", "mdns", "hello", "quic", "dhcp", "packet", "guard", "overheard"):
            once(name, wire)


def test_the_layout_is_the_one_that_oss_fuzz_expects() -> None:
    folder = CHECKOUT / "fuzz" / "oss-fuzz"
    project = (folder / "project.yaml").read_text()
    assert "language: python" in project
    assert "- libfuzzer" in project
    assert (folder / "Dockerfile").read_text().count("base-builder-python") == 1
    subprocess.run(["bash", "-n", folder / "build.sh"], check=True)
    assert "compile_python_fuzzer" in (folder / "build.sh").read_text()
