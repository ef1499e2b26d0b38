# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration file, read into frozen values; and each part's share of it.

A file is taken whole or not at all: BadConfig lists every fault, one a line, with file, section, option,
what was found and what is allowed. Secrets are in no repr and no error, and go only into the share of the
part that needs them. Which options there are is `sections`; knows no process and no kernel.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from smartrouter.config.options import Option, Section, options_of, texts_of, time_text
from smartrouter.config.sections import (
    SECTIONS,
    DeviceConfig,
    MainConfig,
    NotifyConfig,
    RuleConfig,
    WebConfig,
)
from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import DeviceSettings, LearningPlan, Rule, Settings
from smartrouter.core.public.resolvers import PUBLIC_RESOLVERS

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "PATH",
    "Config",
    "DeviceConfig",
    "MainConfig",
    "NotifyConfig",
    "RuleConfig",
    "WebConfig",
    "checked",
    "from_text",
    "load",
    "text_of",
]

PATH = "/etc/config/smartrouter"
MAX_FAULTS = 200  # that are told one by one
_DEFAULT_NETWORK = "lan"  # what OpenWrt calls the home's own
# Private, unique local and link-local addresses: RFC 1918, 3927, 4193, 4291.
_LOCAL = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"),
    )
)
# Which sections a part gets, and of which of them the secrets too.
_SHARES: Mapping[str, tuple[Collection[str], str]] = {
    "guard": (("smartrouter", "device", "rule"), ""),
    "analyzer": (("smartrouter", "device", "rule", "notify", "web"), "notify"),
    "web": (("smartrouter", "device", "rule", "notify", "web"), "web"),
}
_T = TypeVar("_T", bound=Section)


class Config(NamedTuple):
    """A whole configuration, without a fault. `web`: None where there is to be no web interface."""

    main: MainConfig = MainConfig()
    devices: tuple[DeviceConfig, ...] = ()
    rules: tuple[RuleConfig, ...] = ()
    notify: tuple[NotifyConfig, ...] = ()
    web: WebConfig | None = None

    def settings(self, trusted: frozenset[str]) -> Settings:
        """What the judge needs of it. `trusted`: addresses of the router and of its upstream resolvers, to
        which the configured ones and the big public ones are added."""
        main = self.main
        auto = main.learning is None
        return Settings(
            mode=main.mode,
            learning=LearningPlan(auto, main.learning_period if main.learning is None else main.learning),
            match=main.match,
            name_grace=main.name_grace,
            unused_after=main.unused_after,
            block_foreign_dns=main.foreign_dns == "block",
            fail_open=main.on_failure == "open",
            redirect_dns=main.redirect_dns,
            judge_by_hello=main.unnamed_tls == "hello",
            shared_resolvers=frozenset(filter(_is_local, main.resolver)),
            resolvers=trusted | frozenset(main.resolver) | PUBLIC_RESOLVERS,
            new_devices=main.new_devices,
            devices={
                device.mac: DeviceSettings(
                    device.mac, device.name, device.watch, device.mode, device.mute_until
                )
                for device in self.devices
            },
            rules=tuple(_core_rule(rule) for rule in self.rules),
        )

    def to_share(self, part: str) -> dict[str, Any]:
        """What `part` (guard, analyzer or web) is to know of it, as JSON can hold it."""
        wanted, secrets_of = _SHARES[part]
        sections = self.sections()
        return {
            kind: [texts_of(section, secrets=kind == secrets_of) for section in sections[kind]]
            for kind in wanted
        }

    def sections(self) -> Mapping[str, Sequence[Section]]:
        """All sections, by kind."""
        return {
            "smartrouter": [self.main],
            "device": self.devices,
            "rule": self.rules,
            "notify": self.notify,
            "web": [self.web] if self.web else [],
        }

    @classmethod
    def from_share(cls, share: Mapping[str, Any]) -> "Config":
        """The reverse of `to_share`: what was held back has its default. Raises BadConfig."""
        return _built(
            "share",
            [
                _Given(kind, f"{kind} {number}", options, {})
                for kind, sections in share.items()
                for number, options in enumerate(sections, 1)
            ],
        )


def load(path: "str | Path" = PATH) -> Config:
    """The configuration in the file at `path`. Raises BadConfig."""
    return from_text(text_of(path), str(path))


def text_of(path: "str | Path") -> str:
    """The text of the file at `path`. Raises BadConfig."""
    from smartrouter.config.uci_file import read_text  # a part gets its share, and reads no file

    try:
        return read_text(path)
    except FileNotFoundError:
        raise BadConfig(
            f"{path} does not exist. Write one; the least that it needs is what to look after:\n"
            "config smartrouter 'main'\n"
            "\tlist device 'br-lan'"
        ) from None


def from_text(text: str, file: str = PATH) -> Config:
    """The configuration that `text` is; `file` is its name in errors. Raises BadConfig."""
    from smartrouter.config.uci import parse

    given = []
    counts: dict[str, int] = {}
    for section in parse(text, file):
        number = counts[section.type] = counts.get(section.type, -1) + 1
        where = f"config {section.type:.80} '{section.name:.80}'"
        if section.anonymous:
            where = f"config {section.type:.80} {number + 1} (@{section.type:.80}[{number}])"
        given.append(_Given(section.type, f"{where}, line {section.line}", section.options, section.lines))
    return _built(file, given)


def checked(section: type[_T], options: Mapping[str, str | Sequence[str]], what: str) -> _T:
    """One section made of texts; `what` it is, for errors. Raises BadConfig."""
    faults = _Faults(what)
    made = _read(section, _Given("", "", options, {}), faults)
    if made is None:
        raise faults.error()
    return made


# From sections as they were written to sections as they are meant


class _Given(NamedTuple):
    """A section as it was written. `where`: what to call it; `lines`: option -> line, where known."""

    type: str
    where: str
    options: Mapping[str, str | Sequence[str]]
    lines: Mapping[str, int]


class _Faults:
    """What is wrong with a configuration, one fault a line."""

    def __init__(self, file: str):
        self._file = file
        self._lines: list[str] = []

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, given: _Given, option: str, what: str) -> None:
        """`option` of section `given` ('': the section itself) is wrong in the way that `what` says."""
        where = [self._file, given.where]
        if option:
            line = given.lines.get(option)
            where.append(f"option {option:.80}" + (f" (line {line})" if line else ""))
        self._lines.append(": ".join(part for part in where if part) + f": {what}.")

    def add_value(self, given: _Given, option: Option, found: str) -> None:
        """`found` is not a value that `option` takes."""
        shown = "a value that is not shown" if option.secret else f"{found!r:.80}"
        self.add(given, option.name, f"found {shown}; allowed is {option.kind.allowed}")

    def error(self) -> BadConfig:
        told = self._lines[:MAX_FAULTS]
        if len(told) < len(self._lines):
            told.append(f"And {len(self._lines) - len(told)} more faults.")
        return BadConfig("\n".join(told))


def _built(file: str, all_given: Iterable[_Given]) -> Config:
    faults = _Faults(file)
    made: dict[str, list[Any]] = {kind: [] for kind in SECTIONS}
    origins: dict[str, list[_Given]] = {kind: [] for kind in SECTIONS}
    for given in all_given:
        if given.type not in SECTIONS:
            faults.add(given, "", f"there is no such section; {_nearest(given.type, SECTIONS)}")
        elif (section := _read(SECTIONS[given.type], given, faults)) is not None:
            made[given.type].append(section)
            origins[given.type].append(given)
    for kind in ("smartrouter", "web"):
        for given in origins[kind][1:]:
            faults.add(given, "", f"one too many; there is {origins[kind][0].where} already")
    _check_marks(zip(made["smartrouter"], origins["smartrouter"], strict=True), faults)
    _check_devices(zip(made["device"], origins["device"], strict=True), faults)
    _check_quiet_hours(zip(made["notify"], origins["notify"], strict=True), faults)
    _check_names(zip(made["notify"], origins["notify"], strict=True), faults)
    if faults:
        raise faults.error()
    main = made["smartrouter"][0] if made["smartrouter"] else MainConfig()
    if not (main.network or main.device or main.iot_network):
        main = main.replace(network=(_DEFAULT_NETWORK,))
    web = made["web"][0] if made["web"] else None
    return Config(main, tuple(made["device"]), tuple(made["rule"]), tuple(made["notify"]), web)


def _read(section: type[_T], given: _Given, faults: _Faults) -> _T | None:
    """The section that `given` means; None if anything is wrong with it, which `faults` then knows."""
    before = len(faults)
    known = {option.name: option for option in options_of(section)}
    for name in given.options:
        if name not in known:
            faults.add(given, name, f"there is no such option; {_nearest(name, known)}")
    values = {}
    for name, option in known.items():
        if name in given.options:
            values[name] = _value(option, given, faults)
        elif option.required:
            faults.add(given, name, f"found nothing; allowed is {option.kind.allowed}")
    return section(**values) if len(faults) == before else None


def _value(option: Option, given: _Given, faults: _Faults) -> Any:
    """The value of `option`; None or a part of it if it is wrong, which `faults` then knows."""
    found = given.options[option.name]
    if not option.many and not isinstance(found, str):
        faults.add(given, option.name, f"found a list; allowed is one value: {option.kind.allowed}")
        return None
    if isinstance(found, str):
        found = found.split() if option.many else [found]
    values = []
    for text in found:
        try:
            values.append(option.read(text))
        except ValueError:
            faults.add_value(given, option, text)
    if option.many:
        return tuple(dict.fromkeys(values))
    return values[0] if values else None


def _nearest(name: str, known: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=1)
    return f"the nearest is {close[0]}" if close else "known are " + ", ".join(known)


# What must be true of several options at once


def _check_marks(mains: Iterable[tuple[MainConfig, _Given]], faults: _Faults) -> None:
    for main, given in mains:
        if main.pass_mark == main.block_mark:
            faults.add(
                given, "block_mark", f"found {main.block_mark:#x}; allowed is another bit than pass_mark's"
            )


def _check_devices(devices: Iterable[tuple[DeviceConfig, _Given]], faults: _Faults) -> None:
    seen: dict[str, str] = {}
    for device, given in devices:
        if (before := seen.setdefault(device.mac, given.where)) != given.where:
            faults.add(
                given, "mac", f"found {device.mac} again; allowed is one section for it, and that is {before}"
            )


def _check_quiet_hours(channels: Iterable[tuple[NotifyConfig, _Given]], faults: _Faults) -> None:
    for channel, given in channels:
        if bool(channel.quiet_from) != bool(channel.quiet_to):
            there, missing = ("from", "to") if channel.quiet_from else ("to", "from")
            faults.add(
                given,
                f"quiet_{missing}",
                f"found nothing; allowed is a time of day, as quiet_{there} has one",
            )


def _check_names(channels: Iterable[tuple[NotifyConfig, _Given]], faults: _Faults) -> None:
    seen: dict[str, str] = {}
    for channel, given in channels:
        if channel.name and (before := seen.setdefault(channel.name, given.where)) != given.where:
            faults.add(given, "name", f"found {channel.name} again; {before} is called so")


# Rules and resolvers as the core wants them


def _core_rule(rule: RuleConfig) -> Rule:
    at = "" if rule.at is None else time_text(rule.at)
    wanted = _network(rule.destination) or rule.destination
    return Rule(rule.device, wanted, rule.service, rule.action, rule.until, rule.by, at, rule.once)


def _is_local(address: str) -> bool:
    return any(ip_address(address) in network for network in _LOCAL)


def _network(destination: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(destination)
    except ValueError:
        return None
