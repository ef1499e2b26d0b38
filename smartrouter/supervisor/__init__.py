# SPDX-License-Identifier: GPL-2.0-or-later
"""The process that looks after the others: root, the standard library, no network."""
