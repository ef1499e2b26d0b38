# SPDX-License-Identifier: GPL-2.0-or-later
"""The process without rights that looks around and looks back: devices, lookups, the alert file."""
