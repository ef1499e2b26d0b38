# SPDX-License-Identifier: GPL-2.0-or-later
"""Alerts and messages for tests of what people are told, all filled in but what a test is about."""

from unit.made_effects import NOON, TV

from smartrouter.notify.message import Message
from smartrouter.notify.wording import About, message
from smartrouter.store.alerts import StoredAlert

ALERT = StoredAlert(
    id=12, mac=TV, kind="new-destination", destination="example.net", service="web", reason="unknown-name",
    severity="warning", evidence="dns", name="c2.example.net", reverse=None, first=NOON, last=NOON,
    occurrences=1, blocked=1, state="open", detail="", targets=(("203.0.113.9", 443, 6, 1),),
)  # fmt: skip
SCAN = ALERT._replace(
    kind="scan", destination="", service="", reason="scan", severity="critical", evidence="none", name="",
    detail="254 addresses, tcp/23", targets=(("203.0.113.9", 23, 6, 1),),
)  # fmt: skip


def told(label: str = "TV", mode: str = "enforce", **fields: object) -> Message:
    """A message about an alert with these fields."""
    return message(ALERT._replace(**fields), About(label, mode))  # type: ignore[arg-type]
