# SPDX-License-Identifier: GPL-2.0-or-later
"""Changes to any section of the configuration file, as a settings page makes them; and the two that have
consequences of their own: a mode on trial, the password.

Like `changes`: checked as a whole configuration before it is written, for one writer at a time.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from smartrouter.config import Config
from smartrouter.config.changes import changed
from smartrouter.config.fingerprint import fingerprint
from smartrouter.config.options import PATH, Section, options_of, time_text
from smartrouter.config.sections import SECTIONS
from smartrouter.config.uci import find, parse
from smartrouter.config.uci_edit import add_section, delete_section, set_options
from smartrouter.core.errors import BadConfig

MAIN, WEB = "smartrouter", "web"
SINGLE = (MAIN, WEB)  # of which there is one at most
OWN_WAY = frozenset({"password_hash", "mode_until", "mode_after"})  # set by other functions alone

Texts = Mapping[str, str | Sequence[str]]


def sections_of(config: Config, kind: str) -> Sequence[Section]:
    """The sections of that kind, in order. Raises BadConfig for a kind that there is not."""
    if kind not in SECTIONS:
        raise BadConfig(f"there is no section {kind!r:.40}; there are {', '.join(SECTIONS)}")
    return config.sections()[kind]


def set_section(
    path: str | Path, kind: str, place: int, options: Texts, expected: str, *, paths: bool
) -> Config:
    """Give `options` of the section at `place` (from 0) these values; '' or an empty list: the default.

    `expected`: the section's `fingerprint` when its reader saw it, '' if that does not matter. `paths`: may
    those options be changed that name files, which root then writes? Raises BadConfig, Unavailable.
    """

    def edit(text: str, config: Config) -> str:
        if kind in SINGLE and find(parse(text), f"@{kind}[0]") is None:
            return add_section(text, kind, "main" if kind == MAIN else "", _without_empty(options))
        _expect(config, kind, place, expected)
        return set_options(text, f"@{kind}[{place}]", options)

    _check(kind, options, paths=paths)
    return changed(path, edit)


def new_section(path: str | Path, kind: str, options: Texts) -> Config:
    """A section more. Raises BadConfig, Unavailable."""
    _check(kind, options, paths=False)
    return changed(path, lambda text, _: add_section(text, kind, "", _without_empty(options)))


def drop_section(path: str | Path, kind: str, place: int, expected: str) -> Config:
    """A section less. Raises BadConfig, Unavailable."""

    def edit(text: str, config: Config) -> str:
        _expect(config, kind, place, expected)
        return delete_section(text, f"@{kind}[{place}]")

    if kind in SINGLE:
        raise BadConfig(f"the section {kind} stays: change its options")
    return changed(path, edit)


def set_password_hash(path: str | Path, kept: str) -> Config:
    """Write the hash of the web interface's password; '' takes it away. Raises BadConfig, Unavailable."""

    def edit(text: str, _: Config) -> str:
        if find(parse(text), "@web[0]") is None:
            return add_section(text, WEB, "", {"password_hash": kept})
        return set_options(text, "@web[0]", {"password_hash": kept})

    return changed(path, edit)


def try_mode(path: str | Path, mode: str, until: float) -> Config:
    """Have the main mode until then (epoch seconds), and the present one after that. Raises BadConfig,
    Unavailable."""

    def edit(text: str, config: Config) -> str:
        main = config.main
        before = main.mode if main.mode_until is None else main.mode_after
        trial = {"mode": mode, "mode_until": time_text(until), "mode_after": str(before)}
        if find(parse(text), "@smartrouter[0]") is None:
            return add_section(text, MAIN, "main", trial)
        return set_options(text, "@smartrouter[0]", trial)

    return changed(path, edit)


def keep_mode(path: str | Path) -> Config:
    """End a trial: the mode stays. Raises BadConfig, Unavailable."""
    return _end_trial(path, keep=True)


def take_mode_back(path: str | Path) -> Config:
    """End a trial: the mode is what it was before. Raises BadConfig, Unavailable."""
    return _end_trial(path, keep=False)


def _end_trial(path: str | Path, *, keep: bool) -> Config:
    def edit(text: str, config: Config) -> str:
        main = config.main
        if main.mode_until is None:
            raise BadConfig("no mode is on trial: it ended, or somebody chose a mode since")
        mode = main.mode if keep else main.mode_after
        return set_options(text, "@smartrouter[0]", {"mode": str(mode), "mode_until": "", "mode_after": ""})

    return changed(path, edit)


def _check(kind: str, options: Texts, *, paths: bool) -> None:
    if kind not in SECTIONS:
        raise BadConfig(f"there is no section {kind!r:.40}; there are {', '.join(SECTIONS)}")
    known = {option.name: option for option in options_of(SECTIONS[kind])}
    for name in options:
        if name not in known:
            raise BadConfig(f"{kind} has no option {name!r:.40}")
        if name in OWN_WAY:
            raise BadConfig(f"option {name}: it is not set like this")
        if known[name].kind is PATH and not paths:
            raise BadConfig(
                f"option {name}: it names a file that root writes or reads, so that only root may change it: "
                f"edit the configuration file on the router"
            )


def _expect(config: Config, kind: str, place: int, expected: str) -> None:
    sections = sections_of(config, kind)
    if not 0 <= place < len(sections):
        raise BadConfig(f"there is no {kind} number {place + 1}: it was removed since")
    if expected and fingerprint(sections[place]) != expected:
        raise BadConfig(f"{kind} number {place + 1} was changed since: look at it again")


def _without_empty(options: Texts) -> dict[str, str | Sequence[str]]:
    return {name: value for name, value in options.items() if value}
