# SPDX-License-Identifier: GPL-2.0-or-later
"""What the user says of captured traffic."""

import json
from pathlib import Path
from typing import Any

import pytest

from smartrouter.core.errors import BadConfig
from smartrouter.evaluate.labels import NONE, Labels, labels_from

CAMERA, PLUG = "3c:2e:ff:29:4d:93", "50:c7:bf:00:56:39"
THEN = 1_471_444_000.0


def read(tmp_path: Path, said: Any) -> Labels:
    path = tmp_path / "labels"
    path.write_text(said if isinstance(said, str) else json.dumps(said))
    return labels_from(path)


def test_without_labels_nothing_is_an_attack() -> None:
    assert not NONE.tell_attacks
    assert not NONE.mark(CAMERA, THEN, "203.0.113.7", "evil.example")
    assert NONE.name(CAMERA) == CAMERA


def test_names_alone_tell_of_no_attack(tmp_path: Path) -> None:
    labels = read(tmp_path, {"names": {CAMERA.upper(): "camera"}})
    assert labels.name(CAMERA) == "camera"
    assert labels.name(PLUG) == PLUG
    assert not labels.tell_attacks


@pytest.mark.parametrize(
    ("attack_from", "mac", "at", "malicious"),
    [
        (THEN, CAMERA, THEN - 0.1, False),
        (THEN, CAMERA, THEN, True),
        (THEN, PLUG, THEN + 1, True),
        ({CAMERA: THEN}, CAMERA, THEN + 1, True),
        ({CAMERA.upper(): THEN}, CAMERA, THEN + 1, True),
        ({CAMERA: THEN}, PLUG, THEN + 1, False),
        ({CAMERA: THEN, "*": THEN + 100}, PLUG, THEN + 1, False),
        ({CAMERA: THEN, "*": THEN + 100}, PLUG, THEN + 101, True),
    ],
)
def test_an_attack_begins_at_a_time(
    tmp_path: Path, attack_from: Any, mac: str, at: float, malicious: bool
) -> None:
    labels = read(tmp_path, {"attack_from": attack_from})
    assert labels.mark(mac, at, "203.0.113.7", "any.example") is malicious


@pytest.mark.parametrize(
    ("address", "name", "malicious"),
    [
        ("203.0.113.7", "", True),
        ("203.0.114.7", "", False),
        ("2001:db8::7", "", True),
        ("2001:db8::8", "", False),
        ("198.51.100.1", "evil.example", True),
        ("198.51.100.1", "www.evil.example", False),
        ("198.51.100.1", "www.bad.example", True),
        ("198.51.100.1", "bad.example", False),
        ("198.51.100.1", "xn--bse-sna.example", True),
        ("", "c2.bad.example", True),
        ("fe80::1%eth0", "", False),
    ],
)
@pytest.mark.parametrize("as_lines", [False, True])
def test_attackers_are_addresses_networks_and_names(
    tmp_path: Path, address: str, name: str, malicious: bool, as_lines: bool
) -> None:
    attackers = ["203.0.113.0/24", "2001:db8::7", "Evil.example.", "*.bad.example", "böse.example"]
    lines = "# what the sandbox showed\n\n" + "".join(f"  {one}  # C2\n" for one in attackers)
    labels = read(tmp_path, lines if as_lines else {"attackers": attackers})
    assert labels.mark(CAMERA, THEN, address, name) is malicious


def test_with_time_and_attackers_both_have_to_hold(tmp_path: Path) -> None:
    labels = read(tmp_path, {"attack_from": THEN, "attackers": ["203.0.113.7"]})
    assert labels.mark(CAMERA, THEN, "203.0.113.7", "")
    assert not labels.mark(CAMERA, THEN - 1, "203.0.113.7", "")
    assert not labels.mark(CAMERA, THEN, "203.0.113.8", "")


@pytest.mark.parametrize(
    "said",
    [
        "{",
        '{"attack_from": NaN}',
        '{"names": ["x"]}',
        '{"names": {"x": 1}}',
        '{"attackers": "203.0.113.7"}',
        '{"attackers": [7]}',
        '{"attackers": ["http://evil.example/"]}',
        '{"attack_from": "yesterday"}',
        '{"attack_from": true}',
        '{"attack_from": {"x": null}}',
        '{"attack-from": 1}',
        "203.0.113.300",
        "not a name",
        "{" * 100_000,
    ],
)
def test_what_makes_no_sense_is_refused_with_the_file(tmp_path: Path, said: str) -> None:
    with pytest.raises(BadConfig, match="labels"):
        read(tmp_path, said)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="missing"):
        labels_from(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadConfig, match="binary"):
        labels_from(tmp_path / "binary")
