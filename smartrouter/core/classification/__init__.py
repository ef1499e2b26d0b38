# SPDX-License-Identifier: GPL-2.0-or-later
"""Is it an IoT device? `Evidence` in; class, confidence and reasons out."""

from smartrouter.core.classification.evidence import Classification, Evidence
from smartrouter.core.classification.model import classify
from smartrouter.core.classification.origin import is_randomised

__all__ = ["Classification", "Evidence", "classify", "is_randomised"]
