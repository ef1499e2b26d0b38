# SPDX-License-Identifier: GPL-2.0-or-later
"""Names as text: groups, places, and what a person types."""

import subprocess
import sys

import pytest
from counting import steps

from smartrouter.core.errors import BadConfig
from smartrouter.core.names import (
    is_below,
    is_local,
    is_special_use,
    labels,
    normalise,
    registrable_domain,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", []),
        ("example", ["example"]),
        ("a.b.example", ["a", "b", "example"]),
        ("a\\.b.example", ["a\\.b", "example"]),
        ("a\\\\.b", ["a\\\\", "b"]),
        ("a\\032b.\\.\\.", ["a\\032b", "\\.\\."]),
    ],
)
def test_a_name_is_split_at_its_dots_but_not_at_escaped_ones(name: str, expected: list[str]) -> None:
    assert labels(name) == expected


@pytest.mark.parametrize(
    ("name", "ancestor", "below"),
    [
        ("a.example", "example", True),
        ("b.a.example", "example", True),
        ("example", "example", False),
        ("anexample", "example", False),
        ("a\\.example", "example", False),
        ("a\\\\.example", "example", True),
        ("a\\\\\\.example", "example", False),
        ("example", "", True),
        ("", "", False),
    ],
)
def test_a_name_below_another_ends_in_it_at_a_real_dot(name: str, ancestor: str, below: bool) -> None:
    assert is_below(name, ancestor) is below


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("www.example.com", "example.com"),
        ("a.b.c.example.co.uk", "example.co.uk"),
        ("example.com", "example.com"),
        ("co.uk", "co.uk"),
        ("com", "com"),
        ("printer", "printer"),
        ("", ""),
        ("d1.cloudfront.net", "d1.cloudfront.net"),
        ("a.d1.cloudfront.net", "d1.cloudfront.net"),
        ("cloudfront.net", "cloudfront.net"),
        ("x.y.ck", "x.y.ck"),
        ("www.ck", "www.ck"),
        ("city.kobe.jp", "city.kobe.jp"),
        ("cam.iot.lan", "iot.lan"),
        ("nas.home.arpa", "nas.home.arpa"),
        ("a.b.xn--55qx5d.cn", "b.xn--55qx5d.cn"),
        ("www.bank\\.example.com", "bank\\.example.com"),
        ("a.b\\.co.uk", "b\\.co.uk"),
        ("x.co\\.uk", "x.co\\.uk"),
        ("www.co\\.uk", "www.co\\.uk"),
        ("a.*.ck", "a.*.ck"),
        ("b.a.xn--\\128.com", "xn--\\128.com"),
        (".".join("a" * 127), "a.a"),
    ],
)
def test_names_are_grouped_by_what_somebody_registered(name: str, group: str) -> None:
    assert registrable_domain(name) == group


@pytest.mark.parametrize("label", ["a", "\\000", "\\.", "*", "!"])
def test_grouping_a_new_name_is_bounded_work(label: str) -> None:
    name = ".".join([label] * 127)
    registrable_domain("warm.example")
    assert steps(lambda: registrable_domain(name)) < 5000


def test_nothing_beyond_the_standard_library_is_loaded_before_a_name_is_grouped() -> None:
    program = "import sys, smartrouter.core.names; print('publicsuffixlist' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"


@pytest.mark.parametrize(
    ("name", "local"),
    [
        ("philips-hue.lan", True),
        ("tv.local", True),
        ("nas.home.arpa", True),
        ("a.b.home", True),
        ("printer.internal", True),
        ("x.localdomain", True),
        ("mybox.fritz.box", True),
        ("printer", True),
        ("lan.example", False),
        ("dev.example", False),
        ("arpa", True),
        ("in-addr.arpa", False),
        ("x.box", False),
        ("x.evil\\.lan", False),
        ("", False),
    ],
)
def test_local_names_are_told_from_public_ones(name: str, local: bool) -> None:
    assert is_local(name) is local


@pytest.mark.parametrize(
    ("name", "special"),
    [
        ("tv.local", True),
        ("localhost", True),
        ("a.localhost", True),
        ("1.113.0.203.in-addr.arpa", True),
        ("nas.home.arpa", True),
        ("x.onion", True),
        ("x.invalid", True),
        ("x.test", True),
        ("x.internal", True),
        ("x.alt", True),
        ("dev.example", False),
        ("example.com", False),
        ("x.evil\\.local", False),
        ("", False),
    ],
)
def test_special_use_names_are_those_of_the_registry_but_for_example(name: str, special: bool) -> None:
    assert is_special_use(name) is special


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("  example.com\n", "example.com"),
        ("_mqtt._tcp.example", "_mqtt._tcp.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("Bücher。example", "xn--bcher-kva.example"),
        ("printer", "printer"),
        ("a\\.b.example", "a\\.b.example"),
        ("ok\\0102026\\032x.example", "ok\\0102026\\032x.example"),
        ("a\\\\.example.", "a\\\\.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("\\000" * 63 + ".example", "\\000" * 63 + ".example"),
    ],
)
def test_what_a_person_types_becomes_the_name_that_is_meant(text: str, name: str) -> None:
    assert normalise(text) == name
    assert normalise(name) == name


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "..", "a..b", ".example", "a b.example", "a\\", "a\\x.example", "\\999", "\\065",
        "a" * 64 + ".example", ".".join(["a" * 63] * 4), "http://example.com", "10.0.0.0/33", "192.168.1.300",
        "a(b).example", "ü" * 100, "ü." * 200, "a\x00b", "a\nb", "ß..de",
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadConfig, match="domain name"):
        normalise(text)
