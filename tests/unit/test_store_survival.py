# SPDX-License-Identifier: GPL-2.0-or-later
"""The store on a real disk: processes of several users, kill -9, a full disk, a read-only one, wear."""

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from unit.made_effects import NOON, TV, learn, record

from smartrouter.core.errors import Unavailable
from smartrouter.store import open_reader, open_writer
from smartrouter.store.connect import identity
from smartrouter.store.files import create
from smartrouter.store.writer import Writer

NOBODY = 65534
DAEMON = 1

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes users, or mounts: needs root")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that other users can reach, unlike pytest's own."""
    directory = Path(tempfile.mkdtemp(prefix="sr-store-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def as_user(uid: int, gid: int, work: Callable[[], None]) -> None:
    """Do `work` in a process of its own, of that user and group and no other."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
            os.umask(0o007)
            work()
            status = 0
        except BaseException as error:
            print(f"uid {uid}: {error!r}", file=sys.__stderr__)
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status == 0, f"failed as uid {uid}"


@as_root
def test_several_users_of_one_group_share_the_store_in_any_order(reachable: Path) -> None:
    path = str(reachable / "var" / "store.db")
    create(path, NOBODY)

    def write_as(mac: str) -> Callable[[], None]:
        def work() -> None:
            store = Writer(path)
            store.put(learn(mac))
            assert store.flush(20.0)
            assert store.counters()["trouble"] == ""
            assert store.close()

        return work

    def read_all(expected: int) -> Callable[[], None]:
        def work() -> None:
            conn = open_reader(path)
            assert conn.execute("SELECT count(*) FROM learned").fetchone() == (expected,)
            conn.close()

        return work

    as_user(NOBODY, NOBODY, write_as("02:00:00:00:00:01"))
    as_user(DAEMON, NOBODY, read_all(1))  # nobody has it open: this reader makes -wal and -shm
    read_all(1)()
    as_user(DAEMON, NOBODY, write_as("02:00:00:00:00:02"))
    as_user(NOBODY, NOBODY, read_all(2))
    create(path, NOBODY)  # as at every start
    store = Writer(path)  # root
    store.put(learn("02:00:00:00:00:03"))
    assert store.flush(20.0)
    as_user(NOBODY, NOBODY, read_all(3))  # beside a writer of another user
    as_user(DAEMON, NOBODY, write_as("02:00:00:00:00:04"))
    assert store.close()
    as_user(NOBODY, NOBODY, read_all(4))
    for entry in Path(path).parent.iterdir():
        status = entry.stat()
        assert (status.st_gid, status.st_mode & 0o777) == (NOBODY, 0o660), entry.name


@as_root
def test_strangers_are_kept_out(reachable: Path) -> None:
    path = str(reachable / "var" / "store.db")
    create(path, NOBODY)
    open_writer(path).close()

    def work() -> None:
        with pytest.raises(Unavailable):
            open_reader(path)
        with pytest.raises(PermissionError):
            os.listdir(os.path.dirname(path))

    as_user(DAEMON, DAEMON, work)


CHILD = """
import sys
from unit.made_effects import NOON, keep, learn, raised, record, told
from smartrouter.store.writer import Writer
store = Writer(sys.argv[1], every=0.01)
number = int(sys.argv[2])
while True:
    for _ in range(20):
        number += 1
        store.put(record(at=NOON + number))
        mac = f"02:00:00:00:00:{number // 1000 % 256:02x}"  # each learns a bounded number
        store.put(learn(mac, f"{number}.example"))
        store.put(raised(at=NOON + number))
        store.put(told(name=f"{number}.example"))
        store.put(keep(observed=float(number)))
    if store.flush(20.0):
        print(number, flush=True)
"""


def killed_after(path: str, number: int, seconds: float) -> int:
    """Run a writer from `number` on, kill -9 it so long after it acknowledged something; gives the last
    number that it acknowledged."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, path, str(number)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert child.stdout is not None
    with child:
        acknowledged = int(child.stdout.readline())
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        for line in child.stdout:
            if line.endswith("\n"):
                acknowledged = int(line)
    return acknowledged


def test_kill_9_damages_nothing_and_costs_nothing_that_was_flushed(
    tmp_path: Path, rounds: Callable[[int], int]
) -> None:
    path = str(tmp_path / "store.db")
    chance = random.Random(16)
    number = 0
    for _ in range(rounds(6)):
        number = killed_after(path, number, chance.uniform(0.0, 0.15))
        conn = open_writer(path)
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert conn.execute("PRAGMA foreign_key_check").fetchall() == []
        learned = {name for (name,) in conn.execute("SELECT name FROM learned")}
        assert {f"{n}.example" for n in range(1, number + 1)} - learned == set()
        attempts, last = conn.execute("SELECT count(*), max(id) FROM attempts").fetchone()
        assert attempts == last >= number
        assert conn.execute("SELECT count(*) FROM alerts").fetchone() == (1,)
        assert conn.execute("SELECT count FROM alerts").fetchone()[0] >= number
        assert conn.execute("SELECT observed FROM progress").fetchone()[0] >= number
        number = max(int(name.split(".")[0]) for name in learned)
        conn.close()
    assert not [entry for entry in tmp_path.iterdir() if "corrupt" in entry.name]


ON_A_SMALL_DISK = """
import json, os, subprocess, sys, time
from unit.made_effects import NOON, learn, raised, record
from smartrouter.notify import textfile
from smartrouter.core.errors import Unavailable
from smartrouter.store import open_reader, open_writer
from smartrouter.store.writer import Writer

disk = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "sr-store", disk], check=True)
path, found = f"{disk}/store.db", {}
store = Writer(path, every=0.02, max_attempts=500)
store.put(learn(name="before.example"))
found["before"] = store.flush(20.0)
alerts = f"{disk}/alerts.txt"
textfile.append(alerts, ["a whole line"])
filler = open(f"{disk}/filler", "wb", buffering=0)
try:
    while filler.write(bytes(4096)):
        pass
except OSError:
    pass
filler.close()
for n in range(3000):
    store.put(record(at=NOON + n))
store.put(learn(name="while-full.example"))
for n in range(100):
    store.put(raised(at=NOON + n))
found["while_full"] = store.flush(2.0)
found["trouble"] = store.counters()["trouble"]
reader = open_reader(path)
found["readable"] = reader.execute("SELECT count(*) FROM learned").fetchone()[0]
reader.close()
try:
    textfile.append(alerts, ["x" * 2_000_000])
except Unavailable as error:
    found["alert_file"] = str(error)
os.unlink(f"{disk}/filler")
found["after"] = store.flush(30.0)
found["counters"] = store.counters()
store.close()
textfile.append(alerts, ["another"])
found["lines"] = open(alerts).read().splitlines()
conn = open_writer(path)
found["integrity"] = conn.execute("PRAGMA integrity_check").fetchone()[0]
found["learned"] = [row[0] for row in conn.execute("SELECT name FROM learned ORDER BY name")]
found["alerts"] = conn.execute("SELECT count(*), sum(count) FROM alerts").fetchone()
found["attempts"] = conn.execute("SELECT count(*) FROM attempts").fetchone()[0]
print(json.dumps(found))
"""


def in_own_mounts(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--mount", sys.executable, "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@as_root
def test_a_full_disk_costs_attempts_only_and_ends_by_itself(tmp_path: Path) -> None:
    done = in_own_mounts(ON_A_SMALL_DISK, str(tmp_path))
    if "unshare failed" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(f"cannot mount here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["before"] is True
    assert found["while_full"] is False
    assert "full" in found["trouble"]
    assert found["readable"] == 1
    assert "No space left" in found["alert_file"]
    assert found["after"] is True
    assert found["integrity"] == "ok"
    assert found["learned"] == ["before.example", "while-full.example"]
    assert found["alerts"] == [1, 100]
    assert found["counters"]["trouble"] == ""
    assert found["attempts"] == found["counters"]["put"]["Record"]
    assert found["counters"]["put"]["Record"] + found["counters"]["dropped"]["Record"] == 3000
    assert found["lines"] == ["a whole line", "another"]
    assert done.stderr.count("cannot store") == 1
    assert done.stderr.count("storing again") == 1


ON_A_READ_ONLY_DISK = """
import subprocess, sys
from unit.made_effects import learn
from smartrouter.store import open_reader
from smartrouter.store.writer import Writer

disk, path = sys.argv[1], sys.argv[1] + "/store.db"
subprocess.run(["mount", "-t", "tmpfs", "sr-store", disk], check=True)
store = Writer(path)
store.put(learn())
store.close()
subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
reader = open_reader(path)
assert reader.execute("SELECT count(*) FROM learned").fetchone() == (1,)
reader.close()
store = Writer(path, every=0.02)
store.put(learn(name="later.example"))
assert not store.flush(0.3)
print(store.counters()["trouble"])
subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
assert store.flush(30.0)
store.close()
reader = open_reader(path)
assert reader.execute("SELECT count(*) FROM learned").fetchone() == (2,)
"""


@as_root
def test_a_read_only_disk_can_be_read_and_is_written_once_it_can_be(tmp_path: Path) -> None:
    done = in_own_mounts(ON_A_READ_ONLY_DISK, str(tmp_path))
    if "unshare failed" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(f"cannot mount here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert "the disk is read-only" in done.stdout


WITH_A_LOG_ON_A_READ_ONLY_DISK = """
import os, signal, subprocess, sys, tempfile
from unit.made_effects import learn
from smartrouter.store import connect, open_reader
from smartrouter.store.writer import Writer

disk, path, shared, room = sys.argv[1], sys.argv[1] + "/store.db", sys.argv[2], int(sys.argv[3])
subprocess.run(["mount", "-t", "tmpfs", "sr-store", disk], check=True)
if os.fork() == 0:
    store = Writer(path)
    for number in range(300):
        store.put(learn(name=f"n{number}.example"))
    assert store.flush(20.0)
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
assert os.path.getsize(path + "-wal") > 0
if shared == "gone":
    os.unlink(path + "-shm")
subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
connect.LARGEST_COPY = room
before = set(os.listdir(tempfile.gettempdir()))
reader = open_reader(path)
print(reader.execute("SELECT count(*) FROM learned").fetchone()[0])
assert set(os.listdir(tempfile.gettempdir())) - before == set()
reader.close()
store = Writer(path, every=0.02)
store.put(learn(name="later.example"))
assert not store.flush(0.3)
subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
assert store.flush(30.0)
store.close()
reader = open_reader(path)
assert reader.execute("SELECT count(*) FROM learned").fetchone() == (301,)
"""


@as_root
@pytest.mark.parametrize("shared", ["there", "gone"])
def test_what_a_killed_writer_left_in_the_log_is_read_from_a_read_only_disk(
    tmp_path: Path, shared: str
) -> None:
    """`shared`: the file that readers share, which a power cut may have taken."""
    done = in_own_mounts(WITH_A_LOG_ON_A_READ_ONLY_DISK, str(tmp_path), shared, str(64 << 20))
    if "unshare failed" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(f"cannot mount here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["300"]


@as_root
def test_what_is_too_large_to_be_copied_is_said_and_not_copied(tmp_path: Path) -> None:
    done = in_own_mounts(WITH_A_LOG_ON_A_READ_ONLY_DISK, str(tmp_path), "gone", "1000")
    if "unshare failed" in done.stderr or "permission denied" in done.stderr:
        pytest.skip(f"cannot mount here: {done.stderr}")
    assert "too many to be copied; its latest changes do not count" in done.stderr


def written() -> int:
    """Bytes that this process caused to be sent to disks (Linux, Documentation/filesystems/proc.rst)."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("write_bytes")).split()[1])


@pytest.mark.parametrize("devices", [1, 50])
def test_an_attempt_costs_the_flash_less_than_a_kilobyte(devices: int) -> None:
    """At 100 attempts a commit, however many devices they come from."""
    directory = Path(tempfile.mkdtemp(prefix=".sr-store-", dir=Path(__file__).parent))  # a disk, not a tmpfs
    try:
        probe = directory / "probe"
        before = written()
        probe.write_bytes(bytes(100_000))
        if written() - before < 100_000:
            pytest.skip("the kernel does not count what is written here")
        conn = open_writer(str(directory / "store.db"))
        conn.close()
        store = Writer(str(directory / "store.db"), every=3600.0)
        before = written()
        for batch in range(100):
            for n in range(100):
                number = batch * 100 + n
                mac = f"02:00:00:00:00:{number * 7 % devices:02x}"
                host = f"api{number * 11 % 400}.example.com"
                store.put(record(mac, at=NOON + number, name=host, address=f"203.0.113.{number % 250}"))
            assert store.flush(20.0)
        assert store.close()
        per_attempt = (written() - before) / 10_000
        assert store.counters()["batches"] == 100
        assert per_attempt < 600, f"{per_attempt:.0f} bytes an attempt"
        size = os.path.getsize(directory / "store.db") / 10_000
        assert size < 110, f"{size:.0f} bytes an attempt in the file: 5 million are to fit into 500 MB or so"
    finally:
        shutil.rmtree(directory)


def test_the_file_is_the_same_one_all_along(tmp_path: Path) -> None:
    """Nothing in a normal life makes a second file: readers stay connected."""
    path = str(tmp_path / "store.db")
    create(path, None)
    first = identity(path)
    store = Writer(path, every=0.01)
    reader = open_reader(path)
    for n in range(50):
        store.put(record(TV, at=NOON + n))
    assert store.flush(20.0)
    assert reader.execute("SELECT count(*) FROM attempts").fetchone() == (50,)
    store.close()
    with contextlib.closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert identity(path) == first
    reader.close()
