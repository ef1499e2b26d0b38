# SPDX-License-Identifier: GPL-2.0-or-later
"""What a replay is asked to do, and how the command line says so. Knows nothing of packets' contents."""

import re
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from smartrouter.core.destinations import Destination, Match
from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import Mode
from smartrouter.replay.hearing import is_attempt
from smartrouter.wire.packet import Packet


class Counted(StrEnum):
    """Which connections count."""

    WEB = "web"  # TCP to ports 80 and 443
    TCP = "tcp"
    ALL = "all"  # TCP and UDP, DNS and DHCP apart


class Learn(NamedTuple):
    """When a device's learning ends: after `share` of the time between its first and its last connection
    that counts, or, where that is None, `seconds` after its first DNS query or connection."""

    share: float | None
    seconds: float = 0.0


NEVER = Learn(None, 0.0)
"""Nothing is learned: what is known beforehand is all."""


class Options(NamedTuple):
    """`any_resolver`: believe every DNS server; else the router and the big public ones. `macs`: only these
    devices, all if empty. `known`: what every device has learned before the capture begins. `by_hello`: what
    would be blocked for want of a name is judged by its hello (`unnamed_tls 'hello'`)."""

    learn: Learn = Learn(0.25)
    counted: Counted = Counted.ALL
    match: Match = Match.CHAIN
    mode: Mode = Mode.MONITOR
    any_resolver: bool = True
    macs: tuple[str, ...] = ()
    known: tuple[Destination, ...] = ()
    by_hello: bool = False

    def counts(self, packet: Packet) -> bool:
        """Is `packet` an attempt of the kind that counts?"""
        counted = self.counted
        return is_attempt(packet, web_only=counted is Counted.WEB, udp=counted is Counted.ALL)

    @property
    def judges_portless(self) -> bool:
        """Are packets of protocols without ports judged? They never count as connections."""
        return self.counted is Counted.ALL


USUAL = Options()


def options_from(args: Any) -> Options:
    """The options as `args` (learn, scope, match, mode, resolvers, mac, known, unnamed_tls; None: as usual)
    asks for them.

    Raises BadConfig."""
    return Options(
        learn=USUAL.learn if args.learn is None else learn_from(args.learn),
        counted=_choice(Counted, "--scope", args.scope, USUAL.counted),
        match=_choice(Match, "--match", args.match, USUAL.match),
        mode=_choice(Mode, "--mode", args.mode, USUAL.mode),
        any_resolver=_choice(_Resolvers, "--resolvers", args.resolvers, _Resolvers.ANY) is _Resolvers.ANY,
        macs=tuple(dict.fromkeys(_mac(text) for text in args.mac or ())),
        known=tuple(dict.fromkeys(_known(text) for text in args.known or ())),
        by_hello=_choice(_Unnamed, "--unnamed-tls", args.unnamed_tls, _Unnamed.BLOCK) is _Unnamed.HELLO,
    )


def learn_from(text: str) -> Learn:
    """`25%`, or a time such as `24h`. Raises BadConfig."""
    share = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text)
    if share is not None and float(share[1]) <= 100:
        return Learn(float(share[1]) / 100)
    period = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if period is not None:
        return Learn(None, float(period[1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[period[2]])
    raise BadConfig(f"--learn {text!r}: give a share from 0% to 100%, or a time such as 90m, 24h or 14d")


class _Resolvers(StrEnum):
    ANY = "any"
    TRUSTED = "trusted"


class _Unnamed(StrEnum):
    BLOCK = "block"
    HELLO = "hello"


_Choice = TypeVar("_Choice", bound=StrEnum)


def _choice(choices: type[_Choice], option: str, text: str | None, usual: _Choice) -> _Choice:
    if text is None:
        return usual
    try:
        return choices(text)
    except ValueError:
        raise BadConfig(f"{option} {text!r}: give one of {', '.join(choices)}") from None


def _mac(text: str) -> str:
    mac = text.lower().replace("-", ":")
    if re.fullmatch(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", mac) is None:
        raise BadConfig(f"--mac {text!r}: give a MAC address such as 3c:2e:ff:29:4d:93")
    return mac


def _known(text: str) -> Destination:
    name, _, service = text.partition("=")
    if not name or re.fullmatch(r"web|[a-z0-9-]+(/\d+)?", service or "web") is None:
        raise BadConfig(f"--known {text!r}: give a name or an address, as example.com=tcp/8883")
    return Destination(name.lower(), service or "web")
