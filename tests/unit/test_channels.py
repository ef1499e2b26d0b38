# SPDX-License-Identifier: GPL-2.0-or-later
"""Which channels there are, what they are called, and how one is opened."""

import sys

import pytest

from smartrouter.config import NotifyConfig
from smartrouter.core.errors import BadConfig, Unavailable
from smartrouter.notify import channels
from smartrouter.notify.channels import answers, named, open_channel, without_secrets
from smartrouter.notify.webhook import Webhook

HOOK = NotifyConfig(
    type="webhook", channel="https://me:S3cr%20et@a.example/hooks/T0/xyz?key=abcdef", token="tokentoken"
)


def hook(name: str = "", channel: str = "") -> NotifyConfig:
    return NotifyConfig(type="webhook", name=name, channel=channel)


@pytest.mark.parametrize(("configured", "names"), [
    ([], []),
    ([hook()], ["webhook"]),
    ([hook("phone"), hook(), hook(channel="b")], ["phone", "webhook", "webhook-2"]),
    ([hook(), hook("webhook"), NotifyConfig(type="slack")], ["webhook-2", "webhook", "slack"]),
])  # fmt: skip
def test_channels_go_by_their_name_or_their_type(configured: list[NotifyConfig], names: list[str]) -> None:
    found = named(configured)
    assert list(found) == names
    assert list(found.values()) == configured


def test_a_name_stays_when_others_come_and_go() -> None:
    mine = hook("mine", "https://a.example/")
    for others in ([], [hook()], [hook("another"), hook()]):
        assert named([*others, mine])["mine"] is mine


def test_a_channel_is_opened_by_its_type() -> None:
    assert isinstance(open_channel(HOOK), Webhook)


def test_a_type_without_a_module_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "_PACKAGE", "smartrouter.core")
    with pytest.raises(Unavailable, match="no channel of type apprise"):
        open_channel(NotifyConfig(type="apprise"))


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> object:
        raise ModuleNotFoundError(f"No module named {name}", name="paho")

    monkeypatch.setattr(channels, "import_module", missing)
    with pytest.raises(Unavailable, match="the channel mqtt needs the Python module paho"):
        open_channel(NotifyConfig(type="mqtt"))


def test_a_fault_in_what_is_configured_shows_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        @staticmethod
        def open_channel(config: NotifyConfig) -> object:
            raise ValueError(config.channel)

    monkeypatch.setitem(sys.modules, "smartrouter.notify.webhook", Broken)
    with pytest.raises(BadConfig) as caught:
        open_channel(HOOK)
    assert str(caught.value) == "the channel webhook cannot be opened: ValueError"


def test_a_channel_with_buttons_is_opened_at_once() -> None:
    assert answers(NotifyConfig(type="slack", app_token="xapp-1"))
    assert answers(NotifyConfig(type="mqtt"))
    assert not answers(NotifyConfig(type="slack"))
    assert not answers(HOOK)


@pytest.mark.parametrize("text", [
    "cannot reach https://me:S3cr%20et@a.example/hooks/T0/xyz?key=abcdef",
    "password S3cr et is wrong", "password S3cr%20et is wrong", "POST /hooks/T0/xyz: 404", "key=abcdef",
    "Bearer tokentoken",
])  # fmt: skip
def test_whatever_is_secret_is_taken_out_of_a_text(text: str) -> None:
    cleaned = without_secrets(text, HOOK)
    assert "…" in cleaned
    assert not [secret for secret in ("S3cr", "T0/xyz", "abcdef", "token") if secret in cleaned]


def test_what_is_not_secret_stays() -> None:
    text = "it answered 503"
    assert without_secrets(text, HOOK) == text
    assert without_secrets(text, NotifyConfig(type="webhook", channel="https://[::1")) == text
    assert without_secrets("it", NotifyConfig(type="webhook", token="it")) == "it"
