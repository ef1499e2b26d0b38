# SPDX-License-Identifier: GPL-2.0-or-later
"""The C programs beside this, built from source, and how to talk to a program that answers in lines."""

import os
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from smartrouter.core.errors import Unavailable
from smartrouter.lab.hosts import Host

SOURCES = Path(__file__).with_name("c")
_FLAGS = ("-O2", "-Wall", "-Wextra")
PATIENCE = 60.0  # seconds for whatever a program is to do; most take one


def build(folder: Path) -> dict[str, str]:
    """Compile each source into `folder`; gives the programs' paths by name. Raises Unavailable."""
    built = {}
    for source in sorted(SOURCES.glob("*.c")):
        program = built[source.stem] = str(folder / source.stem)
        try:
            done = subprocess.run(
                ["gcc", *_FLAGS, "-o", program, str(source)], capture_output=True, text=True, timeout=PATIENCE
            )
        except FileNotFoundError as error:
            raise Unavailable("gcc is missing: install gcc and libc6-dev (`make install` does)") from error
        if done.returncode or done.stderr:
            raise Unavailable(f"{source} does not compile cleanly:\n{done.stderr}")
    return built


class Program:
    """A program on `host` that says `ready`, and then answers a line for each line it is given. Its log goes
    to where ours does. Use as a context manager; it is ended with it."""

    def __init__(self, host: Host, argv: Sequence[str | Path]):
        self._host = host
        self._name = Path(argv[0]).name
        self._unread = b""
        self._process = host.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        try:
            if self.hear() != "ready":
                raise Unavailable(f"{self._name} said something else than `ready`")
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End it; nothing that it still holds is wanted."""
        self._process.kill()
        self._process.wait()
        self._host.processes.remove(self._process)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def ask(self, *words: object) -> list[float]:
        """Tell it `words`; gives the numbers on the line that it answers."""
        self.tell(*words)
        return [float(word) for word in self.hear().split()]

    def tell(self, *words: object) -> None:
        """Give it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write((" ".join(map(str, words)) + "\n").encode())

    def hear(self) -> str:
        """Its next line. Raises Unavailable when it ended, or says nothing for long."""
        assert self._process.stdout is not None
        end = time.monotonic() + PATIENCE
        fd = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            if not select.select([fd], [], [], max(0.0, end - time.monotonic()))[0]:
                raise Unavailable(f"{self._name} said nothing for {PATIENCE:.0f} s")
            said = os.read(fd, 65536)
            if not said:
                raise Unavailable(f"{self._name} ended too early")
            self._unread += said
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()


def numbers(host: Host, argv: Sequence[str | Path], patience: float = PATIENCE) -> list[float]:
    """The numbers that a program on `host` prints. Raises Unavailable if it fails."""
    done = host.run(argv, timeout=patience)
    if done.returncode:
        raise Unavailable(f"{Path(argv[0]).name}: {done.stderr.strip()}")
    return [float(word) for word in done.stdout.split()]
