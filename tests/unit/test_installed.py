# SPDX-License-Identifier: GPL-2.0-or-later
"""Which parts are here, and what is said of those that are not."""

from pathlib import Path

import pytest

import smartrouter
from smartrouter.cli import main
from smartrouter.supervisor.installed import absent, is_installed, what_is_missing


def test_here_every_part_is() -> None:
    assert is_installed("guard")
    assert is_installed("analyzer")
    assert not is_installed("no_such_part")
    assert absent() == ()


def test_a_part_that_one_could_miss_is_absent_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smartrouter, "__path__", [])
    assert absent() == ("analyzer",)


@pytest.mark.parametrize("kind", ["py", "pyc"])
def test_a_part_is_there_as_source_or_compiled_alone(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web").mkdir()
    monkeypatch.setattr(smartrouter, "__path__", [str(tmp_path)])
    assert not is_installed("web")
    (tmp_path / "web" / f"__init__.{kind}").touch()
    assert is_installed("web")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("smartrouter.analyzer.daemon", "install the package smartrouter-analyzer"),
        ("smartrouter.cli.digest", "install the package smartrouter-analyzer"),
        ("smartrouter.replay", "install the package smartrouter-tools"),
        ("smartrouter.web.daemon", "install the package smartrouter-web"),
        ("scapy", "the Python module scapy, which is not installed"),
    ],
)
def test_what_is_missing_is_said_with_what_to_install(module: str, words: str) -> None:
    assert words in what_is_missing(module)


def test_a_command_whose_part_is_missing_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def lacking(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name="smartrouter.replay")

    monkeypatch.setattr("smartrouter.cli.import_module", lacking)
    assert main(["replay", "x.pcap"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.endswith("that is not installed: install the package smartrouter-tools\n")
