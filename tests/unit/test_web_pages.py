# SPDX-License-Identifier: GPL-2.0-or-later
"""Every page is there for who is logged in, and for nobody else."""

from pathlib import Path

import pytest
from unit.made_effects import raised
from unit.made_home import alert
from unit.made_site import made_site, owner, stranger

from smartrouter.core.effects import THE_ROUTER, Kind
from smartrouter.core.errors import Unavailable
from smartrouter.metrics import CONTENT_TYPE
from smartrouter.store.writer import Writer
from smartrouter.web import tokens

PAGES = ("/", "/inbox", "/devices", "/log", "/rules", "/settings", "/account")


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_sees_no_page(path: str, tmp_path: Path) -> None:
    answer = stranger(made_site(tmp_path, "\toption password_hash 'scrypt$x'\n")).get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("path", PAGES)
def test_the_owner_sees_each_page(path: str, tmp_path: Path) -> None:
    answer = owner(made_site(tmp_path)).get(path)
    assert answer.status_code == 200
    assert "<main" in answer.text


def test_a_button_is_an_order_in_the_owners_name(tmp_path: Path) -> None:
    site = made_site(tmp_path)
    client = owner(site)
    answer = client.send_form("/pause", seconds="3600", to="/inbox")
    assert answer.headers["location"] == "/inbox"
    assert site.asked == [{"do": "pause", "seconds": 3600}]
    assert "Nothing unknown is blocked for 1 h." in client.get("/rules").text


@pytest.mark.parametrize(
    ("chosen", "shown"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')]
)
def test_a_theme_is_kept_by_the_browser(tmp_path: Path, chosen: str, shown: str) -> None:
    client = owner(made_site(tmp_path))
    assert "data-theme" not in client.get("/rules").text
    answer = client.send_form("/account/theme", theme=chosen, to="/rules")
    assert answer.headers["location"] == "/rules"
    assert shown in client.get("/rules").text
    client.send_form("/account/theme", theme="", to="/rules")
    assert "data-theme" not in client.get("/rules").text


def test_a_theme_that_there_is_not_is_none(tmp_path: Path) -> None:
    client = owner(made_site(tmp_path))
    client.cookies.set("smartrouter_theme", '"><script>')
    client.send_form("/account/theme", theme="x; Domain=evil.example", to="//evil.example")
    assert "data-theme" not in client.get("/rules").text


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("60", "UTC+0100"), ("-210", "UTC-0330"), ("0", "UTC+0000"), ("", "UTC"), ("9999", "UTC"), ("x", "UTC")],
)
def test_times_are_in_the_readers_zone_with_the_exact_one_on_hover(
    tmp_path: Path, zone: str, shown: str
) -> None:
    site = made_site(tmp_path)
    client = owner(site)
    if zone:
        client.cookies.set("smartrouter_zone", zone)
    page = client.get("/account").text
    assert '<time datetime="2027-01-15T08:00:00Z"' in page
    assert shown in page.partition('title="')[2].partition('"')[0]
    assert ">just now</time>" in page


def test_alerts_txt_is_the_posters_file(tmp_path: Path) -> None:
    site = made_site(tmp_path)
    writer = Writer(site.config.main.database)
    for name in ("am2-005-edge.digitalhub.com", "b.example", "<c>.example"):
        writer.put(alert("cc:44:63:ea:63:63", name))
    assert writer.flush(20.0)
    writer.close()
    answer = owner(site).get("/alerts.txt")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert lines[0].startswith("cc:44:63:ea:63:63 -> am2-005-edge.digitalhub.com @ ")
    assert [line.split()[2] for line in lines][1:] == ["b.example", "<c>.example"]
    assert len(owner(site).get("/alerts.txt?lines=1").text.splitlines()) == 1


@pytest.mark.parametrize("path", ["/inbox", "/alerts/1"])
def test_an_alert_about_the_router_leads_to_no_device_and_mutes_none(tmp_path: Path, path: str) -> None:
    site = made_site(tmp_path)
    writer = Writer(site.config.main.database)
    about = {"kind": Kind.ACCOUNTING, "destination": "", "service": "", "name": "", "detail": "3 packets"}
    writer.put(raised(THE_ROUTER, **about))  # type: ignore[arg-type]
    assert writer.flush(20.0)
    writer.close()
    page = owner(site).get(path).text
    assert "the router" in page.lower()
    assert 'value="dismiss"' in page
    assert 'value="mute"' not in page
    assert 'href="/devices/"' not in page


def test_metrics_are_for_prometheus_with_a_token_for_them_alone(tmp_path: Path) -> None:
    site = made_site(tmp_path)
    secret, kept = tokens.made("prometheus", [tokens.Scope.METRICS])
    site.tokens = tokens.read([kept])
    program = stranger(site)
    answer = program.get("/metrics", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == CONTENT_TYPE
    assert "\nsmartrouter_up 1" in answer.text
    assert program.get("/alerts.txt", headers={"Authorization": f"Bearer {secret}"}).status_code == 403
    assert program.get("/metrics").status_code == 401


def test_metrics_say_that_smartrouter_does_not_answer(tmp_path: Path) -> None:
    site = made_site(tmp_path)
    site.answers["status"] = Unavailable("it does not run")
    (tmp_path / "store.db").unlink()
    assert "\nsmartrouter_up 0" in owner(site).get("/metrics").text


def test_the_audit_log_tells_what_was_done_and_no_secret(tmp_path: Path) -> None:
    site = made_site(tmp_path, "config notify\n\toption type 'ntfy'\n\toption channel 'x'\n")
    client = owner(site)
    client.send_form("/rules/add", device="*", destination="a.example", action="deny", time="1h")
    client.send_form("/settings/smartrouter", retention="30d", name_grace="1d")
    client.send_form("/settings/notify/0", type="ntfy", channel="s3cret-topic")
    site.answers["mode"] = Unavailable("it is stopping")
    client.send_form("/mode", mode="monitor")
    told = [(line.what, line.about, line.outcome) for _, line in site.ledger.lines(9)]
    assert told == [
        ("mode", "mode monitor", "it is stopping"),
        ("set", "section notify, options channel, place 0", "done"),
        ("set", "section smartrouter, options name_grace, retention, place 0", "done"),
        ("deny", "device *, destination a.example, until 2027-01-15T09:00:00Z", "done"),
    ]
    page = client.get("/account").text
    assert "web:admin" in page
    assert "s3cret" not in page
