# SPDX-License-Identifier: GPL-2.0-or-later
"""The webhook hands over what docs/notifications.md says, to whom it should, and says what went wrong."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import jsonschema
import pytest
from unit.made_alerts import ALERT, SCAN, told
from unit.made_effects import NOON
from unit.stand_in import StandIn, certificate, service

from smartrouter.config import NotifyConfig
from smartrouter.core.effects import Kind
from smartrouter.core.errors import BadConfig
from smartrouter.notify import webhook
from smartrouter.notify.channel import NotDelivered
from smartrouter.notify.message import Message
from smartrouter.notify.webhook import open_channel
from smartrouter.notify.wording import flood, quiet, sample

SECRET = "S3cret-token"


@pytest.fixture
def there() -> Iterator[StandIn]:
    with service() as stand_in:
        yield stand_in


def send(url: str, message: Message | None = None, token: str = SECRET) -> str:
    channel = open_channel(NotifyConfig(type="webhook", channel=url, token=token))
    try:
        return channel.send(told() if message is None else message, "")
    finally:
        channel.close()


def failure(url: str) -> NotDelivered:
    with pytest.raises(NotDelivered) as caught:
        send(url)
    assert "S3cret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value


def test_a_message_arrives_with_all_its_parts(there: StandIn) -> None:
    assert send(there.url("/hook?key=S3cret")) == ""
    taken = there.taken[0]
    assert taken.path == "/hook?key=S3cret"
    assert taken.headers["Content-Type"] == "application/json"
    assert taken.headers["X-Smartrouter-Delivery"] == "alert:12/1"
    assert taken.said["title"] == "TV tried to reach example.net (web), which is new to it: blocked."
    assert taken.said["mac"] == "cc:44:63:ea:63:63"


def test_the_body_is_signed_with_the_token(there: StandIn) -> None:
    send(there.url())
    taken = there.taken[0]
    wanted = hmac.new(SECRET.encode(), taken.body, hashlib.sha256).hexdigest()
    assert taken.headers["X-Smartrouter-Signature"] == f"sha256={wanted}"


def test_without_a_token_nothing_is_signed(there: StandIn) -> None:
    send(there.url(), token="")
    assert "X-Smartrouter-Signature" not in there.taken[0].headers


def test_a_name_and_password_in_the_address_are_sent_as_such(there: StandIn) -> None:
    send(there.url(who="me:S3cr%C3%A9t@"))
    assert there.taken[0].headers["Authorization"] == "Basic bWU6UzNjcsOpdA=="
    assert there.taken[0].path == "/hook"


def test_text_from_the_network_cannot_leave_its_string(there: StandIn) -> None:
    hostile = '"}\r\nX: y\x00\x1b[31m\ud800\u202e<script>'
    send(there.url(), told(label=hostile, destination=hostile))
    taken = there.taken[0]
    assert taken.said["device"] == hostile
    assert taken.body.isascii()
    assert b"\n" not in taken.body


@pytest.mark.parametrize(("status", "is_final", "said"), [
    (301, True, "it answered 301, and wants us to go elsewhere: write the new address into `option channel`"),
    (401, True, "it answered 401: it wants another token"),
    (403, True, "it answered 403: it refuses us"),
    (404, True, "it answered 404: there is nothing at that address"),
    (410, True, "it answered 410: there is nothing at that address any more"),
    (400, False, "it answered 400"),
    (500, False, "it answered 500"),
    (503, False, "it answered 503"),
])  # fmt: skip
def test_an_answer_says_whether_trying_again_is_of_use(
    there: StandIn, status: int, is_final: bool, said: str
) -> None:
    there.status = status
    there.headers = {"Location": there.url("/elsewhere")}
    error = failure(there.url("/S3cret"))
    assert (str(error), error.is_final, error.retry_after) == (said, is_final, None)
    assert there.tried == 1, "redirects are not followed"


@pytest.mark.parametrize(("given", "seconds"), [("120", 120.0), (" 3 ", 3.0), ("soon", None), ("-1", None)])
def test_what_it_says_of_trying_again_is_told(there: StandIn, given: str, seconds: float | None) -> None:
    there.status, there.headers = 429, {"Retry-After": given}
    assert failure(there.url()).retry_after == seconds


def test_a_moment_to_try_again_may_be_a_date(there: StandIn) -> None:
    there.status, there.headers = 503, {"Retry-After": formatdate(usegmt=True)}
    assert failure(there.url()).retry_after == 0.0


def test_a_connection_that_is_refused_reset_or_silent_is_told_as_such(
    there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.resets = True
    assert str(failure(there.url("/S3cret"))) == "no connection: Connection reset by peer"
    monkeypatch.setattr(webhook, "PATIENCE", 0.1)
    there.resets, there.slow = False, 0.5
    assert str(failure(there.url())) == "it did not answer within 0 s"
    there.port = 1
    assert str(failure(there.url("/S3cret"))) == "no connection: Connection refused"


def test_a_service_that_never_ends_is_cut_off(there: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "_WHOLE", 0.1)
    there.slow = 0.6
    assert "broke off" in str(failure(there.url()))


@pytest.mark.parametrize("address", [
    "", "#alerts", "ftp://a.example/", "https://", "https://[::1/", "https://a b/",
    "https://a.example:99999/S3cret",
])  # fmt: skip
def test_what_is_no_address_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(BadConfig, match="a webhook wants an address such as") as caught:
        open_channel(NotifyConfig(type="webhook", channel=address))
    assert "S3cret" not in str(caught.value)


def test_a_certificate_that_is_trusted_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with service(pem) as there:
        send(there.url(scheme="https"))
        assert there.keys == ["alert:12/1"]


@pytest.mark.parametrize(("address", "is_old", "trusted", "said"), [
    ("127.0.0.1", False, False, "self-signed certificate"),
    ("127.0.0.2", False, True, "IP address mismatch"),
    ("127.0.0.1", True, True, "certificate has expired"),
])  # fmt: skip
def test_any_other_certificate_will_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str, is_old: bool, trusted: bool, said: str
) -> None:
    pem = certificate(tmp_path, address=address, is_old=is_old)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    with service(pem) as there:
        text = str(failure(there.url("/S3cret", scheme="https")))
        assert text.startswith("its certificate is not to be trusted: ")
        assert said in text
        assert there.tried == 0, "nothing was said to it"


def test_plain_text_where_tls_was_wanted_is_told(there: StandIn) -> None:
    assert str(failure(there.url(scheme="https"))).startswith("no TLS with it: ")


SCHEMA = json.loads(Path(__file__).parents[2].joinpath("docs/webhook.schema.json").read_text())


@pytest.mark.parametrize("message", [
    told(), told("\ud800\x1b", destination=""), told(state="allowed", decided_by="cli:root", decided_at=NOON),
    told(kind=Kind.PERSON, destination="", service="", name="", targets=()),
    flood("flood:x", [ALERT, SCAN], "TV", "critical", 9.0), quiet("quiet:1", [told()], NOON, "warning"),
    sample(NOON),
])  # fmt: skip
def test_the_json_is_what_the_documentation_says(message: Message) -> None:
    said = json.loads(json.dumps(webhook.body_of(message)))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(said)
    assert list(said) == SCHEMA["required"] == list(SCHEMA["properties"])


@pytest.mark.parametrize(
    "change", [{"severity": "loud"}, {"mac": "TV"}, {"facts": [["a", "b"]]}, {"version": 2}]
)
def test_and_not_just_anything(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**webhook.body_of(told()), **change}, SCHEMA)
