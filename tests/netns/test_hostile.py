# SPDX-License-Identifier: GPL-2.0-or-later
"""Odd packets and bad replies, made on purpose (`fuzz`), through the queues of the real guard: it judges all
that the kernel hands over, none of its parts ends or grows, and others are served meanwhile.

ROUNDS=9 sends all that the generators promise: 49,000 packets, and 13,000 messages, with either reader.
"""

import os
import socket
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from statistics import median
from time import monotonic, sleep
from typing import NamedTuple

import pytest
from netns.guard_lab import KNOWN, STRANGER, Home, Resolver, eventually, learned_home, query
from netns.soak import Sample, sample

from fuzz.bad_dns import Bad, bad_replies
from fuzz.odd_packets import odd_packets
from fuzz.packet_maker import UDP, Ends, Maker
from smartrouter.lab.hosts import Host

pytestmark = pytest.mark.netns

PACKETS, MESSAGES = 5_500, 1_500  # ROUNDS=9: 49,500 and 13,500
MACS = [f"02:00:00:00:6b:{number:02x}" for number in range(24)]  # of one device, which the user has announced
RESOLVER = "192.0.2.200"  # trusted, and in the test's hands
DOMAIN = "hostile.example"  # the router's dnsmasq asks that resolver for it
TARGET = ("198.51.100.77", "2001:db8:77::77")
BURST = 1_000  # frames that are sent before anybody looks whether they were judged
ASKERS = 8  # devices that ask names: all that they ask is within the first burst that each may
TOGETHER = 16  # questions of each that are open at once
_SIOCOUTQ = 0x5411
