# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests for the time (NTP and SNTP, RFC 5905 section 7.3), as far as they are told from anything else."""

NTP_PORT = 123
_SIZE = 48  # bytes; more would be extensions or authentication, which home devices do not use
_MODE, _CLIENT = 7, 3


def asks_time(payload: bytes) -> bool:
    """Is this UDP payload a client's request, and nothing more?"""
    return len(payload) == _SIZE and payload[0] & _MODE == _CLIENT
