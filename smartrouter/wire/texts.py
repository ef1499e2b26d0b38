# SPDX-License-Identifier: GPL-2.0-or-later
"""Text that a device says of itself, as a value: bounded, and nothing that could not be stored or shown.

It may still say anything; where it is shown, it is for whoever shows it to make it inert.
"""

MAX_TEXT = 253  # characters; the longest domain name, RFC 1035 section 2.3.4


def text(raw: bytes) -> str:
    """`raw` as UTF-8, what is none replaced; without the NULs that some put at the end."""
    return raw[: 4 * MAX_TEXT].decode("utf-8", "replace").rstrip("\0")[:MAX_TEXT]
