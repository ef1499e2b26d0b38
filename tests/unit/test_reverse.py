# SPDX-License-Identifier: GPL-2.0-or-later
"""Reverse lookups, against a real DNS server on the loopback of a namespace."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from smartrouter.analyzer import reverse
from smartrouter.analyzer.reverse import Lookups

SCRIPT = """if True:
    import json, sys, time
    from smartrouter.analyzer.reverse import look_up
    begun = time.monotonic()
    names = {address: look_up(address) for address in sys.argv[1:]}
    print(json.dumps({"names": names, "seconds": time.monotonic() - begun}))
"""
IN_NAMESPACE = ["unshare", "--net", "--mount", "sh", "-c"]
ZONE = [
    "--host-record=Honest.Example,198.51.100.5,2001:db8::5",
    "--ptr-record=6.100.51.198.in-addr.arpa,liar.example",
    "--address=/liar.example/198.51.100.66",
    "--ptr-record=7.100.51.198.in-addr.arpa,nowhere.example",
    "--ptr-record=8.100.51.198.in-addr.arpa,evil name.example",
]


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a network namespace")
def test_only_a_name_that_leads_back_to_the_address_counts(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\n")
    zone = " ".join(f"'{option}'" for option in ZONE)
    inside = (
        f"mount --bind {conf} /etc/resolv.conf && ip link set lo up && "
        f"dnsmasq --no-daemon --user=root --no-resolv --no-hosts --conf-file=/dev/null {zone} 2>/dev/null & "
        'server=$!; sleep 0.5; "$@"; kill $server'
    )
    addresses = [
        "198.51.100.5",
        "2001:db8::5",
        "198.51.100.6",
        "198.51.100.7",
        "198.51.100.8",
        "198.51.100.9",
        "x",
    ]
    answer = subprocess.run(
        [*IN_NAMESPACE, inside, "sh", sys.executable, "-c", SCRIPT, *addresses],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    told = json.loads(answer.stdout)
    assert told["names"] == {
        "198.51.100.5": "honest.example",
        "2001:db8::5": "honest.example",
        "198.51.100.6": "",
        "198.51.100.7": "",
        "198.51.100.8": "",
        "198.51.100.9": "",
        "x": "",
    }


@pytest.mark.netns
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a network namespace")
def test_without_a_network_a_lookup_ends_in_bounded_time(tmp_path: Path) -> None:
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 192.0.2.53\n")
    inside = f'mount --bind {conf} /etc/resolv.conf && "$@"'
    answer = subprocess.run(
        [*IN_NAMESPACE, inside, "sh", sys.executable, "-c", SCRIPT, "198.51.100.5"],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    told = json.loads(answer.stdout)
    assert told["names"] == {"198.51.100.5": ""}
    assert told["seconds"] < 2 * reverse.PATIENCE


def wait_for(lookups: Lookups, count: int) -> dict[str, str]:
    answers: dict[str, str] = {}
    until = time.monotonic() + 5
    while len(answers) < count and time.monotonic() < until:
        answers.update(lookups.answers())
        time.sleep(0.005)
    return answers


def test_an_answer_is_remembered_and_not_asked_for_again() -> None:
    asked: list[str] = []

    def look_up(address: str) -> str:
        asked.append(address)
        return f"name-of-{address}"

    lookups = Lookups(look_up)
    assert lookups.name("198.51.100.5") is None
    lookups.ask("198.51.100.5")
    assert wait_for(lookups, 1) == {"198.51.100.5": "name-of-198.51.100.5"}
    lookups.ask("198.51.100.5")
    assert lookups.name("198.51.100.5") == "name-of-198.51.100.5"
    assert asked == ["198.51.100.5"]


def test_lookups_that_hang_delay_nobody_and_are_bounded_in_number() -> None:
    release = threading.Event()
    running: list[str] = []

    def hang(address: str) -> str:
        running.append(address)
        release.wait(10)
        return ""

    lookups = Lookups(hang)
    begun = time.monotonic()
    for number in range(reverse.MAX_WAITING * 2):
        lookups.ask(f"198.51.{number >> 8}.{number & 255}")
    assert time.monotonic() - begun < 1.0
    time.sleep(0.1)
    assert len(running) == reverse.WORKERS
    release.set()
    answered = wait_for(lookups, reverse.MAX_WAITING)
    assert reverse.MAX_WAITING <= len(answered) <= reverse.MAX_WAITING + reverse.WORKERS


def test_a_fault_in_a_lookup_is_an_answer_and_the_next_one_works() -> None:
    def look_up(address: str) -> str:
        if address == "bad":
            raise RuntimeError
        return "fine.example"

    lookups = Lookups(look_up)
    lookups.ask("bad")
    assert wait_for(lookups, 1) == {"bad": ""}
    lookups.ask("good")
    assert wait_for(lookups, 1) == {"good": "fine.example"}
