# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket: who gets in, what odd clients get, and what commands are told when nobody answers."""

import contextlib
import json
import os
import select
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from smartrouter import control
from smartrouter.control import Peer, Reply, Server, ask
from smartrouter.core.errors import SmartrouterError, Unavailable
from smartrouter.linux.privileges import User

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
SERVICE = User("service", 54321, 54322)
STRANGER = 54399


class Desk:
    """A server in a loop of its own. Requests are echoed; those that say `later` wait for `answer_late`."""

    def __init__(self, run_dir: Path, user: User):
        self.server = Server(str(run_dir), user, self._handle)
        self.peers: list[Peer] = []
        self.late: list[Reply] = []
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._loop)
        self._thread.start()

    def _handle(self, request: dict[str, Any], peer: Peer, reply: Reply, now: float) -> None:
        self.peers.append(peer)
        if request.get("do") == "later":
            self.late.append(reply)
        elif request.get("do") == "fail":
            reply({"error": "that cannot be done: do something else"})
        else:
            reply({"ok": {"echo": request}})

    def _loop(self) -> None:
        while not self._end.is_set():
            everybody: list[Any] = [self.server, *self.server.clients]
            sources = {source.fileno(): source for source in everybody}
            poll = select.poll()
            for fd, source in sources.items():
                poll.register(fd, select.POLLIN | (select.POLLOUT if source.unsent else 0))
            for fd, _ in poll.poll(20):
                sources[fd].ready(time.monotonic())
            self.server.step(time.monotonic())

    def close(self) -> None:
        self._end.set()
        self._thread.join()
        self.server.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:3]:
        if parent.owner() == Path(tmp_path).owner() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o111)
    user = SERVICE if os.geteuid() == 0 else User("me", os.getuid(), os.getgid())
    desk = Desk(tmp_path, user)
    yield desk
    desk.close()


def converse(run_dir: Path, sent: bytes, answers: int) -> list[dict[str, Any]]:
    """What comes back for these bytes: so many lines, or all until the server hangs up."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(run_dir / control.NAME))
        try:
            sock.sendall(sent)
        except BrokenPipeError:
            pass
        received = b""
        while received.count(b"\n") < answers:
            try:
                chunk = sock.recv(65536)
            except ConnectionResetError:
                break
            if not chunk:
                break
            received += chunk
    return [json.loads(line) for line in received.splitlines()]


def as_user(uid: int, gid: int, groups: list[int], what: Callable[[], str]) -> str:
    """What `what` gives when somebody else calls it."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
            os.write(write, what().encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    return answer


def outcome(run_dir: Path) -> Callable[[], str]:
    def attempt() -> str:
        try:
            return json.dumps(ask(str(run_dir), {"do": "x"}, 20))
        except SmartrouterError as error:
            return f"{type(error).__name__}: {error}"

    return attempt


def test_a_request_is_answered(desk: Desk, tmp_path: Path) -> None:
    assert ask(str(tmp_path), {"do": "echo", "text": "é\n"}) == {"echo": {"do": "echo", "text": "é\n"}}
    assert desk.peers[0].uid == os.getuid()
    assert os.getgid() in desk.peers[0].groups


def test_an_error_is_raised_in_the_servers_words(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(SmartrouterError, match=r"^that cannot be done: do something else$"):
        ask(str(tmp_path), {"do": "fail"})


def test_the_socket_is_for_root_and_the_service_group(desk: Desk, tmp_path: Path) -> None:
    status = (tmp_path / control.NAME).stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    if os.geteuid() == 0:
        assert (status.st_uid, status.st_gid) == (0, SERVICE.gid)


@root_only
@pytest.mark.parametrize(
    ("uid", "gid", "groups"),
    [(SERVICE.uid, SERVICE.gid, []), (STRANGER, SERVICE.gid, []), (STRANGER, STRANGER, [5, SERVICE.gid])],
    ids=["the service user", "its group", "its group among others"],
)
def test_who_belongs_to_the_service_gets_in(
    desk: Desk, tmp_path: Path, uid: int, gid: int, groups: list[int]
) -> None:
    assert json.loads(as_user(uid, gid, groups, outcome(tmp_path))) == {"echo": {"do": "x"}}
    assert desk.peers[0].uid == uid
    assert SERVICE.gid in desk.peers[0].groups


@root_only
def test_a_stranger_is_kept_out_by_the_sockets_mode(desk: Desk, tmp_path: Path) -> None:
    answer = as_user(STRANGER, STRANGER, [], outcome(tmp_path))
    assert answer.startswith("Unavailable:")
    assert "sudo" in answer
    assert desk.peers == []


@root_only
def test_a_stranger_is_kept_out_even_when_somebody_opened_the_socket_to_all(
    desk: Desk, tmp_path: Path
) -> None:
    (tmp_path / control.NAME).chmod(0o666)
    assert "may ask" in as_user(STRANGER, STRANGER, [], outcome(tmp_path))
    assert desk.peers == []


@pytest.mark.parametrize(
    "sent", [b"nonsense\n", b"[]\n", b"\xff\xfe\n", b"{" * 60_000 + b"\n", b'{"a":1e}\n', b"\0" * 100 + b"\n"]
)
def test_nonsense_is_answered_with_an_error_and_the_conversation_goes_on(
    desk: Desk, tmp_path: Path, sent: bytes
) -> None:
    error, echo = converse(tmp_path, sent + b'{"do": "x"}\n', 2)
    assert "JSON" in error["error"]
    assert echo == {"ok": {"echo": {"do": "x"}}}


def test_empty_lines_are_nothing(desk: Desk, tmp_path: Path) -> None:
    assert converse(tmp_path, b'\n \n{"do": "x"}\n', 1) == [{"ok": {"echo": {"do": "x"}}}]


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_too_long_a_line_is_answered_and_hung_up_on(desk: Desk, tmp_path: Path, end: bytes) -> None:
    (answer,) = converse(tmp_path, b"x" * (control.LONGEST_REQUEST + 70_000) + end, 2)
    assert "65536 bytes" in answer["error"]
    assert ask(str(tmp_path), {"do": "x"})


def test_requests_of_one_client_are_answered_in_order(desk: Desk, tmp_path: Path) -> None:
    sent = b"".join(json.dumps({"number": number}).encode() + b"\n" for number in range(10))
    answers = converse(tmp_path, sent, 10)
    assert [answer["ok"]["echo"]["number"] for answer in answers] == list(range(10))


def test_a_client_that_piles_up_requests_is_hung_up_on(desk: Desk, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(tmp_path / control.NAME))
        sock.sendall(b'{"do": "later"}\n')
        while not desk.late:
            time.sleep(0.005)
        sock.sendall(b"{}\n" * 100)
        assert json.loads(sock.recv(1000)) == {"error": "too many requests at once"}
        assert sock.recv(1000) == b""
    desk.late[0]({"ok": {}})  # too late; nobody minds
    assert ask(str(tmp_path), {"do": "x"})


def test_an_answer_may_come_later_while_others_are_served(desk: Desk, tmp_path: Path) -> None:
    answers: list[Mapping[str, Any]] = []
    waiting = threading.Thread(target=lambda: answers.append(ask(str(tmp_path), {"do": "later"})))
    waiting.start()
    while not desk.late:
        time.sleep(0.01)
    assert ask(str(tmp_path), {"do": "x"})
    assert not answers
    desk.late[0]({"ok": {"late": True}})
    waiting.join(20)
    assert answers == [{"late": True}]


def test_a_client_that_says_nothing_is_forgotten(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "IDLE", 0.2)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(str(tmp_path / control.NAME))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # forgotten before it said this
            sock.sendall(b'{"half a ')
            assert sock.recv(100) == b""
    while desk.server.clients:
        time.sleep(0.005)


def test_so_many_clients_and_no_more(desk: Desk, tmp_path: Path) -> None:
    held = []
    for _ in range(control.MAX_CLIENTS):
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(tmp_path / control.NAME))
        held.append(sock)
        while len(desk.server.clients) < len(held):
            time.sleep(0.005)
    with pytest.raises(SmartrouterError, match="too many"):
        ask(str(tmp_path), {"do": "x"})
    held[0].close()
    while len(desk.server.clients) == control.MAX_CLIENTS:
        time.sleep(0.005)
    assert ask(str(tmp_path), {"do": "x"})
    for sock in held:
        sock.close()


def test_a_socket_that_a_killed_predecessor_left_is_no_obstacle(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / control.NAME))
    Server(str(tmp_path), User("me", os.getuid(), os.getgid()), lambda *_: None).close()
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_no_socket_can_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot make"):
        Server(str(tmp_path / "missing"), User("me", os.getuid(), os.getgid()), lambda *_: None)


# -- the asking end


@pytest.mark.parametrize("left_behind", [False, True])
def test_who_asks_nobody_is_told_how_to_start_it(tmp_path: Path, left_behind: bool) -> None:
    if left_behind:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(tmp_path / control.NAME))
    with pytest.raises(Unavailable, match=r"smartrouter is not running.*`smartrouter run`"):
        ask(str(tmp_path), {"do": "status"})


@pytest.fixture
def mute(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket at which nobody takes anything up."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / control.NAME))
        listener.listen()
        yield listener


def test_who_gets_no_answer_is_told_so_in_time(mute: socket.socket, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="did not answer within"):
        ask(str(tmp_path), {"do": "status"}, timeout=0.2)


def test_a_refusal_is_heard_even_when_it_comes_before_the_question(
    mute: socket.socket, tmp_path: Path
) -> None:
    def refuse() -> None:
        sock, _ = mute.accept()
        sock.sendall(b'{"error": "too many"}\n')
        sock.close()

    refusing = threading.Thread(target=refuse)
    refusing.start()
    with pytest.raises(SmartrouterError, match=r"^too many$"):
        ask(str(tmp_path), {"do": "x", "long": "x" * 1_000_000}, timeout=20)
    refusing.join()


@pytest.mark.parametrize("answer", [b"", b"nonsense\n", b'{"ok": '])
def test_half_an_answer_is_none(mute: socket.socket, tmp_path: Path, answer: bytes) -> None:
    def serve() -> None:
        sock, _ = mute.accept()
        with sock:
            sock.recv(1000)
            sock.sendall(answer)

    serving = threading.Thread(target=serve)
    serving.start()
    with pytest.raises(Unavailable, match="did not answer"):
        ask(str(tmp_path), {"do": "status"}, timeout=20)
    serving.join()
