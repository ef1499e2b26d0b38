# SPDX-License-Identifier: GPL-2.0-or-later
"""`make screenshots`: the pictures in docs/screenshots, of a made home in a real browser."""

import base64
import random
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from unit.made_home import PLUG, TV, alert, noted, sighting
from web.browser import PHONE, Browser, chromium
from web.house import House

from smartrouter.core.destinations import Destination
from smartrouter.core.effects import Attempt, Evidence, Keep, Kind, Learn, Record, Severity
from smartrouter.core.learning import Progress, Seen, State
from smartrouter.core.policy import Reason

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
LARGEST = 60_000  # bytes of a picture
CAMERA, SPEAKER, BULB = "2c:aa:8e:00:00:11", "44:65:0d:00:00:12", "ec:fa:bc:00:00:13"
_DESK = (1100, 760)
_NAMES = ("time.example", "api.hue.example", "films.example", "updates.example", "cdn.films.example")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, chromium() as driver:
        house = House(Path(folder))
        _live_in(house)
        with house.served() as url:
            browser = Browser(driver, house, url)
            browser.log_in()
            for name, path, size, dark in (
                ("home", "/", _DESK, False),
                ("inbox", "/inbox", _DESK, False),
                ("home-phone", "/", PHONE, True),
                ("device-phone", f"/devices/{TV}", PHONE, False),
            ):
                browser.look(size, dark=dark)
                browser.open(path)
                _keep(browser, name, size, 0.6 if size == _DESK else 0.75)


def _keep(browser: Browser, name: str, size: tuple[int, int], scale: float) -> None:
    clip = {"x": 0, "y": 0, "width": size[0], "height": size[1], "scale": scale}
    taken = browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "clip": clip})
    picture = base64.b64decode(taken["data"])
    if len(picture) >= LARGEST:
        raise SystemExit(f"{name}: {len(picture)} bytes, of {LARGEST} at most")
    (FOLDER / f"{name}.png").write_bytes(picture)
    print(f"{name}: {len(picture)} bytes")


def _live_in(house: House) -> None:
    """Have some devices, and a day behind them."""
    now = time.time()
    chance = random.Random(8)
    effects: list[Any] = []
    seen = (
        sighting(CAMERA, "doorbell-cam", True, "192.168.1.31", maker="Wyze Labs Inc"),
        sighting(SPEAKER, "kitchen-speaker", True, "192.168.1.32", maker="Amazon Technologies Inc."),
        sighting(BULB, "hall-light", True, "192.168.1.33", maker="Espressif Inc."),
    )
    for mac in (CAMERA, SPEAKER, BULB):
        effects.append(Keep(mac, Progress(State.PROTECTED, 900_000.0, 400, 80, 200, True, 30, 0, 9, True)))
    for mac in (TV, PLUG, CAMERA, SPEAKER, BULB):
        effects += [Learn(mac, Destination(name, "web"), Seen(8, 20), now - 90_000) for name in _NAMES[:3]]
    for hour in range(23, -1, -1):
        for _ in range(chance.randint(4, 30)):
            effects.append(_attempt(chance, now - hour * 3600 - chance.randint(0, 3000)))
    effects += [
        alert(CAMERA, "p2p.relay.example", blocked=True),
        alert(SPEAKER, "ads.tracker.example"),
        noted(
            CAMERA, Kind.SCAN, Reason.SCAN, "254 addresses, tcp/23", severity=Severity.CRITICAL,
            address="198.51.100.23", port=23,
        ),
    ]  # fmt: skip
    house.fill(sightings=seen)
    for at in range(0, len(effects), 200):
        house.put(*effects[at : at + 200])


def _attempt(chance: random.Random, at: float) -> Record:
    mac = chance.choice((TV, PLUG, CAMERA, SPEAKER, BULB))
    name = chance.choice(_NAMES)
    is_known = chance.random() > 0.12
    reason = Reason.LEARNED if is_known else Reason.DENIED_BY_RULE
    return Record(
        Attempt(
            at, mac, "192.168.1.20", 40000, "198.51.100.7", 443, 6, "outside", "web", name, Evidence.DNS,
            is_known, reason,
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
