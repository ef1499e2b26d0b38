# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes to any section, checked as a whole configuration before anything is written."""

from pathlib import Path

import pytest

from smartrouter.config import load
from smartrouter.config.changes import set_mode
from smartrouter.config.edits import (
    drop_section,
    keep_mode,
    new_section,
    set_password_hash,
    set_section,
    take_mode_back,
    try_mode,
)
from smartrouter.config.fingerprint import fingerprint
from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import Mode

TEXT = """\
# mine
config smartrouter 'main'
	list device 'br-lan'
	option retention '30d'

config notify
	option type 'ntfy'
	option channel 'one'
config notify
	option type 'ntfy'
	option name 'two'
	option channel 'two'
"""
UNTIL = 1_900_000_000.0


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", "/nonexistent")  # no `uci`: the file is written as on any Linux
    file = tmp_path / "smartrouter"
    file.write_text(TEXT)
    return file


def test_several_options_are_one_change_and_all_else_stays(path: Path) -> None:
    changes = {"retention": "", "resolver": ["9.9.9.9", "1.1.1.1"], "block_action": "drop"}
    set_section(path, "smartrouter", 0, changes, "", paths=False)
    main = load(path).main
    assert (main.retention, main.resolver, main.block_action) == (90 * 86400, ("9.9.9.9", "1.1.1.1"), "drop")
    assert "retention" not in path.read_text()
    assert path.read_text().startswith("# mine\n")


@pytest.mark.parametrize(
    ("kind", "changes", "says"),
    [
        ("smartrouter", {"retention": "soon"}, "option retention"),
        ("smartrouter", {"retention": "20d", "pass_mark": "0x80000000"}, "pass_mark"),
        ("smartrouter", {"nonsense": "1"}, "no option"),
        ("nonsense", {"x": "1"}, "no section"),
        ("smartrouter", {"database": "/etc/cron.d/x"}, "only root"),
        ("smartrouter", {"alert_file": "/etc/cron.d/x"}, "only root"),
        ("web", {"key": "/etc/shadow"}, "only root"),
        ("web", {"password_hash": "scrypt$x"}, "not set like this"),
        ("smartrouter", {"mode_until": "2030-01-01T00:00:00Z"}, "not set like this"),
        ("notify", {"name": "two"}, "is called so"),
    ],
    ids=[
        "value",
        "two at once",
        "option",
        "section",
        "database",
        "alert file",
        "key",
        "password",
        "trial",
        "name",
    ],
)
def test_what_is_not_sound_or_not_allowed_changes_nothing(
    path: Path, kind: str, changes: dict[str, str], says: str
) -> None:
    with pytest.raises(BadConfig, match=says):
        set_section(path, kind, 0, changes, "", paths=False)
    assert path.read_text() == TEXT


def test_root_may_say_where_files_are(path: Path) -> None:
    set_section(path, "smartrouter", 0, {"database": "/srv/x.db"}, "", paths=True)
    assert load(path).main.database == "/srv/x.db"


def test_a_section_that_was_changed_since_is_left_alone(path: Path) -> None:
    seen = fingerprint(load(path).notify[1])
    set_section(path, "notify", 1, {"per_minute": "60"}, seen, paths=False)
    with pytest.raises(BadConfig, match="changed since"):
        set_section(path, "notify", 1, {"per_minute": "10"}, seen, paths=False)
    with pytest.raises(BadConfig, match="changed since"):
        drop_section(path, "notify", 1, seen)
    drop_section(path, "notify", 1, fingerprint(load(path).notify[1]))
    with pytest.raises(BadConfig, match="removed since"):
        drop_section(path, "notify", 1, "")
    assert [channel.channel for channel in load(path).notify] == ["one"]


def test_a_secret_does_not_count_for_whether_it_changed(path: Path) -> None:
    before = fingerprint(load(path).notify[0])
    set_section(path, "notify", 0, {"channel": "another"}, before, paths=False)
    assert fingerprint(load(path).notify[0]) == before


def test_a_section_is_added_where_there_is_none(path: Path) -> None:
    set_section(path, "web", 0, {"listen": "192.168.1.1:80", "host": ["router.example"]}, "", paths=False)
    web = load(path).web
    assert web is not None
    assert (web.listen, web.host) == ("192.168.1.1:80", ("router.example",))
    new_section(path, "notify", {"type": "webhook", "url": "https://example.net/", "name": ""})
    assert load(path).notify[2].type == "webhook"


def test_what_there_must_be_one_of_is_not_dropped(path: Path) -> None:
    with pytest.raises(BadConfig, match="stays"):
        drop_section(path, "smartrouter", 0, "")


def test_the_password_makes_the_web_interfaces_section(path: Path) -> None:
    set_password_hash(path, "scrypt$1")
    set_password_hash(path, "scrypt$2")
    web = load(path).web
    assert web is not None
    assert web.password_hash == "scrypt$2"
    with pytest.raises(BadConfig):
        set_password_hash(path, "plain")


def test_a_mode_on_trial_remembers_the_one_before(path: Path) -> None:
    try_mode(path, "enforce", UNTIL)
    main = load(path).main
    assert (main.mode, main.mode_until, main.mode_after) == (Mode.ENFORCE, UNTIL, Mode.MONITOR)
    take_mode_back(path)
    assert load(path).main.mode is Mode.MONITOR
    assert path.read_text().replace("\toption mode 'monitor'\n", "") == TEXT


def test_a_second_trial_still_goes_back_to_the_first_mode(path: Path) -> None:
    try_mode(path, "enforce", UNTIL)
    try_mode(path, "enforce", UNTIL + 60)
    assert load(path).main.mode_after is Mode.MONITOR


def test_it_can_be_kept_and_a_mode_that_is_chosen_ends_it(path: Path) -> None:
    try_mode(path, "enforce", UNTIL)
    keep_mode(path)
    assert (load(path).main.mode, load(path).main.mode_until) == (Mode.ENFORCE, None)
    try_mode(path, "monitor", UNTIL)
    set_mode(path, "enforce")
    assert (load(path).main.mode, load(path).main.mode_until) == (Mode.ENFORCE, None)
    for end in (keep_mode, take_mode_back):
        with pytest.raises(BadConfig, match="no mode is on trial"):
            end(path)
