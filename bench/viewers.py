# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether people who look at the web interface make devices wait: how long a connection takes to open that
waits for the guard's verdict, with three of them and with none."""

import http.client
import sys
import time
from pathlib import Path

from bench import guard, home
from bench.figures import Budget, Row, Section, ratios, spread
from bench.lab import Lab
from bench.programs import Program, numbers
from smartrouter.core.errors import Unavailable
from smartrouter.lab.hosts import Host
from smartrouter.linux import process
from smartrouter.web import passwords

VIEWERS = 3
_PLACE = ("127.0.0.1", 8081)
_PASSWORD = "nobody else is here"
_PATIENCE = 20.0  # seconds until the web interface answers
_ABOUT = (
    f"TCP connections to an unknown host, one at a time: each waits for the real guard's verdict. {VIEWERS} "
    "viewers follow the web interface's event stream and read its pages, two a second each."
)


def measure(lab: Lab) -> Section:
    """The section of the table."""
    found: dict[str, list[float]] = {"none": [], "some": []}
    pages = events = memory = 0.0
    with Program(lab.network.internet, [lab.programs["answer"], str(home.HOST_PORT)]):
        for number in lab.rounds():
            lab.network.guarded()
            database = guard.store(lab.network.folder / f"viewers-{number}" / "guard.db")
            with guard.Guard(lab, database):
                _opened(lab)  # the first alert of each device is made here
                found["none"].append(_opened(lab))
                with (
                    _Web(lab.network.router, database) as web,
                    Program(
                        lab.network.router,
                        [
                            sys.executable,
                            "-m",
                            "bench.look",
                            f"http://{_PLACE[0]}:{_PLACE[1]}",
                            _PASSWORD,
                            str(VIEWERS),
                        ],
                    ) as viewers,
                ):
                    found["some"].append(_opened(lab))
                    seen = viewers.ask("seen")
                    pages, events, memory = pages + seen[0], events + seen[1], max(memory, web.resident())
    if not pages or not events:
        raise Unavailable(f"the viewers saw {pages:.0f} pages and {events:.0f} events")
    with_none, with_some = spread(found["none"]).median, spread(found["some"]).median
    return Section("Viewers", _ABOUT, [
        Row("viewers_latency_vs_none", f"time to open, median: {VIEWERS} viewers",
            ratios(found["some"], found["none"]), "÷ nobody looks", Budget(1.5, at_most=True),
            note=f"{with_some:.0f} µs, {with_none:.0f} µs; {pages:.0f} pages, {events:.0f} events"),
        Row("web_rss_mib", "resident, serving them", spread([memory]), "MiB", Budget(40, at_most=True)),
    ])  # fmt: skip


def _opened(lab: Lab) -> float:
    """Microseconds that a connection takes to open, the median of many."""
    opened, _, failed, median = numbers(
        lab.network.device,
        [lab.programs["connect"], home.STRANGE_HOST, str(home.HOST_PORT), "1",
         str(max(1.0, lab.effort.connecting)), str(home.DEVICES - home.LEARNERS)],
    )  # fmt: skip
    if failed:
        raise Unavailable(f"{failed:.0f} connections failed, {opened:.0f} did not")
    return median


class _Web:
    """The real web interface, as a process of its own on the router."""

    def __init__(self, router: Host, database: Path):
        self._router = router
        self._folder = database.parent
        self._config = self._folder / "smartrouter"
        self._config.write_text(
            f"config smartrouter 'main'\n\tlist device 'lan'\n\toption database '{database}'\n"
            f"config web\n\toption listen '{_PLACE[0]}:{_PLACE[1]}'\n"
            f"\toption password_hash '{passwords.hashed(_PASSWORD)}'\n"
        )

    def __enter__(self) -> "_Web":
        self._router.ip("link set lo up")
        command = [
            sys.executable,
            "-m",
            "smartrouter",
            "web",
            "--config",
            self._config,
            "--run-dir",
            self._folder,
        ]
        self._process = self._router.popen(list(map(str, command)))
        end = time.monotonic() + _PATIENCE
        while not self._router.inside(_answers):
            if time.monotonic() > end:
                raise Unavailable(f"the web interface did not answer within {_PATIENCE:.0f} s")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self._router.stop(self._process)

    def resident(self) -> float:
        """MiB of memory."""
        return process.rss_kib(self._process.pid) / 1024


def _answers() -> bool:
    connection = http.client.HTTPConnection(*_PLACE, timeout=1.0)
    try:
        connection.request("GET", "/login")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
