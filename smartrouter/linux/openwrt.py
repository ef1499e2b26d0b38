# SPDX-License-Identifier: GPL-2.0-or-later
"""What OpenWrt's own programs (ubus, fw4) say; elsewhere there are none, and they say nothing.

Knows nothing of what is asked. Standard library only.
"""

from smartrouter.linux import program

_PATIENCE = 2.0  # seconds for one answer; they take some milliseconds


def answer(*command: str) -> str | None:
    """What a program prints; None if there is no such program, or it fails, or takes too long."""
    if program.find(command[0]) is None:
        return None
    import subprocess  # only OpenWrt needs it, and half a megabyte with it

    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")
