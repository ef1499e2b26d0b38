# SPDX-License-Identifier: GPL-2.0-or-later
"""Domain names as text: what belongs to whom, and what no public name server may speak for.

A name is lower case, RFC 1035 presentation form, without the final dot: a label may hold anything, so what
is not a plain character is escaped (`\\.` is a dot *inside* a label, `\\032` a space). Nothing here may
split a name at a dot without looking for the backslash before it. Knows no resolver and no address.

The public suffix list is read at the first call of `registrable_domain` (12 ms, 0.7 MB): a process that
judges packets calls it once before it starts, one that never groups names never pays.
"""

from functools import lru_cache
from re import compile as regex

from smartrouter.core.errors import BadConfig
from smartrouter.core.suffixes import MOST_LABELS, public_labels

_MAX_NAME, _MAX_LABEL = 253, 63  # characters without the final dot, RFC 1035 section 2.3.4

_LABEL = regex(r"(?:\\(?:[0-9]{3}|.)|[^.\\])+")
_ESCAPE = regex(r"\\(?:[0-9]{3}|.)")
_HOST_LABEL = regex(r"[a-z0-9_-]+")
# A label in presentation form: printable, the special characters escaped, the rest (and a space) as decimals.
_SPELT = regex(
    r"(?:[!#%&'*+,\-/0-9:<=>?\[\]^_`a-z{|}~]"
    r'|\\[".();\\@$]'
    r"|\\(?:0[0-2][0-9]|03[0-2]|12[7-9]|1[3-9][0-9]|2[0-4][0-9]|25[0-5]))+"
)

# Names for use inside one network: the root zone will never hold them, or RFC 6762 appendix G found them in
# use there. A router's answer about them is the only one there is. `fritz.box` is public by now, but some
# ten million routers call their own network so.
_LOCAL = {
    "local", "localdomain", "lan", "home", "internal", "intranet", "private", "corp",
    "home.arpa", "fritz.box",
}  # fmt: skip
# https://www.iana.org/assignments/special-use-domain-names, and `internal` by ICANN's word of 2024. `example`
# is left out: on purpose it may be used like any other name, in documents and in laboratories.
_SPECIAL_USE = {"alt", "arpa", "internal", "invalid", "local", "localhost", "onion", "test"}


def labels(name: str) -> list[str]:
    """The labels of `name`, first one first, escapes kept; [] for the root."""
    if "\\" in name:
        return _LABEL.findall(name)
    return name.split(".") if name else []


def is_below(name: str, ancestor: str) -> bool:
    """Is `name` a name below `ancestor` (not `ancestor` itself)?"""
    if not ancestor:
        return bool(name)
    if not name.endswith("." + ancestor):
        return False
    before = name[: -len(ancestor) - 1]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 0  # else that dot is inside a label


def is_local(name: str) -> bool:
    """Is `name` one that only the local network's own resolver can speak for? A single label is."""
    parts = labels(name)
    return len(parts) == 1 or ".".join(parts[-1:]) in _LOCAL or ".".join(parts[-2:]) in _LOCAL


def is_special_use(name: str) -> bool:
    """Does `name` lie where public DNS has nothing to say (RFC 6761 and its registry)? Not `example`."""
    parts = labels(name)
    return bool(parts) and parts[-1] in _SPECIAL_USE


@lru_cache(maxsize=2048)
def registrable_domain(name: str) -> str:
    """What somebody registered of `name`, by the public suffix list with its private part: of
    `a.b.example.co.uk` the end `example.co.uk`, of `d1.cloudfront.net` all. A public suffix, or a name
    without a dot, is its own group."""
    parts = labels(name)
    # The list knows host names only; any other label is like one that no rule names.
    public = public_labels([part if _HOST_LABEL.fullmatch(part) else "-" for part in parts[-MOST_LABELS:]])
    return ".".join(parts[-public - 1 :]) if len(parts) > public else name


def normalise(text: str) -> str:
    """The name that a person means by `text`: any case, with or without the final dot, in any script (IDNA),
    escapes as this product prints them. Raises BadConfig if it is no name, or looks like something else."""
    refused = f"{text[:80]!r} is not a domain name"
    name = text.strip().lower()
    if not name.isascii() and len(name) <= _MAX_NAME:
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise BadConfig(f"{refused}: {error}; write it as example.com") from None
    parts = _LABEL.findall(name)
    spelt = ".".join(parts)
    # A slash or a number at the end may stand in a name, but then it is an URL, a prefix or an address that
    # somebody meant.
    is_meant = parts and "/" not in name and not parts[-1].isdigit()
    if not is_meant or name not in (spelt, spelt + ".") or not all(map(_SPELT.fullmatch, parts)):
        raise BadConfig(f"{refused}; write it as example.com")
    bare = _ESCAPE.sub("x", spelt)
    if len(bare) > _MAX_NAME or max(map(len, bare.split("."))) > _MAX_LABEL:
        raise BadConfig(
            f"{refused}: it may have {_MAX_NAME} characters at most, and {_MAX_LABEL} between two dots"
        )
    return spelt
