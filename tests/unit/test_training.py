# SPDX-License-Identifier: GPL-2.0-or-later
"""The weights and the documented figures are what the data gives; the data says where each fact is from."""

import json
from pathlib import Path

import pytest

from smartrouter.core.classification import classify
from smartrouter.core.classification.clues import MEANINGS
from smartrouter.core.classification.weights import IOT_FROM, NOT_IOT_TO
from training import captures
from training.examples import FITTED, HELD_OUT, HERE, TARGETS, Row, features, fitted, read
from training.fit import Fitted, files, work
from training.page import fill
from training.regression import fit
from training.validation import confusion


@pytest.fixture(scope="module")
def found() -> Fitted:
    return work()


def test_what_is_committed_is_what_the_data_gives(found: Fitted) -> None:
    for path, text in files(found).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make training`"


def test_few_people_are_watched_and_few_things_overlooked(found: Fitted) -> None:
    counts = confusion(found.cross_validated, found.thresholds)
    assert counts["not-iot"]["iot"] <= 0.03 * sum(counts["not-iot"].values())
    assert counts["iot"]["not-iot"] <= 0.03 * sum(counts["iot"].values())
    measured = [told for told in found.cross_validated if told.example.file != "knowledge.jsonl"]
    real = confusion(measured, found.thresholds)
    assert real["iot"]["iot"] >= 0.9 * sum(real["iot"].values())
    assert real["not-iot"]["iot"] == 0


def test_what_was_held_out_is_told_as_well(found: Fitted) -> None:
    counts = confusion(found.held_out, found.thresholds)
    assert counts["iot"]["iot"] >= 0.9 * sum(counts["iot"].values())
    assert counts["not-iot"]["iot"] <= 1
    assert counts["either"]["unknown"] >= 0.9 * sum(counts["either"].values())


def test_the_thresholds_leave_room_for_doubt() -> None:
    assert 0.1 < NOT_IOT_TO < 0.5 < IOT_FROM < 0.9


@pytest.mark.parametrize("name", [*FITTED, HELD_OUT])
def test_every_row_says_what_it_is_and_where_that_is_from(name: str) -> None:
    for line in (HERE / name).read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        assert row["label"] in TARGETS
        assert row["source"]
        assert row["what"]


def test_what_captured_devices_show_is_what_their_captures_hold(shared: Path) -> None:
    rows = {
        row["mac"]: row for row in map(json.loads, captures.ROWS.read_text(encoding="utf-8").splitlines())
    }
    again = list(captures.devices([shared / "traces" / "iotsentinel" / "MAXGateway.pcap.gz"]))
    assert {row["what"] for row in again} >= {"MAXGateway", "computer that sets devices up"}
    for row in again:
        if row["label"] == "iot":  # the others are in several captures
            assert json.loads(json.dumps(row)) == rows[row["mac"]]


def test_nothing_that_was_held_out_is_fitted_on() -> None:
    seen = {example.evidence for example in fitted()}
    assert not [example.what for example in read(HELD_OUT) if example.evidence in seen]


def test_every_clue_occurs_in_the_data() -> None:
    seen = {feature for example in fitted() for feature in features(example.evidence)}
    assert set(MEANINGS) - seen == set()


def test_the_regression_finds_what_there_is_to_find() -> None:
    rows = [
        Row({"a": 1.0}, 1.0, 1.0, ""),
        Row({"b": 1.0}, 0.0, 1.0, ""),
        Row({"a": 1.0, "b": 1.0}, 0.5, 1.0, ""),
    ]
    fitted_on = fit(rows, ["a", "b"], 0.1)
    assert fitted_on.weights["a"] == pytest.approx(-fitted_on.weights["b"], abs=1e-3)
    assert fitted_on.chance({"a": 1.0}) > 0.7
    assert fitted_on.chance({}) == pytest.approx(0.5, abs=1e-3)
    stronger = fit(rows, ["a", "b"], 10.0)
    assert abs(stronger.weights["a"]) < abs(fitted_on.weights["a"])


def test_the_page_keeps_what_was_written_by_hand() -> None:
    page = "A\n<!-- generated: x -->\nold\n<!-- end -->\nB\n"
    assert fill(page, {"x": "new\n"}) == "A\n<!-- generated: x -->\nnew\n<!-- end -->\nB\n"


def test_the_model_says_what_the_fit_says(found: Fitted) -> None:
    """The weights are rounded; but for what lies next to a threshold that changes nothing."""
    for told in found.held_out:
        if min(abs(told.chance - IOT_FROM), abs(told.chance - NOT_IOT_TO)) > 0.02:
            assert classify(told.example.evidence).word == found.thresholds.word(told.chance)
