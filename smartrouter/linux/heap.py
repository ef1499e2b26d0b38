# SPDX-License-Identifier: GPL-2.0-or-later
"""What malloc keeps of what was given back to it. glibc's own: other C libraries give memory back by
themselves, and have no such knobs.
"""

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
