# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel to mail, against a mail server on loopback."""

import re
import socket
import ssl
import threading
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.policy import default
from html.parser import HTMLParser
from pathlib import Path
from typing import cast

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
from unit.standin_smtp import free_port, serving
from unit.standin_tls import Authority

from smartrouter.core.errors import BadConfig
from smartrouter.notify.email import Email, Mailbox, mail, mailbox, open_channel
from smartrouter.notify.repeats import QUIET

_leaks = pytest.fixture(autouse=True)(nothing_secret_leaks)
BOX = Mailbox("mail.example", 587, "required", "me", PASSWORD, "router@example.org", ("me@example.org",))


def opened(port: int, *, scheme: str = "smtp", user: str = "", token: str = "", more: str = "") -> Email:
    channel = f"{scheme}://{user}127.0.0.1:{port}/?from=router@example.org&to=me@example.org{more}"
    return open_channel(settings("email", channel=channel, token=token))


def read(made: EmailMessage) -> EmailMessage:
    """It, as it arrives."""
    return message_from_bytes(made.as_bytes(policy=WIRE), policy=default)


def part(made: EmailMessage, kind: str) -> str:
    body = made.get_body((kind,))
    assert body is not None
    return str(cast(EmailMessage, body).get_content())


# What is sent


def test_a_mail_says_all_as_text_and_as_html() -> None:
    made = read(mail(message(), BOX, "r00t", is_first=True))
    title = "Living-room TV tried to reach ads.example.net, which it has not learned"
    assert made["Subject"] == f"[smartrouter] {title}"
    assert made["From"] == "smartrouter <router@example.org>"
    assert made["To"] == "me@example.org"
    assert made["Message-ID"] == "<smartrouter.r00t@example.org>"
    assert made["Auto-Submitted"] == "auto-generated"
    assert made["References"] is made["Importance"] is None
    text = part(made, "plain").splitlines()
    assert text[:3] == [title, "", "Device: Living-room TV (3c:2e:ff:29:4d:93)"]
    assert text[-1] == "http://192.168.1.1:8081/alerts/17"
    page = part(made, "html")
    assert f"<strong>{title}</strong>" in page
    assert "<tr><td>Destination</td><td>ads.example.net (web)</td></tr>" in page
    assert '<a href="http://192.168.1.1:8081/alerts/17">Open its page</a>' in page


def test_later_mails_are_answers_in_the_first_ones_thread() -> None:
    made = read(mail(message(revision=3, severity="critical"), BOX, "r00t", is_first=False))
    assert made["Subject"].startswith("Re: [smartrouter] Living-room TV")
    assert made["Message-ID"] == "<smartrouter.r00t.3@example.org>"
    assert made["References"] == made["In-Reply-To"] == "<smartrouter.r00t@example.org>"
    assert made["Importance"] == "high"


class Page(HTMLParser):
    """Which tags there are, with their attributes."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(f"{tag} {sorted(name for name, _ in attrs)} {dict(attrs).get('href', '')}")

    def handle_comment(self, data: str) -> None:
        self.tags.append("comment")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_hostile_name_is_inert(hostile: str) -> None:
    box = BOX._replace(recipients=("me@example.org", "you@example.org"))
    raw = mail(hostile_message(hostile), box, "r00t", is_first=True).as_bytes(policy=WIRE)
    made = read(mail(hostile_message(hostile), box, "r00t", is_first=True))
    ordinary = read(mail(message(), box, "r00t", is_first=True))
    assert made.keys() == ordinary.keys()
    assert made["To"] == "me@example.org, you@example.org"
    assert all(str(value).isprintable() for value in made.values())
    head = raw.partition(b"\r\n\r\n")[0]
    head.decode("ascii")
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert re.search(rb"[^\r]\n|\r[^\n]", raw) is None
    text = part(made, "plain").replace("\r", "").split("\n")
    assert all(line.isprintable() for line in text)
    assert {kind.get_content_type() for kind in made.iter_parts()} == {"text/plain", "text/html"}
    usual = set(Page(part(ordinary, "html")).tags)
    assert set(Page(part(made, "html")).tags) <= usual | {"td ['colspan'] "}


# Handing over


def test_it_is_handed_over_by_starttls_with_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with serving(authority.server("127.0.0.1")) as server:
        opened(server.port, user="me%40example.org@", token=PASSWORD).send(message(), "")
    (taken,) = server.taken
    assert (taken.sender, taken.recipients) == ("router@example.org", ["me@example.org"])
    assert taken.mail["Subject"].startswith("[smartrouter] Living-room TV")
    assert server.logins == [("me@example.org", PASSWORD)]
    assert server.used_tls == [True]


def test_it_is_handed_over_by_tls_from_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with serving(authority.server("127.0.0.1"), wrapped=True) as server:
        opened(server.port, scheme="smtps").send(message(), "")
    assert len(server.taken) == 1


def test_it_goes_to_several_and_lines_that_begin_with_a_dot_survive() -> None:
    with serving() as server:
        opened(server.port, more=",you@example.org").send(message(facts=(("x", "y"),), title=".dot"), "")
    (taken,) = server.taken
    assert taken.recipients == ["me@example.org", "you@example.org"]
    assert part(taken.mail, "plain").splitlines()[0] == ".dot"


def test_one_alert_is_one_thread_that_is_not_noisy(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    with serving() as server:
        email = opened(server.port)
        receipt = email.send(message(), "")
        receipt = email.send(message(revision=2), receipt)
        assert len(server.taken) == 1
        clock.now += QUIET
        receipt = email.send(message(revision=3), receipt)
        receipt = email.send(message(revision=4, outcome="Allowed by web:admin"), receipt)
        email.send(message(key="alert-18"), "")
    first, again, decided, other = (taken.mail for taken in server.taken)
    assert again["References"] == decided["References"] == first["Message-ID"]
    assert len({each["Message-ID"] for each in (first, again, decided, other)}) == 4
    assert other["References"] is None
    assert "Decided: Allowed by web:admin" in part(decided, "plain")


def test_what_is_handed_over_twice_is_the_same_mail() -> None:
    with serving() as server:
        opened(server.port).send(message(), "")
        opened(server.port).send(message(), "")
    first, second = (taken.mail["Message-ID"] for taken in server.taken)
    assert first == second


@pytest.mark.parametrize(
    ("says", "is_final", "text"),
    [
        ({"RCPT": "550 no such user"}, True, "address in `option channel` (550)"),
        ({"RCPT": "450 greylisted"}, False, "(450)"),
        ({"MAIL": "553 not yours"}, True, "(553)"),
        ({"DATA": "554 spam"}, False, "(554)"),
        ({"DATA": "452 disk full"}, False, "(452)"),
        ({"DATA": "421 going down"}, False, "(421)"),
    ],
)
def test_what_the_server_may_say(says: dict[str, str], is_final: bool, text: str) -> None:
    with serving(says=says) as server:
        error = failure_of(lambda: opened(server.port).send(message(), ""))
    assert (error.is_final, text in str(error)) == (is_final, True)


def test_a_wrong_password_is_final_and_says_what_to_do() -> None:
    with serving(says={"AUTH": "no"}) as server:
        error = failure_of(lambda: opened(server.port, user="me@", token=PASSWORD).send(message(), ""))
    assert error.is_final
    assert "`option token`" in str(error)
    assert server.taken == []


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize(("host", "is_known"), [("127.0.0.1", False), ("mail.example", True)])
def test_a_certificate_has_to_be_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, is_known: bool, wrapped: bool
) -> None:
    authority = Authority(tmp_path)
    # aiosmtpd tries its own port first, with the certificates that it is told of.
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    monkeypatch.setattr("aiosmtpd.controller._server_to_client_ssl_ctx", lambda _: unverified)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with serving(authority.server(host), wrapped=wrapped) as server:
        email = opened(server.port, scheme="smtps" if wrapped else "smtp", user="me@", token=PASSWORD)
        error = failure_of(lambda: email.send(message(), ""))
    assert "certificate" in str(error)
    assert not error.is_final
    assert (server.logins, server.taken) == ([], [])


def test_without_tls_nothing_is_sent_over_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartrouter.notify.email.is_here", lambda _: False)
    with serving() as server:
        error = failure_of(lambda: opened(server.port, user="me@", token=PASSWORD).send(message(), ""))
        assert error.is_final
        assert "no STARTTLS" in str(error)
        assert (server.logins, server.taken) == ([], [])
        opened(server.port, more="&tls=none").send(message(), "")
        assert server.used_tls == [False]


@pytest.mark.parametrize("first", [b"", b"554 no\r\n", b"\xff\xfe garbage\r\n"])
def test_a_server_that_breaks_off(first: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            peer, _ = listener.accept()
            peer.sendall(first)
            peer.close()

        threading.Thread(target=serve, daemon=True).start()
        error = failure_of(lambda: opened(listener.getsockname()[1]).send(message(), ""))
    assert not error.is_final


def test_a_server_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartrouter.notify.email.PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        error = failure_of(lambda: opened(listener.getsockname()[1]).send(message(), ""))
    assert "did not answer" in str(error)


def test_nobody_there() -> None:
    error = failure_of(lambda: opened(free_port()).send(message(), ""))
    assert "refuses connections" in str(error)
    assert not error.is_final


# What is configured


@pytest.mark.parametrize(
    ("channel", "token", "box"),
    [
        (
            "me@example.org",
            "",
            Mailbox("localhost", 25, "none", "", "", "me@example.org", ("me@example.org",)),
        ),
        (
            "smtp://me%40example.org@mail.example/?to=you@example.org,us@example.org",
            PASSWORD,
            Mailbox(
                "mail.example", 587, "required", "me@example.org", PASSWORD, "me@example.org",
                ("you@example.org", "us@example.org"),
            ),
        ),
        (
            "smtps://me@mail.example:4650?from=router@example.org&to=me@example.org",
            PASSWORD,
            BOX._replace(port=4650, tls="wrapped"),
        ),
        (
            "smtp://192.168.1.5:25/?to=me@example.org&tls=none",
            "",
            Mailbox("192.168.1.5", 25, "none", "", "", "me@example.org", ("me@example.org",)),
        ),
        (
            "smtp://[::1]:25/?to=me@example.org",
            "",
            Mailbox("::1", 25, "offered", "", "", "me@example.org", ("me@example.org",)),
        ),
    ],
)  # fmt: skip
def test_what_the_options_mean(channel: str, token: str, box: Mailbox) -> None:
    assert mailbox(settings("email", channel=channel, token=token)) == box


@pytest.mark.parametrize(
    ("channel", "token", "says"),
    [
        ("", "", "option channel: found nothing"),
        ("me", "", "option channel: found something else"),
        ("http://mail.example/?to=me@example.org", "", "found something else"),
        ("smtp:///?to=me@example.org", "", "found something else"),
        ("smtp://mail.example:0/?to=me@example.org", "", "found something else"),
        ("smtp://mail.example:x/?to=me@example.org", "", "found something else"),
        ("smtp://mail.example/?to=me@example.org&cc=x", "", "found something else"),
        ("smtp://mail.example/", "", "`from` or `to` that are no addresses"),
        ("smtp://mail.example/?to=me@example.org%0d%0aBcc:x@y.example", "", "that are no addresses"),
        ("smtp://mail.example/?to=me@example.org&from=x%20y", "", "that are no addresses"),
        ("smtp://me:hunter2-correct-horse@mail.example/?to=me@example.org", "", "a password in the address"),
        ("smtp://mail.example/?to=me@example.org", PASSWORD, "no user, but a password"),
        ("smtp://me@mail.example/?to=me@example.org&tls=none", PASSWORD, "a `tls` that will not do"),
        ("smtps://mail.example/?to=me@example.org&tls=none", "", "a `tls` that will not do"),
        ("smtp://mail.example/?to=me@example.org&tls=maybe", "", "a `tls` that will not do"),
    ],
)
def test_what_cannot_be_used_is_said_when_the_channel_is_opened(channel: str, token: str, says: str) -> None:
    with pytest.raises(BadConfig) as found:
        open_channel(settings("email", channel=channel, token=token))
    assert says in str(found.value)
    assert [secret for secret in SECRETS if secret in str(found.value)] == []


def test_a_channel_shows_no_secret() -> None:
    email = Email(BOX)
    assert [secret for secret in SECRETS if secret in f"{email!r} {BOX!r} {email._mailbox}"] == []
