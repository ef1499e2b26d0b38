# SPDX-License-Identifier: GPL-2.0-or-later
"""The errors that smartrouter raises on purpose: one family for each party at fault.

Anything else that is raised is a bug of ours; it is caught, logged and counted at one place per edge.
"""


class SmartrouterError(Exception):
    """Base of all errors raised on purpose; its text says what to do."""


class BadConfig(SmartrouterError):
    """The operator can mend it: says file, section, option, what was found and what is allowed."""


class BadPacket(SmartrouterError):
    """The network's fault: bytes that break their own format. Counted, never logged one by one."""


class Unavailable(SmartrouterError):
    """The system lacks something (a kernel feature, a program, a right); says what, and how to mend it."""
