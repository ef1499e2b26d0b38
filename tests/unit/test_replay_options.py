# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of a replay, as the command line says them."""

from argparse import Namespace
from typing import Any

import pytest

from smartrouter.core.destinations import Destination, Match
from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import Mode
from smartrouter.replay.options import Counted, Learn, Options, learn_from, options_from


def given(**changed: Any) -> Namespace:
    options = ("learn", "scope", "match", "mode", "resolvers", "mac", "known", "unnamed_tls")
    unset: dict[str, Any] = dict.fromkeys(options)
    return Namespace(**{**unset, **changed})


def test_without_options_everything_is_as_usual() -> None:
    assert options_from(given()) == Options()


def test_every_option_has_its_effect() -> None:
    asked = given(
        learn="24h", scope="web", match="host", mode="enforce", resolvers="trusted",
        mac=["3C-2E-FF-29-4D-93", "3c:2e:ff:29:4d:93", "a4:83:e7:00:00:01"], unnamed_tls="hello",
        known=["cloud.example", "Cloud.Example=web", "2001:db8::1=tcp/8883"],
    )  # fmt: skip
    assert options_from(asked) == Options(
        learn=Learn(None, 86400.0),
        counted=Counted.WEB,
        match=Match.HOST,
        mode=Mode.ENFORCE,
        any_resolver=False,
        macs=("3c:2e:ff:29:4d:93", "a4:83:e7:00:00:01"),
        known=(Destination("cloud.example", "web"), Destination("2001:db8::1", "tcp/8883")),
        by_hello=True,
    )


@pytest.mark.parametrize(
    ("text", "learn"),
    [
        ("25%", Learn(0.25)),
        ("0%", Learn(0.0)),
        ("12.5 %", Learn(0.125)),
        ("100%", Learn(1.0)),
        ("90s", Learn(None, 90.0)),
        ("90m", Learn(None, 5400.0)),
        ("24h", Learn(None, 86400.0)),
        ("14d", Learn(None, 14 * 86400.0)),
    ],
)
def test_learning_is_a_share_or_a_time(text: str, learn: Learn) -> None:
    assert learn_from(text) == learn


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"learn": "101%"}, "--learn '101%'"),
        ({"known": ["=web"]}, "--known '=web'"),
        ({"known": ["a.example=tcp/x"]}, "--known 'a.example=tcp/x'"),
        ({"unnamed_tls": "maybe"}, "--unnamed-tls 'maybe'"),
        ({"learn": "24"}, "24h"),
        ({"learn": "-1h"}, "--learn '-1h'"),
        ({"learn": ""}, "--learn ''"),
        ({"scope": "udp"}, "web, tcp, all"),
        ({"match": "best"}, "host"),
        ({"mode": "off"}, "monitor, enforce"),
        ({"resolvers": "8.8.8.8"}, "any, trusted"),
        ({"mac": ["3c:2e:ff:29:4d"]}, "--mac '3c:2e:ff:29:4d'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_is_allowed(changed: dict[str, Any], says: str) -> None:
    with pytest.raises(BadConfig) as error:
        options_from(given(**changed))
    assert says in str(error.value)
    assert "give" in str(error.value)
