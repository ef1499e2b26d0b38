# SPDX-License-Identifier: GPL-2.0-or-later
"""What a process keeps though it needs it no more: what malloc was given back, and pages of programs and
libraries that were read when it began. malloc's knobs are glibc's own: other C libraries give memory back by
themselves.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_LARGE = 128 << 10  # bytes: glibc's usual threshold, before it raises it


def give_back_what_is_large() -> None:
    """Have what is large, once it is free, given back to the system at once, and for good. Usually glibc
    keeps what is as large as something that was given back before (mallopt(3), "dynamic mmap threshold"), as
    the 8 MiB that checking a password takes."""
    import ctypes  # at the top it would be in every process that reads this

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)


def give_back() -> None:
    """Give back to the system, page by page, what is free now. Takes some milliseconds."""
    import ctypes

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class Region(NamedTuple):
    """Pages of a file that stand in memory from `start` on, unchanged: the file has them, too."""

    start: int
    length: int


_MAPPING = re.compile(
    r"([0-9a-f]+)-([0-9a-f]+) r-[-x]p [0-9a-f]+ [0-9a-f:]+ [1-9][0-9]* "
)  # proc_pid_maps(5)
_CHANGED = re.compile(r"Anonymous: +([0-9]+) kB")  # pages of our own in it, as where a library was relocated
_MADV_DONTNEED = 4  # asm-generic/mman-common.h


def unchanged_files(smaps: Iterable[str]) -> Iterator[Region]:
    """The regions of programs and libraries that nobody can write or has written, from `/proc/self/smaps`."""
    region = None
    for line in smaps:
        if found := _MAPPING.match(line):
            start, end = int(found[1], 16), int(found[2], 16)
            region = Region(start, end - start)
        elif region is not None and (changed := _CHANGED.match(line)):
            if changed[1] == "0":
                yield region
            region = None


def let_go(regions: Iterable[Region]) -> None:
    """Have what is there of these no longer counted as ours; what is needed of them comes again, from the
    system's own copy where it has one."""
    import ctypes

    advise = getattr(ctypes.CDLL(None), "madvise", None)
    if advise is not None:
        for region in regions:
            advise(ctypes.c_void_p(region.start), ctypes.c_size_t(region.length), _MADV_DONTNEED)
