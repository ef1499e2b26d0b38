# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture with an attack in it, evaluated from file to figures."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from unit.made_traffic import DAY, DEVICE, PHONE, PHONE_IP, START, Timed, in_order, syn, told, write_pcap

from smartrouter.cli import main
from smartrouter.evaluate import evaluate
from smartrouter.evaluate.figures import Evaluation
from smartrouter.evaluate.labels import Labels
from smartrouter.evaluate.report import report
from smartrouter.replay.options import USUAL, Counted, Learn

ATTACK = START + 3 * DAY + 60
SCANNED = 254
HOME = "198.51.100.9"


def visits(names: Iterable[str], at: float, number: int) -> list[Timed]:
    """The device asks for each name and connects."""
    story: list[Timed] = []
    for place, name in enumerate(names):
        then = at + 10 * place
        address = f"203.0.113.{100 + hash_of(name)}"
        story += told(name, [address], then, ident=number * 16 + place)
        story.append((then + 1, syn(address, sequence=number * 16 + place, source_port=40_000 + place)))
    return story


def hash_of(name: str) -> int:
    return sum(name.encode()) % 100


def days() -> list[Timed]:
    """Three days, an hour with traffic each half day; on the third day one new name."""
    known = ["api.maker.example", "time.maker.example"]
    story = [visits(known, START + DAY / 2 * n, n) for n in range(6)]
    return in_order(*story, visits(["new.other.example"], START + 2.5 * DAY, 40))


def phone() -> list[Timed]:
    """Another device, which goes where nobody told it a name for."""
    return [
        (START + n * 7200, syn(HOME, sender=PHONE, source=PHONE_IP, sequence=n, source_port=1000 + n))
        for n in range(40)
    ]


def scan() -> list[Timed]:
    return [
        (ATTACK + n / 10, syn(f"192.0.2.{n + 1}", 23, sequence=50_000 + n, source_port=50_000 + n))
        for n in range(SCANNED)
    ]


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("evaluate") / "home.pcap.gz"
    return write_pcap(path, in_order(days(), phone(), scan()))


@pytest.fixture(scope="module")
def found(capture: Path) -> Evaluation:
    labels = Labels(names={DEVICE: "camera"}, attack_from={DEVICE: ATTACK})
    return evaluate([capture], USUAL._replace(learn=Learn(None, 1.2 * DAY)), labels)


def test_every_attempt_is_counted_with_its_evidence(found: Evaluation) -> None:
    device = found.to_json()["devices"][DEVICE]
    assert device["name"] == "camera"
    assert device["attempts"] == 6 * 2 + 1 + SCANNED
    assert device["evidence"] == {"dns": 13, "none": SCANNED}
    assert found.to_json()["devices"][PHONE]["evidence"] == {"none": 40}
    assert found.to_json()["total"]["attempts"] == 13 + SCANNED + 40


def test_the_scan_is_flagged_in_full_and_at_once(found: Evaluation) -> None:
    attack = found.to_json()["devices"][DEVICE]["detection"]
    assert (attack["attempts"], attack["flagged"], attack["missed"]) == (SCANNED, SCANNED, 0)
    assert attack["first_after"] <= 1.0
    assert "scan" in attack["kinds"]
    assert sum(attack["kinds"].values()) <= 5


def test_the_one_new_name_before_it_is_the_false_alert(found: Evaluation) -> None:
    assert found.to_json()["devices"][DEVICE]["detection"]["false_alerts"] == 1
    assert found.to_json()["total"]["detection"]["false_alerts"] == 1


def test_without_labels_there_is_no_word_of_detection(capture: Path) -> None:
    said = evaluate([capture]).to_json()
    assert "detection" not in said["total"]
    assert "detection" not in said["devices"][DEVICE]


def test_units_and_growth_are_those_of_the_story(found: Evaluation) -> None:
    device = found.to_json()["devices"][DEVICE]
    assert device["units"] == 7  # six half days, and the scan
    assert device["growth"][:6] == [1, 1, 1, 1, 1, 2]
    assert device["first_uses"][:2] == pytest.approx([0.0, 2.5 * DAY], abs=60)


def test_forecasts_are_added_up_over_devices(found: Evaluation) -> None:
    novelty = found.to_json()["novelty"]
    assert novelty["units"] == sum(len(walk.units) - 1 for walk in found.walks.values())
    assert novelty["came"] == sum(unit.new for walk in found.walks.values() for unit in walk.units[1:])
    assert 0 < novelty["expected"] < novelty["units"]


def test_a_profile_accepts_only_what_it_has_learned(tmp_path: Path) -> None:
    """The phone goes to the camera's maker too, for one of its four connections."""
    shared = f"203.0.113.{100 + hash_of('api.maker.example')}"
    camera = visits(["api.maker.example"], START, 1)
    bare = [(START + 50 + n, syn(shared if n == 0 else HOME, sender=PHONE, source=PHONE_IP, sequence=n))
            for n in range(4)]  # fmt: skip
    direct = [(START + 90, syn(shared, sequence=77))]
    path = write_pcap(tmp_path / "two.pcap", in_order(camera, bare, direct))
    accepted = evaluate([path], USUAL._replace(learn=Learn(1.0))).accepted
    assert (accepted[DEVICE].known, accepted[DEVICE].attempts) == (0, 4)  # nobody told the phone a name
    assert (accepted[PHONE].known, accepted[PHONE].attempts) == (2, 2)  # but it has learned the very address
    named = [(at + 200, packet) for at, packet in visits(["api.maker.example", "else.example"], START, 9)]
    both = write_pcap(tmp_path / "both.pcap", in_order(camera, in_order(
        *[told_to_phone(at, packet) for at, packet in named])))  # fmt: skip
    accepted = evaluate([both], USUAL._replace(learn=Learn(1.0))).accepted
    assert (accepted[DEVICE].known, accepted[DEVICE].attempts) == (1, 2)
    assert accepted[DEVICE].share == 0.5
    assert (accepted[PHONE].known, accepted[PHONE].attempts) == (1, 1)


def told_to_phone(at: float, packet: bytes) -> list[Timed]:
    """A packet of the camera's as one of the phone's: only the MAC says whose it is."""
    ours, phones = bytes.fromhex(DEVICE.replace(":", "")), bytes.fromhex(PHONE.replace(":", ""))
    return [(at, packet[:12].replace(ours, phones) + packet[12:])]


def test_scope_web_leaves_other_ports_out(capture: Path) -> None:
    found = evaluate([capture], USUAL._replace(counted=Counted.WEB))
    assert found.to_json()["devices"][DEVICE]["attempts"] == 13
    assert found.prior.drift < evaluate([capture]).prior.drift


def test_progress_goes_once_from_nothing_to_all(capture: Path) -> None:
    seen: list[int] = []
    evaluate([capture], progress=seen.append)
    assert seen == sorted(seen)
    assert 0 <= seen[0] <= seen[-1] <= capture.stat().st_size


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["evaluate", *arguments]) == 0
    return capsys.readouterr().out


def test_the_command_prints_tables(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = command(capsys, str(capture))
    for title in ("Devices", "Alerts and notices", "Growth of destinations", "Novelty: expected and seen"):
        assert title in said
    assert "Detection" not in said
    assert DEVICE in said


def test_the_command_prints_json(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said: dict[str, Any] = json.loads(
        command(capsys, str(capture), "--json", "--mac", DEVICE, "--learn", "1h")
    )
    assert list(said["devices"]) == [DEVICE]


def test_the_command_takes_labels_and_prints_markdown(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("192.0.2.0/24\n")
    said = command(capsys, str(capture), "--markdown", "--labels", str(labels))
    assert "\n## Detection\n\n| Device | Attack attempts | Flagged |" in f"\n{said}"
    assert f"| {DEVICE} | {SCANNED} | {SCANNED} |" in said


@pytest.mark.parametrize("bad", [["--labels", "/nowhere"], ["--learn", "soon"]])
def test_what_cannot_be_used_is_a_line(
    capture: Path, bad: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(capture), *bad]) == 1
    assert capsys.readouterr().err.startswith("smartrouter: ")


def test_the_report_is_the_same_each_time_and_small(tmp_path: Path) -> None:
    labels = Labels(names={DEVICE: "camera <1>", PHONE: "phone | two"})
    small = write_pcap(tmp_path / "small.pcap", visits(["api.maker.example"], START, 1))
    made = report([small], labels)
    assert made == report([small], labels)
    assert "camera \\<1\\>" in made.page
    assert "phone \\| two" in made.page  # it made no connection, and is said to
    assert "$" not in made.page
    assert max(len(made.growth), len(made.novelty)) < 60_000
