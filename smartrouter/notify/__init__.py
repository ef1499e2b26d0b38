# SPDX-License-Identifier: GPL-2.0-or-later
"""Telling people about alerts: one file a channel."""
