# SPDX-License-Identifier: GPL-2.0-or-later
"""Which organisation a MAC's prefix belongs to, by the IEEE registry as Wireshark's `manuf` file has it.

Knows nothing of devices. The file comes from scapy (2.6 and later carry it) or from an installed
Wireshark. It is kept as one text of 2.7 MB and searched on demand: an index of it would take ten times
as much, and a device's maker is asked for once. scapy's copy is unpacked by a child process: unpacked
here, 16 MB would stay behind (measured), which the analyzer does not have to spare.
"""

import subprocess
import sys
from functools import lru_cache
from pathlib import Path

_WIRESHARK = Path("/usr/share/wireshark/manuf")
_LONGEST_FIRST = (36, 28, 24)  # prefix lengths in bits: MA-S, MA-M, MA-L


_UNPACK = "import sys; from scapy.libs.manuf import DATA; sys.stdout.buffer.write(DATA.encode())"


class Makers:
    """Looks makers up in `text`, the registry; by default the one that is installed."""

    def __init__(self, text: bytes | None = None):
        self._text = b"\n" + (_installed() if text is None else text) + b"\n"
        self.of = lru_cache(maxsize=1024)(self._of)

    def _of(self, mac: str) -> str:
        """The organisation's name, or '' where the registry has none (so for every randomised MAC)."""
        if int(mac[:2], 16) & 3:  # locally administered, or a group address: nobody's
            return ""
        for bits in _LONGEST_FIRST:
            if name := _find(self._text, _prefix(mac, bits)):
                return name
        return ""


def _prefix(mac: str, bits: int) -> str:
    """`AA:BB:CC`, or `AA:BB:CC:D0:00/28` as the file writes longer prefixes."""
    if bits == 24:
        return mac[:8].upper()
    digits = mac.replace(":", "")[: bits // 4].ljust(10, "0").upper()
    return ":".join(digits[i : i + 2] for i in range(0, 10, 2)) + f"/{bits}"


def _find(text: bytes, prefix: str) -> str:
    start = text.find(b"\n" + prefix.encode()) + 1
    if not start:
        return ""
    line = text[start : text.find(b"\n", start)]
    fields = [field.strip() for field in line.decode("utf-8", "replace").split("\t")]
    return fields[-1] if fields[0] == prefix else ""


def _installed() -> bytes:
    """The registry's text; empty where none is installed."""
    try:
        return _WIRESHARK.read_bytes()
    except OSError:
        pass
    try:
        return subprocess.run([sys.executable, "-P", "-c", _UNPACK], capture_output=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return b""
