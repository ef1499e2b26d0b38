# SPDX-License-Identifier: GPL-2.0-or-later
"""Devices as they are shown, by the keys that `DEVICE` and `DETAILS` document, and which stay."""

import json
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

from smartrouter.config import RuleConfig
from smartrouter.core.classification.evidence import Classification
from smartrouter.core.learning import Progress, State
from smartrouter.core.novelty import Prior
from smartrouter.listings import forecast, volume
from smartrouter.listings.alerts import alert_json
from smartrouter.listings.known import EVERY_DEVICE, Known
from smartrouter.store import queries
from smartrouter.store.alerts import AlertState, alerts
from smartrouter.store.attempts import StoredAttempt, attempts_of
from smartrouter.store.queries import meta
from smartrouter.store.runs import PRIOR

DEVICE = {
    "mac": "its MAC address",
    "name": "the name that you gave it; empty if none",
    "label": "what to call it: your name for it, the one that it announces, its host name, or its maker's",
    "hostname": "the name that it gave itself; empty if none",
    "maker": "the organisation that its MAC was given to; empty if nobody's",
    "class": "what kind of device it seems to be: `iot`, `not-iot` or `unknown`",
    "iot": "the same as true, false or null",
    "confidence": "how sure that is, from 0 to 1",
    "reasons": "what speaks for it, in words",
    "interface": "the interface that it was seen on last",
    "port": "the port of that bridge that it is behind; empty if it is no bridge, or that is not known",
    "on_iot_network": "whether that is an `iot_network`",
    "present": "whether it is there now",
    "probably": "the device that it probably was under another MAC: `mac`, `label`, `reasons`; null if none. "
    "`smartrouter same` has it take that one's place",
    "watched": "whether smartrouter looks after it",
    "state": "of learning: `new`, `learning` or `protected`",
    "mode": "`monitor` or `enforce`",
    "addresses": "its addresses, the latest first",
    "first_seen": "epoch seconds",
    "last_seen": "epoch seconds",
    "attempts": "connection attempts over all time",
    "blocked": "how many of them were blocked",
    "learned": "how many destinations it has learned",
    "open_alerts": "alerts that nobody has decided about",
    "settled": "whether learning ended by its rule or by your word, not because its time was up; null until "
    "then",
    "learning": f"when its learning will end: {forecast.described(forecast.LEARNING)}; null unless it learns",
    "novelty": "what is still to come of it, within a `day` and a `week`: "
    f"{forecast.described(forecast.NOVELTY)}; null unless it is protected",
    "volume": f"what it sent and received: {volume.described(volume.VOLUME)}",
}
DETAILS = DEVICE | {
    "progress": "of learning: `observed` seconds, `attempts`, `units` (hours with an attempt), `quiet` (of "
    "these, since the last new destination), `settled`; null before the first attempt",
    "destinations": "what it has learned: `name` (or address), `service`, `units` it was used in, `learned` "
    "and `last_used` in epoch seconds",
    "volume": f"what it sent and received: {volume.described(volume.DETAILS)}",
    "rules": "your rules about it: `action`, `device` (`*`: all), `destination`, `service` (empty: any), "
    "`until` (epoch seconds, or null), `once` (it ends with one connection), `by`, `at` (epoch seconds, or "
    "null)",
    "mute_until": "epoch seconds until which nothing of it is sent, or null",
    "muted_by": "who wanted that; empty if nobody is known",
    "latest": "its latest attempts, newest first: `at`, `name`, `address`, `port`, `protocol`, `service`, "
    "`scope`, `evidence`, `accepted`, `reason`",
    "alerts": "its open alerts, as `smartrouter alerts --json` gives them",
}
_LATEST = 10  # attempts that are shown


def all_devices(known: Known, conn: sqlite3.Connection) -> list[dict[str, Any]]:
    """Every device under the keys of `DEVICE`: those that are watched first, then by what they are called."""
    progress = queries.progress(conn)
    prior = kept_prior(conn)
    volumes = volume.of_all(conn, time.time())
    listed = [
        device_json(known, conn, each, progress.get(each.mac), prior) | {"volume": volumes(each.mac)}
        for each in known.found()
    ]
    return sorted(listed, key=lambda each: (not each["watched"], each["label"].lower(), each["mac"]))


def one_device(
    known: Known, conn: sqlite3.Connection, mac: str, counted: Mapping[str, Any] | None = None
) -> dict[str, Any] | None:
    """The device with this MAC under the keys of `DETAILS`; None if it was never seen. `counted`: as
    `volume.of_one` takes it."""
    found = queries.device(conn, mac)
    if found is None:
        return None
    progress = queries.progress(conn)
    own, prior = progress.get(mac), kept_prior(conn)
    details = device_json(known, conn, found, own, prior) | _details(known, conn, mac, own)
    details |= {"volume": volume.of_one(conn, mac, time.time(), counted)}
    return {key: details[key] for key in DETAILS}


def kept_prior(conn: sqlite3.Connection) -> Prior:
    """What to expect of a device before anything of it is known, as the analyzer's last run found it; of any
    household's devices before the first."""
    try:
        return Prior(*json.loads(meta(conn, PRIOR) or ""))
    except (ValueError, TypeError):  # none yet, or another version's
        return Prior()


def device_json(
    known: Known,
    conn: sqlite3.Connection,
    found: queries.Device,
    progress: Progress | None,
    prior: Prior,
) -> dict[str, Any]:
    """A device under the keys of `DEVICE`, but for `volume`. `prior`: what to expect of any device
    of this household."""
    values = found._asdict()
    once = 0
    if found.stage == State.LEARNING:
        once = sum(learned.seen.units == 1 for learned in queries.learned(conn, found.mac))
    values["learning"] = forecast.learning(progress, once, known.settings.learning, time.time(), prior)
    values["settled"] = progress.settled if progress and found.stage == State.PROTECTED else None
    values["novelty"] = forecast.novelty(progress, prior)
    watched, mode = known.standing(found)
    values["class"] = Classification(found.iot, found.confidence, ()).word
    values["label"] = known.name_of(found)
    if found.probably:
        values["probably"] = {
            "mac": found.probably,
            "label": known.label(found.probably),
            "reasons": found.probably_reasons,
        }
    else:
        values["probably"] = None
    values |= {"name": known.given_name(found.mac), "watched": watched, "mode": mode, "state": found.stage}
    return {key: values[key] for key in DEVICE if key in values}


def _details(known: Known, conn: sqlite3.Connection, mac: str, progress: Progress | None) -> dict[str, Any]:
    return {
        "progress": None if progress is None else _progress_json(progress),
        "destinations": [
            {
                "name": learned.destination.name,
                "service": learned.destination.service,
                "units": learned.seen.units,
                "learned": learned.learned_at,
                "last_used": learned.last_used,
            }
            for learned in queries.learned(conn, mac)
        ],
        "rules": [rule_json(rule) for rule in known.config.rules if rule.device in (mac, EVERY_DEVICE)],
        **_mute_json(known, mac),
        "latest": [attempt_json(attempt) for attempt in attempts_of(conn, mac, _LATEST)],
        "alerts": [alert_json(known, found) for found in alerts(conn, state=AlertState.OPEN, mac=mac)],
    }


def _progress_json(progress: Progress) -> dict[str, Any]:
    shown = ("observed", "attempts", "units", "quiet", "settled")
    return {key: value for key, value in progress._asdict().items() if key in shown}


def rule_json(rule: RuleConfig) -> dict[str, Any]:
    """A rule, by the names of its options; moments in epoch seconds."""
    return dict(vars(rule))


def _mute_json(known: Known, mac: str) -> dict[str, Any]:
    told = next((each for each in known.config.devices if each.mac == mac), None)
    if told is None or told.mute_until is None or told.mute_until <= time.time():
        return {"mute_until": None, "muted_by": ""}
    return {"mute_until": told.mute_until, "muted_by": told.muted_by}


def attempt_json(attempt: StoredAttempt) -> dict[str, Any]:
    """One of a device's attempts."""
    left_out = ("id", "mac", "source", "source_port")
    return {key: value for key, value in attempt._asdict().items() if key not in left_out}
