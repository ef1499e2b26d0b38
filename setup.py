# SPDX-License-Identifier: GPL-2.0-or-later
"""A shim for tools that still look for this file; pyproject.toml is the truth."""

from setuptools import setup  # type: ignore[import-untyped]

setup()
