# SPDX-License-Identifier: GPL-2.0-or-later
"""The pictures show the figures, whatever the names and however many devices there are."""

from xml.etree import ElementTree

import pytest
from unit.made_effects import NOON

from smartrouter.core.destinations import Destination
from smartrouter.core.events import Moment
from smartrouter.evaluate.figures import Evaluation
from smartrouter.evaluate.labels import Labels
from smartrouter.evaluate.ledger import Tally
from smartrouter.evaluate.pictures import MAX_PANELS, growth, novelty
from smartrouter.evaluate.units import Walk
from smartrouter.replay.figures import DeviceFigures, Result

SVG = "{http://www.w3.org/2000/svg}"


def made(devices: int, destinations: int = 5, name: str = "") -> Evaluation:
    macs = [f"02:00:00:00:00:{n:02x}" for n in range(devices)]
    walks = {}
    for mac in macs:
        walk = walks[mac] = Walk(0.0)
        for n in range(destinations):
            walk.used(Destination(f"{n}.example", "web"), 1000.0 * n)
    ended = 1000.0 * destinations
    tally = Tally(attempts=10, begun=Moment(0.0, NOON), ended=Moment(ended, NOON + ended), protected=2500.0)
    return Evaluation(
        labels=Labels(names=dict.fromkeys(macs, name) if name else {}),
        result=Result(devices={mac: DeviceFigures() for mac in macs}),
        tallies=dict.fromkeys(macs, tally),
        walks=walks,
    )


def words(svg: str) -> list[str]:
    return [str(text.text) for text in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("devices", [0, 1, 4, 5, 14])
@pytest.mark.parametrize("picture", [growth, novelty])
def test_any_number_of_devices_makes_a_picture(devices: int, picture: object) -> None:
    assert callable(picture)
    svg = picture(made(devices))
    assert svg == picture(made(devices))
    assert words(svg)


def test_each_device_has_its_panel_and_its_number() -> None:
    said = words(growth(made(3, destinations=7)))
    assert {"02:00:00:00:00:00", "02:00:00:00:00:01", "02:00:00:00:00:02"} <= set(said)
    assert said.count("7") >= 3
    for axis in ("destinations", "time since the first connection", "1 min", "1 h", "1 d", "30 d"):
        assert axis in said


def test_what_came_after_learning_has_another_colour() -> None:
    def second(svg: str) -> int:
        return svg.count('class="second s"')

    assert second(growth(made(1, destinations=5))) == second(growth(made(1, destinations=3))) + 1


def test_what_was_foretold_and_seen_is_written_at_the_lines() -> None:
    found = made(3, destinations=9)
    said = words(novelty(found))
    assert f"seen {found.calibration.came}" in said
    assert f"expected {found.calibration.expected:.0f}" in said
    assert f"Good–Turing {found.calibration.good_turing:.0f}" in said


def test_hostile_and_long_names_are_harmless() -> None:
    svg = growth(made(1, name="</text><script>alert(1)</script>\x1b\x00" + "x" * 200))
    assert not list(ElementTree.fromstring(svg).iter(f"{SVG}script"))
    assert max(map(len, words(svg))) < 100


@pytest.mark.parametrize(("devices", "destinations"), [(300, 30), (MAX_PANELS, 4096)])
def test_no_household_makes_a_picture_too_large(devices: int, destinations: int) -> None:
    assert len(growth(made(devices, destinations))) < 120_000
    assert len(novelty(made(3, destinations))) < 120_000
