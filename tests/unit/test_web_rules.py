# SPDX-License-Identifier: GPL-2.0-or-later
"""The page of rules: listed, added, deleted, edited."""

from pathlib import Path

import pytest
from unit.made_site import MadeSite, Owner, made_site, owner

TV = "3c:2e:ff:29:4d:93"
KEY = {"device": TV, "destination": "netflix.com", "service": "web"}
RULES = f"""\
config device
	option mac '{TV}'
	option name '<b>TV</b>'
config rule
	option device '{TV}'
	option destination 'netflix.com'
	option service 'web'
	option action 'allow'
	option until '2027-01-16T08:00:00Z'
	option by 'web:admin'
	option at '2026-11-22T12:00:00Z'
config rule
	option device '*'
	option destination '203.0.113.0/24'
	option action 'deny'
"""


@pytest.fixture
def site(tmp_path: Path) -> MadeSite:
    return made_site(tmp_path, RULES)


@pytest.fixture
def client(site: MadeSite) -> Owner:
    return owner(site)


def test_each_rule_says_what_for_whom_until_when_and_who_decided(client: Owner) -> None:
    page = client.get("/rules").text
    for text in (
        "netflix.com",
        "every device",
        "203.0.113.0/24",
        "for good",
        "web:admin",
        "by hand",
        "in 24 h",
    ):
        assert text in page, text
    assert "<b>TV</b>" not in page


def test_only_one_devices_rules_are_shown(client: Owner) -> None:
    page = client.get("/rules", params={"only": TV}).text
    assert "netflix.com" in page
    assert "203.0.113.0/24" not in page.partition("<tbody>")[2]


def test_hundreds_of_rules_are_paged(tmp_path: Path) -> None:
    rules = "".join(
        f"config rule\n\toption device '*'\n\toption destination 'n{n}.example'\n\toption action 'deny'\n"
        for n in range(300)
    )
    client = owner(made_site(tmp_path, rules))
    first = client.get("/rules")
    assert len(first.content) < 100_000
    assert "Page 1 of 6" in first.text
    assert "n299.example" in first.text
    assert "n0.example" in client.get("/rules", params={"page": "6"}).text


def test_a_rule_is_added_for_a_time(site: MadeSite, client: Owner) -> None:
    client.send_form(
        "/rules/add", device="*", destination="*.example.com", service="", action="deny", time="1h"
    )
    (asked,) = site.asked
    assert asked == {
        "do": "deny", "device": "*", "destination": "*.example.com", "service": "",
        "until": site.clock() + 3600, "by": "web:admin",
    }  # fmt: skip


def test_a_rule_that_makes_no_sense_is_refused_beside_the_field(site: MadeSite, client: Owner) -> None:
    answer = client.send_form(
        "/rules/add", device=TV, destination="no good", service="tcp/99999", action="allow"
    )
    assert answer.status_code == 400
    assert "a name such as" in answer.text
    assert "tcp/8883" in answer.text
    assert site.asked == []


def test_a_rule_is_deleted_and_undo_has_it_back_as_it_was(site: MadeSite, client: Owner) -> None:
    client.send_form("/rules/remove", **KEY)
    assert site.asked == [{"do": "remove-rule", **KEY}]
    client.undo(client.get("/rules").text)
    assert site.asked[1:] == [{"do": "allow", **KEY, "until": 1800086400.0, "by": "web:admin"}]


def test_undo_of_a_new_rule_has_the_one_back_that_it_replaced(site: MadeSite, client: Owner) -> None:
    client.send_form(
        "/rules/add", **KEY | {"destination": "Netflix.com"}, action="deny", time="1h"
    )  # a name is the same however it is typed
    client.undo(client.get("/rules").text)
    assert site.asked[1:] == [{"do": "allow", **KEY, "until": 1800086400.0, "by": "web:admin"}]


def test_undo_of_a_rule_about_something_new_leaves_none(site: MadeSite, client: Owner) -> None:
    key = {"device": "*", "destination": "new.example", "service": ""}
    client.send_form("/rules/add", **key, action="deny", time="1h")
    client.undo(client.get("/rules").text)
    assert site.asked[1:] == [{"do": "remove-rule", **key}]


def test_undo_of_an_edit_has_the_rule_back_as_it_was(site: MadeSite, client: Owner) -> None:
    old = {f"old_{name}": value for name, value in KEY.items()}
    new = {"device": "*", "destination": "films.example", "service": "web"}
    client.send_form("/rules/edit", **old, **new, action="deny", time="always")
    client.undo(client.get("/rules").text)
    assert site.asked[2:] == [
        {"do": "allow", **KEY, "until": 1800086400.0, "by": "web:admin"}, {"do": "remove-rule", **new},
    ]  # fmt: skip


@pytest.mark.parametrize("form", [{}, {"was_action": "explode"}, {"destination": ""}])
def test_an_undo_of_nothing_does_nothing(form: dict[str, str], site: MadeSite, client: Owner) -> None:
    assert client.send_form("/decisions/undo", **form, to="/rules").status_code == 303
    assert site.asked == []


def test_a_rule_for_one_connection_stays_one_when_it_is_edited_and_undone(tmp_path: Path) -> None:
    site = made_site(tmp_path, RULES.replace("option by", "option once '1'\n\toption by"))
    client = owner(site)
    old = {f"old_{name}": value for name, value in KEY.items()}
    client.send_form("/rules/edit", **old, **KEY, action="allow", time="kept")
    client.undo(client.get("/rules").text)
    assert [asked.get("once") for asked in site.asked] == [True, True]


def test_a_rule_that_has_ended_is_not_had_back(tmp_path: Path) -> None:
    site = made_site(tmp_path, RULES.replace("2027-01-16", "2020-01-16"))
    client = owner(site)
    client.send_form("/rules/add", **KEY, action="deny", time="always")
    client.undo(client.get("/rules").text)
    assert site.asked[1:] == [{"do": "remove-rule", **KEY}]


def test_a_rules_scope_is_edited_the_new_one_first(site: MadeSite, client: Owner) -> None:
    form = client.get("/rules/edit", params=KEY)
    assert form.status_code == 200
    old = {f"old_{name}": value for name, value in KEY.items()}
    wanted = {"device": "*", "destination": "netflix.com", "service": "", "action": "allow", "time": "kept"}
    client.send_form("/rules/edit", **old, **wanted)
    assert [asked["do"] for asked in site.asked] == ["allow", "remove-rule"]
    assert site.asked[0]["device"] == "*"
    assert site.asked[0]["until"] == 1800086400.0
    assert site.asked[1] == {"do": "remove-rule", **KEY}


def test_a_rule_whose_time_alone_is_edited_is_not_removed(site: MadeSite, client: Owner) -> None:
    old = {f"old_{name}": value for name, value in KEY.items()}
    client.send_form("/rules/edit", **old, **KEY, action="deny", time="always")
    (asked,) = site.asked
    assert (asked["do"], asked["until"]) == ("deny", None)


def test_a_rule_that_is_gone_cannot_be_edited(client: Owner) -> None:
    assert client.get("/rules/edit", params={**KEY, "service": ""}).status_code == 404
