# SPDX-License-Identifier: GPL-2.0-or-later
"""The demonstration network: a router, an Internet and simulated devices in network namespaces.

Everything stays inside namespaces that the lab makes and removes; nothing here is part of a running router.
"""
