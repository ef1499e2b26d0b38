# SPDX-License-Identifier: GPL-2.0-or-later
"""Captures of real devices, against the figures of an independent reading of them."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from smartrouter.core.destinations import Match
from smartrouter.replay import replay
from smartrouter.replay.figures import Result
from smartrouter.replay.options import Counted, Learn, Options

_CHECKOUT = Path(__file__).resolve().parents[2]
TRACES = Path(os.environ.get("SMARTROUTER_SHARED", _CHECKOUT.parent / "shared")) / "traces"
EXPECTED: dict[str, Any] = (
    json.loads((TRACES / "expected.json").read_text()) if (TRACES / "expected.json").is_file() else {}
)
LEARN = {"devfrac:0.25": Learn(0.25), "hours:24": Learn(None, 86400.0)}
SCHEMES = {Match.DOMAIN: "etld1", Match.HOST: "exact"}
NOTHING = {"tested_conns": 0, "false_alerts": 0, "distinct_false_pairs": 0}

pytestmark = pytest.mark.skipif(not EXPECTED, reason=f"no captures of real devices at {TRACES}")


@cache
def replayed(name: str, counted: Counted, learn: str, match: Match) -> Result:
    return replay([TRACES / name], Options(learn=LEARN[learn], counted=counted, match=match))


def connections(figures: dict[str, Any], counted: Counted) -> int:
    match counted:
        case Counted.WEB:
            found = figures["web_conns"]
        case Counted.TCP:
            found = figures["tcp_conns"]
        case Counted.ALL:
            found = figures["tcp_conns"] + figures["udp_flows"]
    return int(found)


@pytest.mark.parametrize("name", EXPECTED)
def test_every_device_gives_itself_the_name_that_it_has_and_is_taken_for_no_computer(name: str) -> None:
    found = replayed(name, Counted.ALL, "devfrac:0.25", Match.DOMAIN)
    for mac, expected in EXPECTED[name]["devices"].items():
        assert found.identities[mac].hostname == (expected["hostname"] or "")
        assert found.identities[mac].iot != "not-iot"


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("counted", Counted)
def test_every_device_is_found_and_counted_exactly(name: str, counted: Counted) -> None:
    found = replayed(name, counted, "devfrac:0.25", Match.DOMAIN)
    assert found.packets == EXPECTED[name]["packets"]
    assert found.warnings == []
    for mac, expected in EXPECTED[name]["devices"].items():
        figures = found.devices[mac].to_json()
        assert figures["syn_packets"] == expected["syn_raw"]
        assert figures["connections"] == connections(expected, counted)
        assert figures["dns_replies"] == expected["dns_replies"]
        assert figures["names"] == expected["qnames"]
        if counted is Counted.TCP:
            assert figures["named_connections"] == expected["tcp_with_dns"]


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("counted", [Counted.WEB, Counted.ALL])
@pytest.mark.parametrize("learn", LEARN)
@pytest.mark.parametrize("match", SCHEMES)
def test_as_much_is_tested_and_no_more_reported(
    name: str, counted: Counted, learn: str, match: Match
) -> None:
    expected = EXPECTED[name]["alerts"][counted][learn].get(SCHEMES[match], NOTHING)
    devices = replayed(name, counted, learn, match).devices
    named = [devices[mac] for mac in EXPECTED[name]["devices"]]
    assert sum(figures.tested_connections for figures in named) == expected["tested_conns"]
    if counted is Counted.WEB:  # elsewhere a new port of a known name is news to us, and none to the others
        assert sum(figures.alerted_connections for figures in named) <= expected["false_alerts"]
        assert sum(figures.alerts for figures in named) <= expected["distinct_false_pairs"]


@pytest.mark.parametrize("name", EXPECTED)
def test_no_router_is_taken_for_a_device(name: str) -> None:
    routers = {"00:b5:6d:06:08:ba", "28:b2:bd:c3:41:79", "c8:bf:4c:77:a0:3a"}
    found = replayed(name, Counted.WEB, "devfrac:0.25", Match.DOMAIN)
    assert found.routers
    assert routers.issuperset(found.routers)
    assert routers.isdisjoint(found.devices)


def test_all_captures_of_one_house_make_one_trace() -> None:
    names = [name for name in EXPECTED if name.startswith("iotsentinel/")]
    found = replay([TRACES / name for name in names], Options(counted=Counted.TCP))
    assert found.packets == sum(EXPECTED[name]["packets"] for name in names)
    for name in names:
        for mac, expected in EXPECTED[name]["devices"].items():
            assert found.devices[mac].connections >= expected["tcp_conns"]
            assert found.devices[mac].syn_packets >= expected["syn_raw"]
    assert found.alerts
