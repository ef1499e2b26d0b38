# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices asked and were told by DNS: the queries that wait, the addresses, the aliases."""
