# SPDX-License-Identifier: GPL-2.0-or-later
"""A message as lines of plain text."""

import pytest
from unit.made_alarms import HOSTILE, hostile_message, message

from smartrouter.notify.plain import LONGEST_LINE, LONGEST_TITLE, lines, link, title


def test_a_message_in_lines() -> None:
    made = list(lines(message(outcome="Allowed by web:admin")))
    assert made[:7] == [
        "Device: Living-room TV (3c:2e:ff:29:4d:93)",
        "Destination: ads.example.net (web)",
        "Blocked: no, only reported",
        "Mode: monitor",
        "Evidence: named by the router's DNS",
        "Times: 3",
        "Decided: Allowed by web:admin",
    ]
    assert made[7].startswith("Alert 17 · 2018-03-27 ")
    assert made[8] == "http://192.168.1.1:8081/alerts/17"


@pytest.mark.parametrize(
    ("values", "line", "there"),
    [
        ({"blocked": True}, "Blocked: yes", True),
        ({"blocked": None}, "Blocked: no, only reported", False),
        ({"device": ""}, "Device: 3c:2e:ff:29:4d:93", True),
        ({"service": ""}, "Destination: ads.example.net", True),
        ({}, "On the router: smartrouter alert 17", True),
        ({"alert": None}, "On the router: smartrouter alert 17", False),
        ({"outcome": "Denied"}, "On the router: smartrouter alert 17", False),
        (
            {"facts": (("destination", "192.0.2.1 [x.example] (web)"),)},
            "Destination: 192.0.2.1 [x.example] (web)",
            True,
        ),
        (
            {"facts": (("destination", "192.0.2.1 [x.example] (web)"),)},
            "Destination: ads.example.net (web)",
            False,
        ),
        ({"destination": "", "facts": (("destination", "x"),)}, "Destination: x", True),
        ({"facts": (("a", "b"),) * 50}, "… and 30 more", True),
    ],
)
def test_what_is_said_and_what_is_not(values: dict[str, object], line: str, there: bool) -> None:
    assert (line in list(lines(message(**values)))) is there


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_stays_in_its_line(hostile: str) -> None:
    said = hostile_message(hostile)
    made = list(lines(said._replace(outcome=hostile)))
    assert all(line.isprintable() and len(line) <= LONGEST_LINE for line in made)
    "\n".join(made).encode()
    assert len(made) <= len(list(lines(message(outcome="x"))))
    assert 0 < len(title(said)) <= LONGEST_TITLE
    assert title(said).isprintable()
    assert title(message(title=hostile))


@pytest.mark.parametrize(
    ("address", "made"),
    [
        ("https://router.lan/alerts/17", "https://router.lan/alerts/17"),
        ("javascript:alert(1)", ""),
        ("https://x/<b>", ""),
        ("https://x/\n", ""),
        ("https://x/ y", ""),
        ("https://x/ü", ""),
        ("https://x/" + "y" * 1000, ""),
        ("", ""),
    ],
)
def test_only_a_link_that_is_one_is_given(address: str, made: str) -> None:
    assert link(message(link=address)) == made
