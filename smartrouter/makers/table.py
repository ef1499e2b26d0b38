# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of MAC prefixes and their organisations: a file of half a megabyte. Bytes in, names out, no I/O.

There are some 58,000 prefixes, of 24, 28 and 36 bits (the IEEE's MA-L, MA-M and MA-S), and 34,000 names. A
home asks for the makers of a few dozen devices, on a router that has little flash and memory. So prefixes
are columns of fixed width, in order, to be searched by bisection, and are kept in memory; names, the greater
part, stay packed: in alphabetic order, which packs best, in blocks of which one is unpacked for a look-up.

Numbers are little-endian. The file:

====== ===== =======================================================================
offset bytes
====== ===== =======================================================================
0      8     `SRMAKERS`
8      4     CRC-32 of all bytes behind this field
12     2     version of this format: 1
14     2     names in a block; the last has what remains
16     4     names
20     4     bytes of the index, packed
24     32    what the table was built from, in UTF-8, filled up with zeros
56     4·b   where each of the `b` blocks ends, counted from where the first begins
…            the index, packed by zlib
…            the blocks, each packed by zlib: names in UTF-8, with a line feed behind each
====== ===== =======================================================================

The index has three sections, for prefixes of 24, 28 and 36 bits. A prefix is a group (its first 8 bits, or
24 of a longer one) and a rest (the 16, 4 or 12 bits behind). Of `g` groups and `p` prefixes a section has:

===== =======================================================================
bytes
===== =======================================================================
4     g
4     p
4·g   the groups, ascending
4·g   for each group, where in the next columns its prefixes end
2·p   the rests, ascending within a group, in planes: all low bytes, then all high ones
2·p   the number of each prefix's name, in planes too (they pack better so)
===== =======================================================================

A number of a name has two bytes, so there are 65,536 at most. The name '' is nobody's: such a prefix is
registered, but shared out in longer ones, or without saying to whom.
"""

import struct
import sys
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from smartrouter.core.errors import SmartrouterError

LENGTHS = (24, 28, 36)  # bits of a prefix
MAX_NAMES = 1 << 16
LONGEST_LABEL = 32  # bytes
_REST = {24: 16, 28: 4, 36: 12}  # bits of it that are not its group
_MAGIC, _VERSION = b"SRMAKERS", 1
_IN_BLOCK = 128  # names: 256 would save 4 % of the file, and make a look-up 1.6 times as long
_HEAD = struct.Struct("<8sIHHII32s")
_CHECKED = 12  # where in the file the bytes begin that the sum is over

Prefix = tuple[int, int]  # its bits as a number, and how many these are


class BadTable(SmartrouterError):
    """The bytes are no table, or damaged, or what is to become a table does not fit into one."""


class _Section(NamedTuple):
    """The prefixes of one length."""

    bits: int
    groups: "array[int]"
    ends: "array[int]"
    rests: "array[int]"
    names: "array[int]"

    def find(self, mac: int) -> int:
        """The number of the name of this prefix of `mac`; -1 if it is not there."""
        prefix = mac >> (48 - self.bits)
        group, rest = divmod(prefix, 1 << _REST[self.bits])
        at = bisect_left(self.groups, group)
        if at == len(self.groups) or self.groups[at] != group:
            return -1
        first, end = self.ends[at - 1] if at else 0, self.ends[at]
        found = bisect_left(self.rests, rest, first, end)
        return self.names[found] if found < end and self.rests[found] == rest else -1


class Table:
    """A table, from the bytes of its file. Raises BadTable."""

    def __init__(self, data: bytes):
        if len(data) < _HEAD.size or not data.startswith(_MAGIC):
            raise BadTable("is no table of makers")
        in_block: int
        _, checksum, version, in_block, count, index, label = _HEAD.unpack_from(data)
        if version != _VERSION:
            raise BadTable(f"has format {version}, where this version of smartrouter reads {_VERSION}")
        if zlib.crc32(data[_CHECKED:]) != checksum:
            raise BadTable("is damaged: its checksum is wrong")
        self.label = label.rstrip(b"\0").decode()
        self._in_block = in_block
        blocks = -(-count // in_block)
        begin = _HEAD.size + 4 * blocks
        self._ends = _column("I", data[_HEAD.size : begin])
        columns = memoryview(zlib.decompress(data[begin : begin + index]))
        self._sections: list[_Section] = []
        for bits in LENGTHS:
            section, columns = _section(bits, columns)
            self._sections.append(section)
        self._blocks: bytes = data[begin + index :]

    def owner(self, mac: int) -> str:
        """The name by the longest prefix of `mac` that is here; '' if there is none, or it is nobody's."""
        for section in reversed(self._sections):
            number = section.find(mac)
            if number >= 0:
                block, at = divmod(number, self._in_block)
                return self._unpacked(block).split(b"\n", at + 1)[at].decode()
        return ""

    def __iter__(self) -> Iterator[tuple[Prefix, str]]:
        """All prefixes with their names, the shorter ones first."""
        unpacked = b"".join(map(self._unpacked, range(len(self._ends))))
        names = unpacked.decode().split("\n")
        for bits, groups, ends, rests, numbers in self._sections:
            for group, (first, end) in zip(groups, pairwise((0, *ends)), strict=True):
                for at in range(first, end):
                    yield (group << _REST[bits] | rests[at], bits), names[numbers[at]]

    def _unpacked(self, block: int) -> bytes:
        first, end = self._ends[block - 1] if block else 0, self._ends[block]
        return zlib.decompress(self._blocks[first:end])


def pack(prefixes: Mapping[Prefix, str], label: str) -> bytes:
    """The bytes of the table of `prefixes`. The same ones give the same bytes (with the same zlib)."""
    names = sorted(set(prefixes.values()), key=lambda name: (name.lower(), name))
    if len(names) > MAX_NAMES:
        raise BadTable(f"{len(names)} names, where the format has room for {MAX_NAMES}")
    if len(label.encode()) > LONGEST_LABEL:
        raise BadTable(f"{label!r} is longer than {LONGEST_LABEL} bytes")
    numbers = {name: number for number, name in enumerate(names)}
    index = zlib.compress(b"".join(_packed_section(bits, prefixes, numbers) for bits in LENGTHS), 9)
    blocks = [
        zlib.compress("".join(f"{name}\n" for name in names[at : at + _IN_BLOCK]).encode(), 9)
        for at in range(0, len(names), _IN_BLOCK)
    ]
    ends, end = array("I"), 0
    for block in blocks:
        end += len(block)
        ends.append(end)
    head = _HEAD.pack(_MAGIC, 0, _VERSION, _IN_BLOCK, len(names), len(index), label.encode())
    checked = head[_CHECKED:] + _bytes(ends) + index + b"".join(blocks)
    return _MAGIC + struct.pack("<I", zlib.crc32(checked)) + checked


def _packed_section(bits: int, prefixes: Mapping[Prefix, str], numbers: Mapping[str, int]) -> bytes:
    groups, ends, rests, names = array("I"), array("I"), array("H"), array("H")
    for prefix, name in sorted(
        (prefix, name) for (prefix, length), name in prefixes.items() if length == bits
    ):
        group, rest = divmod(prefix, 1 << _REST[bits])
        if not groups or groups[-1] != group:
            groups.append(group)
            ends.append(0)
        rests.append(rest)
        names.append(numbers[name])
        ends[-1] = len(rests)
    head = struct.pack("<II", len(groups), len(rests))
    return b"".join((head, _bytes(groups), _bytes(ends), *_planes(rests), *_planes(names)))


def _section(bits: int, columns: memoryview) -> tuple[_Section, memoryview]:
    """The section that `columns` begins with, and what is behind it."""
    groups, prefixes = struct.unpack_from("<II", columns)
    at = 8
    found: list[array[int]] = []
    for kind, size in (("I", 4 * groups), ("I", 4 * groups), ("H", 2 * prefixes), ("H", 2 * prefixes)):
        part = columns[at : at + size]
        found.append(_column(kind, _woven(part) if kind == "H" else bytes(part)))
        at += size
    return _Section(bits, *found), columns[at:]


def _column(kind: str, data: bytes) -> "array[int]":
    column = array(kind, data)
    if sys.byteorder == "big":
        column.byteswap()
    return column


def _bytes(column: "array[int]") -> bytes:
    return _column(column.typecode, column.tobytes()).tobytes()


def _planes(column: "array[int]") -> tuple[bytes, bytes]:
    data = _bytes(column)
    return data[0::2], data[1::2]


def _woven(planes: memoryview) -> bytes:
    data = bytearray(len(planes))
    data[0::2], data[1::2] = planes[: len(planes) // 2], planes[len(planes) // 2 :]
    return bytes(data)
