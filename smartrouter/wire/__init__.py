# SPDX-License-Identifier: GPL-2.0-or-later
"""Bytes from the network -> values, and nothing else: no clock, no socket, no decision.

Whatever the bytes are, a parser gives a value or raises `BadPacket`, in bounded time.
"""
