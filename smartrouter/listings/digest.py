# SPDX-License-Identifier: GPL-2.0-or-later
"""What each device did in a day or a week, by the keys that `DIGEST` documents, and which stay."""

from typing import Any

from smartrouter.analyzer.digest import Digest

DIGEST = {
    "mac": "the device",
    "device": "what it is called",
    "first": "the day that it is about, or the first one, as 2026-11-23",
    "last": "the last one",
    "sentence": "all of it in a sentence",
    "services": "how many services it reached, by name group and port",
    "new": "what was new: `destination`, and what `became` of it: `approved`, `denied`, `dismissed`, "
    "`waiting for you`, or `learned`",
    "blocked": "what it was refused",
    "alerts": "other alerts that were raised, by kind",
    "bytes_out": "what it sent",
    "bytes_in": "what it received",
}


def digest_json(digest: Digest) -> dict[str, Any]:
    """A digest under the keys of `DIGEST`."""
    values = digest._asdict() | {
        "first": digest.first.isoformat(),
        "last": digest.last.isoformat(),
        "sentence": digest.sentence(),
        "new": [{"destination": destination, "became": became} for destination, became in digest.new],
        "alerts": dict(digest.events),
    }
    return {key: values[key] for key in DIGEST}
