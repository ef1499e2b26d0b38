# SPDX-License-Identifier: GPL-2.0-or-later
"""Which channels there are, what each is called, and how to open one: the module of its type, imported when
it is used. Each such module has `open_channel(config) -> Channel`, which raises BadConfig for what the
configuration lacks, and waits for no network; and, if it imports libraries only there, their names in
`NEEDS`.
"""

from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import cast
from urllib.parse import unquote, urlsplit

from smartrouter.config.sections import NotifyConfig
from smartrouter.core.errors import BadConfig, SmartrouterError, Unavailable
from smartrouter.notify.channel import Channel

SHOWING = frozenset({"mqtt"})  # types that show how devices stand (`switches`)
_PACKAGE = "smartrouter.notify"
_SHORTEST_SECRET = 4  # characters; what is shorter stands in any text


def named(configured: Iterable[NotifyConfig]) -> dict[str, NotifyConfig]:
    """The channels by what they are called: by their name, else by their type, and a number where that is
    taken. Never by anything secret."""
    channels = list(configured)
    found = {channel.name: channel for channel in channels if channel.name}
    for channel in channels:
        if not channel.name:
            name, number = channel.type, 1
            while name in found:
                number += 1
                name = f"{channel.type}-{number}"
            found[name] = channel
    return {name: channel for channel in channels for name, each in found.items() if each is channel}


def load(kinds: Iterable[str]) -> None:
    """Import what channels of these types take, while it can still be read: who has dropped their rights may
    not look where it lies. What is missing is told when the channel is opened."""
    for kind in kinds:
        with suppress(Exception):
            module = import_module(f"{_PACKAGE}.{kind}")
            for name in getattr(module, "NEEDS", ()):
                import_module(name)


def answers(config: NotifyConfig) -> bool:
    """Is it opened at once, because somebody may say something on it?"""
    return bool(config.app_token) or config.type in SHOWING


def leads_elsewhere(before: NotifyConfig, now: NotifyConfig) -> bool:
    """Is what was sent before not to be found there any more?"""
    return (before.type, before.channel, before.url) != (now.type, now.channel, now.url)


def open_channel(config: NotifyConfig) -> Channel:
    """Open the channel that is configured so. Raises BadConfig, and Unavailable if it, or the library that it
    needs, is not there."""
    name = f"{_PACKAGE}.{config.type}"
    try:
        module = import_module(name)
    except ImportError as error:
        if error.name == name:
            raise Unavailable(
                f"there is no channel of type {config.type} here; OpenWrt has it in the package "
                "smartrouter-notify"
            ) from None
        raise Unavailable(
            f"the channel {config.type} needs the Python module {error.name}, which is not there (or which "
            "smartrouter's user may not read): install it, and restart smartrouter"
        ) from error
    try:
        return cast(Channel, module.open_channel(config))
    except SmartrouterError:
        raise
    except (ValueError, TypeError, OSError) as error:
        # Its text may hold what was configured, and so a secret.
        raise BadConfig(f"the channel {config.type} cannot be opened: {type(error).__name__}") from None


def without_secrets(text: str, config: NotifyConfig) -> str:
    """`text`, such as an error's, without anything secret of this channel, should it stand there."""
    secrets = {getattr(config, option.name) for option in config.options if option.secret}
    for address in tuple(secrets):
        with suppress(ValueError):
            url = urlsplit(address)
            if url.scheme and url.hostname:
                secrets |= {url.password or "", unquote(url.password or ""), url.query, url.path.strip("/")}
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "…")
    return text
