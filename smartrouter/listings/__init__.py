# SPDX-License-Identifier: GPL-2.0-or-later
"""What there is to show: devices, alerts, channels, digests and the state of it all, as values that JSON can
hold. The commands' `--json` prints them, and the web interface and its API give the same ones.

Reads the configuration, the store and the control socket; changes nothing.
"""
