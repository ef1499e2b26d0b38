# SPDX-License-Identifier: GPL-2.0-or-later
"""The servers of the lab's Internet: at every address of the documentation ranges.

Every TCP port served greets with nothing and echoes what it is told; every UDP port echoes. Each attempt
that arrives is kept, so that one can say what never got here.
"""

import socket
import struct
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import NamedTuple, cast

from smartrouter.lab.hosts import Host

TCP_PORTS = (21, 22, 23, 80, 123, 443, 853, 1883, 2323, 5222, 8080, 8443, 8883, 9527)
UDP_PORTS = (80, 123, 443, 1900, 3478, 5000, 5683, 9999)


class Arrival(NamedTuple):
    """An attempt that reached the Internet. `at`: time.monotonic()."""

    at: float
    protocol: str  # 'tcp' or 'udp'
    source: str
    address: str
    port: int
    data: bytes  # of a datagram


class Servers:
    """The servers of an Internet host: one thread, one socket for each port and family."""

    def __init__(self, host: Host, tcp: Iterable[int] = TCP_PORTS, udp: Iterable[int] = UDP_PORTS) -> None:
        self._seen: deque[Arrival] = deque(maxlen=100_000)
        self._selector = DefaultSelector()
        self._bell, bell = socket.socketpair()
        self._one_at_a_time = threading.Lock()
        self._selector.register(bell, EVENT_READ, None)
        self._bell.settimeout(20.0)
        for family in (socket.AF_INET, socket.AF_INET6):
            for port in tcp:
                self._serve(host.new_socket(family, socket.SOCK_STREAM), port, self._accept)
            for port in udp:
                self._serve(host.new_socket(family, socket.SOCK_DGRAM), port, self._echo_datagram)
        self._thread = threading.Thread(target=self._run, name="lab-internet", daemon=True)
        self._thread.start()

    def arrived(self, address: str = "", port: int = 0, protocol: str = "") -> list[Arrival]:
        """What has reached `address` (any), at `port` (any), over `protocol` (either), oldest first."""
        with self._one_at_a_time:  # the thread answers once it has taken in all that arrived before
            self._bell.send(b"?")
            self._bell.recv(1)
        return [
            arrival
            for arrival in self._seen
            if address in ("", arrival.address)
            and port in (0, arrival.port)
            and protocol in ("", arrival.protocol)
        ]

    def close(self) -> None:
        """End the thread and close every socket."""
        self._bell.close()
        self._thread.join(5.0)

    def _serve(self, sock: socket.socket, port: int, work: object) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        sock.bind(("", port))
        if sock.type == socket.SOCK_STREAM:
            sock.listen(1024)
        sock.setblocking(False)
        self._selector.register(sock, EVENT_READ, work)

    def _run(self) -> None:
        with self._selector:
            while self._serve_once():
                pass
            for key in self._selector.get_map().values():
                cast(socket.socket, key.fileobj).close()

    def _serve_once(self) -> bool:
        rung: socket.socket | None = None
        for key, _ in self._selector.select():
            sock = cast(socket.socket, key.fileobj)
            if key.data is None:
                rung = sock
                continue
            with suppress(OSError):  # nothing more to take in, or the other side went away
                key.data(sock)
        if rung is None:
            return True
        if not rung.recv(1):
            return False
        rung.send(b"!")
        return True

    def _accept(self, sock: socket.socket) -> None:
        while True:
            connection, peer = sock.accept()
            address, port = connection.getsockname()[:2]
            self._seen.append(Arrival(monotonic(), "tcp", peer[0], address, port, b""))
            connection.setblocking(False)
            self._selector.register(connection, EVENT_READ, self._echo)

    def _echo(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(65535)
            if data:
                connection.send(data)
                return
        except OSError:
            pass
        self._selector.unregister(connection)
        connection.close()

    def _echo_datagram(self, sock: socket.socket) -> None:
        while True:
            data, ancillary, _, peer = sock.recvmsg(65535, 256)
            answer_from, address = _arrived_at(ancillary)
            self._seen.append(Arrival(monotonic(), "udp", peer[0], address, sock.getsockname()[1], data))
            sock.sendmsg([data], answer_from, 0, peer)


_IP_PKTINFO = 8  # linux/in.h


def _arrived_at(ancillary: list[tuple[int, int, bytes]]) -> tuple[list[tuple[int, int, bytes]], str]:
    """The control message that answers from the address a datagram was sent to, and that address."""
    level, kind, info = ancillary[0]
    if level == socket.IPPROTO_IPV6:  # struct in6_pktinfo: address, interface
        return [(level, kind, info[:16] + struct.pack("@I", 0))], socket.inet_ntop(socket.AF_INET6, info[:16])
    destination = info[8:12]  # struct in_pktinfo: interface, local address, destination
    return [(level, kind, struct.pack("@I4s4s", 0, destination, destination))], socket.inet_ntoa(destination)
