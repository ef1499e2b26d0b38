# SPDX-License-Identifier: GPL-2.0-or-later
"""Where messages go, and how each channel does.

What stands in the configuration of a channel is secret: of that only name, type and limits are shown, under
the keys that `CHANNEL` documents, and which stay.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from smartrouter.config import NotifyConfig
from smartrouter.listings.known import Known
from smartrouter.notify.channels import named
from smartrouter.store.outbox import Health, channels
from smartrouter.terminal import duration

CHANNEL = {
    "name": "what it is called: its name in the configuration, else its type",
    "type": "`slack`, `webhook` …",
    "state": "`works`, `failing` (is tried again), `disabled` (it refused us for good: nothing is tried "
    "until its configuration changes) or `new` (nothing was sent yet)",
    "sent": "messages that were handed over",
    "waiting": "messages that wait to be",
    "dropped": "messages that went: too many waited, or it never took them",
    "failures": "in a row",
    "error": "what went wrong last; empty since something was handed over",
    "sent_at": "epoch seconds of the last hand-over, or null",
    "error_at": "epoch seconds of the last failure, or null",
    "retry_at": "epoch seconds before which nothing is tried, or null",
    "min_severity": "the lowest severity that it gets",
    "per_minute": "messages a minute that it gets at most",
    "quiet_from": "when its quiet hours begin, in local time; empty without",
    "quiet_to": "when they end",
}


def standing(known: Known, conn: sqlite3.Connection) -> list[dict[str, Any]]:
    """How the configured channels do, under the keys of `CHANNEL`."""
    health = channels(conn)
    return [_standing(name, config, health.get(name)) for name, config in named(known.config.notify).items()]


def complaint(found: Mapping[str, Any], now: float) -> str:
    """What is wrong with a channel, as a sentence; '' if nothing is."""
    if found["state"] == "disabled":
        return (
            f"The channel {found['name']} does not work: {found['error']}. Mend its configuration, and see "
            f"with `smartrouter notify test {found['name']}`."
        )
    if found["state"] == "failing":
        what = f"{found['error']}; {_waiting(found)}{again(found, now)}"
        return f"The channel {found['name']} fails: {what}."
    if found["dropped"]:
        return f"{found['dropped']} messages for the channel {found['name']} were lost: too many waited."
    return ""


def _standing(name: str, config: NotifyConfig, health: Health | None) -> dict[str, Any]:
    known = (Health(name, 0, 0, 0, 0, 0, None, "", None, None, False) if health is None else health)._asdict()
    values = known | {"name": name, "type": config.type, "state": _state(health)}
    values |= {"min_severity": str(config.min_severity), "per_minute": config.per_minute}
    values |= {"quiet_from": config.quiet_from, "quiet_to": config.quiet_to}
    return {key: values[key] for key in CHANNEL}


def _state(health: Health | None) -> str:
    if health is None:
        return "new"
    if health.disabled:
        return "disabled"
    if health.failures:
        return "failing"
    return "works" if health.sent else "new"


def again(found: Mapping[str, Any], now: float) -> str:
    """When a failing channel is tried again; '' if that is at once."""
    left = 0.0 if found["retry_at"] is None else found["retry_at"] - now
    return f", next try in {duration(left)}" if left > 1 and found["state"] == "failing" else ""


def _waiting(found: Mapping[str, Any]) -> str:
    count = found["waiting"]
    return f"{count} message{' waits' if count == 1 else 's wait'}"
