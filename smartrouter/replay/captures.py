# SPDX-License-Identifier: GPL-2.0-or-later
"""Capture files as a stream of packets: pcap, pcapng, either of them gzipped, one or many in time order.

Reads with scapy's raw readers, a packet at a time: memory does not grow with the file. A file that cannot
be used at all is a `BadCapture`; one that breaks off or is damaged further on gives what stands before
that, and says so in `Capture.trouble`. Knows nothing of what the packets hold.
"""

import gzip
import io
import logging
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from heapq import heappop, heappush
from pathlib import Path
from typing import Any, NamedTuple

from scapy.data import MTU
from scapy.error import Scapy_Exception
from scapy.utils import RawPcapNgReader, RawPcapReader

from smartrouter.core.errors import SmartrouterError

# https://www.tcpdump.org/linktypes.html
ETHERNET, LINUX_COOKED, LINUX_COOKED_2 = 1, 113, 276
_USABLE = frozenset((ETHERNET, LINUX_COOKED, LINUX_COOKED_2))
_LINK_NAMES = {
    0: "BSD loopback", 9: "PPP", 12: "raw IP", 14: "raw IP", 101: "raw IP", 105: "802.11",
    108: "OpenBSD loopback", 119: "802.11 with Prism header", 127: "802.11 with radiotap header",
    163: "802.11 with AVS header", 187: "Bluetooth HCI", 189: "USB", 192: "PPI", 195: "802.15.4",
    201: "Bluetooth HCI", 220: "USB", 228: "raw IPv4", 229: "raw IPv6", 239: "NFLOG",
}  # fmt: skip

_GZIP = b"\x1f\x8b"
_PCAPNG = b"\x0a\x0d\x0d\x0a"
_PCAP = {b"\xa1\xb2\xc3\xd4", b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\x3c\x4d", b"\x4d\x3c\xb2\xa1"}
_OTHER_PACKERS = {b"\xfd7zX": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
_BUFFER = 1 << 18
_MAX_READ = 1 << 24  # bytes; no block is larger, a damaged length may say so
_MAX_PACKET = 1 << 18  # bytes; the largest that libpcap writes (MAXIMUM_SNAPLEN)


class BadCapture(SmartrouterError):
    """A capture that cannot be used: says which file, why, and what to do."""


class Captured(NamedTuple):
    """One packet as captured. `at`: epoch seconds. `link`: LINKTYPE number of `data`'s first header."""

    at: float
    link: int
    data: bytes


class Capture:
    """One capture file; `packets` may be called again and again.

    `trouble`: what is wrong with its later part, once it was read, '' if nothing. `size`: in bytes on disk.
    """

    def __init__(self, path: Path):
        self.path = path
        self.trouble = ""
        self._file: io.FileIO | None = None
        self._read_through = False
        try:
            if not path.is_file():
                what = "is not a file" if path.exists() else "does not exist"
                raise BadCapture(
                    f"{path}: {what}; give a capture file (a pipe must be saved first: it is read twice)"
                )
            self.size = path.stat().st_size
        except OSError as error:
            raise BadCapture(f"{path}: {error.strerror}; give a capture file that can be read") from error

    def packets(self) -> Iterator[Captured]:
        """The packets in the order of the file. Raises BadCapture if there is nothing to be read at all."""
        self.trouble, self._read_through = "", False
        try:
            self._file = file = self.path.open("rb", buffering=0)
        except OSError as error:
            raise BadCapture(f"{self.path}: {error.strerror}; see to it that it can be read") from error
        with file:
            source = _Source(file, self.path)
            reader = _reader(source, self.path)
            last = 0.0
            links: Counter[int] = Counter()
            for data, metadata in _until_unreadable(reader):
                last, link, whole = _facts(reader, data, metadata, last)
                if not whole:
                    self.trouble = _BROKEN_OFF
                    break
                links[link] += 1
                yield Captured(last, link, data)
        self.trouble = source.trouble or self.trouble or self._without_macs(links)
        self._read_through = True

    @property
    def position(self) -> int:
        """How far reading has come, in bytes of the file as it lies on disk."""
        if self._read_through:
            return self.size
        return 0 if self._file is None or self._file.closed else self._file.tell()

    def _without_macs(self, links: Counter[int]) -> str:
        """What to say if some packets came over links that do not tell devices apart. Raises BadCapture if
        all did."""
        if not links:
            return ""
        _require_usable(self.path, links)
        useless = {link: count for link, count in links.items() if link not in _USABLE}
        left_out = ", ".join(f"{count} packets of {_link_name(link)}" for link, count in useless.items())
        return f"left out, since they carry no MAC address: {left_out}" if useless else ""

    def first(self) -> Captured | None:
        """The first packet, None if the file holds none."""
        return next(self.packets(), None)


class _Source:
    """What scapy reads from: `file`, unpacked, and a memory of how reading ended."""

    def __init__(self, file: io.FileIO, path: Path):
        self.name = str(path)
        buffered = io.BufferedReader(file, _BUFFER)
        packed = buffered.peek(2)[:2] == _GZIP
        self._file = gzip.GzipFile(fileobj=buffered) if packed else buffered
        self._fault = ""
        self._wanted = 0
        self._got = self._before = b""
        try:
            self.magic = bytes(self._file.peek(4)[:4])
        except _DAMAGED_GZIP as error:
            raise BadCapture(f"{path}: is no intact gzip file ({error}); copy or capture it again") from error

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end; b'' from where on the file makes no sense."""
        data = b""
        if size > _MAX_READ:
            self._fault = _IMPOSSIBLE
        elif not self._fault:
            try:
                data = self._file.read(size)
            except _DAMAGED_GZIP as error:
                self._fault = f"its gzip stream breaks off or is damaged ({error})"
            except OSError as error:
                raise BadCapture(f"{self.name}: {error.strerror}; copy it to another disk") from error
        self._wanted, self._got, self._before = size, data, self._got
        return data

    @property
    def trouble(self) -> str:
        """Why reading ended; '' for a clean end, with nothing left where another packet would begin."""
        if self._fault:
            return self._fault
        if len(self._got) == self._wanted:
            return _IMPOSSIBLE
        return "" if not self._got and self._at_boundary() else _BROKEN_OFF

    def _at_boundary(self) -> bool:
        """Would the next packet have begun where nothing came?"""
        if self.magic != _PCAPNG:
            return self._wanted == 16  # a record's header
        # A block's type; behind the length of the block before, which is greater than any type in use.
        before = self._before
        length = min(int.from_bytes(before, "little"), int.from_bytes(before, "big"))
        return self._wanted == 4 and len(before) == 4 and length >= _LEAST_BLOCK


_LEAST_BLOCK = 12  # bytes: type, length, length
_BROKEN_OFF = "it breaks off inside a packet"
_DAMAGED_GZIP = (EOFError, zlib.error, gzip.BadGzipFile)
_IMPOSSIBLE = "it is damaged: what should be a length cannot be one"


class _SectionedReader(RawPcapNgReader):  # type: ignore[misc]
    """Interfaces are numbered anew in each section of a pcapng file; the base class counts on."""

    def _read_block_shb(self) -> None:
        self.interfaces: list[Any] = []
        super()._read_block_shb()


def _reader(source: _Source, path: Path) -> Any:
    magic = source.magic
    if not magic:
        raise BadCapture(f"{path}: is empty; capture again (tcpdump -w writes at least a header)")
    try:
        if magic == _PCAPNG:
            return _SectionedReader(source)
        if magic in _PCAP:
            reader = RawPcapReader(source)
            reader.linktype &= 0xFFFF  # above it stands how long the checksum behind each packet is
            _require_usable(path, (reader.linktype,))
            return reader
    except Scapy_Exception as error:
        raise BadCapture(f"{path}: breaks off in its header; capture it again") from error
    for start, packer in _OTHER_PACKERS.items():
        if magic.startswith(start):
            raise BadCapture(f"{path}: is packed with {packer}; unpack it first (only gzip is read as it is)")
    raise BadCapture(f"{path}: is neither a pcap nor a pcapng capture; save it as one of these")


def _require_usable(path: Path, links: Iterable[int]) -> None:
    """Raise BadCapture if none of the link types `links` tells who sent a packet."""
    if _USABLE.isdisjoint(links):
        names = ", ".join(_link_name(link) for link in sorted(links))
        raise BadCapture(
            f"{path}: {names} carries no MAC address that tells devices apart; "
            "capture on the router's LAN interface (Ethernet), e.g. tcpdump -i br-lan -w lan.pcap"
        )


def _link_name(link: int) -> str:
    return f"link type {link} ({_LINK_NAMES.get(link, 'unknown')})"


def _until_unreadable(reader: Any) -> Iterator[tuple[bytes, Any]]:
    """scapy's packets. Whatever it stumbles over in a damaged file ends them; `_Source` tells that apart
    from the end."""
    while True:
        try:
            packet = next(reader)
        except (StopIteration, Scapy_Exception, struct.error, ValueError, LookupError, ArithmeticError):
            return
        yield packet


def _facts(reader: Any, data: bytes, metadata: Any, last: float) -> tuple[float, int, bool]:
    """A packet's time, its link type, and whether it is whole. `last`: the time of the one before."""
    if not isinstance(reader, RawPcapNgReader):
        at = metadata.sec + metadata.usec / (1e9 if reader.nano else 1e6)
        whole = metadata.caplen <= _MAX_PACKET and len(data) >= min(metadata.caplen, MTU)
        return at, reader.linktype, whole
    if metadata.tshigh is None:  # a simple packet block has no time
        return last, metadata.linktype, True
    return ((metadata.tshigh << 32) | metadata.tslow) / metadata.tsresol, metadata.linktype, True


@contextmanager
def scapy_silenced() -> Iterator[None]:
    """scapy's own warnings about damaged files say no file name; `Capture.trouble` says it all."""
    log = logging.getLogger("scapy.runtime")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


def in_time_order(captures: Sequence[Capture]) -> Iterator[Captured]:
    """All packets of `captures` as one trace. Each file is taken to be in order but for little things,
    and is opened only when its time has come: a thousand hourly files need one descriptor or two.
    """
    if len(captures) == 1:
        yield from captures[0].packets()
        return
    starts = [(first.at, number) for number, c in enumerate(captures) if (first := c.first()) is not None]
    waiting = sorted(starts, reverse=True)
    open_ones: list[tuple[float, int, Captured, Iterator[Captured]]] = []
    while waiting or open_ones:
        while waiting and (not open_ones or waiting[-1][0] <= open_ones[0][0]):
            _, number = waiting.pop()
            _push(open_ones, number, captures[number].packets())
        if not open_ones:
            continue
        _, number, packet, rest = heappop(open_ones)
        yield packet
        _push(open_ones, number, rest)


def _push(
    heap: list[tuple[float, int, Captured, Iterator[Captured]]], number: int, packets: Iterator[Captured]
) -> None:
    packet = next(packets, None)
    if packet is not None:
        heappush(heap, (packet.at, number, packet, packets))
