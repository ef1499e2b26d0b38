# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel to ntfy, against a server on loopback."""

import base64
import json
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
from unit.standin_http import HttpStandIn, Reply, Request
from unit.standin_tls import Authority

from smartrouter.core.errors import BadConfig
from smartrouter.notify.ntfy import LONGEST, Ntfy, notification
from smartrouter.notify.repeats import QUIET

_leaks = pytest.fixture(autouse=True)(nothing_secret_leaks)


def published(request: Request) -> Reply:
    """What a server of 2.16 answers."""
    given = request.json
    return Reply(body=json.dumps({"id": "abc", "event": "message", "sequence_id": given["sequence_id"]}))


@pytest.fixture
def server() -> Iterator[HttpStandIn]:
    stand_in = HttpStandIn(published)
    yield stand_in
    stand_in.close()


def opened(server: HttpStandIn, **values: str) -> Ntfy:
    return Ntfy(
        settings("ntfy", **{"channel": f"{server.url}/alerts-8f3", "token": "tk_" + PASSWORD, **values})
    )


def test_a_message_has_title_text_priority_and_a_link(server: HttpStandIn) -> None:
    opened(server).send(message(), "")
    (request,) = server.seen
    assert (request.path, request.headers["Authorization"]) == ("/", f"Bearer tk_{PASSWORD}")
    made = request.json
    assert made["topic"] == "alerts-8f3"
    assert made["title"] == "Living-room TV tried to reach ads.example.net, which it has not learned"
    assert "Destination: ads.example.net (web)" in made["message"].splitlines()
    assert (made["priority"], made["tags"]) == (3, ["warning"])
    assert made["click"] == "http://192.168.1.1:8081/alerts/17"
    assert made["actions"] == [{"action": "view", "label": "Open its page", "url": made["click"]}]
    assert "markdown" not in made


@pytest.mark.parametrize(
    ("values", "priority", "tag"),
    [
        ({"severity": "notice"}, 2, "information_source"),
        ({"severity": "critical"}, 5, "rotating_light"),
        ({"severity": "critical", "outcome": "Denied"}, 2, "white_check_mark"),
        ({"severity": "odd"}, 3, "warning"),
    ],
)
def test_how_loud_it_is(values: dict[str, object], priority: int, tag: str) -> None:
    made = notification(message(**values), "t")
    assert (made["priority"], made["tags"]) == (priority, [tag])


def test_a_later_message_takes_the_earlier_ones_place(server: HttpStandIn) -> None:
    ntfy = opened(server)
    receipt = ntfy.send(message(), "")
    ntfy.send(message(revision=2), receipt)
    ntfy.send(message(key="alert-18"), "")
    first, second, other = (request.json["sequence_id"] for request in server.seen)
    assert first == second != other


def test_an_older_server_is_not_told_everything_again(
    server: HttpStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    ntfy = opened(server)
    server.next.extend([Reply(body='{"id": "abc"}')] * 9)
    receipt = ntfy.send(message(), "")
    receipt = ntfy.send(message(revision=2), receipt)
    assert len(server.seen) == 1
    clock.now += QUIET
    receipt = ntfy.send(message(revision=3), receipt)
    ntfy.send(message(outcome="Allowed"), receipt)
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("channel", "url", "path", "topic"),
    [
        ("alerts-8f3", "{url}", "/", "alerts-8f3"),
        ("alerts-8f3", "{url}/push/", "/push/", "alerts-8f3"),
        ("{url}/alerts-8f3/", "", "/", "alerts-8f3"),
        ("{url}/push/alerts-8f3", "https://not.this.example", "/push/", "alerts-8f3"),
    ],
)
def test_where_the_topic_is(server: HttpStandIn, channel: str, url: str, path: str, topic: str) -> None:
    opened(server, channel=channel.format(url=server.url), url=url.format(url=server.url)).send(message(), "")
    assert (server.seen[0].path, server.seen[0].json["topic"]) == (path, topic)


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("", None),
        ("tk_1", "Bearer tk_1"),
        (f"phil:{PASSWORD}", "Basic " + base64.b64encode(f"phil:{PASSWORD}".encode()).decode()),
    ],
)
def test_who_we_are(server: HttpStandIn, token: str, header: str | None) -> None:
    opened(server, token=token).send(message(), "")
    assert server.seen[0].headers.get("Authorization") == header


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_is_inert(hostile: str) -> None:
    made = json.loads(json.dumps(notification(hostile_message(hostile), "t")).encode())
    assert made["title"].isprintable()
    assert all(line.isprintable() for line in made["message"].split("\n"))
    assert len(made["message"].encode()) <= LONGEST
    assert (made["topic"], made["click"]) == ("t", "http://192.168.1.1:8081/alerts/17")


@pytest.mark.parametrize(
    ("reply", "is_final", "wait", "says"),
    [
        (Reply(401), True, None, "`option token`"),
        (Reply(403), True, None, "`option token`"),
        (Reply(404), True, None, "`option channel`"),
        (Reply(413), False, None, "please report"),
        (Reply(302, headers=(("Location", "https://evil.example/"),)), True, None, "another address"),
        (Reply(429, headers=(("Retry-After", "30"),)), False, 30.0, "fewer"),
        (Reply(500, body="<html>"), False, None, "status 500"),
        (Reply(507), False, None, "status 507"),
        (Reply(reset=True), False, None, "broke the connection off"),
    ],
)
def test_what_can_go_wrong(
    server: HttpStandIn, reply: Reply, is_final: bool, wait: float | None, says: str
) -> None:
    server.next.append(reply)
    error = failure_of(lambda: opened(server).send(message(), ""))
    assert (error.is_final, error.retry_after) == (is_final, wait)
    assert says in str(error)
    assert len(server.seen) == 1


def test_an_answer_that_never_ends_is_not_waited_for(
    server: HttpStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartrouter.notify.posting.post.__defaults__", (0.5,))
    server.next.append(Reply(slow=3))
    assert "did not answer" in str(failure_of(lambda: opened(server).send(message(), "")))


@pytest.mark.parametrize(
    ("host", "is_known", "says"),
    [("127.0.0.1", True, ""), ("127.0.0.1", False, "certificate"), ("ntfy.example", True, "certificate")],
)
def test_a_certificate_has_to_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, is_known: bool, says: str
) -> None:
    authority = Authority(tmp_path)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    server = HttpStandIn(published, tls=authority.server(host))
    ntfy = opened(server)
    if says:
        error = failure_of(lambda: ntfy.send(message(), ""))
        assert says in str(error)
        assert not error.is_final
    else:
        assert ntfy.send(message(), "")
    server.close()


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"channel": ""}, "option channel: found no topic"),
        ({"channel": "my topic"}, "option channel: found something else"),
        ({"channel": "https://ntfy.sh/"}, "option channel"),
        ({"channel": "ftp://ntfy.sh/topic"}, "option channel: found no address"),
        (
            {"channel": f"https://phil:{PASSWORD}@ntfy.sh/topic"},
            "channel: found an address with a user",
        ),
        (
            {"channel": "topic", "url": f"https://phil:{PASSWORD}@x"},
            "url: found an address with a user",
        ),
        ({"channel": "https://[::1/topic"}, "option channel: found no address"),
    ],
)
def test_what_cannot_be_used_is_said_when_the_channel_is_opened(values: dict[str, str], says: str) -> None:
    with pytest.raises(BadConfig) as found:
        Ntfy(settings("ntfy", **values))
    assert says in str(found.value)
    assert [secret for secret in SECRETS if secret in str(found.value)] == []
