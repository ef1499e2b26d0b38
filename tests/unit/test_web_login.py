# SPDX-License-Identifier: GPL-2.0-or-later
"""The way in: what passes the gatekeeper, logging in and out, and what guessing costs."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from unit.made_site import MadeSite, cheap_hash, made_site, owner, stranger, token_of

from smartrouter.core.errors import Unavailable
from smartrouter.web import passwords, tokens
from smartrouter.web.lockout import FREE
from smartrouter.web.tokens import Scope

PASSWORD = "correct horse battery"
HASH = cheap_hash(PASSWORD)
CHANGES = ("/pause", "/mode", "/settings/smartrouter", "/rules/add", "/account/tokens", "/logout", "/welcome")


@pytest.fixture
def site(tmp_path: Path) -> MadeSite:
    return made_site(tmp_path, f"\toption password_hash '{HASH}'\n")


def logged_in(
    site: MadeSite, password: str = PASSWORD, to: str = "/", address: str = "192.168.1.50"
) -> tuple[TestClient, Any]:
    client = stranger(site, address)
    form = {"csrf": token_of(client.get("/login").text), "password": password, "next": to}
    return client, client.post("/login", data=form)


def test_the_password_opens_a_session_that_scripts_cannot_read(site: MadeSite) -> None:
    client, answer = logged_in(site, to="/inbox")
    assert (answer.status_code, answer.headers["location"]) == (303, "/inbox")
    cookie = answer.headers["set-cookie"]
    for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="):
        assert part in cookie
    assert client.get("/").status_code == 200


def test_under_tls_the_cookie_is_for_tls_alone(site: MadeSite) -> None:
    client = stranger(site)
    client.base_url = "https://192.168.1.1:8081"
    form = {"csrf": token_of(client.get("/login").text), "password": PASSWORD}
    cookie = client.post("/login", data=form).headers["set-cookie"]
    assert cookie.startswith("__Host-smartrouter=")
    assert "; Secure" in cookie


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:x", "/a\nb"]
)
def test_nobody_is_sent_elsewhere_after_the_login(site: MadeSite, to: str) -> None:
    _, answer = logged_in(site, to=to)
    assert answer.headers["location"] == "/"


def test_a_wrong_password_opens_nothing(site: MadeSite) -> None:
    client, answer = logged_in(site, "wrong horse battery")
    assert answer.status_code == 403
    assert "smartrouter=" not in answer.headers.get("set-cookie", "")
    assert client.get("/").status_code == 303


def test_guessing_is_locked_out_and_the_right_password_then_too(site: MadeSite) -> None:
    for _ in range(FREE):
        _, answer = logged_in(site, "wrong horse battery")
        assert answer.status_code == 403
    _, answer = logged_in(site)
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert "Too many wrong passwords" in answer.text
    _, other = logged_in(site, address="192.168.1.77")
    assert other.status_code == 303, "another device is not kept out"


def test_one_device_with_many_addresses_is_one_source(site: MadeSite) -> None:
    site.macs = dict.fromkeys((f"192.168.1.{n}" for n in range(100, 201)), "02:00:00:00:00:66")
    for number in range(FREE):
        logged_in(site, "wrong horse battery", address=f"192.168.1.{100 + number}")
    _, answer = logged_in(site, address="192.168.1.200")
    assert answer.status_code == 429


def test_logging_out_ends_the_session_on_the_router(site: MadeSite) -> None:
    client = owner(site)
    answer = client.send_form("/logout")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert site.sessions.all(site.clock()) == []
    again = client.get("/", headers={"Cookie": f"smartrouter={'x' * 43}"})
    assert again.status_code == 303


def test_logging_in_ends_the_session_of_before(site: MadeSite) -> None:
    client = owner(site)
    page = client.get("/account").text
    client.post("/login", data={"csrf": token_of(page), "password": PASSWORD})
    assert len(site.sessions.all(site.clock())) == 1


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_without_the_forms_token_is_refused(site: MadeSite, path: str) -> None:
    client = owner(site)
    for form in ({}, {"csrf": ""}, {"csrf": "00" * 64}, {"csrf": owner(site).csrf}):
        assert client.post(path, data=form).status_code == 403, form
    assert site.asked == []


def test_the_login_form_has_a_token_too(site: MadeSite) -> None:
    assert stranger(site).post("/login", data={"password": PASSWORD}).status_code == 403
    other = token_of(stranger(site).get("/login").text)
    assert stranger(site).post("/login", data={"csrf": other, "password": PASSWORD}).status_code == 403


@pytest.mark.parametrize("path", CHANGES)
def test_a_stranger_changes_nothing(site: MadeSite, path: str) -> None:
    answer = stranger(site).post(path, data={"seconds": "3600"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login"
    assert site.asked == []


def test_a_foreign_host_gets_nothing_whoever_asks(site: MadeSite) -> None:
    client = owner(site)
    for path in ("/", "/login", "/static/x/style.css", "/api/v1/status"):
        answer = client.get(path, headers={"Host": "evil.example"})
        assert answer.status_code == 421, path
    assert (
        client.post("/pause", data={"csrf": client.csrf}, headers={"Host": "evil.example"}).status_code == 421
    )
    assert site.asked == []


def test_a_foreign_page_can_do_nothing_even_with_cookie_and_token(site: MadeSite) -> None:
    client = owner(site)
    for origin in ("http://evil.example", "null"):
        answer = client.post("/pause", data={"csrf": client.csrf}, headers={"Origin": origin})
        assert answer.status_code == 403, origin
    assert site.asked == []


def test_a_script_sends_the_token_as_a_header(site: MadeSite) -> None:
    client = owner(site)
    answer = client.post("/pause", data={"seconds": "60"}, headers={"X-CSRF-Token": client.csrf})
    assert answer.status_code == 303
    assert site.asked == [{"do": "pause", "seconds": 60}]


def test_where_a_login_is_wanted_htmx_is_told_to_go_there(site: MadeSite) -> None:
    answer = stranger(site).get("/inbox?page=2", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/login?next=%2Finbox%3Fpage%3D2"


def test_a_body_has_a_bound(site: MadeSite) -> None:
    client = owner(site)
    assert client.post("/pause", data={"csrf": client.csrf, "x": "y" * 70_000}).status_code == 413

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    assert client.post("/pause", content=endless()).status_code == 413
    assert site.asked == []


def test_a_form_with_a_thousand_fields_is_no_form(site: MadeSite) -> None:
    client = owner(site)
    body = f"csrf={client.csrf}" + "&a=b" * 1000
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/pause", content=body, headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["/", "/login", "/nowhere", "/static/x/y"])
def test_every_answer_wears_the_headers(site: MadeSite, path: str) -> None:
    headers = owner(site).get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_a_fault_of_ours_tells_nothing(site: MadeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("s3cret")

    client = owner(site)
    monkeypatch.setattr(site.ledger, "lines", broken)
    answer = client.get("/account")
    assert answer.status_code == 500
    assert "s3cret" not in answer.text
    assert "content-security-policy" in answer.headers


def test_static_files_are_kept_for_good_and_named_by_what_is_in_them(site: MadeSite) -> None:
    client = stranger(site)
    page = client.get("/login").text
    path = page.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert client.get(path.replace("/static/", "/static/x")).status_code == 404
    assert client.get("/static/x/../../templates/base.html").status_code in (303, 404)


def test_a_session_outlives_the_process(site: MadeSite, tmp_path: Path) -> None:
    client, _ = logged_in(site)
    site.lockout.failed("x", 0.0)
    again = made_site(tmp_path, f"\toption password_hash '{HASH}'\n")
    other = stranger(again)
    other.cookies = client.cookies
    assert other.get("/").status_code == 200


def test_another_password_logs_everybody_out(site: MadeSite, tmp_path: Path) -> None:
    client = owner(site)
    other = made_site(tmp_path, f"\toption password_hash '{cheap_hash('another password')}'\n")
    site.configure(other.share)
    assert client.get("/").status_code == 303


def test_who_changes_the_password_stays_and_the_others_go(site: MadeSite) -> None:
    mine, other = owner(site), owner(site)
    fields = {"old": PASSWORD, "password": "another password", "again": "another password"}
    assert mine.send_form("/account/password", **fields).status_code == 303
    (asked,) = site.asked
    assert asked["do"] == "set-password"
    share = {**site.share, "config": {**site.share["config"], "web": [{"password_hash": asked["hash"]}]}}
    site.configure(share)
    assert mine.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    later = {**share["config"], "web": [{"password_hash": cheap_hash("from the command line")}]}
    site.configure({**share, "config": later})
    assert mine.get("/account").status_code == 303, "somebody else's change logs everybody out"


def test_changing_the_password_takes_the_old_one_and_guessing_it_is_locked_out(site: MadeSite) -> None:
    client = owner(site)
    fields = {"old": "not this one", "password": "another password", "again": "another password"}
    for _ in range(FREE):
        client.send_form("/account/password", **fields)
    client.send_form("/account/password", **fields | {"old": PASSWORD})
    assert site.asked == []
    assert "Too many wrong passwords" in client.get("/account").text


def test_everybody_can_be_logged_out(site: MadeSite) -> None:
    mine, other = owner(site), owner(site)
    mine.send_form("/account/everywhere")
    assert mine.get("/account").status_code == 303
    assert other.get("/account").status_code == 303


def test_nothing_secret_is_logged_kept_or_shown(
    site: MadeSite, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client, answer = logged_in(site)
    secret = answer.headers["set-cookie"].partition("=")[2].partition(";")[0]
    logged_in(site, "wrong-but-s3cret")
    made = client.post(
        "/account/tokens",
        data={"csrf": token_of(client.get("/account").text), "name": "panel", "scope": "read"},
    )
    token = made.text.partition('<code class="secret">')[2].partition("<")[0]
    assert token.startswith(tokens.PREFIX)
    pages = "".join(client.get(path).text for path in ("/account", "/settings", "/"))
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("web.db*")).decode("latin-1")
    for what in (PASSWORD, "wrong-but-s3cret", secret, token, HASH, HASH.rpartition("$")[2]):
        assert what not in caplog.text + pages + kept


# -- tokens ------------------------------------------------------------------------------------------------


def with_token(site: MadeSite, *scopes: Scope) -> dict[str, str]:
    secret, kept = tokens.made("panel", scopes)
    site.tokens = tokens.read([kept])
    return {"Authorization": f"Bearer {secret}"}


def test_a_token_reads_alerts_but_opens_no_page(site: MadeSite) -> None:
    headers = with_token(site, Scope.READ)
    client = stranger(site)
    assert client.get("/alerts.txt", headers=headers).status_code == 200
    for path in ("/", "/account", "/settings"):
        assert client.get(path, headers=headers).status_code == 403
    assert client.post("/pause", data={"seconds": "60"}, headers=headers).status_code == 403
    assert site.asked == []


def test_a_token_is_good_for_its_scopes_alone(site: MadeSite) -> None:
    assert stranger(site).get("/alerts.txt", headers=with_token(site, Scope.METRICS)).status_code == 403


def test_without_login_or_token_there_are_no_alerts(site: MadeSite) -> None:
    answer = stranger(site).get("/alerts.txt")
    assert answer.status_code == 401
    assert "Bearer" in answer.headers["www-authenticate"]


def test_a_wrong_token_is_a_stranger_also_to_the_login_form(site: MadeSite) -> None:
    client = stranger(site)
    wrong = {"Authorization": "Bearer smr_wrong"}
    assert client.get("/alerts.txt", headers=wrong).status_code == 401
    assert client.post("/login", data={"csrf": "", "password": PASSWORD}, headers=wrong).status_code == 403


def test_a_link_from_a_chat_leads_to_its_page_once_our_own_page_has_asked_again(site: MadeSite) -> None:
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    answer = stranger(site).get("/login?next=/alerts/7", headers=elsewhere)
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0">' in answer.text
    assert owner(site).get("/login?next=/alerts/7").headers["location"] == "/alerts/7"
    here = {"Sec-Fetch-Site": "same-origin"}
    assert "password" in stranger(site).get("/login?next=/alerts/7", headers=here).text


def test_a_lack_of_memory_is_said_and_counts_as_no_guess(
    site: MadeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starved(*_: object) -> bool:
        raise Unavailable("the router has too little memory")

    monkeypatch.setattr(passwords, "is_right", starved)
    for _ in range(FREE + 1):
        _, answer = logged_in(site)
        assert (answer.status_code, "too little memory" in answer.text) == (503, True)
    monkeypatch.undo()
    assert logged_in(site)[1].status_code == 303


def test_where_there_is_no_password_yet_no_guess_is_refused(site: MadeSite) -> None:
    """A form may be older than what is known of the password."""
    client = stranger(site)
    form = {"csrf": token_of(client.get("/login").text), "password": PASSWORD}
    site.web = site.web.replace(password_hash="")
    answer = client.post("/login", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/setup")


@pytest.mark.parametrize(
    ("chosen", "typed"),
    [
        ("caf\u00e9 am Rhein", "cafe\u0301 am Rhein"),
        ("passwort \u00fcber alles", "passwort u\u0308ber alles"),
        ("  spaces count, too  ", "  spaces count, too  "), ("a+b&c=d%25;e;f?#", "a+b&c=d%25;e;f?#"),
        ("\U0001f511 und \U0001f6aa und Haus", "\U0001f511 und \U0001f6aa und Haus"),
    ],
    ids=["composed", "decomposed", "spaces", "signs of forms", "beyond the plane"],
)  # fmt: skip
def test_what_was_chosen_opens_whatever_it_is_made_of(chosen: str, typed: str, tmp_path: Path) -> None:
    made = made_site(tmp_path, f"\toption password_hash '{passwords.hashed(chosen)}'\n")
    assert logged_in(made, typed)[1].status_code == 303
    assert logged_in(made, typed.strip() + "x")[1].status_code == 403
