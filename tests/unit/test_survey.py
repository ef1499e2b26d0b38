# SPDX-License-Identifier: GPL-2.0-or-later
"""What the supervisor is told of configuration and surroundings, and what stands in the way of a start."""

import json
import os
import stat
from pathlib import Path

import pytest

from smartrouter.config import Config
from smartrouter.core.errors import BadConfig
from smartrouter.linux import interfaces
from smartrouter.linux.privileges import User
from smartrouter.supervisor import keeping, survey

PARTS = ("guard", "analyzer")
US = User("us", os.getuid(), os.getgid())
CONFIG = """
config smartrouter 'main'
	option enabled '{enabled}'
	list device 'br-lan'
	list iot_network 'things'
	option database '{database}'
config notify
	option type 'slack'
	option token 'xoxb-secret'
	option channel '#alerts'
"""


@pytest.fixture(autouse=True)
def one_lan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interfaces, "present", lambda: frozenset({"br-lan", "eth0"}))
    monkeypatch.setenv("PATH", "/nonexistent")  # no OpenWrt


def written(folder: Path, enabled: int = 1, database: str = "state/store.db") -> Path:
    path = folder / "smartrouter"
    path.write_text(CONFIG.format(enabled=enabled, database=folder / database))
    return path


def test_a_survey_holds_each_parts_share_and_secrets_only_where_they_belong(tmp_path: Path) -> None:
    found = survey.whole(str(written(tmp_path)), PARTS, US)()
    assert found["enabled"] is True
    assert "xoxb-secret" not in json.dumps(found["shares"]["guard"])
    assert "xoxb-secret" in json.dumps(found["shares"]["analyzer"])
    assert Config.from_share(found["shares"]["guard"]).main.device == ("br-lan",)
    around = dict(found["around"])
    assert isinstance(around.pop("upstreams"), list)
    assert around == {"lan": ["br-lan"], "iot": [], "missing": ["things"], "queues": list(range(7370, 7387))}
    json.dumps(found)


def test_it_makes_the_store_for_the_group(tmp_path: Path) -> None:
    survey.whole(str(written(tmp_path)), PARTS, US)()
    folder = tmp_path / "state"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o2770
    assert stat.S_IMODE((folder / "store.db").stat().st_mode) == 0o660


def test_switched_off_it_looks_no_further_and_makes_nothing(tmp_path: Path) -> None:
    found = survey.whole(str(written(tmp_path, enabled=0)), PARTS, US)()
    assert found["enabled"] is False
    assert "around" not in found
    assert "problem" not in found
    assert not (tmp_path / "state").exists()


def test_what_must_be_waited_for_is_a_problem_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interfaces, "present", lambda: frozenset({"eth0"}))
    found = survey.whole(str(written(tmp_path)), PARTS, US)()
    assert "there are: eth0" in found["problem"]
    assert "around" not in found


def test_a_store_that_cannot_be_made_is_a_problem_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = survey.whole(str(written(tmp_path, database="file/store.db")), PARTS, US)()
    assert "cannot make the store" in found["problem"]


def test_a_broken_configuration_is_refused_whole(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text() + "config smartrouter 'main'\n\toption mode 'panic'\n")
    with pytest.raises(BadConfig, match="panic"):
        survey.whole(str(path), PARTS, US)()
    assert not (tmp_path / "state").exists()


def test_looking_around_again_needs_no_configuration(tmp_path: Path) -> None:
    networks = survey.whole(str(written(tmp_path)), PARTS, US)()["networks"]
    again = survey.around(json.loads(json.dumps(networks)))()
    assert (again["lan"], again["missing"]) == (["br-lan"], ["things"])


def test_a_change_is_written_and_read_back(tmp_path: Path) -> None:
    path = written(tmp_path)

    def enforce(place: str) -> None:
        text = Path(place).read_text()
        Path(place).write_text(text.replace("\tlist device", "\toption mode 'enforce'\n\tlist device"))

    found = survey.change(str(path), PARTS, enforce)()
    assert Config.from_share(found["shares"]["guard"]).main.mode == "enforce"
    assert "around" not in found


def test_what_was_kept_is_taken_up_and_what_cannot_be_is_no_reason_not_to_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "drop", lambda *_, **__: None)  # an errand gives up root; a test must not
    path = written(tmp_path)
    path.write_text(f"{path.read_text()}config smartrouter 'main'\n\toption snapshot '{tmp_path}/flash'\n")
    assert survey.whole(str(path), PARTS, US)()["not_restored"] == ""
    assert (tmp_path / "flash" / "state").is_dir()
    (tmp_path / "flash" / "state").rmdir()
    (tmp_path / "flash" / "state").write_text("a file")
    found = survey.whole(str(path), PARTS, US)()
    assert "around" in found
    assert "cannot make the directory" in found["not_restored"]
