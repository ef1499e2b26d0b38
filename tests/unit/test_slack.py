# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel to Slack, against a Slack on loopback that answers, refuses, is slow and breaks off."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest
from unit.made_alarms import (
    APP_TOKEN,
    HOSTILE,
    SECRETS,
    TOKEN,
    Clock,
    failure_of,
    hostile_message,
    message,
    nothing_secret_leaks,
    settings,
)
from unit.standin_http import Reply
from unit.standin_slack import SlackStandIn, press
from unit.standin_smtp import free_port
from unit.standin_tls import Authority

from smartrouter.analyzer.courier import Courier
from smartrouter.config import NotifyConfig
from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import Mode
from smartrouter.notify.channels import open_channel
from smartrouter.notify.message import Answer
from smartrouter.notify.repeats import QUIET
from smartrouter.notify.slack import Slack
from smartrouter.notify.slack_socket import is_safe


@pytest.fixture
def service() -> Iterator[SlackStandIn]:
    stand_in = SlackStandIn()
    yield stand_in
    stand_in.close()


_leaks = pytest.fixture(autouse=True)(nothing_secret_leaks)


def config(service: SlackStandIn, **values: str) -> NotifyConfig:
    given = {"token": TOKEN, "app_token": APP_TOKEN, "channel": "#alerts", "url": service.url + "/api/"}
    return settings("slack", **{**given, **values})


@pytest.fixture
def slack(service: SlackStandIn) -> Iterator[Slack]:
    channel = Slack(config(service), first_wait=0.05)
    yield channel
    channel.close()


def hook(service: SlackStandIn) -> Slack:
    address = service.url + "/services/T0SECRETHOOK/B0/x"
    return Slack(config(service, token="", app_token="", url="", channel=address))


# Sending


def test_the_first_message_is_posted_and_the_next_takes_its_place(
    slack: Slack, service: SlackStandIn
) -> None:
    receipt = slack.send(message(), "")
    assert receipt.startswith("C024BE91L:1522180885.000001")
    assert slack.send(message(revision=2), receipt) == receipt
    assert [each.path for each in service.seen] == ["/api/chat.postMessage", "/api/chat.update"]
    (posted,), (updated,) = service.calls("postMessage"), service.calls("update")
    assert service.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert posted["channel"] == "#alerts"
    assert posted["text"].startswith("Living-room TV tried to reach ads.example.net")
    assert (posted["mrkdwn"], posted["parse"], posted["unfurl_links"]) == (False, "none", False)
    assert (updated["channel"], updated["ts"]) == ("C024BE91L", "1522180885.000001")
    assert (updated["parse"], updated["link_names"]) == ("none", False)


def test_what_happens_again_goes_into_the_thread_once_an_hour(
    slack: Slack, service: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    receipt = slack.send(message(), "")
    for turn in range(19):
        receipt = slack.send(message(revision=turn + 2), receipt)
        clock.now += 600
    replies = [each for each in service.calls("postMessage") if "thread_ts" in each]
    assert len(replies) == 3
    assert {each["thread_ts"] for each in replies} == {"1522180885.000001"}
    assert len(service.calls("update")) == 19


def test_an_outcome_takes_the_buttons_away_and_makes_no_noise(
    slack: Slack, service: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    receipt = slack.send(message(), "")
    clock.now += 2 * QUIET
    slack.send(message(outcome="Allowed by web:admin"), receipt)
    (posted,), (updated,) = service.calls("postMessage"), service.calls("update")
    assert "actions" in [block["type"] for block in posted["blocks"]]
    assert "actions" not in [block["type"] for block in updated["blocks"]]
    assert "Allowed by web:admin" in json.dumps(updated["blocks"])


@pytest.mark.parametrize("code", ["message_not_found", "cant_update_message", "edit_window_closed"])
def test_a_message_that_is_gone_is_posted_anew(
    slack: Slack, service: SlackStandIn, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Clock(monkeypatch)
    service.next.append(Reply(body=json.dumps({"ok": False, "error": code})))
    receipt = slack.send(message(), "C024BE91L:1522180885.000099:1522180885")
    assert receipt == "C024BE91L:1522180885.000001:1522180900"


@pytest.mark.parametrize("receipt", ["C024BE91L:1522180885.000009", "C024BE91L:1522180885.000009:1522180885"])
def test_a_receipt_may_lack_when_something_was_said(
    slack: Slack, service: SlackStandIn, receipt: str
) -> None:
    slack.send(message(), receipt)
    assert service.calls("update")[0]["ts"] == "1522180885.000009"


def test_no_buttons_without_a_way_to_hear_of_them(service: SlackStandIn) -> None:
    slack = Slack(config(service, app_token=""))
    slack.send(message(), "")
    assert "actions" not in [block["type"] for block in service.calls("postMessage")[0]["blocks"]]
    slack.listen(lambda *_: None)
    assert slack.trouble == ""


def test_a_webhook_posts_once_and_again_when_it_is_decided(
    service: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    slack = hook(service)
    receipt = slack.send(message(), "")
    receipt = slack.send(message(revision=2), receipt)
    assert len(service.seen) == 1
    clock.now += QUIET
    receipt = slack.send(message(revision=3), receipt)
    slack.send(message(revision=4, outcome="Denied by cli"), receipt)
    assert [each.path for each in service.seen] == ["/services/T0SECRETHOOK/B0/x"] * 3
    assert "actions" not in [block["type"] for block in service.seen[0].json["blocks"]]
    assert "Authorization" not in service.seen[0].headers


def test_hostile_names_are_sent_as_they_were_made_inert(slack: Slack, service: SlackStandIn) -> None:
    for hostile in HOSTILE:
        slack.send(hostile_message(hostile), "")
        sent = service.seen.pop().body.decode("ascii")
        assert json.loads(sent)["channel"] == "#alerts"
        assert "<!" not in sent
        assert "<@" not in sent


# What can go wrong


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("invalid_auth", "`option token`"),
        ("token_revoked", "was revoked"),
        ("account_inactive", "was removed"),
        ("channel_not_found", "no such channel"),
        ("not_in_channel", "/invite"),
        ("is_archived", "archived"),
        ("missing_scope", "chat:write"),
    ],
)
def test_what_somebody_has_to_mend_is_final_and_says_what_to_do(
    slack: Slack, service: SlackStandIn, code: str, says: str
) -> None:
    service.next.append(Reply(body=json.dumps({"ok": False, "error": code})))
    error = failure_of(lambda: slack.send(message(), ""))
    assert error.is_final
    assert says in str(error)
    assert code in str(error)


@pytest.mark.parametrize(
    ("reply", "says", "wait"),
    [
        (Reply(429, '{"ok": false, "error": "ratelimited"}', (("Retry-After", "30"),)), "fewer", 30.0),
        (Reply(429, "", (("retry-after", "7"),)), "fewer", 7.0),
        (Reply(429, "", (("Retry-After", "soon"),)), "fewer", None),
        (Reply(429, "", (("Retry-After", "9" * 9),)), "fewer", 86400.0),
        (Reply(200, '{"ok": false, "error": "internal_error"}'), "internal_error", None),
        (Reply(200, '{"ok": false, "error": "invalid_blocks"}'), "please report", None),
        (Reply(200, '{"ok": false, "error": "<!channel> *x*"}'), "not Slack's", None),
        (Reply(500, '{"ok": false}'), "status 500", None),
        (Reply(503, "<html>down</html>", (("Retry-After", "60"),)), "status 503", 60.0),
        (Reply(200, "<html>log in to the hotel's network</html>"), "not Slack's", None),
        (Reply(200, "[1]"), "makes no sense", None),
        (Reply(200, "[]"), "not Slack's", None),
        (Reply(reset=True), "broke the connection off", None),
    ],
)
def test_what_may_pass_is_not_final(
    slack: Slack, service: SlackStandIn, reply: Reply, says: str, wait: float | None
) -> None:
    service.next.append(reply)
    error = failure_of(lambda: slack.send(message(), ""))
    assert not error.is_final
    assert says in str(error)
    assert error.retry_after == wait
    assert len(service.seen) == 1, "the outbox tries again, not the channel"
    slack.send(message(), "")


@pytest.mark.parametrize(
    ("reply", "is_final", "wait"),
    [
        (Reply(404, "no_service"), True, None),
        (Reply(410, "channel_is_archived"), True, None),
        (Reply(403, "invalid_token"), True, None),
        (Reply(400, "invalid_payload"), False, None),
        (Reply(429, "", (("Retry-After", "30"),)), False, 30.0),
        (Reply(500, "rollup_error"), False, None),
        (Reply(reset=True), False, None),
    ],
)
def test_a_webhook_says_no(service: SlackStandIn, reply: Reply, is_final: bool, wait: float | None) -> None:
    service.next.append(reply)
    slack = hook(service)
    error = failure_of(lambda: slack.send(message(), ""))
    assert (error.is_final, error.retry_after) == (is_final, wait)


def test_a_service_that_does_not_answer_is_not_waited_for(
    service: SlackStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartrouter.notify.slack.PATIENCE", 1.0)
    service.next.append(Reply(slow=3))
    slack = Slack(config(service))
    error = failure_of(lambda: slack.send(message(), ""))
    assert "did not answer" in str(error)
    assert not error.is_final


def test_nobody_there(service: SlackStandIn) -> None:
    slack, by_hook = Slack(config(service)), hook(service)
    service.close()
    assert "refuses connections" in str(failure_of(lambda: slack.send(message(), "")))
    assert "refuses connections" in str(failure_of(lambda: by_hook.send(message(), "")))


@pytest.mark.parametrize(
    ("host", "is_known", "says"),
    [("127.0.0.1", True, ""), ("127.0.0.1", False, "certificate"), ("slack.example", True, "certificate")],
)
def test_a_certificate_has_to_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, is_known: bool, says: str
) -> None:
    authority = Authority(tmp_path)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    service = SlackStandIn(tls=authority.server(host))
    for slack in (Slack(config(service)), hook(service)):
        if not says:
            assert slack.send(message(), "")
            continue
        error = failure_of(lambda slack=slack: slack.send(message(), ""))  # type: ignore[misc]
        assert says in str(error)
        assert not error.is_final
    assert service.seen == [] or not says
    service.close()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"token": ""}, "option token: found nothing; allowed is a bot's token"),
        ({"token": "xoxp-1-secretsecret"}, "option token: found one that begins with `xoxp-`"),
        ({"token": "hunter2-correct-horse"}, "option token: found something else"),
        ({"app_token": TOKEN}, "option app_token: found one that begins with `xoxb-`"),
        ({"channel": ""}, "option channel: found nothing"),
        ({"channel": "http://hooks.slack.example/services/T0SECRETHOOK"}, "option channel: found an address"),
        ({"url": "http://slack.example/"}, "option url: found an address without TLS"),
        ({"url": "http://[::1"}, "option url"),
    ],
)
def test_what_cannot_be_used_is_said_when_the_channel_is_opened(
    service: SlackStandIn, values: dict[str, str], says: str
) -> None:
    with pytest.raises(BadConfig) as found:
        Slack(config(service, **values))
    assert says in str(found.value)
    assert [secret for secret in (*SECRETS, "secretsecret") if secret in str(found.value)] == []


def test_a_channel_shows_no_secret(slack: Slack, service: SlackStandIn) -> None:
    shown = f"{slack!r} {hook(service)!r} {config(service)!r}"
    assert [secret for secret in SECRETS if secret in shown] == []


# Answers


class Heard:
    """Who was heard answering."""

    def __init__(self, slack: Slack, service: SlackStandIn):
        self.answers: Queue[tuple[str, Answer, str]] = Queue()
        slack.listen(lambda *answer: self.answers.put(answer))
        assert service.sockets.connected.wait(20)

    def nothing_more(self, seconds: float = 0.3) -> bool:
        try:
            self.answers.get(timeout=seconds)
        except Empty:
            return True
        return False


def test_a_press_is_acknowledged_and_heard_once(slack: Slack, service: SlackStandIn) -> None:
    heard = Heard(slack, service)
    service.sockets.send(press("allow", "alert-17"))
    assert heard.answers.get(timeout=20) == ("alert-17", Answer.ALLOW, "slack:U024BE7LH")
    assert service.sockets.acknowledged.get(timeout=20) == "e1"
    service.sockets.send(press("allow", "alert-17", envelope="e2"))  # delivered again
    assert service.sockets.acknowledged.get(timeout=20) == "e2"
    assert heard.nothing_more()
    service.sockets.send(press("mute", "alert-18", envelope="e3"))
    assert heard.answers.get(timeout=20) == ("alert-18", Answer.MUTE, "slack:U024BE7LH")
    assert service.seen[0].path == "/api/apps.connections.open"
    assert service.seen[0].headers["Authorization"] == f"Bearer {APP_TOKEN}"


def test_who_answered_is_called_by_name_in_the_outcome(slack: Slack, service: SlackStandIn) -> None:
    receipt = slack.send(message(), "")
    heard = Heard(slack, service)
    service.sockets.send(press("allow", "alert-17"))
    heard.answers.get(timeout=20)
    slack.send(message(outcome="Allowed by slack:U024BE7LH"), receipt)
    assert "<@U024BE7LH>" in json.dumps(service.calls("update")[0]["blocks"])


def test_other_envelopes_are_acknowledged_and_ignored(slack: Slack, service: SlackStandIn) -> None:
    heard = Heard(slack, service)
    service.sockets.send({"type": "events_api", "envelope_id": "e7", "payload": {"event": {}}})
    assert service.sockets.acknowledged.get(timeout=20) == "e7"
    assert heard.nothing_more()


def test_after_an_outage_it_listens_again(slack: Slack, service: SlackStandIn) -> None:
    heard = Heard(slack, service)
    for number in range(3):
        service.sockets.drop()
        assert service.sockets.connected.wait(20)
        service.sockets.send(press("allow", "alert-17", at=f"15221809{number:02}.1"))
        assert heard.answers.get(timeout=20)[0] == "alert-17"
    assert service.sockets.connections == 4


def test_when_slack_wants_it_to_connect_anew_it_does(slack: Slack, service: SlackStandIn) -> None:
    Heard(slack, service)
    service.sockets.connected.clear()
    service.sockets.send({"type": "disconnect", "reason": "refresh_requested"})
    time.sleep(0.2)
    service.sockets.drop()
    assert service.sockets.connected.wait(20)
    assert service.sockets.connections == 2


def test_an_address_without_tls_is_not_used(slack: Slack, service: SlackStandIn) -> None:
    body = '{"ok": true, "url": "ws://slack.example/link/?ticket=T0SECRETHOOK"}'
    service.next.append(Reply(body=body))
    slack.listen(lambda *_: None)
    deadline = time.monotonic() + 20
    while "not reached by TLS" not in slack.trouble and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "not reached by TLS" in slack.trouble


def test_it_says_what_keeps_it_from_connecting(slack: Slack, service: SlackStandIn) -> None:
    body = json.dumps({"ok": True, "url": f"ws://127.0.0.1:{free_port()}/link/"})
    service.next.extend([Reply(body=body)] * 20)
    slack.listen(lambda *_: None)
    deadline = time.monotonic() + 20
    while "refuses connections" not in slack.trouble and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "refuses connections" in slack.trouble


def test_it_says_why_it_does_not_hear_and_tries_ever_more_slowly(slack: Slack, service: SlackStandIn) -> None:
    service.next.extend([Reply(500, "down")] * 4)
    begun = time.monotonic()
    Heard(slack, service)
    assert time.monotonic() - begun > 0.8 * 0.05 * (1 + 2 + 4 + 8)
    deadline = time.monotonic() + 20
    while slack.trouble and time.monotonic() < deadline:
        time.sleep(0.02)
    assert slack.trouble == ""


def test_a_revoked_app_token_is_said(slack: Slack, service: SlackStandIn) -> None:
    service.next.append(Reply(body='{"ok": false, "error": "token_revoked"}'))
    slack.listen(lambda *_: None)
    deadline = time.monotonic() + 20
    while "revoked" not in slack.trouble and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "was revoked" in slack.trouble
    assert len(service.seen) == 1


def test_closing_ends_all_threads(service: SlackStandIn) -> None:
    before = threading.active_count()
    slack = Slack(config(service), first_wait=0.05)
    Heard(slack, service)
    slack.close()
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threading.active_count() <= before


@pytest.mark.parametrize(
    ("address", "safe"),
    [
        ("wss://wss-primary.slack.com/link/?ticket=1", True),
        ("wss://wss-primary.slack.com:443/link/", True),
        ("wss://wss-primary.slack.com:8443/link/", False),  # slack_sdk would speak it in the clear
        ("ws://wss-primary.slack.com/link/", False),
        ("ws://127.0.0.1:4000/", True),
        ("ws://[::1]:4000/", True),
        ("https://slack.com/", False),
        ("wss://x:port/", False),
        ("", False),
    ],
)
def test_presses_come_by_tls_or_from_this_machine(address: str, safe: bool) -> None:
    assert is_safe(address) is safe


class Ear:
    """Takes what people do on a channel."""

    def __init__(self) -> None:
        self.heard: Queue[tuple[str, str, Answer, str]] = Queue()

    def answered(self, channel: str, key: str, answer: Answer, by: str) -> None:
        self.heard.put((channel, key, answer, by))

    def switched(self, channel: str, mac: str, mode: Mode, by: str) -> None:
        raise AssertionError("Slack has no switches")


def test_the_analyzers_thread_for_it_hears_presses(service: SlackStandIn) -> None:
    ear = Ear()
    done: Queue[object] = Queue()
    courier = Courier("slack", config(service), done.put, ear, open_channel)
    courier.listen(0.0)
    assert service.sockets.connected.wait(20)
    service.sockets.send(press("keep-blocking", "alert:12"))
    assert ear.heard.get(timeout=20) == ("slack", "alert:12", Answer.KEEP_BLOCKING, "slack:U024BE7LH")
    courier.retire()
    courier.join(20)
