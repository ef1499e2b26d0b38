# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices see while something is broken, in each mode and with each `on_failure`, and how soon all is as
before. The faults are in `faults`; what was measured goes into docs/reliability.md (`make reliability`)."""

import socket
from collections.abc import Callable, Iterator
from time import monotonic

import pytest
from netns.faults import (
    FAULTS,
    SETTINGS,
    UNSTORED,
    Expected,
    Fault,
    Probe,
    Seen,
    Setting,
    disk_of_its_own,
    healthy,
)
from netns.guard_lab import (
    KNOWN,
    NAMES,
    PATIENCE,
    STRANGER,
    VERSIONS,
    Home,
    assert_nothing_is_lost,
    eventually,
)
from tries import TRIES, slowness

from smartrouter.lab import traffic
from smartrouter.lab.network import Network
from smartrouter.lab.traffic import Result

pytestmark = pytest.mark.netns

_BLOCKED = (Result.REFUSED, Result.PROHIBITED, Result.RESET)
_A_MOMENT = 0.5  # seconds that an attempt may take, where it is made again
_WAITING = 0.3  # seconds after which an attempt that is to wait is seen to
_AT_ONCE = 0.5  # seconds that "at once" may take
_back: dict[str, list[float]] = {}  # seconds that it took in each setting, by fault


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """With the store on a disk of its own, and all that the probes need learned."""
    with Network(NAMES) as network:
        found = Home(network, {}, "config web\n")
        network.start_router_dnsmasq()
        with disk_of_its_own(found.product.database.parent):
            found.product.start()
            for version in VERSIONS:
                assert found.visit(found.camera, "cloud.maker.example", version).ok
            found.protect(found.camera)
            assert found.visit(found.camera, "stranger.example").result == Result.REFUSED
            assert eventually(lambda: (STRANGER[0], "stranger.example") in found.told(found.camera))
            yield found
            found.product.stop()


class Device:
    """The camera, with a connection that is open from before."""

    def __init__(self, home: Home) -> None:
        self._camera = home.camera
        self._open = self._camera.new_socket(socket.AF_INET, socket.SOCK_STREAM)
        assert traffic.connect(self._open, KNOWN[0], 443, PATIENCE, b"hello").ok

    def sees(self, probe: Probe, patience: float) -> Seen:
        match probe:
            case Probe.OPEN:
                return _seen(traffic.say(self._open, b"still there", patience).result)
            case Probe.KNOWN:
                return _seen(self._camera.connect(KNOWN[0], 443, patience).result)
            case Probe.UNKNOWN:
                return _seen(self._camera.connect(STRANGER[0], 443, patience).result)
            case Probe.NAMES:
                found = self._camera.resolve("cloud.maker.example", timeout=patience)
                return Seen.PASSES if found.addresses else Seen.WAITS

    def close(self) -> None:
        self._open.close()


def _seen(result: Result) -> Seen:
    if result in _BLOCKED:
        return Seen.BLOCKED
    return Seen.PASSES if result in (Result.CONNECTED, Result.ANSWERED) else Seen.WAITS


@pytest.fixture
def device(home: Home) -> Iterator[Device]:
    found = Device(home)
    yield found
    found.close()


def choose(home: Home, setting: Setting) -> None:
    """Have the product go by `setting`."""
    lines = home.product.config.read_text().splitlines()
    kept = [line for line in lines if "option mode '" not in line and "option on_failure '" not in line]
    at = next(place for place, line in enumerate(kept) if line.startswith("config smartrouter 'main'")) + 1
    kept[at:at] = [f"\toption mode '{setting.mode}'", f"\toption on_failure '{setting.on_failure}'"]
    home.product.config.write_text("\n".join([*kept, ""]))
    assert home.ask("reload")["applied"]


def observed(device: Device, expected: Expected, patience: float = PATIENCE) -> Expected:
    """What is seen of each of the probes. Where no packet gets anywhere, waiting is being cut off, and so is
    being told that nobody is there. `patience`: seconds for what is not expected to wait."""
    found = {
        probe: device.sees(probe, _WAITING if seen in (Seen.WAITS, Seen.CUT) else patience)
        for probe, seen in expected.items()
    }
    if Seen.CUT in expected.values():
        found = {probe: seen if seen is Seen.PASSES else Seen.CUT for probe, seen in found.items()}
    return found


def all_run(home: Home) -> bool:
    """Does each part, and does the guard say so itself?"""
    status = home.status()
    return all(part["state"] == "running" for part in status["parts"]) and status["guard"]["running"]


@pytest.mark.parametrize("setting", SETTINGS, ids=[f"{mode}-{end}" for mode, end in SETTINGS])
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.key for fault in FAULTS])
def test_a_fault_is_seen_as_it_should_be_and_then_all_is_as_before(
    home: Home, device: Device, fault: Fault, setting: Setting, record_property: Callable[[str, object], None]
) -> None:
    choose(home, Setting("monitor", "open"))  # so that nothing is blocked in the kernel from before
    choose(home, setting)
    expected = fault.expected(setting)
    seen: Expected = {}
    for _ in range(TRIES):
        with fault.making(home) as lasts:
            seen = observed(device, expected)
            if fault.told == UNSTORED:
                assert eventually(lambda: home.guard()["store"]["trouble"]), "it can be stored"
            is_over = callable(lasts) and not lasts()
        if seen == expected or not is_over:
            break
        assert eventually(lambda: all_run(home)), home.product.last_words()
    assert seen == expected
    ends = monotonic()
    after = healthy(setting)
    assert eventually(lambda: observed(device, after, _A_MOMENT) == after), home.product.last_words()
    took = monotonic() - ends
    _back.setdefault(fault.key, []).append(took)
    record_property("back", round(took, 2))
    assert eventually(lambda: all_run(home)), home.product.last_words()
    assert eventually(lambda: not home.guard()["store"]["trouble"])


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.key for fault in FAULTS])
def test_all_was_as_before_as_soon_as_is_said(fault: Fault) -> None:
    """In one of the settings at least: other work on the machine costs time."""
    took = _back.get(fault.key)
    if took is None:
        pytest.skip("it was not tried")
    assert min(took) < max(fault.back, _AT_ONCE) * slowness()


def test_every_packet_that_was_queued_was_judged(home: Home) -> None:
    assert_nothing_is_lost(home, is_first=False)
