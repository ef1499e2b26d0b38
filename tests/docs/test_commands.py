# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference of the commands says what the program does."""

from pathlib import Path

import pytest

from smartrouter.cli.commands import parser
from smartrouter.cli.reference import commands, options, render

PAGE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"


def test_the_page_is_the_one_that_make_docs_writes() -> None:
    assert PAGE.read_text() == render(parser()), "run `make docs`"


@pytest.mark.parametrize("name", [name for name, _ in commands(parser())])
def test_every_command_and_every_argument_is_documented(name: str) -> None:
    command = dict(commands(parser()))[name]
    page = render(parser())
    section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    assert command.description
    for action in options(command):
        assert action.help, f"{name}: {action.dest} has no help"
        word = action.option_strings[0] if action.option_strings else str(action.metavar or action.dest)
        assert word in section or action.choices, f"{name}: {word} is not on the page"


def test_what_every_command_takes_is_said_once() -> None:
    page = render(parser())
    assert page.count("--run-dir") == 1
    assert page.count("`--config PATH`") == 1
