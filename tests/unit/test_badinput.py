# SPDX-License-Identifier: GPL-2.0-or-later
"""The collected hostile DNS messages: what a trusted reply with these bytes teaches."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import dns.name
import pytest
from counting import steps

from smartrouter.core.errors import BadPacket
from smartrouter.core.told.addresses import lesson
from smartrouter.wire.dns import parse_reply


@pytest.fixture
def messages(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "badinput" / "crafted.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def lessons(wire: bytes) -> dict[str, str]:
    try:
        found = lesson(parse_reply(wire))
        return dict.fromkeys(found.addresses, found.name)
    except BadPacket:
        return {}


def test_every_message_teaches_what_it_should(messages: list[dict[str, Any]]) -> None:
    assert len(messages) == 158
    wrong = {
        case["name"]: got
        for case in messages
        if case["names"] is not None and (got := lessons(bytes.fromhex(case["hex"]))) != case["names"]
    }
    assert wrong == {}


def test_names_survive_the_way_to_text_and_back(messages: list[dict[str, Any]]) -> None:
    survived = 0
    for case in messages:
        wire = bytes.fromhex(case["hex"])
        for name in lessons(wire).values():
            assert (dns.name.from_text(name).to_wire() or b"?") in wire.lower()
            survived += 1
    assert survived > 60


def test_no_message_costs_more_than_bounded_work(messages: list[dict[str, Any]]) -> None:
    for case in messages:
        assert steps(partial(lessons, bytes.fromhex(case["hex"]))) < 100_000, case["name"]
