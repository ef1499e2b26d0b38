# SPDX-License-Identifier: GPL-2.0-or-later
"""The shapes of what the API answers, as schemas. Keys and what they mean are those of
`smartrouter.listings`, which the commands' `--json` prints, too; a test finds a key that has no shape here.
"""

from collections.abc import Mapping

from smartrouter.listings import forecast
from smartrouter.listings.alerts import ALERT as ALERT_KEYS
from smartrouter.listings.alerts import EXPLAINED as EXPLAINED_KEYS
from smartrouter.listings.channels import CHANNEL as CHANNEL_KEYS
from smartrouter.listings.devices import DETAILS as DETAILS_KEYS
from smartrouter.listings.devices import DEVICE as DEVICE_KEYS
from smartrouter.listings.digest import DIGEST as DIGEST_KEYS
from smartrouter.listings.status import STATUS as STATUS_KEYS
from smartrouter.listings.volume import DETAILS as VOLUME_DETAILS_KEYS
from smartrouter.listings.volume import VOLUME as VOLUME_KEYS
from smartrouter.web.api.forms import (
    ACTION,
    ALERT_STATE,
    BOOLEAN,
    COUNT,
    EVIDENCE,
    KIND,
    MAC,
    MAYBE_WHEN,
    MODE,
    NUMBER,
    SEVERITY,
    STATE,
    TEXT,
    WHEN,
    answer,
    described,
    listed,
    maybe,
    text,
    word,
)  # fmt: skip
from smartrouter.web.api.schema import Schema

_OBJECT: Schema = {"type": "object"}
_ANY_WORD = TEXT  # of a set that another version may have added to


def _keyed(title: str, keys: Mapping[str, str], schemas: Mapping[str, Schema]) -> Schema:
    """An object with these documented `keys`."""
    return answer({key: described(schemas.get(key, {}), keys[key]) for key in keys}, title)


_LEARNING = _keyed("Learning", forecast.LEARNING, dict.fromkeys(forecast.LEARNING, NUMBER))
_NOVELTY = answer(
    dict.fromkeys(
        forecast.AHEAD, _keyed("Estimate", forecast.NOVELTY, dict.fromkeys(forecast.NOVELTY, NUMBER))
    ),
    "Novelty",
)
_PROBABLY = answer({"mac": TEXT, "label": TEXT, "reasons": listed(TEXT)})
_SUMS = answer(dict.fromkeys(("bytes_out", "bytes_in", "packets_out", "packets_in", "flows"), COUNT), "Sums")
_SUMMED = {"day": _SUMS, "total": _SUMS}
_VOLUME = _keyed("Volume", VOLUME_KEYS, {**_SUMMED, "since": maybe(NUMBER)})
_VOLUME_DETAILS = _keyed(
    "VolumeDetails",
    VOLUME_DETAILS_KEYS,
    {
        **_SUMMED,
        "since": maybe(NUMBER),
        "destinations": listed(answer({"name": TEXT, "service": TEXT, **_SUMMED})),
        "offloaded": maybe(COUNT),
    },
)
_DEVICE: Mapping[str, Schema] = {
    "mac": TEXT, "name": TEXT, "label": TEXT, "hostname": TEXT, "maker": TEXT,
    "class": word("iot", "not-iot", "unknown"), "iot": maybe(BOOLEAN),
    "confidence": {"type": "number", "minimum": 0, "maximum": 1}, "reasons": listed(TEXT), "interface": TEXT,
    "port": TEXT, "on_iot_network": BOOLEAN, "present": BOOLEAN, "probably": maybe(_PROBABLY),
    "watched": BOOLEAN, "state": STATE, "mode": MODE, "addresses": listed(TEXT), "first_seen": NUMBER,
    "last_seen": NUMBER, "attempts": COUNT, "blocked": COUNT, "learned": COUNT, "open_alerts": COUNT,
    "settled": maybe(BOOLEAN), "learning": maybe(_LEARNING), "novelty": maybe(_NOVELTY), "volume": _VOLUME,
}  # fmt: skip
_TARGET = answer({"address": TEXT, "port": COUNT, "protocol": COUNT, "count": COUNT})
_ALERT: Mapping[str, Schema] = {
    "id": COUNT, "mac": TEXT, "device": TEXT, "kind": _ANY_WORD, "destination": TEXT, "service": TEXT,
    "reason": TEXT, "severity": SEVERITY, "detail": TEXT, "evidence": _ANY_WORD, "name": TEXT,
    "reverse": maybe(TEXT), "first": NUMBER, "last": NUMBER, "count": COUNT, "blocked": COUNT,
    "state": ALERT_STATE, "decided_by": TEXT, "decided_at": maybe(NUMBER), "addresses": listed(TEXT),
    "targets": listed(_TARGET),
}  # fmt: skip
_EXPLAINED: Mapping[str, Schema] = {
    "means": TEXT, "why": TEXT, "perhaps": TEXT, "advice": TEXT,
    "commands": listed(answer({"command": TEXT, "does": TEXT})),
}  # fmt: skip
_RULE: Mapping[str, Schema] = {
    "device": described(TEXT, "its MAC, or `*` for every device"),
    "destination": TEXT,
    "service": described(TEXT, "empty: any"),
    "action": ACTION,
    "until": maybe(NUMBER, "epoch seconds; null: for good"),
    "once": described(BOOLEAN, "it ends with one connection"),
    "by": described(TEXT, "who decided; empty if nobody is known"),
    "at": MAYBE_WHEN,
}
_ATTEMPT: Mapping[str, Schema] = {
    "at": WHEN, "name": described(TEXT, "empty where none is known"), "address": TEXT, "port": COUNT,
    "protocol": described(COUNT, "IANA number"), "service": TEXT, "scope": TEXT,
    "evidence": described(_ANY_WORD, "why we believe that the address is the name"), "accepted": BOOLEAN,
    "reason": described(TEXT, "why it passed or not"),
}  # fmt: skip
_CHANNEL: Mapping[str, Schema] = {
    "name": TEXT, "type": TEXT, "state": word("works", "failing", "disabled", "new"), "sent": COUNT,
    "waiting": COUNT, "dropped": COUNT, "failures": COUNT, "error": TEXT, "sent_at": maybe(NUMBER),
    "error_at": maybe(NUMBER), "retry_at": maybe(NUMBER), "min_severity": SEVERITY, "per_minute": COUNT,
    "quiet_from": TEXT, "quiet_to": TEXT,
}  # fmt: skip
_RUN = answer(
    {"at": NUMBER, "seconds": NUMBER, "rows": COUNT, "findings": listed(TEXT), "stages": _OBJECT,
     "failure": TEXT},
    "Run",
)  # fmt: skip

ALERT = _keyed("Alert", ALERT_KEYS, _ALERT)
EXPLAINED = _keyed("Explained", ALERT_KEYS | EXPLAINED_KEYS, {**_ALERT, **_EXPLAINED})
ATTEMPT = answer(
    {"id": COUNT, "mac": described(TEXT, "the device; empty if it is known no more"), **_ATTEMPT}, "Attempt"
)
RULE = answer({"id": described(TEXT, "its name in the API"), **_RULE}, "Rule")
CHANNEL = _keyed("Channel", CHANNEL_KEYS, _CHANNEL)
DEVICE = _keyed("Device", DEVICE_KEYS, _DEVICE)
LISTED = answer({key: shape for key, shape in DEVICE["properties"].items() if key != "volume"}, "Listed")
DETAILS = _keyed(
    "Details",
    DETAILS_KEYS,
    {
        **_DEVICE,
        "volume": _VOLUME_DETAILS,
        "progress": maybe(
            answer(
                {"observed": NUMBER, "attempts": COUNT, "units": COUNT, "quiet": COUNT, "settled": BOOLEAN}
            )
        ),
        "destinations": listed(
            answer({"name": TEXT, "service": TEXT, "units": COUNT, "learned": NUMBER, "last_used": NUMBER})
        ),
        "rules": listed(answer(_RULE)),
        "mute_until": maybe(NUMBER),
        "muted_by": TEXT,
        "latest": listed(answer(_ATTEMPT)),
        "alerts": listed(answer(_ALERT)),
    },
)
DIGEST = _keyed(
    "Digest",
    DIGEST_KEYS,
    {
        "mac": TEXT, "device": TEXT, "first": TEXT, "last": TEXT, "sentence": TEXT, "services": COUNT,
        "new": listed(answer({"destination": TEXT, "became": TEXT})), "blocked": listed(TEXT),
        "alerts": _OBJECT, "bytes_out": COUNT, "bytes_in": COUNT,
    },
)  # fmt: skip
STATUS = _keyed(
    "Status",
    STATUS_KEYS,
    {
        "running": BOOLEAN, "working": BOOLEAN, "problem": TEXT, "needs": listed(TEXT), "mode": TEXT,
        "paused": NUMBER, "guard": _OBJECT, "parts": listed(_OBJECT), "queues": _OBJECT, "version": TEXT,
        "pid": COUNT, "uptime": NUMBER, "config": _OBJECT, "lan": listed(TEXT), "iot": listed(TEXT),
        "missing": listed(TEXT), "store": maybe(_OBJECT), "alerts": maybe(_OBJECT),
        "channels": maybe(listed(CHANNEL)), "nameless": listed(TEXT), "repeaters": listed(TEXT),
        "analysis": maybe(_RUN), "runs": listed(_RUN), "trial": maybe(NUMBER), "web": maybe(_OBJECT),
        "not_kept": TEXT, "unaccounted": maybe(COUNT),
    },
)  # fmt: skip
CONSEQUENCES = answer(
    {
        "waiting": listed(ALERT, "open alerts on what will be blocked, the latest few"),
        "more": described(COUNT, "how many there are besides"),
        "expected": described(
            answer(dict.fromkeys(forecast.AHEAD, NUMBER)),
            "new destinations of all protected devices together; they will be blocked until they are allowed",
        ),
        "devices": listed(
            answer({"mac": TEXT, "label": TEXT, "settled": BOOLEAN, "novelty": _NOVELTY}),
            "the protected devices, that of which most is to come first",
        ),
        "learning": listed(TEXT, "MACs of those that still learn, and are not blocked until that ends"),
        "nameless": listed(TEXT, "MACs of those that are judged by bare addresses; much may be blocked"),
    },
    "Consequences",
)
APPLIED = answer(
    {
        "applied": described(BOOLEAN, "whether it counts already"),
        "note": text("if not, when it will; empty if it does"),
    },
    "Applied",
)
__all__ = [
    "ALERT", "APPLIED", "ATTEMPT", "CHANNEL", "CONSEQUENCES", "DETAILS", "DEVICE", "DIGEST", "EVIDENCE",
    "EXPLAINED", "KIND", "MAC", "RULE", "STATUS",
]  # fmt: skip
