# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written about the configuration is what the code does."""

from pathlib import Path

import pytest

from smartrouter.config import from_text, load
from smartrouter.config.docs import reference
from smartrouter.config.options import options_of
from smartrouter.config.sections import SECTIONS
from smartrouter.core.policy import Mode
from smartrouter.notify.channels import open_channel

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def test_the_reference_is_the_one_that_the_table_of_options_gives() -> None:
    written = (CHECKOUT / "docs" / "uci.md").read_text()
    assert written == reference(), "run: python -m smartrouter.config.docs > docs/uci.md"


@pytest.mark.parametrize("kind", SECTIONS)
def test_the_reference_has_every_option_in_one_row(kind: str) -> None:
    section = reference().partition(f"\n## `config {kind}")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1].split()[1] for row in rows] == [
        option.name for option in options_of(SECTIONS[kind])
    ]
    assert all(row.count(" | ") == 3 for row in rows)


def test_every_option_has_its_sentence() -> None:
    for section in SECTIONS.values():
        for option in options_of(section):
            assert option.doc[0].isupper(), option.name
            assert option.doc.endswith("."), option.name


def test_the_example_of_the_reference_is_a_configuration() -> None:
    example = reference().split("```\n")[1]
    assert from_text(example).devices[0].mode is Mode.ENFORCE


def test_the_file_that_the_package_ships_is_a_configuration_that_only_watches() -> None:
    config = load(CHECKOUT / "openwrt-package" / "smartrouter" / "files" / "smartrouter.config")
    assert config.main.enabled
    assert config.main.mode is Mode.MONITOR
    assert config.main.network == ("lan",)
    assert config.main.max_size == 16 << 20
    assert (config.devices, config.rules, config.notify, config.web) == ((), (), (), None)


def test_what_the_shipped_file_shows_commented_out_is_right_too() -> None:
    text = (CHECKOUT / "openwrt-package" / "smartrouter" / "files" / "smartrouter.config").read_text()
    shown = [line.removeprefix("# ").removeprefix("#") for line in text.splitlines() if line.startswith("#")]
    config = from_text("\n".join(line for line in shown if line.startswith(("config ", "\t"))))
    assert (len(config.devices), len(config.rules), len(config.notify)) == (1, 1, 1)


def test_the_channels_that_the_page_on_notifications_shows_are_right() -> None:
    page = (CHECKOUT / "docs" / "notifications.md").read_text()
    shown = [block.partition("```")[0] for block in page.split("```\n")[1::2]]
    configs = [from_text(block) for block in shown if block.startswith("config notify")]
    assert configs
    for channel in configs[0].notify:
        open_channel(channel).close()
