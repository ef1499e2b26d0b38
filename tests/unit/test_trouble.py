# SPDX-License-Identifier: GPL-2.0-or-later
"""What went wrong on the way to a service, in words."""

import errno
import socket
import ssl
from http.client import BadStatusLine
from urllib.error import URLError

import pytest
from unit.made_alarms import Clock, settings

from smartrouter.notify.trouble import not_reached, refused, retry_after


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "S3cret"), "refuses connections"),
        (URLError(ConnectionRefusedError(errno.ECONNREFUSED, "S3cret")), "refuses connections"),
        (URLError("S3cret"), "cannot be reached"),
        (ConnectionResetError(errno.ECONNRESET, "S3cret"), "broke the connection off"),
        (BrokenPipeError(), "broke the connection off"),
        (TimeoutError("S3cret"), "did not answer within 10 s"),
        (socket.gaierror(-2, "S3cret"), "a name that cannot be looked up"),
        (ssl.SSLError(1, "S3cret"), "does not speak TLS as it should"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "(Network is unreachable)"),
        (BadStatusLine("S3cret"), "something that is not HTTP"),
        (ValueError("S3cret"), "makes no sense (ValueError)"),
    ],
)
def test_it_is_said_in_words_without_the_errors_own(error: Exception, says: str) -> None:
    made = not_reached(error, "The service")
    assert says in str(made)
    assert "S3cret" not in str(made)
    assert not made.is_final


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "30"}, 30.0),
        ({"retry-after": " 7 "}, 7.0),
        ({"Retry-After": "999999999"}, 86400.0),
        ({"Retry-After": "9999999999"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Tue, 27 Mar 2018 20:02:10 GMT"}, 30.0),
        ({"Retry-After": "Tue, 27 Mar 2018 20:00:00 GMT"}, 0.0),
    ],
)
def test_how_long_to_wait(
    headers: dict[str, str], seconds: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Clock(monkeypatch).now == 1522180900
    assert retry_after(headers) == seconds


def test_an_option_that_cannot_be_used() -> None:
    assert str(refused(settings("ntfy"), "channel", "nothing", "a topic")) == (
        "config notify, type ntfy: option channel: found nothing; allowed is a topic"
    )
