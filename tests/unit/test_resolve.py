# SPDX-License-Identifier: GPL-2.0-or-later
"""Single lookups, against DNS servers on the loopback of a namespace: dnsmasq, and one that misbehaves."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tries import TRIES, within

from smartrouter.analyzer import resolve
from smartrouter.core.names import normalise

pytestmark = [
    pytest.mark.netns,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a network namespace"),
]

SCRIPT = """if True:
    import json, subprocess, sys, time
    from smartrouter.analyzer.resolve import Question, Wanted, resolve

    command, conf, *questions = sys.argv[1:]
    subprocess.run(["mount", "--bind", conf, "/etc/resolv.conf"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    server = subprocess.Popen(json.loads(command), stdout=subprocess.PIPE) if command else None
    try:
        if server:
            server.stdout.readline()
        told = {}
        for question in questions:
            wanted = Wanted.NAME if question[0].isdigit() else Wanted.ADDRESSES
            begun = time.monotonic()
            found, ttl, failed = resolve(Question(wanted, question))
            told[question] = {
                "found": found, "ttl": ttl, "failed": failed, "seconds": time.monotonic() - begun
            }
        print(json.dumps(told))
    finally:
        if server:
            server.kill()
"""
ODD = [sys.executable, str(Path(__file__).with_name("odd_resolver.py"))]
NAMES = {
    "198.51.100.1": "honest.example",
    "2001:db8::5": "six.example",
    "198.51.100.4": "big.example",
    "198.51.100.5": "classless.example",
    "198.51.100.6": r"evil\032name\010\.com.example",
    "198.51.100.7": "xn--bcher-kva.example",
    "198.51.100.14": "true.example",
}
NAMELESS = {
    "198.51.100.2": "nobody says where its name leads",
    "198.51.100.3": "nobody says anything",
    "198.51.100.8": "it has a thousand names, none of them true",
    "198.51.100.9": "the answer comes by TCP, a byte at a time",
    "198.51.100.10": "the resolver fails",
    "198.51.100.11": "the resolver talks nonsense",
    "198.51.100.12": "the name is another's",
    "198.51.100.13": "the aliases go round in a circle",
    "198.51.100.15": "the name is the root",
    "198.51.100.16": "the answer is to another question",
    "198.51.100.200": "there is no name",
}
ADDRESSES: dict[str, tuple[list[str], float]] = {
    "both.example": (["198.51.100.20", "198.51.100.21", "2001:db8::20"], 20.0),
    "alias.example": (["198.51.100.20", "198.51.100.21", "2001:db8::20"], 10.0),
    "six.example": (["2001:db8::5"], 300.0),
    "half.example": (["198.51.100.22"], resolve.NOT_KNOWN_FOR),  # no answer about IPv6
    r"odd\@label\255.example": (["198.51.100.23"], 30.0),
    "hangs.example": ([], resolve.NOT_KNOWN_FOR),
    "empty.example": ([], 60.0),
    "nowhere.example": ([], 60.0),
    "..": ([], 60.0),
    "a" * 64 + ".example": ([], 60.0),
    "b\\": ([], 60.0),
}

QUESTIONS = [*NAMES, *NAMELESS, *ADDRESSES, "big.example"]
LIMIT = 1.9 * resolve.PATIENCE  # seconds for a lookup, and not for each try, or each server


def ask(folder: Path, server: list[str], nameservers: list[str], *questions: str) -> dict[str, Any]:
    conf = folder / "resolv.conf"
    conf.write_text("search example\n" + "".join(f"nameserver {each}\n" for each in nameservers))
    command = json.dumps(server) if server else ""
    done = subprocess.run(
        ["unshare", "--net", "--mount", "--", sys.executable, "-c", SCRIPT, command, str(conf), *questions],
        capture_output=True, text=True, timeout=90, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was found, where the machine was not too busy for that: else it is asked again."""
    folder = tmp_path_factory.mktemp("resolve")
    told: dict[str, Any] = {}
    for _ in range(TRIES):
        if left := [question for question in QUESTIONS if not is_as_expected(question, told.get(question))]:
            told |= ask(folder, ODD, ["127.0.0.1"], *left)
    return told


def is_as_expected(question: str, told: dict[str, Any] | None) -> bool:
    if told is None or told["seconds"] >= LIMIT:
        return False
    if question == "big.example":
        return len(told["found"]) == resolve.MAX_ADDRESSES
    if question in ADDRESSES:
        addresses, ttl = ADDRESSES[question]
        return sorted(told["found"]) == sorted(addresses) and bool(told["ttl"] == ttl)
    return bool(told["found"] == ([NAMES[question]] if question in NAMES else []))


@pytest.mark.parametrize("address", NAMES)
def test_a_name_that_leads_back_to_the_address_counts(told: dict[str, Any], address: str) -> None:
    assert told[address]["found"] == [NAMES[address]]
    assert normalise(NAMES[address]) == NAMES[address]


@pytest.mark.parametrize("address", NAMELESS, ids=NAMELESS.values())
def test_without_a_true_name_in_time_there_is_none(told: dict[str, Any], address: str) -> None:
    assert told[address]["found"] == []


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_lookup_takes_much_longer_than_its_time(told: dict[str, Any], question: str) -> None:
    assert told[question]["seconds"] < LIMIT


def test_a_name_is_good_for_as_long_as_what_leads_to_it_and_back(told: dict[str, Any]) -> None:
    assert told["198.51.100.1"]["ttl"] == 40.0
    assert told["198.51.100.5"]["ttl"] == 200.0


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_name_has_the_addresses_of_both_families(told: dict[str, Any], name: str) -> None:
    addresses, ttl = ADDRESSES[name]
    assert sorted(told[name]["found"]) == sorted(addresses)
    assert told[name]["ttl"] == ttl


@pytest.mark.parametrize("name", ["hangs.example", "empty.example", "nowhere.example", ".."])
def test_only_who_heard_no_answer_says_that_nothing_is_known(told: dict[str, Any], name: str) -> None:
    assert told[name]["failed"] is (name == "hangs.example")


def test_the_addresses_of_a_name_are_bounded(told: dict[str, Any]) -> None:
    assert len(told["big.example"]["found"]) == resolve.MAX_ADDRESSES


def test_a_resolver_that_is_dead_does_not_keep_the_next_one_from_being_asked(tmp_path: Path) -> None:
    def finds() -> list[list[str]]:
        told = ask(tmp_path, ODD, ["127.0.0.2", "127.0.0.1"], "198.51.100.12", "six.example")
        return [each["found"] for each in told.values()]

    assert any(finds() == [[], ["2001:db8::5"]] for _ in range(TRIES))


@pytest.mark.parametrize("nameservers", [["192.0.2.53"], ["127.0.0.2"], []])
def test_without_a_resolver_a_lookup_ends_in_bounded_time(tmp_path: Path, nameservers: list[str]) -> None:
    server = ODD if "127.0.0.2" in nameservers else []

    def take() -> float:
        told = ask(tmp_path, server, nameservers, "198.51.100.1", "both.example").values()
        assert all((each["found"], each["ttl"]) == ([], resolve.NOT_KNOWN_FOR) for each in told)
        return max(float(each["seconds"]) for each in told)

    assert within(LIMIT, take)


def test_dnsmasq_is_understood(tmp_path: Path) -> None:
    zone = [
        "--host-record=Honest.Example,198.51.100.5,2001:db8::5",
        "--ptr-record=6.100.51.198.in-addr.arpa,liar.example",
        "--address=/liar.example/198.51.100.66",
        "--ptr-record=7.100.51.198.in-addr.arpa,nowhere.example",
        "--ptr-record=8.100.51.198.in-addr.arpa,evil name.example",
        "--cname=alias.example,honest.example",
    ]
    serve = ["--no-daemon", "--user=root", "--no-resolv", "--no-hosts", "--conf-file=/dev/null"]
    # dnsmasq says that it has started on its error output.
    command = ["sh", "-c", 'exec dnsmasq "$@" 2>&1', "sh", *serve, *zone]
    expected = {
        "198.51.100.5": ["honest.example"],
        "2001:db8::5": ["honest.example"],
        "198.51.100.6": [],
        "198.51.100.7": [],
        "198.51.100.8": [],
        "198.51.100.9": [],
        "alias.example": ["198.51.100.5", "2001:db8::5"],
        "liar.example": ["198.51.100.66"],
        "nowhere.example": [],
    }

    def finds() -> dict[str, list[str]]:
        told = ask(tmp_path, command, ["127.0.0.1"], *expected)
        return {question: each["found"] for question, each in told.items()}

    assert any(finds() == expected for _ in range(TRIES))
