# SPDX-License-Identifier: GPL-2.0-or-later
"""Every page is there for who is logged in, and for nobody else."""

from pathlib import Path

import pytest
from unit.made_site import made_site, owner, stranger

PAGES = ("/", "/inbox", "/devices", "/log", "/rules", "/settings", "/account")


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_sees_no_page(path: str, tmp_path: Path) -> None:
    answer = stranger(made_site(tmp_path, "\toption password_hash 'scrypt$x'\n")).get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("path", PAGES)
def test_the_owner_sees_each_page(path: str, tmp_path: Path) -> None:
    answer = owner(made_site(tmp_path)).get(path)
    assert answer.status_code == 200
    assert "<main" in answer.text


def test_a_button_is_an_order_in_the_owners_name(tmp_path: Path) -> None:
    site = made_site(tmp_path)
    client = owner(site)
    answer = client.send_form("/pause", seconds="3600", to="/inbox")
    assert answer.headers["location"] == "/inbox"
    assert site.asked == [{"do": "pause", "seconds": 3600}]
    assert "Nothing unknown is blocked for 1 h." in client.get("/rules").text
