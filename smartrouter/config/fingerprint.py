# SPDX-License-Identifier: GPL-2.0-or-later
"""What tells a section of the configuration from what it was before somebody changed it."""

import hashlib
import json

from smartrouter.config.options import Section, texts_of


def fingerprint(section: Section) -> str:
    """The same for a section with the same options; secrets do not count."""
    texts = json.dumps([type(section).__name__, texts_of(section, secrets=False)], sort_keys=True)
    return hashlib.sha256(texts.encode()).hexdigest()[:16]
