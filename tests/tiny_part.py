# SPDX-License-Identifier: GPL-2.0-or-later
"""A part that does nothing but what a test wants: `python tiny_part.py NAME FOLDER --channel FD`.

It writes what it is asked to FOLDER/NAME.log, one JSON object a line, and behaves as the words in
FOLDER/NAME.way say when it starts: `dies` (before its first beat), `fails` (saying why), `mute` (after its
first configuration), `deaf` (answers nothing but its first configuration), `refuses` (every configuration),
`refuses-changes` (all but the first), `leaves` (after its first configuration), `stays` (on SIGTERM),
`drops` (becomes the service user first), `tells` (that it has seen a device, who answers for an address, and
where a name leads), `asks` (where a name leads), `answers` (as somebody did on a channel), `chatters` (asks
that without an end).
"""

import json
import signal
import sys
from pathlib import Path

from smartrouter.channel import Channel, Gone, Request
from smartrouter.core.errors import Unavailable

DEVICE = {
    "mac": "02:5a:00:00:00:01",
    "iot": True,
    "on_iot_network": False,
    "hostname": "plug",
    "maker": "Acme",
}
ANSWER = {"answer": "allow", "device": DEVICE["mac"], "destination": "a.example", "service": "web"}
LOOKED_UP = {"name": "a.example", "addresses": ["198.51.100.5"], "ttl": 300}


def main() -> int:
    name, folder, fd = sys.argv[1], Path(sys.argv[2]), int(sys.argv[sys.argv.index("--channel") + 1])
    way = folder / f"{name}.way"
    ways = way.read_text().split() if way.exists() else []
    if "dies" in ways:
        return 3
    if "stays" in ways:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    log = (folder / f"{name}.log").open("a", buffering=1)
    if "drops" in ways:
        from smartrouter.linux import privileges

        privileges.drop(privileges.service_user(), keep_net_admin=name == "guard")
    with Channel(fd) as channel:
        if "fails" in ways:
            raise Unavailable("the queue belongs to somebody else: stop that program")
        configured = 0
        while True:
            if not (configured and "mute" in ways):
                channel.beat()
            try:
                requests = channel.requests(0.1)
            except Gone:
                return 1
            if configured and "chatters" in ways:
                for number in range(40):
                    channel.tell("look_up", names=[f"{number}-{n}.example" for n in range(200)])
            for request in requests:
                print(json.dumps({"do": request.do, **request.arguments}), file=log)
                if request.do == "configure":
                    configured += 1
                if request.do == "configure" or "deaf" not in ways:
                    answer(channel, request, ways, configured)
                if configured == 1 and request.do == "configure" and "tells" in ways:
                    channel.tell("seen", devices=[DEVICE, {"mac": "nonsense"}])
                    channel.tell("claims", claims=[[DEVICE["mac"], "192.0.2.5"], ["nonsense"]])
                    channel.tell("looked_up", names=[LOOKED_UP, {"name": "nonsense"}])
                if configured == 1 and request.do == "configure" and "answers" in ways:
                    for by in ("ntfy:nobody", "cli:root", "slack:U024BE7LH"):
                        channel.tell("answered", **ANSWER, by=by)
                if request.do == "configure" and "asks" in ways:
                    channel.tell("look_up", names=["a.example", None])
                if "leaves" in ways:
                    return 0


def answer(channel: Channel, request: Request, ways: list[str], configured: int) -> None:
    if request.do == "configure" and ("refuses" in ways or ("refuses-changes" in ways and configured > 1)):
        channel.answer(request.id, error="nft is missing: install it")
    elif request.do == "status":
        channel.answer(request.id, {"mode": "monitor"})
    else:
        channel.answer(request.id, {"did": request.do})


if __name__ == "__main__":
    sys.exit(main())
