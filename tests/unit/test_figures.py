# SPDX-License-Identifier: GPL-2.0-or-later
"""A replay's figures: how alerts are counted, and what is printed."""

import io
import json

import pytest

from smartrouter.core.effects import Alert, Evidence, Kind, Severity
from smartrouter.core.policy import Reason
from smartrouter.replay import figures
from smartrouter.replay.figures import DeviceFigures, Identity, Result, show
from smartrouter.terminal import Screen

MAC = "3c:2e:ff:29:4d:93"


def alert(
    at: float,
    destination: str = "example.com",
    address: str = "203.0.113.7",
    kind: Kind = Kind.NEW_DESTINATION,
    severity: Severity = Severity.WARNING,
) -> Alert:
    return Alert(
        at, MAC, kind, Reason.UNKNOWN_NAME, severity, destination, "web", "www.example.com", Evidence.DNS,
        address, 443, 6, False,
    )  # fmt: skip


def result() -> Result:
    return Result(packets=10, mangled=1, routers=["c8:bf:4c:77:a0:3a"], devices={MAC: DeviceFigures()})


def test_occurrences_of_one_alert_are_one_entry() -> None:
    found = result()
    for at, address in ((5.0, "203.0.113.7"), (4.0, "203.0.113.8"), (9.0, "203.0.113.7")):
        found.raised(alert(at, address=address))
    (entry,) = found.to_json()["alerts"]
    assert entry == {
        "mac": MAC,
        "destination": "example.com",
        "service": "web",
        "evidence": "dns",
        "kind": "new-destination",
        "reason": "unknown-name",
        "severity": "warning",
        "first": 4.0,
        "last": 9.0,
        "count": 3,
        "blocked": 0,
        "addresses": ["203.0.113.7", "203.0.113.8"],
        "name": "www.example.com",
        "detail": "",
    }


@pytest.mark.parametrize(
    ("kind", "severity", "counts"),
    [
        (Kind.NEW_DESTINATION, Severity.WARNING, 1),
        (Kind.NEW_DESTINATION, Severity.CRITICAL, 1),
        (Kind.NEW_DESTINATION, Severity.NOTICE, 0),
        (Kind.FOREIGN_RESOLVER, Severity.WARNING, 0),
    ],
)
def test_only_loud_new_destinations_count_for_the_device_but_all_are_listed(
    kind: Kind, severity: Severity, counts: int
) -> None:
    found = result()
    found.raised(alert(1.0, kind=kind, severity=severity))
    found.raised(alert(2.0, kind=kind, severity=severity))
    device = found.to_json()["devices"][MAC]
    assert (device["alerts"], device["alerted_connections"]) == (counts, 2 * counts)
    assert len(found.alerts) == 1


def test_an_alert_without_one_destination_is_null() -> None:
    found = result()
    found.raised(alert(1.0, destination=""))
    assert found.to_json()["alerts"][0]["destination"] is None


def test_names_are_counted_once_each() -> None:
    device = DeviceFigures()
    for name in ("a.example", "b.example", "a.example"):
        device.asked_for(name)
    assert device.to_json()["names"] == 2


def test_a_flood_of_alerts_addresses_and_names_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    for bound in ("MAX_ALERTS", "MAX_ADDRESSES", "MAX_NAMES"):
        monkeypatch.setattr(figures, bound, 10)
    found = result()
    for number in range(25):
        found.raised(alert(1.0, destination=f"{number}.example"))
        found.raised(alert(1.0, destination="0.example", address=f"203.0.113.{number}"))
        found.devices[MAC].asked_for(f"{number}.example")
    assert len(found.alerts) == 10
    assert len(found.to_json()["alerts"][0]["addresses"]) == 10
    assert found.alerts_not_listed == 15
    device = found.to_json()["devices"][MAC]
    assert (device["alerts"], device["alerted_connections"], device["names"]) == (10, 50, 10)


def test_the_json_has_the_promised_keys() -> None:
    printed = json.loads(json.dumps(result().to_json()))
    assert {"packets", "devices", "alerts"} <= printed.keys()
    assert printed["devices"][MAC].keys() == {
        "syn_packets",
        "connections",
        "dns_replies",
        "names",
        "named_connections",
        "learned_destinations",
        "tested_connections",
        "alerts",
        "alerted_connections",
        "class",
        "confidence",
        "maker",
        "hostname",
    }


def test_a_device_is_shown_with_what_it_is() -> None:
    found = result()
    found.identities[MAC] = Identity("iot", 0.9512, "Maker Inc.", "evil\x1b[2J")
    assert found.to_json()["devices"][MAC] == DeviceFigures().to_json() | {
        "class": "iot", "confidence": 0.951, "maker": "Maker Inc.", "hostname": "evil\x1b[2J",
    }  # fmt: skip
    wide, narrow = io.StringIO(), io.StringIO()
    show(found, Screen(wide, width=200, colour=False))
    show(found, Screen(narrow, width=90, colour=False))
    for word in ("iot 95%", "Maker Inc.", "evil\\x1b[2J"):
        assert word in wide.getvalue()
    assert "iot 95%" in narrow.getvalue()
    assert "Maker Inc." not in narrow.getvalue()


@pytest.mark.parametrize("width", [40, 80, 200])
def test_tables_fit_the_width_and_hold_no_control_characters(width: int) -> None:
    found = result()
    found.raised(alert(1.0, destination="evil\x1b[2J." + "x" * 200))
    found.raised(alert(1.0, destination="", severity=Severity.CRITICAL))
    found.warnings.append("lan.pcap: it breaks off inside a packet")
    stream = io.StringIO()
    show(found, Screen(stream, width=width, colour=False))
    text = stream.getvalue()
    tables = text.split("10 packets")[0].splitlines()
    assert max(map(len, tables)) <= max(width, 60)
    assert "\x1b" not in text
    assert MAC in text
    assert "it breaks off" in text
    assert "c8:bf:4c:77:a0:3a" in text


def test_without_alerts_that_is_said() -> None:
    stream = io.StringIO()
    show(result(), Screen(stream, width=80, colour=False))
    assert "No alerts." in stream.getvalue()
