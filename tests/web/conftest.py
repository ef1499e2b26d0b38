# SPDX-License-Identifier: GPL-2.0-or-later
"""Houses and browsers for tests of pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from web.browser import Browser, chromium
from web.house import House


@pytest.fixture(scope="session")
def driver() -> Iterator[Chrome]:
    """The one browser."""
    with chromium() as driver:
        yield driver


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


@pytest.fixture
def browser(driver: Chrome, house: House) -> Iterator[Browser]:
    """The browser of somebody who has logged in at a house, as wide as a desk's; it knows nothing of tests
    before."""
    with house.served() as url:
        made = Browser(driver, house, url)
        made.forget()
        made.look()
        made.log_in()
        made.complaints()
        yield made
        made.look()
        driver.get("about:blank")
