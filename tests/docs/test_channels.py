# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/channels.md has a section for each type of channel, with examples that can be opened."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from smartrouter.config import NotifyConfig, from_text
from smartrouter.notify.channels import open_channel

CHECKOUT = Path(__file__).resolve().parent.parent.parent
PAGE = (CHECKOUT / "docs" / "channels.md").read_text()
(TYPE,) = [option for option in NotifyConfig.options if option.name == "type"]
TYPES = re.findall("`([a-z]+)`", TYPE.kind.allowed)


def section(kind: str) -> str:
    return PAGE.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]


def test_each_type_has_its_section() -> None:
    assert sorted(re.findall("^## (.+)$", PAGE, re.MULTILINE)) == sorted({*TYPES} - {"webhook"})
    assert "\n## Webhook\n" in (CHECKOUT / "docs" / "notifications.md").read_text()


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "webhook"])
def test_its_examples_can_be_opened(kind: str) -> None:
    examples = re.findall("^```\n(config notify\n.*?)^```$", section(kind), re.DOTALL | re.MULTILINE)
    assert examples
    for example in examples:
        (config,) = from_text(example).notify
        assert config.type == kind
        open_channel(config).close()


@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "webhook"])
def test_it_says_what_channel_and_token_are(kind: str) -> None:
    assert "| `channel` |" in section(kind)
    assert ("| `token` |" in section(kind)) is (kind not in ("syslog", "apprise"))


def test_nothing_of_a_channel_is_loaded_before_it_is_opened() -> None:
    code = "import sys, smartrouter.notify.channels; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"slack_sdk", "paho", "apprise", "smtplib", "requests"}
