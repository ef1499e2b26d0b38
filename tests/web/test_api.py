# SPDX-License-Identifier: GPL-2.0-or-later
"""The API as programs use it: who may do what, what requests are refused and how, and what each operation
does with the house."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from starlette.testclient import TestClient
from unit.made_home import PHONE, PLUG, TV, alert, attempt, noted, sighting
from web.house import House

from smartrouter.config import load
from smartrouter.core.effects import Kind
from smartrouter.core.policy import Reason
from smartrouter.store.alerts import alerts
from smartrouter.store.connect import open_reader
from smartrouter.web.api import deciding
from smartrouter.web.api.endpoint import BASE, MOST_BODY
from smartrouter.web.api.openapi import document
from smartrouter.web.api.operation import Operation
from smartrouter.web.api.operations import OPERATIONS
from smartrouter.web.api.problems import PROBLEM
from smartrouter.web.gatekeeper import cookie_name
from smartrouter.web.sessions import masked
from smartrouter.web.tokens import Scope

UNKNOWN = "02:00:00:00:00:99"
BODIES: dict[str, Any] = {
    "changeDevice": {"name": "Telly"},
    "learn": {},
    "forget": {"destination": "films.example"},
    "same": {"other": PLUG},
    "allowAlert": {},
    "denyAlert": {},
    "addRule": {"action": "allow", "device": "*", "destination": "updates.example"},
    "setMode": {"mode": "enforce"},
    "pause": {"seconds": 60},
    "changeSettings": {"name_grace": "2d"},
}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def program(house: House) -> TestClient:
    return house.program()


def path_of(operation: Operation) -> str:
    path = operation.path.format(mac=TV, alert=1, rule="deff2cc833c46188", channel="webhook")
    return BASE + path


def asked(client: TestClient, operation: Operation) -> Any:
    body = BODIES.get(operation.name)
    return client.request(operation.method, path_of(operation), json=body)


def is_problem(answer: Any, status: int) -> bool:
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    Draft202012Validator(dict(PROBLEM)).validate(told)
    assert told["status"] == answer.status_code == status, told
    return True


WITH_ANSWER = [each for each in OPERATIONS if not each.streams]
IDS = [each.name for each in WITH_ANSWER]

# -- every operation ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", WITH_ANSWER, ids=IDS)
def test_an_operation_answers_as_its_schema_says(operation: Operation, house: House) -> None:
    if operation.name in ("undoAlert", "keepMode"):
        house.program().post(f"{BASE}/alerts/1/dismiss")
        house.program().post(f"{BASE}/mode", json={"mode": "enforce", "try": 600})
    answer = asked(house.program(), operation)
    assert answer.status_code == operation.status, answer.text
    if operation.status == 204:
        assert answer.content == b""
    else:
        assert answer.headers["content-type"] == "application/json"
        Draft202012Validator(dict(operation.answer)).validate(answer.json())


@pytest.mark.parametrize("operation", OPERATIONS, ids=[each.name for each in OPERATIONS])
def test_an_operation_is_for_its_scope_alone(operation: Operation, house: House) -> None:
    before = house.path.read_text()
    for scope in Scope:
        if scope is not operation.scope:
            answer = asked(house.program(scope), operation)
            assert is_problem(answer, 403)
            assert f'scope="{operation.scope}"' in answer.headers["www-authenticate"]
    for nobody in ("", "smr_wrong", "smr_" + 43 * "A"):
        answer = asked(house.program(nobody), operation)
        assert is_problem(answer, 401)
        assert answer.headers["www-authenticate"] == 'Bearer realm="smartrouter"'
    assert house.path.read_text() == before
    assert house.asked == []


@pytest.mark.parametrize("operation", WITH_ANSWER, ids=IDS)
def test_what_is_not_as_the_document_says_is_refused(operation: Operation, program: TestClient) -> None:
    path = path_of(operation)
    answer = program.request(operation.method, path, params={"no_such": "1"}, json=BODIES.get(operation.name))
    assert is_problem(answer, 422)
    assert answer.json()["errors"][0] == {
        "in": "query", "pointer": "no_such", "detail": answer.json()["errors"][0]["detail"],
    }  # fmt: skip
    assert is_problem(program.request(operation.method, path, headers={"Accept": "text/html"}), 406)
    if operation.body is None:
        return
    send = {"Content-Type": "application/json"}
    for body, status in (
        (b"", 400), (b"{", 400), (b'{"a": NaN}', 400), (b'"\xff"', 400), (b"[" * 60_000, 400),
        (b"[]", 422), (b'{"no_such": 1}', 422), (b'"' + b"x" * MOST_BODY + b'"', 413),
    ):  # fmt: skip
        assert is_problem(program.request(operation.method, path, content=body, headers=send), status), body
    form = program.request(operation.method, path, data={"a": "b"})
    assert is_problem(form, 415)


def test_other_methods_are_refused_with_those_that_there_are(program: TestClient) -> None:
    answer = program.put(f"{BASE}/rules")
    assert is_problem(answer, 405)
    assert answer.headers["allow"] == "GET, POST"
    assert program.options(f"{BASE}/rules").headers["allow"] == "GET, POST"
    assert program.head(f"{BASE}/rules").status_code == 200
    assert is_problem(program.get("/api/v1/nothing"), 404)
    assert is_problem(program.get("/api/v2/rules"), 404)


def test_the_document_has_every_operation_and_every_status_that_it_ends_with(house: House) -> None:
    anybody = house.program("")
    told = anybody.get(f"{BASE}/openapi.json").json()
    assert told == json.loads(json.dumps(document()))
    for operation in OPERATIONS:
        said = told["paths"][operation.path][operation.method.lower()]
        assert str(operation.status) in said["responses"]
        assert {"401", "403", "503"} <= said["responses"].keys()
    assert sum(len(at.keys() - {"parameters"}) for at in told["paths"].values()) == len(OPERATIONS)


def test_a_page_of_ours_uses_its_session_and_says_so_with_a_change(house: House) -> None:
    name, session = house.site.sessions.open("127.0.0.1", "a browser", time.time())
    browser = house.program("")
    browser.cookies.set(cookie_name("http"), name)
    assert browser.get(f"{BASE}/devices").status_code == 200
    assert is_problem(browser.post(f"{BASE}/pause", json={"seconds": 60}), 403)
    header = {"X-CSRF-Token": masked(session.csrf)}
    assert browser.post(f"{BASE}/pause", json={"seconds": 60}, headers=header).json() == {"seconds": 60.0}
    foreign = {**header, "Origin": "http://evil.example"}
    assert is_problem(browser.post(f"{BASE}/pause", json={"seconds": 60}, headers=foreign), 403)
    assert is_problem(browser.get(f"{BASE}/devices", headers={"Host": "evil.example"}), 421)


def test_nothing_secret_is_in_any_answer(house: House) -> None:
    program = house.program()
    for operation in OPERATIONS:
        if operation.method == "GET" and not operation.streams:
            text = asked(program, operation).text
            assert "s3cret" not in text, operation.name
            assert "smr_" not in text, operation.name
            assert not any(token.digest in text for token in house.site.tokens), operation.name


def test_a_fault_of_ours_tells_nothing_of_our_insides(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(house.site), "store", None)
    answer = house.program().get(f"{BASE}/attempts")
    assert is_problem(answer, 500)
    assert answer.json()["detail"] == "A fault of smartrouter's; its log says more."


def test_a_store_that_is_not_there_is_said_to_be(house: House) -> None:
    Path(house.database).unlink()
    answer = house.program().get(f"{BASE}/attempts")
    assert is_problem(answer, 503)
    assert answer.headers["retry-after"] == "5"
    assert house.program().get(f"{BASE}/status").json()["store"] is None


# -- alerts ------------------------------------------------------------------------------------------------


def state_of(house: House, number: int) -> str:
    conn = open_reader(house.database)
    try:
        return next(each.state for each in alerts(conn) if each.id == number)
    finally:
        conn.close()


def test_an_alert_is_allowed_and_that_is_taken_back(house: House, program: TestClient) -> None:
    answer = program.post(f"{BASE}/alerts/1/allow", json={}).json()
    assert answer["rule"]["destination"] == "evil.example"
    (rule,) = [each for each in load(house.path).rules if each.destination == "evil.example"]
    assert (rule.device, rule.action, rule.until, rule.by) == (TV, "allow", None, "web:token.all")
    assert program.get(f"{BASE}/rules/{answer['rule']['id']}").json()["action"] == "allow"
    assert state_of(house, 1) == "allowed"
    assert program.post(f"{BASE}/alerts/1/undo").json()["state"] == "open"
    assert program.get(f"{BASE}/rules/{answer['rule']['id']}").status_code == 404


@pytest.mark.parametrize(
    ("body", "lasts"),
    [
        ({"once": True}, deciding.ONCE),
        ({"seconds": 3600}, 3600),
        ({"seconds": 3600, "all_devices": True}, 3600),
    ],
)
def test_it_is_denied_for_a_time(body: dict[str, Any], lasts: int, house: House, program: TestClient) -> None:
    answer = program.post(f"{BASE}/alerts/1/deny", json=body).json()
    assert answer["rule"]["until"] == pytest.approx(time.time() + lasts, abs=30)
    assert answer["rule"]["device"] == ("*" if "all_devices" in body else TV)


def test_the_exact_name_is_allowed_instead_of_its_group(house: House, program: TestClient) -> None:
    house.put(alert(TV, "a.b.example"))
    conn = open_reader(house.database)
    number = max(each.id for each in alerts(conn))
    conn.close()
    answer = program.post(f"{BASE}/alerts/{number}/allow", json={"exact": True})
    assert answer.json()["rule"]["destination"] == "a.b.example"
    assert is_problem(program.post(f"{BASE}/alerts/2/allow", json={"exact": True}), 409)  # it has no name


def test_an_alert_is_dismissed_and_opened_again(house: House, program: TestClient) -> None:
    told = program.post(f"{BASE}/alerts/2/dismiss").json()
    assert (told["state"], told["decided_by"]) == ("dismissed", "web:token.all")
    assert program.post(f"{BASE}/alerts/2/undo").json()["state"] == "open"
    assert is_problem(program.post(f"{BASE}/alerts/2/undo"), 409)


def test_what_no_rule_can_decide_about_is_said(house: House, program: TestClient) -> None:
    house.put(noted(TV, Kind.SCAN, Reason.SCAN, "254 addresses, tcp/23"))
    answer = program.post(f"{BASE}/alerts/3/allow", json={})
    assert is_problem(answer, 409)
    assert "about no destination that a rule could name" in answer.json()["detail"]


def test_alerts_are_chosen_and_come_page_by_page(house: House, program: TestClient) -> None:
    house.put(*(alert(TV, f"n{number}.example{number}.net") for number in range(7)))
    program.post(f"{BASE}/alerts/2/dismiss")
    seen, cursor = [], None
    while True:
        params = {"limit": 3, "state": "open"} | ({"cursor": cursor} if cursor else {})
        page = program.get(f"{BASE}/alerts", params=params).json()
        seen += [each["id"] for each in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [9, 8, 7, 6, 5, 4, 3, 1]
    of_plug = program.get(f"{BASE}/alerts", params={"device": PLUG}).json()["items"]
    assert [each["id"] for each in of_plug] == [2]
    both = program.get(f"{BASE}/alerts", params={"state": ["open", "dismissed"], "kind": "scan"}).json()
    assert both == {"items": [], "next": None}
    for wrong in ({"limit": 0}, {"limit": "x"}, {"state": "gone"}, {"cursor": "-1"}, {"device": "tv"}):
        assert is_problem(program.get(f"{BASE}/alerts", params=wrong), 422)
    assert is_problem(program.get(f"{BASE}/alerts?limit=1&limit=2"), 422)


# -- devices, attempts, rules, settings --------------------------------------------------------------------


def test_devices_come_page_by_page_and_by_how_they_stand(house: House, program: TestClient) -> None:
    house.fill(sightings=(sighting(PHONE, "Pixel-8", False, "192.168.1.22"),))
    first = program.get(f"{BASE}/devices", params={"limit": 2}).json()
    second = program.get(f"{BASE}/devices", params={"limit": 2, "cursor": first["next"]}).json()
    assert [each["mac"] for each in first["items"] + second["items"]] == sorted([TV, PLUG, PHONE])
    assert second["next"] is None
    for params, macs in (
        ({"state": "learning"}, [PLUG]), ({"watched": "false"}, [PHONE]),
        ({"present": "true", "watched": "true"}, [TV, PLUG]),
    ):  # fmt: skip
        found = program.get(f"{BASE}/devices", params=params).json()["items"]
        assert [each["mac"] for each in found] == macs


def test_a_device_is_called_muted_watched_and_enforced(house: House, program: TestClient) -> None:
    body = {"name": "Küche", "mode": "enforce", "watch": "always", "mute": 3600}
    told = program.patch(f"{BASE}/devices/{TV}", json=body).json()
    assert (told["name"], told["mode"], told["muted_by"]) == ("Küche", "enforce", "web:token.all")
    assert told["mute_until"] == pytest.approx(time.time() + 3600, abs=30)
    (device,) = [each for each in load(house.path).devices if each.mac == TV]
    assert device.watch == "always"
    assert is_problem(program.patch(f"{BASE}/devices/{TV}", json={"name": "two\nlines"}), 409)
    for path in ("", "/learn", "/forget", "/same"):
        method = "POST" if path else "PATCH"
        name = path.strip("/") or "changeDevice"
        answer = program.request(method, f"{BASE}/devices/{UNKNOWN}{path}", json=BODIES[name])
        assert is_problem(answer, 404)


def test_learning_ends_begins_and_is_taken_back(house: House, program: TestClient) -> None:
    assert program.post(f"{BASE}/devices/{PLUG}/learn", json={"finish": True}).json() == {
        "state": "protected"
    }
    assert program.post(f"{BASE}/devices/{PLUG}/learn", json={}).json() == {"state": "learning"}
    body = {"destination": "films.example", "service": "web"}
    assert program.post(f"{BASE}/devices/{TV}/forget", json=body).json() == {"forgotten": 1}
    assert house.asked[-1] == {"do": "forget", "device": TV, **body}


def test_one_device_takes_the_place_of_another(house: House, program: TestClient) -> None:
    assert program.post(f"{BASE}/devices/{PLUG}/same", json={"other": TV}).json()["applied"]
    assert [each.mac for each in load(house.path).devices] == [PLUG]
    listed = program.get(f"{BASE}/devices").json()["items"]
    assert [each["mac"] for each in listed] == [PLUG]


def test_attempts_are_chosen_and_come_page_by_page(house: House, program: TestClient) -> None:
    house.put(*(attempt(TV, f"n{number}.example") for number in range(5)))
    first = program.get(f"{BASE}/attempts", params={"limit": 4}).json()
    house.put(attempt(TV, "later.example"))  # what comes meanwhile moves no page
    second = program.get(f"{BASE}/attempts", params={"limit": 4, "cursor": first["next"]}).json()
    names = [each["name"] for each in first["items"] + second["items"]]
    assert names == [*(f"n{number}.example" for number in (4, 3, 2, 1, 0)), "evil.example", "a.films.example"]
    for params, found in (
        ({"verdict": "blocked"}, ["evil.example"]), ({"destination": "films"}, ["a.films.example"]),
        ({"reason": "learned"}, ["a.films.example"]), ({"device": PLUG}, []), ({"until": 1}, []),
    ):  # fmt: skip
        assert [
            each["name"] for each in program.get(f"{BASE}/attempts", params=params).json()["items"]
        ] == found


def test_a_rule_is_made_found_and_removed(house: House, program: TestClient) -> None:
    body = {"action": "deny", "device": TV, "destination": "Tracker.Example", "service": "tcp/8883"}
    made = program.post(f"{BASE}/rules", json=body)
    assert made.status_code == 201
    where = made.headers["location"]
    assert program.get(where).json()["destination"] == "tracker.example"
    assert program.get(where).json()["by"] == "web:token.all"
    assert len(program.get(f"{BASE}/rules", params={"device": TV}).json()["items"]) == 2
    assert program.delete(where).status_code == 204
    assert is_problem(program.get(where), 404)
    assert is_problem(program.delete(where), 404)
    for wrong in ({"destination": "a..b"}, {"service": "tcp/443"}, {"device": "tv"}, {"action": "ask"}):
        assert is_problem(program.post(f"{BASE}/rules", json=body | wrong), 422)
    assert is_problem(program.post(f"{BASE}/rules", json=body | {"destination": "10.0.0.1/8"}), 409)


def test_settings_are_read_and_changed_all_or_none(house: House, program: TestClient) -> None:
    before = program.get(f"{BASE}/settings").json()
    assert (before["learning_period"], before["device"]) == ("14d", ["lo"])
    change = {"learning_period": "7d", "resolver": ["9.9.9.9"]}
    assert program.patch(f"{BASE}/settings", json=change).json() == before | change
    assert load(house.path).main.learning_period == 7 * 86400
    wrong = program.patch(
        f"{BASE}/settings", json={"learning_period": "a week", "match": "none", "mode": "x"}
    )
    assert is_problem(wrong, 422)
    assert [each["pointer"] for each in wrong.json()["errors"]] == ["/learning_period", "/match", "/mode"]
    never = program.patch(f"{BASE}/settings", json={"learning_period": "9d", "analysis_interval": "0s"})
    assert is_problem(never, 409)
    assert never.json()["errors"] == [
        {
            "in": "body", "pointer": "/analysis_interval",
            "detail": "found '0s'; allowed is a time of one second or more, such as `14d`, `36h`, `5m`, "
            "`15s` or `1h30m`",
        }
    ]  # fmt: skip
    assert load(house.path).main.learning_period == 7 * 86400
    assert program.patch(f"{BASE}/settings", json={"learning_period": ""}).json()["learning_period"] == "14d"


@pytest.mark.parametrize("name", ["enabled", "network", "database", "alert_file", "password_hash", "token"])
def test_a_program_cannot_cut_itself_off_nor_have_root_write_files(name: str, program: TestClient) -> None:
    assert is_problem(program.patch(f"{BASE}/settings", json={name: "1"}), 422)


# -- the mode ----------------------------------------------------------------------------------------------


def test_a_mode_on_trial_is_kept_or_ends(house: House, program: TestClient) -> None:
    told = program.post(f"{BASE}/mode", json={"mode": "enforce", "try": 600}).json()
    assert (told["mode"], told["after"]) == ("enforce", "monitor")
    assert told["until"] == pytest.approx(time.time() + 600, abs=30)
    kept = program.post(f"{BASE}/mode/keep").json()
    assert (kept["mode"], kept["until"], kept["after"]) == ("enforce", None, None)
    assert is_problem(program.post(f"{BASE}/mode/keep"), 409)
    assert program.post(f"{BASE}/mode", json={"mode": "monitor"}).json()["mode"] == "monitor"


def test_what_enforce_will_meet_is_told_before(program: TestClient) -> None:
    told = program.get(f"{BASE}/mode/consequences").json()
    assert {each["id"] for each in told["waiting"]} == {1, 2}
    assert [each["mac"] for each in told["devices"]] == [TV]
    assert told["learning"] == [PLUG]
    assert 0 < told["expected"]["day"] < told["expected"]["week"]
    assert is_problem(program.get(f"{BASE}/mode/consequences", params={"device": UNKNOWN}), 404)


def test_a_channel_is_tried(program: TestClient) -> None:
    assert program.post(f"{BASE}/channels/webhook/test").json() == {
        "name": "webhook",
        "ok": True,
        "error": "",
    }
    assert is_problem(program.post(f"{BASE}/channels/slack/test"), 404)
