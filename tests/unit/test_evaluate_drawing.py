# SPDX-License-Identifier: GPL-2.0-or-later
"""SVG that any viewer can read, and that holds nothing but what was drawn."""

from xml.etree import ElementTree

import pytest

from smartrouter.evaluate.drawing import Drawing, Scale, round_steps

SVG = "{http://www.w3.org/2000/svg}"


def drawn() -> Drawing:
    drawing = Drawing(200, 100, "Title <b>", "What & why")
    drawing.word(10, 20, "<script>alert('&')</script>", anchor="end", bold=True)
    drawing.word(10, 20, "up", turned=True)
    drawing.line([(0, 0), (10.04, 5.06)], "first", width=2, dashes="3 3")
    drawing.area([(0, 0), (1, 1), (1, 0)], "second", 0.1)
    drawing.dot(5, 5, 3, "first")
    return drawing


def test_it_is_one_well_formed_picture_with_a_name_and_a_description() -> None:
    root = ElementTree.fromstring(drawn().svg())
    assert root.tag == f"{SVG}svg"
    assert root.attrib["viewBox"] == "0 0 200 100"
    assert root.attrib["role"] == "img"
    named = {root.findtext(f"{SVG}{part}") for part in ("title", "desc")}
    assert named == {"Title <b>", "What & why"}
    ids = {element.attrib["id"] for element in root if "id" in element.attrib}
    assert set(root.attrib["aria-labelledby"].split()) == ids


def test_texts_stay_texts() -> None:
    root = ElementTree.fromstring(drawn().svg())
    assert "<script>alert('&')</script>" in {text.text for text in root.iter(f"{SVG}text")}
    assert not list(root.iter(f"{SVG}script"))


def test_every_colour_is_there_for_light_and_for_dark() -> None:
    style = str(ElementTree.fromstring(drawn().svg()).findtext(f"{SVG}style"))
    light, dark = style.split("@media (prefers-color-scheme:dark)")
    for kind in ("page", "ink", "faint", "grid", "first", "second", "third"):
        assert f".{kind}.f{{" in light
        assert f".{kind}.f{{" in dark


def test_nothing_outside_is_referred_to() -> None:
    text = drawn().svg().replace("http://www.w3.org/2000/svg", "")
    assert "http" not in text
    assert "url(" not in text


def test_places_are_rounded_to_a_tenth() -> None:
    assert 'd="M0 0L10 5.1"' in drawn().svg()
    assert drawn().svg() == drawn().svg()


@pytest.mark.parametrize(
    ("scale", "value", "place"),
    [
        (Scale(0, 10, 100, 200), 5, 150),
        (Scale(0, 10, 200, 100), 5, 150),
        (Scale(0, 10, 100, 200), -3, 100),
        (Scale(0, 10, 100, 200), 30, 200),
        (Scale(1, 100, 0, 100, logarithmic=True), 10, 50),
        (Scale(1, 100, 0, 100, logarithmic=True), 0, 0),
    ],
)
def test_a_scale_puts_values_in_their_place(scale: Scale, value: float, place: float) -> None:
    assert scale.at(value) == pytest.approx(place)


@pytest.mark.parametrize(
    ("high", "most", "steps"),
    [
        (0, 5, [0, 1]),
        (1, 5, [0, 1]),
        (4.2, 5, [0, 1, 2, 3, 4, 5]),
        (22, 5, [0, 5, 10, 15, 20, 25]),
        (22, 4, [0, 10, 20, 30]),
        (334, 5, [0, 100, 200, 300, 400]),
        (4096, 5, [0, 1000, 2000, 3000, 4000, 5000]),
    ],
)
def test_steps_are_round_and_few(high: float, most: int, steps: list[int]) -> None:
    assert round_steps(high, most) == steps
