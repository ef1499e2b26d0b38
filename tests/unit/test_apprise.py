# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel to apprise, with its plug-in for plain JSON against a server on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.made_alarms import (
    HOSTILE,
    PASSWORD,
    SECRETS,
    Clock,
    failure_of,
    hostile_message,
    message,
    nothing_secret_leaks,
    settings,
)
from unit.standin_http import HttpStandIn, Reply
from unit.standin_tls import Authority

from smartrouter.core.errors import BadConfig
from smartrouter.notify.apprise import LONGEST, Apprise, open_channel, texts
from smartrouter.notify.repeats import QUIET

_leaks = pytest.fixture(autouse=True)(nothing_secret_leaks)


@pytest.fixture
def server() -> Iterator[HttpStandIn]:
    stand_in = HttpStandIn(lambda _: Reply())
    yield stand_in
    stand_in.close()


def opened(server: HttpStandIn, scheme: str = "json") -> Apprise:
    address = f"{scheme}://me:{PASSWORD}@127.0.0.1:{server.port}/T0SECRETHOOK"
    return open_channel(settings("apprise", channel=address))


def test_a_message_has_title_text_and_type(server: HttpStandIn) -> None:
    opened(server).send(message(), "")
    made = server.seen[0].json
    assert made["title"] == "Living-room TV tried to reach ads.example.net, which it has not learned"
    assert "Destination: ads.example.net (web)" in made["message"].splitlines()
    assert made["message"].endswith("\nhttp://192.168.1.1:8081/alerts/17")
    assert made["type"] == "warning"


def test_it_is_not_said_again_and_again(server: HttpStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    channel = opened(server)
    receipt = channel.send(message(), "")
    receipt = channel.send(message(revision=2), receipt)
    clock.now += QUIET
    receipt = channel.send(message(revision=3), receipt)
    channel.send(message(revision=4, outcome="Allowed by web:admin"), receipt)
    assert [request.json["type"] for request in server.seen] == ["warning", "warning", "success"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_is_inert(hostile: str) -> None:
    title, body = texts(hostile_message(hostile)._replace(outcome=hostile))
    lines = body.removesuffix("\nhttp://192.168.1.1:8081/alerts/17").split("\n")
    for line in (title, *lines):
        assert line.isprintable()
        assert not set(line) & set("*_~`<>[]@#|&\\")
        assert "://" not in line
    assert len(body) <= LONGEST + 50
    assert title


@pytest.mark.parametrize(
    ("reply", "is_final", "says"),
    [
        (Reply(401), True, "mend `option channel`"),
        (Reply(404), True, "mend `option channel`"),
        (Reply(429), False, "status 429"),
        (Reply(500), False, "status 500"),
        (Reply(reset=True), False, "could not hand"),
    ],
)
def test_what_can_go_wrong(server: HttpStandIn, reply: Reply, is_final: bool, says: str) -> None:
    server.next.append(reply)
    channel = opened(server)
    error = failure_of(lambda: channel.send(message(), ""))
    assert error.is_final is is_final
    assert says in str(error)
    assert channel.send(message(), "")


def test_nobody_there(server: HttpStandIn) -> None:
    channel = opened(server)
    server.close()
    assert not failure_of(lambda: channel.send(message(), "")).is_final


@pytest.mark.parametrize("is_known", [True, False])
def test_a_certificate_has_to_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")  # so that what the channel sets is undone
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    server = HttpStandIn(lambda _: Reply(), tls=authority.server("127.0.0.1"))
    channel = opened(server, "jsons")
    if is_known:
        assert channel.send(message(), "")
    else:
        assert not failure_of(lambda: channel.send(message(), "")).is_final
        assert server.seen == []
    server.close()


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("", "found nothing"),
        ("telegram", "found something that it does not know"),
        (f"nobody://{PASSWORD}", "found something that it does not know"),
        (f"tgram://{PASSWORD}", "found something that it does not know"),
        (f"jsons://me:{PASSWORD}@service.example/?verify=no", "found an address with `verify=no`"),
    ],
)
def test_what_cannot_be_used_is_said_when_the_channel_is_opened(address: str, says: str) -> None:
    with pytest.raises(BadConfig) as found:
        open_channel(settings("apprise", channel=address))
    assert says in str(found.value)
    assert [secret for secret in SECRETS if secret in str(found.value)] == []


def test_a_channel_shows_no_secret(server: HttpStandIn) -> None:
    assert [secret for secret in SECRETS if secret in repr(opened(server))] == []
