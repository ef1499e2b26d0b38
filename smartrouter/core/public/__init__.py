# SPDX-License-Identifier: GPL-2.0-or-later
"""What is publicly known of the Internet, as data: services that are the same for everybody."""
