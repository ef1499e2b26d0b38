# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages: a module each, which exports its ROUTES."""
