# SPDX-License-Identifier: GPL-2.0-or-later
"""Settings as a form: the same table, the same words beside the field, one change for one form."""

from pathlib import Path

import pytest
from unit.made_site import MadeSite, Owner, made_site, owner

from smartrouter.config.fingerprint import fingerprint
from smartrouter.config.options import options_of
from smartrouter.config.sections import SECTIONS
from smartrouter.core.errors import BadConfig
from smartrouter.web.fields import ELSEWHERE

CHANNELS = """\
config notify
	option type 'ntfy'
	option channel 's3cret-topic'
config notify
	option type 'webhook'
	option name 'hook'
	option url 'https://user:s3cret@example.net/'
"""


@pytest.fixture
def site(tmp_path: Path) -> MadeSite:
    return made_site(tmp_path, CHANNELS)


@pytest.fixture
def client(site: MadeSite) -> Owner:
    return owner(site)


def test_every_option_has_its_field(client: Owner) -> None:
    page = client.get("/settings").text
    for kind, form in (("smartrouter", "main"), ("web", "web")):
        for option in options_of(SECTIONS[kind]):
            if option.name not in ELSEWHERE[kind]:
                assert f'<label for="{form}-{option.name}">' in page, option.name
    channel = client.get("/settings/notify/new").text
    for option in options_of(SECTIONS["notify"]):
        assert f'<label for="channel-{option.name}">' in channel, option.name


def test_options_have_names_in_words_and_those_of_the_file(client: Owner) -> None:
    page = client.get("/settings").text
    for title, name in (("IoT network", "iot_network"), ("Redirect DNS", "redirect_dns")):
        assert f'>{title} <code class="faint">{name}</code></label>' in page
    assert ">Enabled</label>" in page


def test_no_secret_is_shown(client: Owner) -> None:
    for path in ("/settings", "/settings/notify/0", "/settings/notify/1", "/account"):
        assert "s3cret" not in client.get(path).text


def test_only_what_changed_is_sent_as_one_change(site: MadeSite, client: Owner) -> None:
    answer = client.send_form(
        "/settings/smartrouter", retention="30d", name_grace="", match="chain", mode="enforce"
    )
    assert answer.headers["location"] == "/settings#smartrouter"
    assert site.asked == [
        {"do": "set", "section": "smartrouter", "options": {"retention": "30d"}, "place": 0}
    ]
    assert "Saved: retention." in client.get("/settings").text


def test_nothing_changed_is_no_change(site: MadeSite, client: Owner) -> None:
    client.send_form("/settings/smartrouter", retention="90d", resolver="", block_action="reject")
    assert site.asked == []
    assert "Nothing was changed." in client.get("/settings").text


def test_a_change_can_be_undone(site: MadeSite, client: Owner) -> None:
    client.send_form("/settings/smartrouter", resolver="192.168.1.53\n9.9.9.9", retention="30d")
    page = client.get("/settings").text
    assert '<input type="hidden" name="retention" value="90d">' in page
    assert '<input type="hidden" name="resolver" value="">' in page
    site.share["config"]["smartrouter"][0] |= {"retention": "30d", "resolver": ["192.168.1.53", "9.9.9.9"]}
    client.send_form("/settings/smartrouter", retention="90d", resolver="")
    assert site.asked[-1]["options"] == {"retention": "", "resolver": []}


@pytest.mark.parametrize(
    ("option", "text", "says"),
    [
        ("retention", "soon", "a time of one second or more"),
        ("resolver", "9.9.9.9 dns", "an IPv4 or IPv6 address"),
        ("block_mark", "0x40000000", "another bit than pass_mark"),
        ("match", "<script>", "`chain`, `host` or `domain`"),
    ],
)
def test_the_same_error_stands_beside_the_field(
    site: MadeSite, client: Owner, option: str, text: str, says: str
) -> None:
    answer = client.send_form("/settings/smartrouter", **{option: text})
    assert answer.status_code == 400
    assert site.asked == []
    error = answer.text.partition(f'id="main-{option}-error">')[2].partition("</p>")[0]
    assert says in error
    assert "<script>" not in answer.text.partition("<main")[2]
    assert 'aria-invalid="true"' in answer.text


def test_where_root_writes_is_not_for_the_web_to_say(site: MadeSite, client: Owner) -> None:
    for option in ("database", "alert_file"):
        client.send_form("/settings/smartrouter", **{option: "/etc/cron.d/x"})
    for option in ("certificate", "key"):
        client.send_form("/settings/web", **{option: "/etc/cron.d/x"})
    assert site.asked == []


def test_the_password_and_tokens_are_not_set_by_a_form(site: MadeSite, client: Owner) -> None:
    client.send_form("/settings/web", password_hash="scrypt$x", token="x:read:" + "0" * 64)
    client.send_form("/settings/smartrouter", mode="enforce", mode_until="2030-01-01T00:00:00Z")
    assert site.asked == []


def test_what_smartrouter_refuses_is_said(site: MadeSite, client: Owner) -> None:
    site.answers["set"] = BadConfig("the file is locked")
    client.send_form("/settings/smartrouter", retention="30d")
    assert "the file is locked" in client.get("/settings").text


def test_a_channel_is_added(site: MadeSite, client: Owner) -> None:
    client.send_form(
        "/settings/notify/new", type="ntfy", channel="topic", min_severity="critical", name="phone"
    )
    assert site.asked == [
        {"do": "add-section", "section": "notify",
         "options": {"type": "ntfy", "channel": "topic", "min_severity": "critical", "name": "phone"}}
    ]  # fmt: skip


def test_a_channel_without_a_type_is_refused_beside_its_field(site: MadeSite, client: Owner) -> None:
    answer = client.send_form("/settings/notify/new", channel="topic")
    assert answer.status_code == 400
    assert "found nothing" in answer.text.partition('id="channel-type-error">')[2]


def test_a_channel_is_edited_and_a_secret_stays_unless_it_is_given(site: MadeSite, client: Owner) -> None:
    seen = fingerprint(site.config.notify[0])
    client.send_form("/settings/notify/0", type="ntfy", channel="", per_minute="60", expected=seen)
    client.send_form("/settings/notify/0", type="ntfy", channel="new-topic", expected=seen)
    client.send_form("/settings/notify/1", **{"type": "webhook", "remove.url": "1", "name": "hook"})
    assert [asked["options"] for asked in site.asked] == [
        {"per_minute": "60"}, {"channel": "new-topic"}, {"url": ""},
    ]  # fmt: skip
    assert site.asked[0]["expected"] == seen


def test_a_channel_with_anothers_name_is_refused(site: MadeSite, client: Owner) -> None:
    answer = client.send_form("/settings/notify/0", type="ntfy", name="hook")
    assert answer.status_code == 400
    assert "is called so" in answer.text


def test_a_channel_is_tested_and_what_went_wrong_is_said(site: MadeSite, client: Owner) -> None:
    site.answers["test-channel"] = {"error": "it answered 500"}
    client.send_form("/settings/notify/1/test", name="hook")
    assert site.asked == [{"do": "test-channel", "name": "hook"}]
    assert "hook did not take the sample: it answered 500" in client.get("/settings").text
    site.answers["test-channel"] = {"error": ""}
    client.send_form("/settings/notify/1/test", name="hook")
    assert "hook took the sample" in client.get("/settings").text


def test_a_channel_is_deleted(site: MadeSite, client: Owner) -> None:
    client.send_form("/settings/notify/1/drop", expected="abc")
    assert site.asked == [{"do": "drop-section", "section": "notify", "place": 1, "expected": "abc"}]


@pytest.mark.parametrize("place", ["2", "x", "-1"])
def test_a_channel_that_is_not_there_is_not_found(client: Owner, place: str) -> None:
    assert client.get(f"/settings/notify/{place}").status_code == 404


# -- the mode ----------------------------------------------------------------------------------------------


def test_before_enforce_mode_there_is_the_estimate(client: Owner) -> None:
    page = client.get("/mode/enforce").text
    assert "What will still be new" in page
    assert "Try it for 10 minutes" in page


def test_a_trial_and_keeping_it(site: MadeSite, client: Owner) -> None:
    client.send_form("/mode", mode="enforce", how="try", to="/")
    client.send_form("/mode/keep", to="/")
    assert site.asked == [{"do": "try-mode", "mode": "enforce", "seconds": 600}, {"do": "keep"}]


def test_a_running_trial_is_shown_on_every_page(tmp_path: Path) -> None:
    site = made_site(tmp_path)
    main = site.share["config"]["smartrouter"][0]
    main |= {"mode": "enforce", "mode_until": "2027-01-15T08:05:00Z"}
    site.configure(site.share)
    client = owner(site)
    for path in ("/rules", "/account", "/settings"):
        assert "/mode/keep" in client.get(path).text


def test_the_mode_is_chosen_and_nonsense_is_not(site: MadeSite, client: Owner) -> None:
    client.send_form("/mode", mode="monitor")
    client.send_form("/mode", mode="nonsense")
    assert site.asked == [{"do": "mode", "mode": "monitor"}]
