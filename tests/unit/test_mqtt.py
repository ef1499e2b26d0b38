# SPDX-License-Identifier: GPL-2.0-or-later
"""The channel to MQTT, on a real mosquitto."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import Any

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
from unit.standin_broker import Broker as RealBroker
from unit.standin_broker import listening, until
from unit.standin_smtp import free_port
from unit.standin_tls import Authority

from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import Mode
from smartrouter.notify import mqtt
from smartrouter.notify.channel import PATIENCE
from smartrouter.notify.home_assistant import Topics
from smartrouter.notify.message import Answer
from smartrouter.notify.mqtt import Broker, Mqtt, broker, open_channel
from smartrouter.notify.repeats import QUIET
from smartrouter.notify.switches import Standing

_leaks = pytest.fixture(autouse=True)(nothing_secret_leaks)
TV, PLUG = "3c2eff294d93", "cc4463ea6363"
STANDING = Standing("3c:2e:ff:29:4d:93", "Living-room TV", Mode.MONITOR, "Acme")
OTHER = Standing("cc:44:63:ea:63:63", "Plug", Mode.ENFORCE)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealBroker]:
    made = RealBroker(tmp_path_factory.mktemp("mosquitto"))
    yield made
    made.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., RealBroker]]:
    """Starts a broker of the test's own."""
    made: list[RealBroker] = []

    def begin(*options: str) -> RealBroker:
        made.append(RealBroker(tmp_path, *options))
        return made[-1]

    yield begin
    for each in made:
        each.stop()


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    """One for each test, since what is retained stays on the broker."""
    return f"t{abs(hash(request.node.nodeid)) % 10**9}"


@pytest.fixture
def channel(real: RealBroker, prefix: str) -> Iterator[Mqtt]:
    made = opened(real.port, prefix)
    yield made
    made.close()


def opened(port: int, prefix: str, scheme: str = "mqtt", token: str = "", *, listens: bool = True) -> Mqtt:
    address = f"{scheme}://127.0.0.1:{port}/{prefix}?discovery={prefix}/ha"
    channel = open_channel(settings("mqtt", channel=address, token=token))
    if listens:
        channel.listen(lambda *_: None)
    return channel


# Out


def test_an_alert_is_an_event_and_the_last_one(real: RealBroker, channel: Mqtt, prefix: str) -> None:
    with listening(real) as listener:
        channel.send(message(), "")
        (event,) = listener.wait(f"{prefix}/{TV}/event")
        (alert,) = listener.wait(f"{prefix}/{TV}/alert")
    assert event["event_type"] == "new-destination"
    assert event == {"event_type": "new-destination", **alert}
    assert (alert["device"], alert["destination"]) == ("Living-room TV", "ads.example.net")
    assert alert["facts"][0] == {"name": "mode", "text": "monitor"}
    retained = {topic for topic, _, is_retained in Retained(real).messages if is_retained}
    node = f"{prefix}_{TV}"
    assert {
        f"{prefix}/status",
        f"{prefix}/{TV}/alert",
        f"{prefix}/ha/event/{node}/alerts/config",
        f"{prefix}/ha/sensor/{node}/last_alert/config",
        f"{prefix}/ha/event/{prefix}_router/alerts/config",
    } < retained
    assert f"{prefix}/{TV}/event" not in retained


class Retained:
    """What somebody finds who comes later."""

    def __init__(self, real: RealBroker):
        with listening(real) as listener:
            until(lambda: len(listener.messages) > 0)
            listener.say("all", "was told")  # which comes behind it
            listener.wait("all")
            self.messages = listener.messages


def test_later_revisions_renew_the_last_alert_and_few_are_an_event(
    real: RealBroker, channel: Mqtt, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch)
    with listening(real) as listener:
        receipt = channel.send(message(), "")
        receipt = channel.send(message(revision=2), receipt)
        clock.now += QUIET
        receipt = channel.send(message(revision=3), receipt)
        channel.send(message(revision=4, outcome="Allowed"), receipt)
        alerts = listener.wait(f"{prefix}/{TV}/alert", 4)
        events = listener.wait(f"{prefix}/{TV}/event", 3)
    assert [alert["revision"] for alert in alerts] == [1, 2, 3, 4]
    assert [event["revision"] for event in events] == [1, 3, 4]


@pytest.mark.parametrize(
    ("values", "where", "event_type"),
    [
        ({"mac": "", "kind": "digest"}, "router", "digest"),
        ({"mac": "nonsense/#", "kind": "flood"}, "router", "flood"),
        ({"kind": "of-a-later-version"}, TV, "other"),
    ],
)
def test_where_it_goes_and_what_it_is(
    real: RealBroker, channel: Mqtt, prefix: str, values: dict[str, object], where: str, event_type: str
) -> None:
    with listening(real) as listener:
        channel.send(message(**values), "")
        assert listener.wait(f"{prefix}/{where}/event")[0]["event_type"] == event_type


def test_hostile_names_are_inert(real: RealBroker, channel: Mqtt, prefix: str) -> None:
    usual = {
        f"{prefix}/{TV}/event",
        f"{prefix}/{TV}/alert",
        f"{prefix}/status",
        f"{prefix}/ha/event/{prefix}_{TV}/alerts/config",
        f"{prefix}/ha/sensor/{prefix}_{TV}/last_alert/config",
        f"{prefix}/ha/event/{prefix}_router/alerts/config",
        f"{prefix}/ha/sensor/{prefix}_router/last_alert/config",
    }
    with listening(real) as listener:
        for hostile in HOSTILE:
            channel.send(hostile_message(hostile)._replace(outcome=hostile), "")
        made = listener.wait(f"{prefix}/{TV}/alert", len(HOSTILE))
        assert {topic for topic, _, _ in listener.messages if topic.startswith(prefix + "/")} <= usual
    for alert in made:
        assert alert["title"].isprintable()
        assert all(fact["text"].isprintable() for fact in alert["facts"])
        assert alert["mac"] == "3c:2e:ff:29:4d:93"


def test_whether_we_are_there_is_known(real: RealBroker, prefix: str) -> None:
    with listening(real) as listener:
        channel = opened(real.port, prefix)
        assert listener.wait(f"{prefix}/status") == ["online"]
        channel.close()
        assert listener.wait(f"{prefix}/status", 2) == ["online", "offline"]
        channel = opened(real.port, prefix)
        assert listener.wait(f"{prefix}/status", 3)[2] == "online"
        sock: Any = channel._client.socket()
        sock.shutdown(socket.SHUT_RDWR)  # as when the router loses power: the broker speaks for us
        assert listener.wait(f"{prefix}/status", 4)[3] == "offline"
        channel.close()


def test_one_that_only_hands_over_says_nothing_of_us(real: RealBroker, channel: Mqtt, prefix: str) -> None:
    with listening(real) as listener:
        listener.wait(f"{prefix}/status")
        sample = opened(real.port, prefix, listens=False)  # as `smartrouter notify test` does
        sample.send(message(kind="test", mac=""), "")
        sample.close()
        assert listener.wait(f"{prefix}/router/event")[0]["event_type"] == "test"
        channel.send(message(), "")
        assert listener.wait(f"{prefix}/status") == ["online"]


# Switches and answers


def test_devices_have_switches_that_are_heard(real: RealBroker, channel: Mqtt, prefix: str) -> None:
    heard: Queue[tuple[str, Mode, str]] = Queue()
    channel.obey(lambda *order: heard.put(order))
    channel.show([STANDING, OTHER])
    with listening(real) as listener:
        assert listener.wait(f"{prefix}/{TV}/mode") == ["monitor"]
        (switch,) = listener.wait(f"{prefix}/ha/switch/{prefix}_{TV}/mode/config")
        listener.say(switch["command_topic"], switch["payload_on"])
        assert heard.get(timeout=20) == ("3c:2e:ff:29:4d:93", Mode.ENFORCE, "mqtt")
        channel.show([STANDING._replace(mode=Mode.ENFORCE), OTHER])
        assert listener.wait(f"{prefix}/{TV}/mode", 2) == ["monitor", "enforce"]
        assert listener.wait(f"{prefix}/{PLUG}/mode") == ["enforce"]


@pytest.mark.parametrize(
    ("where", "order"),
    [
        ("{prefix}/{tv}/mode/set", "off"),
        ("{prefix}/{tv}/mode/set", ""),
        ("{prefix}/{tv}/mode/set", "\udcff"),
        ("{prefix}/{tv}/mode/set", "x" * 5000),
        ("{prefix}/000000000001/mode/set", "enforce"),  # no such device
        ("{prefix}/router/mode/set", "enforce"),
        ("{prefix}/answer", "enforce"),
        ("{prefix}/answer", "[]"),
        ("{prefix}/answer", '{"key": 17, "answer": "allow"}'),
        ("{prefix}/answer", '{"key": "alert-17", "answer": "everything"}'),
        ("{prefix}/answer", '{"key": "alert-17", "answer": ["allow"]}'),
        ("{prefix}/answer", '{"key": "", "answer": "allow"}'),
    ],
)
def test_what_is_no_order_is_not_obeyed(
    real: RealBroker, channel: Mqtt, prefix: str, where: str, order: str
) -> None:
    heard: Queue[object] = Queue()
    channel.obey(lambda *given: heard.put(given))
    channel.listen(lambda *given: heard.put(given))
    channel.show([STANDING])
    with listening(real) as listener:
        listener.wait(f"{prefix}/{TV}/mode")
        listener.say(where.format(prefix=prefix, tv=TV), order)
        with pytest.raises(Empty):
            heard.get(timeout=0.2)
        listener.say(f"{prefix}/answer", '{"key": "alert-17", "answer": "allow-hour"}')
        assert heard.get(timeout=20) == ("alert-17", Answer.ALLOW_HOUR, "mqtt")


def test_an_order_that_was_left_lying_there_is_not_obeyed(real: RealBroker, prefix: str) -> None:
    with listening(real) as listener:
        listener.say(f"{prefix}/{TV}/mode/set", "enforce", retain=True)
    heard: Queue[object] = Queue()
    channel = opened(real.port, prefix)
    channel.obey(lambda *given: heard.put(given))
    channel.show([STANDING])
    with pytest.raises(Empty):
        heard.get(timeout=0.5)
    channel.close()


def test_a_device_that_is_gone_is_withdrawn(real: RealBroker, channel: Mqtt, prefix: str) -> None:
    channel.show([STANDING, OTHER])
    with listening(real) as listener:
        listener.wait(f"{prefix}/{PLUG}/mode")
        channel.show([STANDING])
        until(lambda: b"" in listener.of(f"{prefix}/ha/switch/{prefix}_{PLUG}/mode/config"))
        until(lambda: b"" in listener.of(f"{prefix}/{PLUG}/mode"))
    topics = {topic for topic, _, _ in Retained(real).messages}
    assert f"{prefix}/{TV}/mode" in topics
    assert not {topic for topic in topics if PLUG in topic and topic.startswith(prefix)}


# What can go wrong


def test_after_an_outage_it_is_there_again(start: Callable[..., RealBroker]) -> None:
    real = start()
    channel = opened(real.port, "home")
    channel.show([STANDING])
    channel.send(message(), "")
    real.stop()
    until(lambda: not channel._connected.is_set())
    real.start()
    assert channel.send(message(revision=2), "")
    with listening(real) as listener:  # this broker keeps nothing: all has been announced anew
        listener.wait(f"home/ha/switch/home_{TV}/mode/config")
        listener.wait("home/status")
    channel.close()


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "PATIENCE", 1.0)
    channel = opened(free_port(), "home")
    until(lambda: "refuses connections" in str(channel._trouble))
    error = failure_of(lambda: channel.send(message(), ""))
    assert "refuses connections" in str(error)
    assert not error.is_final
    channel.close()


def test_a_broker_that_is_silent_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "PATIENCE", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        channel = opened(listener.getsockname()[1], "home")
        error = failure_of(lambda: channel.send(message(), ""))
        assert "does not answer" in str(error)
        channel.close()


@pytest.mark.parametrize("token", [f"router:{PASSWORD}", "router:wrong", "", "router"])
def test_user_and_password(tmp_path: Path, token: str, start: Callable[..., RealBroker]) -> None:
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "router", PASSWORD], check=True, capture_output=True
    )
    real = start(f"allow_anonymous false\npassword_file {passwords}")
    channel = opened(real.port, "home", token=token)
    if token.endswith(PASSWORD):
        assert channel.send(message(), "")
    else:
        until(lambda: channel._trouble.is_final)
        begun = time.monotonic()
        error = failure_of(lambda: channel.send(message(), ""))
        assert time.monotonic() - begun < PATIENCE / 2  # nobody waits for it to be heard after all
        assert error.is_final
        assert "`option token`" in str(error)
    channel.close()


@pytest.mark.parametrize(
    ("host", "is_known", "says"),
    [("127.0.0.1", True, ""), ("127.0.0.1", False, "certificate"), ("broker.example", True, "certificate")],
)
def test_a_certificate_has_to_be_right(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: Callable[..., RealBroker],
    host: str,
    is_known: bool,
    says: str,
) -> None:
    monkeypatch.setattr(mqtt, "PATIENCE", 2.0)
    authority = Authority(tmp_path)
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    certificate, key = authority.pair(host)
    real = start(f"allow_anonymous true\ncertfile {certificate}\nkeyfile {key}")
    channel = opened(real.port, "home", scheme="mqtts", token=f"router:{PASSWORD}")
    if says:
        error = failure_of(lambda: channel.send(message(), ""))
        assert says in str(error)
        assert not error.is_final
    else:
        assert channel.send(message(), "")
    channel.close()


@pytest.mark.parametrize(
    ("code", "is_final"),
    [(1, False), (3, False), (4, True), (5, True), (0x86, True), (0x87, True), (0x88, False)],
)
def test_a_refusal_is_understood_from_either_paho(code: int, is_final: bool) -> None:
    channel = opened(free_port(), "home")
    for reason in (code, type("ReasonCode", (), {"value": code})()):
        channel._on_connect(None, None, {}, reason)
        assert channel._trouble.is_final is is_final
    channel.close()


# What is configured


@pytest.mark.parametrize(
    ("channel", "token", "made"),
    [
        (
            "mqtt://192.168.1.5",
            "",
            Broker("192.168.1.5", 1883, False, "", "", Topics("smartrouter", "homeassistant")),
        ),
        (
            "mqtts://ha.example/home/router/",
            f"me:{PASSWORD}:x",
            Broker("ha.example", 8883, True, "me", f"{PASSWORD}:x", Topics("home/router", "homeassistant")),
        ),
        ("mqtt://[::1]:1884?discovery=", "", Broker("::1", 1884, False, "", "", Topics("smartrouter", ""))),
        ("mqtt://x/?discovery=ha", "", Broker("x", 1883, False, "", "", Topics("smartrouter", "ha"))),
    ],
)
def test_what_the_options_mean(channel: str, token: str, made: Broker) -> None:
    assert broker(settings("mqtt", channel=channel, token=token)) == made
    assert PASSWORD not in repr(made)


@pytest.mark.parametrize(
    ("channel", "says"),
    [
        ("", "option channel: found nothing"),
        ("broker", "found something else"),
        ("http://broker", "found something else"),
        ("mqtt://", "found something else"),
        ("mqtt://broker:0", "found something else"),
        ("mqtt://broker:x", "found something else"),
        ("mqtt://broker/?qos=0", "found something else"),
        ("mqtt://[::1", "found something else"),
        (f"mqtt://me:{PASSWORD}@broker", "found a user in the address"),
        ("mqtt://broker/a/+/b", "a prefix that will not do"),
        ("mqtt://broker/a/#", "found something else"),
        ("mqtt://broker/$SYS", "a prefix that will not do"),
        ("mqtt://broker/a//b", "a prefix that will not do"),
        ("mqtt://broker/?discovery=a/%23", "a prefix that will not do"),
    ],
)
def test_what_cannot_be_used_is_said_when_the_channel_is_opened(channel: str, says: str) -> None:
    with pytest.raises(BadConfig) as found:
        broker(settings("mqtt", channel=channel))
    assert says in str(found.value)
    assert [secret for secret in SECRETS if secret in str(found.value)] == []
