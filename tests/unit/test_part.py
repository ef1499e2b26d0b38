# SPDX-License-Identifier: GPL-2.0-or-later
"""A part that cannot even be imported still tells the supervisor why."""

import socket
import sys
from collections.abc import Iterator

import pytest

from smartrouter.channel import Channel, Gone, Lines, decode
from smartrouter.core.errors import Unavailable
from smartrouter.supervisor import part


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """The supervisor's end of the channel that the command line names."""
    ours, theirs = socket.socketpair()
    lines = Lines(ours)
    monkeypatch.setattr(sys, "argv", ["smartrouter", "guard", "--channel", str(theirs.detach())])
    yield lines
    lines.close()


def test_a_missing_module_is_told_by_name(supervisor: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(*_: object) -> int:
        import smartrouter.no_such_library  # type: ignore[import-not-found] # noqa: F401

        return 0

    monkeypatch.setattr(part, "begin", command)
    with pytest.raises(ModuleNotFoundError):
        part.main()
    (line,) = supervisor.receive()
    told = decode(line)
    assert told["tell"] == "failed"
    assert "module smartrouter.no_such_library is missing" in told["why"]
    with pytest.raises(Gone):
        supervisor.receive()


def test_what_the_channel_has_told_already_is_not_told_twice(
    supervisor: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def command(*_: object) -> int:
        with Channel(int(sys.argv[-1])):
            raise ImportError("broken", name="netfilterqueue")

    monkeypatch.setattr(part, "begin", command)
    with pytest.raises(ImportError, match="broken"):
        part.main()
    (line,) = supervisor.receive()
    assert "netfilterqueue" in decode(line)["why"]


def test_the_status_of_the_command_is_that_of_the_process(
    supervisor: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "begin", lambda *_: 7)
    assert part.main() == 7
    assert supervisor.receive() == []


def test_a_part_that_refuses_to_be_imported_tells_what_it_needs(
    supervisor: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> int:
        raise Unavailable("the web interface needs the Python module starlette: install what is missing")

    monkeypatch.setattr(part, "begin", refuses)
    assert part.main() == 1
    (line,) = supervisor.receive()
    assert "starlette: install" in decode(line)["why"]
