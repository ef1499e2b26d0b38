# SPDX-License-Identifier: GPL-2.0-or-later
"""traffic.jsonl from captures: what the devices that captured.jsonl labels show of themselves in them.

    python -m training.captures CAPTURE…

Each capture is replayed by itself; what a device's portrait then holds becomes its row, but for what people
call it. Devices without a label are left out.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from smartrouter.core.classification.evidence import Evidence
from smartrouter.makers import Makers
from smartrouter.replay import replay
from smartrouter.replay.options import USUAL
from training.examples import HERE

LABELS, ROWS = HERE / "captured.jsonl", HERE / "traffic.jsonl"


def main(captures: Sequence[str]) -> int:
    """Writes the rows; says how many."""
    rows = list(devices([Path(name) for name in captures]))
    ROWS.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} devices: {ROWS.name}")
    return 0


def devices(captures: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """The rows; a device that is in several captures is in the first alone."""
    maker_of = Makers().of
    labels = {row["mac"]: row for row in map(json.loads, LABELS.read_text(encoding="utf-8").splitlines())}
    for capture in captures:
        for mac, portrait in sorted(replay([capture], USUAL).portraits.items()):
            if mac in labels:
                yield _row(labels.pop(mac), portrait.evidence(maker_of(mac)))


def _row(label: dict[str, Any], evidence: Evidence) -> dict[str, Any]:
    shown = {field: value for field, value in evidence._asdict().items() if value and field != "names"}
    for part in ("stack", "behaviour"):
        if part in shown:
            shown[part] = {
                name: round(value, 4) if isinstance(value, float) else value
                for name, value in shown[part]._asdict().items()
            }
    shown.pop("client_id", None)
    source = label.pop("source")
    return {**label, **shown, "source": source}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
