# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile input for everything that reads bytes from outside, and for the judge: `make fuzz`."""
