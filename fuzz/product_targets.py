# SPDX-License-Identifier: GPL-2.0-or-later
"""Files, what other processes say, and the guard with its judge as a whole. See `targets`."""

import atexit
import os
import shutil
import tempfile
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from unit.made_guard import Guard

from fuzz.events import MACS, events_of
from smartrouter.analyzer.gallery import Gallery
from smartrouter.channel import BadMessage, Then, _request, decode, encode
from smartrouter.cli.dissection import dissect
from smartrouter.config import Config, from_text
from smartrouter.config.uci import parse, read
from smartrouter.config.uci_edit import delete_section, set_option
from smartrouter.control import Peer
from smartrouter.core.effects import Verdict
from smartrouter.core.errors import BadConfig, SmartrouterError
from smartrouter.core.events import Moment, Shortcut
from smartrouter.core.inert import inert
from smartrouter.core.judge import Judge
from smartrouter.core.policy import LearningPlan, Mode, Settings
from smartrouter.guard.handlers.overheard import TOLD_BY_PORT, OverheardHandler
from smartrouter.linux import dnsmasq, odhcpd
from smartrouter.linux.privileges import User
from smartrouter.linux.queue import FORWARD, LOCAL_IN, LOCAL_OUT
from smartrouter.replay.captures import BadCapture, Capture, scapy_silenced
from smartrouter.supervisor.household import Household
from smartrouter.supervisor.orders import Orders

_HOOKS = (FORWARD, LOCAL_IN, LOCAL_OUT)
_MAC = "02:00:5e:00:53:2a"
_PARTS = ("guard", "analyzer", "web")
_USER = User("service", 54321, 54322)


def _text(data: bytes) -> str:
    """As configurations are read: any byte is a character, and back."""
    return data.decode("utf-8", "surrogateescape")


def uci(data: bytes) -> None:
    """UCI files: reading, and changes that leave all else as it is."""
    text = _text(data)
    try:
        sections = parse(text)
    except BadConfig:
        return
    assert "".join(line.text for line in read(text)) == text
    if sections:
        changed = parse(set_option(text, "@[0]", "fuzzed", "it's"))
        assert changed[0].options == {**sections[0].options, "fuzzed": "it's"}
        assert changed[1:] == sections[1:] or len(changed) == len(sections)
        assert len(parse(delete_section(text, "@[-1]"))) == len(sections) - 1


def config(data: bytes) -> None:
    """Configurations: what is sound survives the way to a part, which must be able to read it."""
    try:
        found = from_text(_text(data))
    except BadConfig:
        return
    for part in _PARTS:
        share = found.to_share(part)
        assert decode(encode(share).strip()) == share
        assert isinstance(Config.from_share(share), Config)


def channel(data: bytes) -> None:
    """Lines between processes."""
    for line in data.split(b"\n"):
        with suppress(BadMessage):
            message = decode(line)
            assert decode(encode(message).strip()) == message
            _request(message)


class _Paper(Household):
    """Nothing runs in it; what is written is thrown away."""

    def change(self, write: Callable[[str], None], then: Then, now: float) -> None:
        try:
            write(self.config_path)
        except SmartrouterError as error:
            then({"error": str(error)})
        else:
            then({"ok": {}})

    def reload(self, then: Then, now: float) -> None:
        then({"ok": {}})


_orders: list[tuple[Orders, Path]] = []
_FAST = "/dev/shm" if os.path.isdir("/dev/shm") else None


def control(data: bytes) -> None:
    """Requests at the control socket: each is answered once, with what may stand on a line."""
    if not _orders:
        path = Path(tempfile.mkdtemp(prefix="smartrouter-fuzz-", dir=_FAST)) / "smartrouter"
        atexit.register(shutil.rmtree, path.parent)
        _orders.append((Orders(_Paper(str(path), [], _USER)), path))
    orders, path = _orders[0]
    path.write_text("config smartrouter 'main'\n")
    for line in data.split(b"\n"):
        with suppress(BadMessage):
            answers: list[Mapping[str, Any]] = []
            orders.handle(decode(line), Peer(0, frozenset({0})), answers.append, 0.0)
            assert len(answers) == 1
            assert len(encode(answers[0])) < 1 << 16


def leases(data: bytes) -> None:
    """Lease files, and ubus's answers."""
    text = data.decode("utf-8", "replace")
    for lease in (*dnsmasq.parse(text), *odhcpd.parse(text), *odhcpd.read_answers(text, text)):
        assert "\n" not in lease.address + lease.hostname


def captures(data: bytes) -> None:
    """Captures: whatever is damaged, what is read before it is read, and the rest is said."""
    with tempfile.NamedTemporaryFile(dir=_FAST) as file:
        file.write(data)
        file.flush()
        with suppress(BadCapture), scapy_silenced():
            capture = Capture(Path(file.name))
            for captured in capture.packets():
                assert len(captured.data) <= 1 << 18


def overheard(data: bytes) -> None:
    """What devices say of themselves: from the packet that the kernel copies to a portrait of the device."""
    handler = OverheardHandler()
    handler([("", _MAC, data)])
    gallery = Gallery()
    gallery.heard(handler.fetch(1), 0.0)
    for what in (*TOLD_BY_PORT.values(), "syn"):
        gallery.heard([[_MAC, what, b64encode(data).decode()]], 0.0)
    gallery.doubts()
    if gallery.of(_MAC) is not None:
        gallery.restore(gallery.unsaved(lambda _: True))


def dissection(data: bytes) -> None:
    """A packet that was kept, as `smartrouter alert` shows it."""
    for layer in dissect(data):
        assert inert(layer.text) == layer.text


_guards: list[Guard] = []


def _guard() -> Guard:
    """With a camera that knows a name and is protected; it judges by hellos, which is the most to read."""
    if not _guards:
        guard = Guard(_MAC, store=lambda _: None, mode=Mode.ENFORCE, judge_by_hello=True)
        guard.tell(_MAC, "api.cloud.example", "203.0.113.10")
        guard.connect(_MAC, guard.attempts(_MAC, ["203.0.113.10"]))
        guard.protect()
        _guards.append(guard)
    return _guards[0]


def guard(data: bytes) -> None:
    """Packets through each of the guard's handlers, as the kernel would queue them: the first byte says at
    which hook. What a handler raises would cost a packet its proper judgement."""
    made, packet, hook = _guard(), data[1:], _HOOKS[data[0] % 3] if data else FORWARD
    mac = None if hook == LOCAL_OUT else _MAC
    for handler in (made.dns, made.flows):
        assert handler.judge(packet, mac, hook, data[0] if data else 0) is not NotImplemented
        handler.settle()
    made.flows.flush()
    made.log([(str(shortcut), _MAC, packet[:128]) for shortcut in Shortcut])


def judge(data: bytes) -> None:
    """A life of a small house, byte by byte: a packet gets one verdict and nothing else gets any; monitor
    mode drops nothing; the same events give the same effects."""
    mode = Mode.MONITOR if data[:1] < b"\x80" else Mode.ENFORCE
    settings = Settings(mode=mode, learning=LearningPlan(auto=False, period=30.0), judge_by_hello=True)
    once, again = Judge(settings), Judge(settings)
    for number, (event, is_packet) in enumerate(events_of(data[1:])):
        now = Moment(float(number), 1.8e9 + number)
        effects = once.handle(event, now)
        verdicts = [effect for effect in effects if isinstance(effect, Verdict)]
        assert len(verdicts) == is_packet
        assert mode is Mode.ENFORCE or all(verdict.accept for verdict in verdicts)
        assert again.handle(event, now) == effects
    assert once.roster.devices.keys() <= set(MACS)
