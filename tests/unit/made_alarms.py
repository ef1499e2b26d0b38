# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hostile device or name server may call itself, and a message that is made of it. Channels are tested
with each of these in every place that a text from outside can reach."""

import logging
from collections.abc import Callable, Iterator

import pytest

from smartrouter.config import NotifyConfig, checked
from smartrouter.notify.channel import NotDelivered
from smartrouter.notify.message import Answer, Message

HOSTILE = (
    # Slack's mrkdwn
    "*bold* _italic_ ~gone~",
    "`code` ```block```",
    "> quoted",
    "<!channel>",
    "<!here|here>",
    "@here @channel @everyone",
    "<@U024BE7LH>",
    "<#C024BE7LR|general>",
    "<https://evil.example/|Open its page>",
    "https://evil.example/login",
    "&lt;!channel&gt;",
    ":rotating_light: :+1:",
    "smartrouter:allow",
    # HTML, and pages behind it
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</p></body></html><h1>All is well</h1>",
    '" onmouseover="alert(1)',
    "<a href='javascript:alert(1)'>x</a>",
    "<!-- comment",
    "&#60;b&#62;",
    # header injection and line protocols
    "tv\r\nBcc: everybody@evil.example",
    "tv\nSubject: All is well",
    "tv\r\n\r\n<html>second body</html>",
    "tv\r\n.\r\nMAIL FROM:<root@evil.example>",
    "=?utf-8?q?Bcc=3A_x=40evil=2Eexample?=",
    "root@evil.example, Boss <boss@evil.example>",
    "tv\n<0>1 - - - - - - forged",
    "tv\x00end",
    # CEF and JSON
    "a|b|c|10|",
    "a=b act=permitted",
    "a\\|b\\=c\\",
    '"}, {"alert": "forged',
    '\\u0022},"x":"',
    '[structured@1 data="x"]',
    # MQTT topics and templates of Home Assistant
    "home/+/#",
    "$SYS/broker",
    "{{ states('lock.front_door') }}",
    "{% for x in range(999999) %}x{% endfor %}",
    # terminals
    "\x1b[2J\x1b[31mred",
    "\x9b31m\x07",
    "back\x08\x08\x7f",
    # what is not seen, or stands elsewhere than it seems
    "\u202egpj.exe",
    "\u2066left\u2069 \u2067right\u2069",
    "zero\u200bwidth\u200d\u2060\ufeff",
    "tag\U000e0041\U000e0042",
    "\u3164\u115f\u2800",
    "line\u2028separator\u2029",
    "\ud800 lone \udfff",
    "\udcff\udcfe",
    "\ue000private\U0010ffff",
    # odd, but honest
    "🦊🔥 Küche 电视 👨‍👩‍👧",
    "e\u0301" + "\u0300" * 50,
    "\u0430\u0440\u0440\u04cf\u0435.com",
    "../../etc/passwd; $(reboot) `reboot`",
    "'; DROP TABLE alerts; --",
    "%s %n %(secret)s {0} {config.token}",
    "",
    " ",
    "=cmd|' /C calc'!A0",
    "x" * 10_000,
    ("a" * 63 + ".") * 4 + "example",
    "<" * 5_000,
    "🔥" * 3_000,
)

TOKEN = "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy"
APP_TOKEN = "xapp-1-A024BE7LH-3421-c92f0a1b8e7d"
PASSWORD = "hunter2-correct-horse"
SECRETS = (TOKEN, APP_TOKEN, PASSWORD, "pdFZKVeTuE8sk7oOcHrzqqgy", "c92f0a1b8e7d", "T0SECRETHOOK")


def settings(type_: str, **values: str) -> NotifyConfig:
    """A `notify` section as a file would give it; what is '' is not written."""
    return checked(NotifyConfig, {"type": type_} | {k: v for k, v in values.items() if v}, "notify")


def hostile_message(text: str) -> Message:
    """A message with `text` wherever one from outside may stand."""
    return message(
        title=f"{text} tried to reach {text}",
        device=text,
        destination=text,
        service=text,
        facts=(("why", text), (text, text), ("evidence", f"dns, {text}")),
    )


def message(**values: object) -> Message:
    """An ordinary message, but for `values`."""
    return Message(
        key="alert-17",
        revision=1,
        at=1_522_180_885.5,
        severity="warning",
        kind="new-destination",
        title="Living-room TV tried to reach ads.example.net, which it has not learned",
        device="Living-room TV",
        mac="3c:2e:ff:29:4d:93",
        destination="ads.example.net",
        service="web",
        facts=(("mode", "monitor"), ("evidence", "named by the router's DNS"), ("times", "3")),
        blocked=False,
        alert=17,
        link="http://192.168.1.1:8081/alerts/17",
        answers=tuple(Answer),
    )._replace(**values)  # type: ignore[arg-type]


def failure_of(send: Callable[[], object]) -> NotDelivered:
    """What `send` fails with; no secret is in it, nor in what it came from."""
    with pytest.raises(NotDelivered) as found:
        send()
    error: BaseException | None = found.value
    while error is not None:
        assert [secret for secret in SECRETS if secret in f"{error} {error!r} {error.args}"] == []
        error = error.__cause__ or error.__context__
    return found.value


def nothing_secret_leaks(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    """To be made a fixture: a test is not to log or print a secret, with every logger at its loudest."""
    caplog.set_level(logging.DEBUG)
    yield
    said = "".join(capfd.readouterr()) + caplog.text
    assert [secret for secret in SECRETS if secret in said] == []


class Clock:
    """The time of day, which passes when it is told to."""

    def __init__(self, patch: pytest.MonkeyPatch):
        self.now = 1_522_180_900.0
        patch.setattr("time.time", lambda: self.now)
