# SPDX-License-Identifier: GPL-2.0-or-later
"""The data that classification is fitted on, and the fitting. Not part of what is installed.

`python -m training.fit` writes the weights and the figures of docs/classification.md anew.
"""
