# SPDX-License-Identifier: GPL-2.0-or-later
"""The Linux kernel and what runs beside us on the router, one mechanism a file.

Nothing here decides anything: it carries out, and it tells what it found.
"""
