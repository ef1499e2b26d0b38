# SPDX-License-Identifier: GPL-2.0-or-later
"""The process between the kernel's queues and the judge: packets in, verdicts out."""
