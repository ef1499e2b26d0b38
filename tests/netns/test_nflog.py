# SPDX-License-Identifier: GPL-2.0-or-later
"""The reader of logged packets on a real kernel: what it says, how soon, and that every loss is counted."""

import contextlib
import itertools
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from netns.kernel_lab import ADDRESSES, DEVICE_MAC, PATIENCE, Lab, eventually, flooding, run
from tries import TRIES, within

from smartrouter.core.errors import Unavailable
from smartrouter.linux.nflog import Log, Logged
from smartrouter.linux.queue_rule import LOG_GROUP
from smartrouter.supervisor.children import SILENCE

pytestmark = pytest.mark.netns

RULES = f"""
table inet log_test {{
    chain forward {{
        type filter hook forward priority 0; policy accept;
        udp dport 7001 log group {LOG_GROUP} prefix "known" accept
        udp dport 7002 meta mark set 1 log group {LOG_GROUP} prefix "blocked" reject
        udp dport 7003 log group {LOG_GROUP} drop
        udp dport 7010-7073 log group {LOG_GROUP} prefix "flood" drop
    }}
    chain output {{
        type filter hook output priority 0; policy accept;
        udp dport 7004 log group {LOG_GROUP} prefix "ours" drop
    }}
}}
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab() as lab:
        lab.nft(RULES)
        yield lab


class Records(list[Logged]):
    """What a handler got, in order."""

    def __init__(self, wait: float = 0.0) -> None:
        super().__init__()
        self.wait = wait
        self.batches = 0

    def __call__(self, records: list[Logged]) -> None:
        self.batches += 1
        self += records
        time.sleep(self.wait)


@contextlib.contextmanager
def reading(lab: Lab, handler: Callable[[list[Logged]], object], **options: int) -> Iterator[Log]:
    """A reader of the router's, served in a thread of its own."""
    with lab.at("router"):
        log = Log(LOG_GROUP, handler, **options)
    stop = threading.Event()
    thread = threading.Thread(target=log.serve, args=(stop, lambda: None))
    thread.start()
    try:
        yield log
    finally:
        stop.set()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def send(lab: Lab, host: str, port: int, payload: bytes = b"x", times: int = 1, version: int = 4) -> None:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with lab.at(host), socket.socket(family, socket.SOCK_DGRAM) as sender:
        for _ in range(times):
            with contextlib.suppress(PermissionError):  # dropped on its way out
                sender.sendto(payload, (ADDRESSES[version]["outside"], port))


def test_a_record_says_which_rule_who_and_what(lab: Lab) -> None:
    records = Records()
    sent = [("device", 7001, b"one", 4), ("device", 7002, b"two", 4), ("device", 7003, b"three", 4)]
    sent += [("router", 7004, b"four", 4), ("device", 7001, b"five", 6)]
    with reading(lab, records) as log:
        for number, (host, port, payload, version) in enumerate(sent, 1):
            send(lab, host, port, payload, version=version)
            assert eventually(lambda: len(records) == number)  # noqa: B023 - used in this turn
    kinds = [(prefix, mac, packet[28 if packet[0] >> 4 == 4 else 48 :]) for prefix, mac, packet in records]
    assert kinds == [
        ("known", DEVICE_MAC, b"one"),
        ("blocked", DEVICE_MAC, b"two"),
        ("", DEVICE_MAC, b"three"),
        ("ours", None, b"four"),
        ("known", DEVICE_MAC, b"five"),
    ]
    assert records[0][2][16:20] == socket.inet_aton(ADDRESSES[4]["outside"])
    assert (log.seen, log.lost, log.malformed, log.faults, log.overflows) == (5, 0, 0, 0, 0)


def test_long_packets_come_cut(lab: Lab) -> None:
    records = Records()
    with reading(lab, records):
        for size in (99, 100, 101, 1400):
            send(lab, "device", 7001, bytes(size))
        assert eventually(lambda: len(records) == 4)
    assert sorted(len(packet) for _, _, packet in records) == [127, 128, 128, 128]


def test_records_come_together_when_many_and_soon_when_few(lab: Lab) -> None:
    records = Records()
    with reading(lab, records) as log:
        send(lab, "device", 7001, times=640)
        assert eventually(lambda: len(records) == 640)
        assert records.batches < 64

        def one() -> float:
            began, before = time.monotonic(), len(records)
            send(lab, "device", 7001)
            assert eventually(lambda: len(records) == before + 1)
            return time.monotonic() - began

        assert any(
            one() < 1.0 for _ in range(TRIES)
        )  # so long the kernel waits for more, unless told otherwise
    assert (log.seen, log.lost) == (len(records), 0)


def test_what_the_kernel_gathers_when_the_reader_stops_still_comes(
    lab: Lab, rounds: Callable[[int], int]
) -> None:
    for _ in range(rounds(3)):
        records = Records()
        with reading(lab, records):
            send(lab, "device", 7001, times=100)
        assert len(records) == 100


def test_what_a_full_buffer_costs_is_counted(lab: Lab) -> None:
    records = Records(wait=0.3)
    with reading(lab, records, receive_buffer=40_000) as log:
        send(lab, "device", 7001, times=5000)
        records.wait = 0.0
        assert eventually(lambda: log.overflows)
        read = -1
        while read != log.seen:  # what did fit
            read = log.seen
            time.sleep(0.3)
        sent = 5000

        def adds_up() -> bool:
            """The next one tells what is missing."""
            nonlocal sent
            send(lab, "device", 7001)
            sent += 1
            return eventually(lambda: log.lost and log.seen + log.lost == sent, 1.0)

        assert eventually(adds_up)
    assert log.lost > 1000
    assert log.malformed == 0


@pytest.mark.parametrize("traffic", ["idle", "flood"])
def test_it_beats_twice_a_second_and_stops_soon(lab: Lab, traffic: str) -> None:
    """However much comes: who is silent for longer than `SILENCE` hangs, as the supervisor has it."""
    assert within(SILENCE, lambda: longest_silence(lab, traffic))


def longest_silence(lab: Lab, traffic: str) -> float:
    beats: list[float] = []
    stop = threading.Event()
    records = Records()
    with lab.at("router"):
        log = Log(LOG_GROUP, records)
    thread = threading.Thread(target=log.serve, args=(stop, lambda: beats.append(time.monotonic())))
    thread.start()
    with contextlib.ExitStack() as stack:
        if traffic == "flood":
            stack.enter_context(flooding(lab, "device", ADDRESSES[4]["outside"], 7010))
        assert eventually(lambda: len(beats) > 3 and (traffic == "idle" or len(records) > 5000))
        began = time.monotonic()
        stop.set()
        thread.join(PATIENCE)
        stopped = time.monotonic() - began
    gaps = [later - earlier for earlier, later in itertools.pairwise(beats)]
    assert min(gaps) < 0.5
    assert (len(records) > 5000) == (traffic == "flood")
    assert log.seen == len(records)
    assert log.lost == 0 or log.overflows
    return max(*gaps, stopped)


def test_a_second_reader_is_told_that_there_is_one(lab: Lab) -> None:
    with reading(lab, Records()), lab.at("router"), pytest.raises(Unavailable, match="another guard"):
        Log(LOG_GROUP, Records())
    with reading(lab, records := Records()):  # and when the first is gone, the group is free
        send(lab, "device", 7001)
        assert eventually(lambda: records)


def test_without_the_right_it_says_what_is_missing(lab: Lab) -> None:
    program = """
import os
from smartrouter.core.errors import Unavailable
from smartrouter.linux.nflog import Log
os.setresuid(65534, 65534, 65534)
try:
    Log(7372, print)
except Unavailable as error:
    print(error)
"""
    with lab.at("router"):
        said = run(sys.executable, "-c", program)
    assert said.startswith("Not allowed to change packet rules")
