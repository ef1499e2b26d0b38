# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter notify`, and what status and doctor say of channels."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit.made_home import NOW, RUNNING, Home
from unit.stand_in import StandIn, service

from smartrouter.cli import main
from smartrouter.cli.notify import TESTED
from smartrouter.listings.channels import CHANNEL
from smartrouter.notify.channels import named
from smartrouter.store.connect import open_writer
from smartrouter.store.outbox import Put, keep_channels, next_row, note_failed, note_sent, put

SECRET = "S3cret"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.delenv("COLUMNS", raising=False)
    home = Home(tmp_path)
    home.fill()
    yield home
    home.close()


@pytest.fixture
def there() -> Iterator[StandIn]:
    with service() as stand_in:
        yield stand_in


def configure(home: Home, *channels: dict[str, str]) -> None:
    text = home.config.read_text()
    for channel in channels:
        options = {"type": "webhook", "token": SECRET, **channel}
        text += "config notify\n" + "".join(f"\toption {key} '{value}'\n" for key, value in options.items())
    home.config.write_text(text)
    conn = open_writer(home.database)
    from smartrouter.config import load

    keep_channels(conn, list(named(load(home.config).notify)))
    conn.close()


def happened(
    home: Home, channel: str, *, sent: int = 0, waiting: int = 0, error: str = "", final: bool = False
) -> None:
    """What the analyzer has noted of a channel."""
    conn = open_writer(home.database)
    for number in range(sent + waiting):
        put(conn, channel, [Put(f"alert:{number}", "", 1, "{}", "")], NOW)
        row = next_row(conn, channel)
        if number < sent and row is not None:
            note_sent(conn, channel, row, "", NOW - 60)
    if error:
        now = time.time()
        note_failed(conn, channel, next_row(conn, channel), error, now, retry_at=now + 300, disable=final)
    conn.close()


def told(home: Home, capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    main(home.command(*arguments, "--json"))
    out = capsys.readouterr().out
    assert SECRET not in out
    return json.loads(out)


def test_channels_are_listed_with_how_they_do(
    home: Home, capsys: pytest.CaptureFixture[str], there: StandIn
) -> None:
    configure(
        home, {"channel": there.url(f"/{SECRET}")}, {"name": "phone"}, {"name": "old"}, {"name": "unused"}
    )
    happened(home, "webhook", sent=3)
    happened(home, "phone", waiting=2, error="it answered 503")
    happened(home, "old", sent=1, error="it answered 401: it wants another token", final=True)
    found = told(home, capsys, "notify")
    assert all(list(each) == list(CHANNEL) for each in found)
    assert [(each["name"], each["state"], each["sent"], each["waiting"]) for each in found] == [
        ("webhook", "works", 3, 0), ("phone", "failing", 0, 2), ("old", "disabled", 1, 0),
        ("unused", "new", 0, 0),
    ]  # fmt: skip
    assert main(home.command("notify")) == 0
    out = capsys.readouterr().out
    assert "it answered 503, next try in" in out
    assert SECRET not in out


def test_without_channels_it_says_how_to_have_some(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(home.command("notify")) == 0
    assert "No channel is configured" in capsys.readouterr().out
    assert main(home.command("notify", "test")) == 1
    assert "no channel is configured: add `config notify`" in capsys.readouterr().err


def test_a_sample_goes_through_each_channel(
    home: Home, capsys: pytest.CaptureFixture[str], there: StandIn
) -> None:
    configure(home, {"channel": there.url()}, {"name": "phone", "channel": there.url("/phone")})
    assert main(home.command("notify", "test")) == 0
    assert capsys.readouterr().out == "webhook: ok\nphone: ok\n"
    assert [each.path for each in there.taken] == ["/hook", "/phone"]
    assert there.taken[0].said["kind"] == "test"


def test_what_went_wrong_is_said_and_the_others_are_tested(
    home: Home, capsys: pytest.CaptureFixture[str], there: StandIn
) -> None:
    there.status, there.headers = 429, {"Retry-After": "90"}
    configure(home, {"channel": there.url(f"/{SECRET}")}, {"name": "odd", "channel": f"#{SECRET}"})
    assert main(home.command("notify", "test")) == 1
    captured = capsys.readouterr()
    assert "webhook: failed: it answered 429 (it asks for 1 min 30 s of patience)" in captured.out
    assert "odd: failed: notify: option channel: found a value that is not shown" in captured.out
    assert SECRET not in captured.out + captured.err


def test_one_channel_can_be_tested(home: Home, capsys: pytest.CaptureFixture[str], there: StandIn) -> None:
    configure(home, {"channel": there.url()}, {"name": "phone", "channel": there.url("/phone")})
    assert told(home, capsys, "notify", "test", "phone") == [
        dict(zip(TESTED, ("phone", True, ""), strict=True))
    ]
    assert [each.path for each in there.taken] == ["/phone"]
    assert main(home.command("notify", "test", "fax")) == 1
    assert "there is no channel fax; there is webhook, phone" in capsys.readouterr().err


def test_a_fault_shows_no_secret(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr("smartrouter.notify.trying.open_channel", broken)
    configure(home, {"name": "phone"})
    assert main(home.command("notify", "test")) == 1
    captured = capsys.readouterr()
    assert captured.out == "phone: failed: a fault of smartrouter's: RuntimeError\n"


def test_status_shows_channels_and_asks_for_help_where_one_fails(
    home: Home, capsys: pytest.CaptureFixture[str], there: StandIn
) -> None:
    configure(home, {"channel": there.url()}, {"name": "phone"}, {"name": "old"})
    happened(home, "webhook", sent=3)
    happened(home, "phone", waiting=2, error="it answered 503")
    happened(home, "old", error="it answered 401: it wants another token", final=True)
    home.run(status={"ok": RUNNING})
    assert main(home.command("status")) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "webhook (works, 3 sent), phone (failing, 0 sent, 2 waiting), old (disabled, 0 sent)" in out
    assert "The channel phone fails: it answered 503; 2 messages wait, next try in" in out
    assert "The channel old does not work: it answered 401: it wants another token. Mend its" in out
    assert [each["name"] for each in told(home, capsys, "status")["channels"]] == ["webhook", "phone", "old"]


def test_doctor_looks_at_each_channel_and_sends_nothing(
    home: Home, capsys: pytest.CaptureFixture[str], there: StandIn
) -> None:
    configure(home, {"channel": there.url()}, {"name": "odd", "channel": f"#{SECRET}"})
    main(home.command("doctor", "--json"))
    out = capsys.readouterr().out
    found = {
        check["text"]: check["level"] for check in json.loads(out)["checks"] if check["name"] == "channels"
    }
    assert found["Nothing is wrong with the channel webhook."] == "ok"
    assert [level for text, level in found.items() if "The channel odd cannot work" in text] == ["warning"]
    assert there.tried == 0
    assert SECRET not in out
