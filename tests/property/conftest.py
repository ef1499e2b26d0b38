# SPDX-License-Identifier: GPL-2.0-or-later
"""How long an example takes says how busy the machine is: hypothesis is not to look at that."""

from hypothesis import settings

settings.register_profile("without a clock", settings(), deadline=None)
settings.load_profile("without a clock")
