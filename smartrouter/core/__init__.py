# SPDX-License-Identifier: GPL-2.0-or-later
"""The part that decides. Pure: values in, values out; no clock, no I/O."""
