# SPDX-License-Identifier: GPL-2.0-or-later
"""`allow --once` on real packets: one connection, and no other."""

import socket
import time
from collections.abc import Iterator

import pytest
from netns.guard_lab import CAMERA, NAMES, PATIENCE, VERSIONS, Home, eventually, learned_home, resent
from netns.test_guard_life import until_another_guard_runs

from smartrouter.lab.traffic import Result, family_of

pytestmark = pytest.mark.netns


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with learned_home() as running:
        yield running


def is_over(home: Home, destination: str) -> bool:
    """Does the configuration say that the rule has ended, or ends in a moment?"""
    rules = [each for each in home.product.json("device", CAMERA)["rules"] if each["once"]]
    return any(each["destination"] == destination and each["until"] <= time.time() + 10 for each in rules)


@pytest.mark.parametrize(("version", "name"), [(4, "third.example"), (6, "fourth.example")])
def test_one_connection_is_allowed_and_no_other(home: Home, version: int, name: str) -> None:
    address = NAMES[name][VERSIONS.index(version)]
    assert home.visit(home.camera, name, version).result == Result.REFUSED
    allowed_before, sent_again = home.judged().get("allowed-by-rule", 0), resent(home.camera)
    done = home.product.command("allow", CAMERA, name, "--service", "web", "--once")
    assert done.returncode == 0, done.stderr
    assert not is_over(home, name)
    with home.camera.new_socket(family_of(address), socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect((address, 443))  # the kernel has refused it a moment ago by itself, and asks again
        assert home.camera.connect(address, 443).result == Result.REFUSED
        assert eventually(lambda: is_over(home, name))
        sock.sendall(b"still there")
        assert sock.recv(100) == b"still there"
    assert home.camera.connect(address, 443).result == Result.REFUSED
    allowed = home.judged()["allowed-by-rule"] - allowed_before
    assert 1 <= allowed <= 1 + resent(home.camera) - sent_again


def test_it_outlasts_a_guard_until_it_is_used(home: Home) -> None:
    assert home.visit(home.camera, "other.example").result == Result.REFUSED
    assert home.product.command("allow", CAMERA, "other.example", "--once").returncode == 0
    pid = home.guard_pid()
    home.router.run(["kill", "-9", str(pid)])
    until_another_guard_runs(home, pid)
    assert home.visit(home.camera, "other.example").ok
    assert home.visit(home.camera, "other.example").result == Result.REFUSED
