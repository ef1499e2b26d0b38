# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/evaluation.md and its pictures are what the program finds in the captures of real devices."""

import re
from functools import cache

import pytest
from conftest import CHECKOUT, SHARED

from smartrouter.evaluate.figures import Evaluation
from smartrouter.evaluate.labels import ALL, Labels, labels_from
from smartrouter.evaluate.ledger import Tally
from smartrouter.evaluate.report import Report, report
from smartrouter.replay.figures import DeviceFigures, Result

DOCS = CHECKOUT / "docs"
PAGE = DOCS / "evaluation.md"
CAPTURES = sorted((SHARED / "traces").glob("*/*.pcap.gz"))
LARGEST = 60_000  # bytes of a picture

needs_captures = pytest.mark.skipif(not CAPTURES, reason=f"no captures of real devices at {SHARED}/traces")


@cache
def made() -> Report:
    return report(CAPTURES, labels_from(DOCS / "evaluation" / "devices.json"))


@needs_captures
@pytest.mark.timeout(600)  # twenty replays, for the first of them
@pytest.mark.parametrize("name", ["evaluation.md", "evaluation/growth.svg", "evaluation/novelty.svg"])
def test_what_is_committed_is_what_is_found(name: str) -> None:
    assert (DOCS / name).read_text() == made().files(DOCS)[DOCS / name], "run `make docs`"


def test_every_picture_of_the_page_is_there_and_small() -> None:
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", PAGE.read_text())
    assert len(pictures) == 2
    for picture in pictures:
        assert 0 < (DOCS / picture).stat().st_size < LARGEST


def test_the_page_says_how_it_is_made_and_whose_captures_they_are() -> None:
    page = PAGE.read_text()
    for words in (
        "python -m smartrouter.evaluate.report --labels docs/evaluation/devices.json --into docs",
        "IoT Sentinel",
        "ICDCS 2017",
        "Aalto University",
        "andypitcher/IoT_Sentinel",
        "NKUHack4FGroup/Lifecycle-Based-Traffic-Dataset",
        "## Limits",
    ):
        assert words in page


def test_every_key_of_the_json_is_explained() -> None:
    attacked = Evaluation(
        labels=Labels(attack_from={ALL: 0.0}),
        result=Result(devices={"x": DeviceFigures()}),
        tallies={"x": Tally(attempts=1)},
    )
    found = attacked.to_json()
    device = found["devices"]["x"]
    keys = {*found["total"], *device, *device["detection"], *found["novelty"]}
    page = PAGE.read_text()
    assert [key for key in sorted(keys) if f"`{key}`" not in page] == []
