# SPDX-License-Identifier: GPL-2.0-or-later
"""What an option is, and the kinds of values that options take.

A section type is a subclass of `Section`; each of its fields is one option, with kind, default and a
sentence of documentation. Reading, checking, writing, documentation and settings pages all go by these
fields. Knows neither which options there are nor where their text comes from.
"""

import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_network
from typing import Any, ClassVar, Generic, NamedTuple, Self, TypeVar, dataclass_transform

from smartrouter.core.destinations import protocol_name, service_of
from smartrouter.core.errors import BadConfig
from smartrouter.core.names import labels, normalise

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

MAX_VALUE = 4096  # characters


class Kind(NamedTuple, Generic[T]):
    """A kind of values. `allowed` says in words what may be written; `read` turns text into a value and
    raises ValueError; `write` is its reverse; `absent`: the value where nothing is written."""

    allowed: str
    read: Callable[[str], T]
    write: Callable[[T], str]
    absent: Any = None


class Option(NamedTuple):
    """One option. `default`: as it would be written, '' for nothing; `required`: there is no default;
    `many`: a list, whose value is a tuple; `secret`: never to be shown; `absent`: the value where nothing is
    written."""

    name: str
    kind: Kind[Any]
    default: str
    doc: str
    required: bool
    many: bool
    secret: bool
    absent: Any

    def read(self, text: str) -> Any:
        """The value that `text` means. Raises ValueError."""
        if len(text) > MAX_VALUE:
            raise ValueError
        text.encode()  # a byte that was no UTF-8 is a lone surrogate: UnicodeEncodeError, a ValueError
        return self.kind.read(text)


def option(
    kind: Kind[Any], default: str | None, doc: str, *, many: bool = False, secret: bool = False
) -> Any:
    """A field of a section that is an option; `default` None: it must be given."""
    absent = () if many else kind.read(default) if default else kind.absent
    return Option("", kind, default or "", doc, default is None, many, secret, absent)


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Section:
    """A section's values, as a frozen dataclass would have them. That module takes the guard half a megabyte
    and 15 ms of its start."""

    options: ClassVar[tuple[Option, ...]] = ()

    def __init_subclass__(cls) -> None:
        written = {name: found for name, found in vars(cls).items() if isinstance(found, Option)}
        cls.options = tuple(found._replace(name=name) for name, found in written.items())
        for name in written:
            delattr(cls, name)

    def __init__(self, **values: Any) -> None:
        wrong = values.keys() - {each.name for each in self.options}
        wrong |= {each.name for each in self.options if each.required} - values.keys()
        if wrong:
            raise TypeError(f"{type(self).__name__}: unknown, or missing: {', '.join(sorted(wrong))}")
        for each in self.options:
            self.__dict__[each.name] = values.get(each.name, each.absent)

    def replace(self, **values: Any) -> Self:
        """The same section with other `values`."""
        return type(self)(**{**vars(self), **values})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name}: a section is not to be changed")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(tuple(vars(self).values()))

    def __repr__(self) -> str:
        shown = [f"{each.name}={getattr(self, each.name)!r}" for each in self.options if not each.secret]
        return f"{type(self).__name__}({', '.join(shown)})"


def options_of(section: type[Section]) -> tuple[Option, ...]:
    """The options of a section type, in order."""
    return section.options


def texts_of(section: Section, *, secrets: bool) -> dict[str, str | list[str]]:
    """The options of `section` as they are written, without those that say nothing."""
    texts: dict[str, str | list[str]] = {}
    for one in section.options:
        value = getattr(section, one.name)
        if one.secret and not secrets:
            continue
        if one.many:
            texts[one.name] = [one.kind.write(each) for each in value]
        elif value != one.kind.absent or one.default:
            texts[one.name] = one.kind.write(value)
    return texts


# Kinds that are made from their allowed values


def words(*allowed: str) -> Kind[str]:
    """One of these words."""
    return Kind(_either(allowed), lambda text: allowed[allowed.index(text)], str)


def members(enum: type[E], absent: E | None = None) -> Kind[E]:
    """A member of `enum` by its value; the one that stands for nothing written is not to be written."""
    allowed = [member.value for member in enum if member is not absent]
    return Kind(_either(allowed), lambda text: enum(allowed[allowed.index(text)]), str, absent)


def _either(allowed: "tuple[str, ...] | list[str]") -> str:
    return ", ".join(f"`{word}`" for word in allowed[:-1]) + f" or `{allowed[-1]}`"


def _matching(pattern: str, allowed: str, absent: Any = "") -> Kind[str]:
    wanted = re.compile(pattern)

    def read(text: str) -> str:
        if not wanted.fullmatch(text):
            raise ValueError
        return text

    return Kind(allowed, read, str, absent)


# Time and size

_UNITS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile("".join(f"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS))
_MAX_DURATION = 3660 * 86400


def _read_duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if not text or not found:
        raise ValueError
    seconds = sum(int(n) * unit for n, unit in zip(found.groups("0"), _UNITS.values(), strict=True))
    if seconds > _MAX_DURATION:
        raise ValueError
    return float(seconds)


def duration_text(seconds: float) -> str:
    """`seconds` as it is written in the configuration: 5400 is `1h30m`."""
    left, parts = int(seconds), []
    for unit, size in _UNITS.items():
        count, left = divmod(left, size)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def _at_least_a_second(text: str) -> float:
    if (seconds := _read_duration(text)) < 1:
        raise ValueError
    return seconds


def _read_size(text: str) -> int:
    found = re.fullmatch(r"([1-9][0-9]{0,8})([KMG])", text)
    if not found:
        raise ValueError
    return int(found[1]) << {"K": 10, "M": 20, "G": 30}[found[2]]


def _size_text(size: int) -> str:
    for unit, shift in (("G", 30), ("M", 20)):
        if size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return f"{size >> 10}K"


def _read_time(text: str) -> float:
    if not re.fullmatch(r"(19[7-9]|[2-9][0-9]{2})[0-9](-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){1,2}Z", text):
        raise ValueError
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC).timestamp()


def time_text(seconds: float) -> str:
    """A moment (seconds since the epoch) as it is written in the configuration."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


DURATION = Kind("a time such as `14d`, `36h`, `5m`, `15s` or `1h30m`", _read_duration, duration_text)
INTERVAL = Kind(
    "a time of one second or more, such as `14d`, `36h`, `5m`, `15s` or `1h30m`",
    _at_least_a_second,
    duration_text,
)
LEARNING: Kind[float | None] = Kind(
    "`auto`, or a time of one second or more, such as `14d`, `36h` or `1h30m`",
    lambda text: None if text == "auto" else _at_least_a_second(text),
    lambda seconds: "auto" if seconds is None else duration_text(seconds),
)
SIZE = Kind("a size such as `512M`, with K, M or G (1024 each)", _read_size, _size_text)
TIME = Kind("a moment in UTC such as `2026-12-24T18:00:00Z`", _read_time, time_text)
CLOCK = _matching("([01][0-9]|2[0-3]):[0-5][0-9]", "a time of day such as `22:00`")

# Numbers and text

_BOOLEANS = dict.fromkeys(("1", "yes", "on", "true", "enabled"), True)
_BOOLEANS |= dict.fromkeys(("0", "no", "off", "false", "disabled"), False)


def _read_word(values: dict[str, T]) -> Callable[[str], T]:
    def read(text: str) -> T:
        if text not in values:
            raise ValueError
        return values[text]

    return read


def _read_mark(text: str) -> int:
    if not re.fullmatch("0[xX][0-9a-fA-F]{1,8}|[1-9][0-9]{0,9}", text):
        raise ValueError
    mark = int(text, 0)
    if mark >= 1 << 32 or mark.bit_count() != 1:
        raise ValueError
    return mark


def _text_of_up_to(longest: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > longest or not text.isprintable():
            raise ValueError
        return text

    return read


def _read_path(text: str) -> str:
    if not text.startswith("/") or text.endswith("/") or not text.isprintable():
        raise ValueError
    return text


BOOLEAN = Kind(
    "`1` or `0` (also yes and no, on and off, true and false, enabled and disabled)",
    _read_word(_BOOLEANS),
    lambda value: "1" if value else "0",
)
FLAG = BOOLEAN._replace(absent=False)
MARK = Kind("one bit of 32, as in `0x40000000`", _read_mark, lambda mark: f"{mark:#010x}")
WORKERS = Kind(
    "`auto`, or a number from 1 to 16",
    _read_word({"auto": 0} | {str(count): count for count in range(1, 17)}),
    lambda count: str(count) if count else "auto",
)
RATE = Kind("a number from 1 to 600", _read_word({str(n): n for n in range(1, 601)}), str)
LABEL = _matching(
    "[A-Za-z0-9][A-Za-z0-9_.-]{0,31}", "a name of at most 32 letters, digits and the signs `_.-`"
)
TEXT = Kind("text of up to 200 characters on one line", _text_of_up_to(200), str, "")
PLACE = Kind("text of up to 1000 characters on one line", _text_of_up_to(1000), str, "")
PATH = Kind("the path of a file, from `/` on", _read_path, str)
URL = _matching("https?://[!-~]{1,190}", "an address that begins with `https://` or `http://`")
TOKEN = _matching("[!-~]{1,500}", "a token: ASCII without spaces")
WEB_TOKEN = _matching(
    "[A-Za-z0-9][A-Za-z0-9_.-]{0,31}:[a-z]+(,[a-z]+){0,3}:[0-9a-f]{64}",
    "`name:scopes:hash`; scopes are some of `read`, `decide`, `configure` and `metrics`, with commas between",
)
HASH = _matching(r"scrypt\$[!-~]{1,500}", "a hash that begins with `scrypt$`")

# Network

_PROTOCOLS = {protocol_name(number): number for number in range(255, -1, -1)}


def _read_mac(text: str) -> str:
    mac = text.lower().replace("-", ":")
    if not re.fullmatch("[0-9a-f]{2}(:[0-9a-f]{2}){5}", mac) or int(mac[:2], 16) & 1:
        raise ValueError
    return mac


def _read_address(text: str) -> str:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, text))
    except OSError:
        raise ValueError from None


def _read_destination(text: str) -> str:
    if text == "*":
        return text
    if "/" in text:
        return _read_prefix(text)
    try:
        return _read_address(text)
    except ValueError:
        return _read_name(text)


def _read_prefix(text: str) -> str:
    address, _, length = text.partition("/")
    if not re.fullmatch("[0-9]{1,3}", length):
        raise ValueError
    return str(ip_network(f"{_read_address(address)}/{int(length)}"))


def _read_name(text: str) -> str:
    """A name, or `*.` and a name. What only looks like a wrong address or pattern is refused."""
    below = "*." if text.startswith("*.") else ""
    try:
        name = normalise(text.removeprefix(below))
    except BadConfig:
        raise ValueError from None
    if any(sign in name for sign in "*:") or labels(name)[-1].isdigit():
        raise ValueError
    return below + name


def _read_service(text: str) -> str:
    name, slash, port = text.partition("/")
    if slash:
        _read_port(port)
    if text != "web" and (name not in _PROTOCOLS or service_of(_PROTOCOLS[name], int(port or "0")) != text):
        raise ValueError  # among them tcp/443, which is `web`; `tcp`, which has ports; icmp/8, which has not
    return text


def _read_listen(text: str) -> str:
    if text == "lan":
        return text
    host, _, port = text.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    address = _read_address(bare)
    if (":" in address) != (bare != host):
        raise ValueError
    return f"[{address}]:{_read_port(port)}" if ":" in address else f"{address}:{_read_port(port)}"


def _read_port(text: str) -> int:
    if not re.fullmatch("[1-9][0-9]{0,4}", text) or int(text) > 0xFFFF:
        raise ValueError
    return int(text)


MAC = Kind("a device's MAC address such as `3c:2e:ff:29:4d:93`", _read_mac, str)
MAC_OR_ANY = Kind(
    "a device's MAC address such as `3c:2e:ff:29:4d:93`, or `*` for every device",
    lambda text: text if text == "*" else _read_mac(text),
    str,
)
HOST = _matching(
    r"(?=[^ ]{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*",
    "a host name such as `router.lan`",
)
PREFIX = Kind("a network such as `10.8.0.0/24`", _read_prefix, str)
ADDRESS = Kind("an IPv4 or IPv6 address", _read_address, str)
NETWORK = _matching(
    "(?![.-])[A-Za-z0-9_.@:-]{1,15}", "a name of at most 15 letters, digits and the signs `_.@:-`"
)
DESTINATION = Kind(
    "a name such as `netflix.com`, all names below one as in `*.netflix.com`, an address, a prefix such as "
    "`203.0.113.0/24`, or `*` for every destination",
    _read_destination,
    str,
)
SERVICE = Kind(
    "`web` (that is tcp/80, tcp/443 and udp/443), another port such as `tcp/8883` or `udp/123`, or a "
    "protocol without ports such as `icmp`",
    _read_service,
    str,
    "",
)
LISTEN = Kind(
    "`lan`, or an address and port such as `192.168.1.1:8081` or `[fd00::1]:8081`", _read_listen, str
)
