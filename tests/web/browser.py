# SPDX-License-Identifier: GPL-2.0-or-later
"""A real browser without a screen: Debian's Chromium, by its driver. One for all tests; each test has its own
cookies, and says what its window is like.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from web.house import PATIENCE, House

from smartrouter.web.gatekeeper import cookie_name

DESKTOP, PHONE = (1280, 900), (360, 740)
SHOTS = Path(
    os.environ.get("SMARTROUTER_SHOTS", Path(__file__).resolve().parents[2] / "build" / "screenshots")
)


class Browser:
    """A window of it, at a house. `url`: where the web interface is."""

    def __init__(self, driver: Chrome, house: House, url: str):
        self.driver = driver
        self.house = house
        self.url = url

    def log_in(self) -> None:
        """Have the session of somebody who has logged in."""
        name, _ = self.house.site.sessions.open("127.0.0.1", "a browser", time.time())
        cookie = {"name": cookie_name("http"), "value": name, "url": self.url, "httpOnly": True}
        self.driver.execute_cdp_cmd("Network.setCookie", {**cookie, "sameSite": "Strict"})

    def forget(self) -> None:
        """Have no cookies."""
        self.driver.execute_cdp_cmd("Network.clearBrowserCookies", {})

    def open(self, path: str) -> None:
        """Go to a page of ours, and wait until it is there."""
        self.driver.get(self.url + path)

    def look(self, size: tuple[int, int] = DESKTOP, *, dark: bool = False, scripts: bool = True) -> None:
        """What the window is like from the next page on."""
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not scripts})

    def one(self, css: str) -> WebElement:
        """The first element of that kind."""
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def all(self, css: str) -> list[WebElement]:
        """All elements of that kind."""
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def button(self, text: str, within: WebElement | None = None) -> WebElement:
        """The first button that says that, and perhaps more for who cannot see what it belongs to."""
        root = within or self.driver
        for each in root.find_elements(By.CSS_SELECTOR, "button, summary, a.button, input[type=submit]"):
            if f"{each.text.strip()} ".startswith(f"{text} ") and each.is_displayed():
                return each
        raise AssertionError(f"no button says {text!r} on {self.driver.current_url}")

    def click(self, text: str, within: WebElement | None = None) -> None:
        """Click it, and wait until what it leads to is there."""
        self.button(text, within).click()

    def button_like(self, beginning: str) -> WebElement:
        """The first button whose text begins so."""
        found = [each for each in self.all("button") if each.text.startswith(beginning)]
        assert found, f"no button says {beginning!r}… on {self.driver.current_url}"
        return found[0]

    def text(self) -> str:
        """What the page says, as a person sees it."""
        return self.one("body").text

    def wait(self, is_so: Callable[[], Any], what: str) -> None:
        """Until that is so; an element that goes meanwhile is looked for again."""
        end = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(Exception):
                if is_so():
                    return
            assert time.monotonic() < end, f"{what}, after {PATIENCE} s on {self.driver.current_url}"
            time.sleep(0.05)

    def run(self, script: str, *arguments: Any) -> Any:
        """What JavaScript returns."""
        return self.driver.execute_script(script, *arguments)

    def shot(self, name: str) -> None:
        """Keep a picture of the page."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(SHOTS / f"{name}.png"))

    def complaints(self) -> list[str]:
        """What the browser has complained of: scripts that it refused, errors in ours."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")  # type: ignore[no-untyped-call]
            if entry["level"] == "SEVERE"
        ]


@contextlib.contextmanager
def chromium() -> Iterator[Chrome]:
    """The browser. Skips where there is none."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no chromium with chromedriver here (`make test-packages` installs them)")
    options = ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--lang=en",
        "--force-color-profile=srgb", "--hide-scrollbars", "--disable-extensions",
    ):  # fmt: skip
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "SEVERE"})
    browser = Chrome(options, ChromeService(driver))
    try:
        browser.set_page_load_timeout(PATIENCE)
        yield browser
    finally:
        browser.quit()
