# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes to the configuration file on the user's word: rules and modes.

Each change is checked as a whole configuration before it is written; what would not load leaves the file
untouched. They give the configuration as it is then. For one writer at a time: the supervisor.
"""

from collections.abc import Callable
from pathlib import Path

from smartrouter.config import Config, DeviceConfig, MainConfig, RuleConfig, checked, from_text, text_of
from smartrouter.config.options import options_of, texts_of, time_text
from smartrouter.config.uci import find, parse
from smartrouter.config.uci_edit import add_section, delete_section, set_option, set_options
from smartrouter.config.uci_file import held, write_text
from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import Action


def make_rule(
    action: str,
    device: str,
    destination: str,
    service: str = "",
    *,
    until: str | float | None = None,
    once: bool = False,
    by: str = "",
    at: float | None = None,
) -> RuleConfig:
    """A rule from what a user said, in the configuration's words. `until`: such a text, or epoch seconds;
    `at`: epoch seconds. Raises BadConfig."""
    options = {"device": device, "destination": destination, "service": service, "action": action, "by": by}
    options["until"] = until if isinstance(until, str) else _moment(until)
    options["once"] = "1" if once else ""
    options["at"] = _moment(at)
    return checked(RuleConfig, {name: text for name, text in options.items() if text}, "rule")


def add_rule(path: str | Path, rule: RuleConfig) -> Config:
    """Write `rule`; it replaces those for the same device, destination and service, whatever they said.

    Raises BadConfig or Unavailable, as the other changes do; then the file is as it was.
    """
    written = texts_of(rule, secrets=True)

    def edit(text: str, config: Config) -> str:
        places = _rules_about(config, rule.device, rule.destination, rule.service)
        if not places:
            return add_section(text, "rule", "", written)
        every = {option.name: written.get(option.name, "") for option in options_of(RuleConfig)}
        return _without_rules(set_options(text, f"@rule[{places[0]}]", every), places[1:])

    return changed(path, edit)


def end_rule(path: str | Path, device: str, destination: str, service: str, at: float) -> Config:
    """Write that the rule for one connection ends `at` that time (epoch seconds), if it is there and does not
    end before. `destination`: as text, a network by its number of bits. Raises BadConfig or Unavailable."""

    def edit(text: str, config: Config) -> str:
        for place, rule in enumerate(config.settings(frozenset()).rules):
            is_once = rule.once and rule.action is Action.ALLOW
            if not is_once or (rule.device, str(rule.destination), rule.service) != (
                device,
                destination,
                service,
            ):
                continue
            if rule.until is None or rule.until > at:
                text = set_option(text, f"@rule[{place}]", "until", _moment(at))
        return text

    return changed(path, edit)


def remove_rule(path: str | Path, device: str, destination: str, service: str = "") -> Config:
    """Take back what rules say of this device (or '*'), destination and service; '' is the rules for any.

    Raises BadConfig, also if there is none.
    """
    wanted = make_rule("allow", device, destination, service)

    def edit(text: str, config: Config) -> str:
        places = _rules_about(config, wanted.device, wanted.destination, wanted.service)
        if not places:
            raise BadConfig(
                f"{path}: there is no rule about device {wanted.device}, destination {wanted.destination}, "
                f"service {wanted.service or 'any'}; nothing to remove."
            )
        return _without_rules(text, places)

    return changed(path, edit)


def set_mode(path: str | Path, mode: str, device: str | None = None) -> Config:
    """Set the mode of `device` (a MAC), or the main mode. Raises BadConfig or Unavailable."""

    if device is None:
        return changed(path, lambda text, _: _with_main_mode(text, mode))
    return _set_of_device(path, device, {"mode": mode})


def set_name(path: str | Path, device: str, name: str) -> Config:
    """Call `device` (a MAC) so; '' takes the name back. Raises BadConfig or Unavailable."""
    return _set_of_device(path, device, {"name": name})


def set_watch(path: str | Path, watch: str, device: str) -> Config:
    """Set whether `device` (a MAC) is watched. Raises BadConfig or Unavailable."""
    return _set_of_device(path, device, {"watch": watch})


def set_mute(path: str | Path, device: str, until: float, by: str) -> Config:
    """Have nothing sent of `device` (a MAC) until then (epoch seconds); in the past ends that. Raises
    BadConfig or Unavailable."""
    return _set_of_device(path, device, {"mute_until": _moment(until), "muted_by": by})


def _set_of_device(path: str | Path, device: str, options: dict[str, str]) -> Config:
    wanted = checked(DeviceConfig, {"mac": device, **options}, " ".join(options))

    def edit(text: str, config: Config) -> str:
        for place, known in enumerate(config.devices):
            if known.mac == wanted.mac:
                for option, value in options.items():
                    text = set_option(text, f"@device[{place}]", option, value)
                return text
        return add_section(text, "device", "", {"mac": wanted.mac, **options})

    return changed(path, edit)


def move_device(path: str | Path, before: str, now: str) -> Config:
    """The device that had the MAC `before` has `now`: its options and rules are those of the new MAC, but
    where that has some of its own. Raises BadConfig or Unavailable."""

    def edit(text: str, config: Config) -> str:
        places = {device.mac: place for place, device in enumerate(config.devices)}
        if before in places and now not in places:
            text = set_option(text, f"@device[{places[before]}]", "mac", now)
        elif before in places:
            unsaid = texts_of(checked(DeviceConfig, {"mac": now}, "device"), secrets=True)
            own = texts_of(config.devices[places[now]], secrets=True)
            said = {option: value for option, value in own.items() if value != unsaid.get(option)}
            both = texts_of(config.devices[places[before]], secrets=True) | said | {"mac": now}
            text = set_options(text, f"@device[{places[now]}]", both)
            text = delete_section(text, f"@device[{places[before]}]")
        for place in reversed(range(len(config.rules))):
            rule = config.rules[place]
            if rule.device != before:
                continue
            if _rules_about(config, now, rule.destination, rule.service):
                text = delete_section(text, f"@rule[{place}]")
            else:
                text = set_option(text, f"@rule[{place}]", "device", now)
        return text

    return changed(path, edit)


def _with_main_mode(text: str, mode: str) -> str:
    checked(MainConfig, {"mode": mode}, "mode")
    if find(parse(text), "@smartrouter[0]") is None:
        return add_section(text, "smartrouter", "main", {"mode": mode})
    return set_options(text, "@smartrouter[0]", {"mode": mode, "mode_until": "", "mode_after": ""})


def changed(path: str | Path, edit: Callable[[str, Config], str]) -> Config:
    """Write what `edit` makes of the file's text (and the configuration that it is), if it is sound. Raises
    BadConfig or Unavailable."""
    with held(path):
        before = text_of(path)
        after = edit(before, from_text(before, str(path)))
        config = from_text(after, str(path))
        if after != before:
            write_text(path, after)
    return config


def _rules_about(config: Config, device: str, destination: str, service: str) -> list[int]:
    """The places of these rules among all rules, which are UCI's `@rule[n]`."""
    wanted = (device, destination, service)
    return [
        place
        for place, rule in enumerate(config.rules)
        if (rule.device, rule.destination, rule.service) == wanted
    ]


def _without_rules(text: str, places: list[int]) -> str:
    for place in reversed(places):
        text = delete_section(text, f"@rule[{place}]")
    return text


def _moment(seconds: float | None) -> str:
    try:
        return "" if seconds is None else time_text(seconds)
    except (ValueError, OverflowError, OSError):
        raise BadConfig(f"rule: {seconds!r} is no moment that can be written.") from None
