# SPDX-License-Identifier: GPL-2.0-or-later
"""Rules and modes written into the file on the user's word."""

from collections.abc import Callable
from pathlib import Path

import pytest

from smartrouter.config import Config, RuleConfig, load
from smartrouter.config.changes import add_rule, end_rule, make_rule, move_device, remove_rule, set_mode
from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import Action, Mode

TV = "3c:2e:ff:29:4d:93"
PLUG = "b0:c5:54:00:00:01"
FILE = f"""\
# my house
config smartrouter 'main'
	option mode 'monitor'	# for now
	list device 'br-lan'

config device
	option mac '{TV.upper()}'
	option name 'Bob'\\''s TV'

# decided in May
config rule
	option device '{TV}'
	option destination 'Netflix.com'
	option action 'allow'
	option until '2030-01-01T00:00:00Z'
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration file, on a system without the `uci` command (which keeps no comments)."""
    monkeypatch.setenv("PATH", "/nowhere")
    path = tmp_path / "smartrouter"
    path.write_text(FILE)
    return path


def test_a_new_rule_goes_to_the_end_and_all_else_stays(path: Path) -> None:
    rule = make_rule("deny", "*", "*.ads.example", "web", by="cli:root", at=1795348800.7)
    config = add_rule(path, rule)
    assert path.read_text() == FILE + (
        "\nconfig rule\n"
        "\toption device '*'\n"
        "\toption destination '*.ads.example'\n"
        "\toption service 'web'\n"
        "\toption action 'deny'\n"
        "\toption by 'cli:root'\n"
        "\toption at '2026-11-22T12:00:00Z'\n"
    )
    assert config.rules[1:] == (rule,)
    assert load(path) == config


def test_a_rule_replaces_the_one_for_the_same_device_destination_and_service(path: Path) -> None:
    config = add_rule(path, make_rule("deny", TV.upper(), "netflix.com.", by="web:admin"))
    assert config.rules == (
        RuleConfig(device=TV, destination="netflix.com", service="", action=Action.DENY, by="web:admin"),
    )
    assert path.read_text() == FILE.replace("'Netflix.com'", "'netflix.com'").replace(
        "'allow'\n\toption until '2030-01-01T00:00:00Z'\n", "'deny'\n\toption by 'web:admin'\n"
    )


def test_a_rule_replaces_every_such_rule(path: Path) -> None:
    again = FILE[FILE.index("config rule") :]
    path.write_text(FILE + "\n" + again + "\n# kept\nconfig device d\n\toption mac '" + PLUG + "'\n" + again)
    config = add_rule(path, make_rule("deny", TV, "netflix.com"))
    assert [rule.action for rule in config.rules] == [Action.DENY]
    assert "# kept" in path.read_text()


def test_rules_for_another_device_destination_or_service_are_other_rules(path: Path) -> None:
    for rule in (
        make_rule("deny", PLUG, "netflix.com"),
        make_rule("deny", "*", "netflix.com"),
        make_rule("deny", TV, "*.netflix.com"),
        make_rule("deny", TV, "netflix.com", "web"),
    ):
        config = add_rule(path, rule)
    assert len(config.rules) == 5
    assert config.rules[0].action is Action.ALLOW


def test_a_rule_is_removed_with_its_lines_only(path: Path) -> None:
    add_rule(path, make_rule("deny", PLUG, "203.0.113.7"))
    config = remove_rule(path, TV, "NETFLIX.com")
    assert [rule.device for rule in config.rules] == [PLUG]
    remove_rule(path, PLUG, "203.0.113.7")
    assert load(path).rules == ()
    assert path.read_text() == FILE[: FILE.index("config rule")]


def test_a_rule_that_is_not_there_cannot_be_removed(path: Path) -> None:
    with pytest.raises(BadConfig, match=f"no rule about device {TV}, destination netflix.com, service web"):
        remove_rule(path, TV, "netflix.com", "web")
    assert path.read_text() == FILE


def test_the_main_mode_is_set_where_it_stands(path: Path) -> None:
    assert set_mode(path, "enforce").main.mode is Mode.ENFORCE
    assert path.read_text() == FILE.replace("'monitor'", "'enforce'")


def test_the_main_mode_is_set_in_a_file_without_main_section(path: Path) -> None:
    path.write_text("# nothing yet\n")
    assert set_mode(path, "enforce").main.mode is Mode.ENFORCE
    assert path.read_text() == "# nothing yet\n\nconfig smartrouter 'main'\n\toption mode 'enforce'\n"


def test_a_devices_mode_is_set_in_its_section_or_in_a_new_one(path: Path) -> None:
    set_mode(path, "enforce", TV)
    config = set_mode(path, "enforce", PLUG.upper().replace(":", "-"))
    assert config.main.mode is Mode.MONITOR
    assert {device.mac: device.mode for device in config.devices} == {TV: Mode.ENFORCE, PLUG: Mode.ENFORCE}
    text = path.read_text()
    assert "\toption name 'Bob'\\''s TV'\n\toption mode 'enforce'\n" in text
    assert text.endswith(f"\nconfig device\n\toption mac '{PLUG}'\n\toption mode 'enforce'\n")


def test_a_device_under_a_new_mac_keeps_its_options_and_rules(path: Path) -> None:
    config = move_device(path, TV, PLUG)
    assert [(device.mac, device.name) for device in config.devices] == [(PLUG, "Bob's TV")]
    assert [rule.device for rule in config.rules] == [PLUG]
    assert path.read_text() == FILE.replace(TV.upper(), PLUG).replace(TV, PLUG)


def test_what_the_new_mac_was_given_stands_above_what_the_old_one_had(path: Path) -> None:
    path.write_text(FILE + f"\nconfig device\n\toption mac '{PLUG}'\n\toption mode 'enforce'\n")
    add_rule(path, make_rule("deny", PLUG, "netflix.com"))
    add_rule(path, make_rule("deny", TV, "other.example"))
    config = move_device(path, TV, PLUG)
    [device] = config.devices
    assert (device.mac, device.name, device.mode) == (PLUG, "Bob's TV", Mode.ENFORCE)
    assert {(rule.device, rule.destination, rule.action) for rule in config.rules} == {
        (PLUG, "netflix.com", Action.DENY),
        (PLUG, "other.example", Action.DENY),
    }


def test_a_device_of_which_nothing_was_said_moves_without_a_trace(path: Path) -> None:
    move_device(path, "00:17:88:00:00:01", PLUG)
    assert path.read_text() == FILE


REFUSED: dict[str, tuple[Callable[[Path], Config], str]] = {
    "an action": (lambda path: add_rule(path, make_rule("permit", TV, "a.example")), "rule: option action"),
    "a device": (lambda path: add_rule(path, make_rule("allow", "tv", "a.example")), "rule: option device"),
    "no destination": (lambda path: add_rule(path, make_rule("allow", TV, "")), "rule: option destination"),
    "a service": (
        lambda path: add_rule(path, make_rule("allow", TV, "a.example", "tcp/443")),
        "option service",
    ),
    "an end": (
        lambda path: add_rule(path, make_rule("allow", TV, "a.example", until="soon")),
        "option until",
    ),
    "no end": (
        lambda path: add_rule(path, make_rule("allow", TV, "a.example", until=float("inf"))),
        "no moment",
    ),
    "an end before time": (
        lambda path: add_rule(path, make_rule("allow", TV, "a.example", until=-1.0)),
        "option until",
    ),
    "a name with a line break": (
        lambda path: add_rule(path, make_rule("allow", TV, "a.example", by="x'\nconfig rule")),
        "rule: option by",
    ),
    "a mode": (lambda path: set_mode(path, "block"), "mode: option mode"),
    "no mode": (lambda path: set_mode(path, ""), "mode: option mode"),
    "a device's mode": (lambda path: set_mode(path, "", TV), "mode: option mode"),
    "a mode's device": (lambda path: set_mode(path, "enforce", "tv"), "mode: option mac"),
    "a rule to remove": (lambda path: remove_rule(path, TV, "a..b"), "rule: option destination"),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_is_refused_and_changes_nothing(
    path: Path, change: Callable[[Path], Config], message: str
) -> None:
    before = path.stat()
    with pytest.raises(BadConfig, match=message):
        change(path)
    assert path.read_text() == FILE
    assert path.stat().st_ino == before.st_ino


def test_a_broken_file_is_not_written_to(path: Path) -> None:
    broken = FILE + "\nconfig rule\n\toption action 'allow'\n"
    path.write_text(broken)
    with pytest.raises(BadConfig, match=r"@rule\[1\]"):
        set_mode(path, "enforce")
    assert path.read_text() == broken


def test_a_change_that_changes_nothing_writes_nothing(path: Path) -> None:
    before = path.stat()
    set_mode(path, "monitor")
    assert path.stat().st_ino == before.st_ino


@pytest.mark.parametrize("destination", ["stranger.example", "203.0.113.7", "203.0.113.0/24"])
def test_a_rule_for_one_connection_ends_when_it_is_used(path: Path, destination: str) -> None:
    at = 1_900_000_000.0
    add_rule(path, make_rule("allow", TV, destination, "web", once=True, until=at + 3600))
    before = load(path)
    assert [rule.once for rule in before.settings(frozenset()).rules] == [False, True]
    written = str(before.settings(frozenset()).rules[1].destination)
    end_rule(path, TV, written, "web", at)
    (other, ended) = load(path).rules
    assert other == before.rules[0]
    assert ended == before.rules[1].replace(until=at)
    end_rule(path, TV, written, "web", at + 60)  # it has ended before
    assert load(path).rules[1].until == at


def test_only_a_rule_for_one_connection_is_ended_so(path: Path) -> None:
    end_rule(path, TV, "netflix.com", "", 1.0)
    end_rule(path, "*", "nobody.example", "", 1.0)
    assert path.read_text() == FILE


def test_a_denial_is_never_for_one_connection(path: Path) -> None:
    config = add_rule(path, make_rule("deny", TV, "stranger.example", once=True))
    end_rule(path, TV, "stranger.example", "", 1_900_000_000.0)
    assert load(path) == config
