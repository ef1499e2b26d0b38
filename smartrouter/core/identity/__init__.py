# SPDX-License-Identifier: GPL-2.0-or-later
"""Who a device is: whether what uses its MAC is still the same, and whether a new MAC is a device of old."""
