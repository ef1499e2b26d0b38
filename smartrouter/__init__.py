# SPDX-License-Identifier: GPL-2.0-or-later
"""smartrouter: a home router that knows what each IoT device normally talks to."""

__version__ = "0.1.0"
