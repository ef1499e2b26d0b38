# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture file of the packets behind an alert, for Wireshark, tcpdump, and `smartrouter replay`.

The guard sees packets from the IP header on; what stood before that is made anew: the device's own MAC on
its side, and on the router's one that stands for any router's, so that an export tells of no other machine.
Format: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-05.html
"""

import os
import struct
from collections.abc import Iterable
from pathlib import Path

from smartrouter.core.errors import SmartrouterError
from smartrouter.store.exhibits import Exhibit

ROUTER_MAC = "02:73:72:00:00:01"  # locally administered (IEEE 802), so no card's
_HEADER = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_MICROSECONDS, _VERSION, _SNAPLEN, _ETHERNET = 0xA1B2C3D4, (2, 4), 1 << 18, 1
_IP4, _IP6 = b"\x08\x00", b"\x86\xdd"  # IEEE 802 EtherTypes
_FRAME_HEADER = 14  # bytes
_LATEST = (1 << 32) - 1  # seconds that fit


class CannotExport(SmartrouterError):
    """The file cannot be written: says why, and what to do."""


def write_pcap(path: str, mac: str, exhibits: Iterable[Exhibit], *, force: bool = False) -> None:
    """Write what was exchanged with the device `mac`. A file that is there is left alone, unless `force`d.
    Raises CannotExport; nothing is left half written then."""
    data = capture(mac, exhibits)
    target = Path(f"{path}.{os.getpid()}.new" if force else path)
    try:
        with target.open("xb") as file:
            try:
                file.write(data)
                file.flush()
            except OSError:
                target.unlink(missing_ok=True)
                raise
        if force:
            _replace(target, path)
    except FileExistsError:
        raise CannotExport(
            f"{target} is there already; name another file, or write over it with --force"
        ) from None
    except FileNotFoundError:
        raise CannotExport(f"there is no folder {target.parent}; make it, or name another file") from None
    except OSError as error:
        raise CannotExport(f"cannot write {path}: {error.strerror}") from error


def _replace(new: Path, path: str) -> None:
    try:
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def capture(mac: str, exhibits: Iterable[Exhibit]) -> bytes:
    """The contents of the file."""
    return _HEADER.pack(_MICROSECONDS, *_VERSION, 0, 0, _SNAPLEN, _ETHERNET) + b"".join(
        _record(exhibit.at, frame(mac, exhibit), exhibit.packet) for exhibit in exhibits
    )


def frame(mac: str, exhibit: Exhibit) -> bytes:
    """The packet as it may have come over the wire between the device and the router."""
    device, router = (bytes.fromhex(each.replace(":", "")) for each in (mac, ROUTER_MAC))
    receiver, sender = (router, device) if exhibit.outward else (device, router)
    return receiver + sender + (_IP6 if exhibit.packet[:1] >= b"\x60" else _IP4) + exhibit.packet


def _record(at: float, data: bytes, packet: bytes) -> bytes:
    microseconds = min(max(0, round(at * 1e6)), _LATEST * 1_000_000)
    head = _RECORD.pack(*divmod(microseconds, 1_000_000), len(data), max(len(data), _length(packet)))
    return head + data


def _length(packet: bytes) -> int:
    """Of the frame, by what the IP header says: what was kept may be less."""
    if len(packet) < 6:
        return 0
    if packet[0] >= 0x60:
        return _FRAME_HEADER + 40 + int.from_bytes(packet[4:6], "big")
    return _FRAME_HEADER + int.from_bytes(packet[2:4], "big")
