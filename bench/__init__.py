# SPDX-License-Identifier: GPL-2.0-or-later
"""Measurements, as ratios between handlers that take turns in one run."""
