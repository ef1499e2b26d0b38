# SPDX-License-Identifier: GPL-2.0-or-later
"""What each screen says, as plain values: configuration, store and status in; texts, numbers and links out.
Knows no request and no template; a page only lays out what it gets from here."""
