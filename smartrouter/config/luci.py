# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of options as LuCI's settings page takes it, in its own language and with its translations:

python -m smartrouter.config.luci > openwrt-package/…/resources/smartrouter/options.js

A pattern here keeps a person from most mistakes while they type, and never from what is right; the last word
is the reader's.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from smartrouter.config import options as kinds
from smartrouter.config.options import Kind, Option, Section, options_of
from smartrouter.config.sections import SECTIONS

_TITLES = {
    "smartrouter": "smartrouter",
    "device": "Devices",
    "rule": "Rules",
    "notify": "Channels",
    "web": "Web interface of its own",
}
_UPPER = {"dns": "DNS", "iot": "IoT", "mac": "MAC", "tls": "TLS", "url": "URL"}

_SPAN = "(?=.*[0-9])" + "".join(f"(?:[0-9]{{1,9}}{unit})?" for unit in "dhms")
_INTERVAL = f"(?=.*[1-9]){_SPAN}"
_MAC = "[0-9a-fA-F][02468aceACE](?:[:-][0-9a-fA-F]{2}){5}"
_ADDRESS = "[0-9]{1,3}(?:[.][0-9]{1,3}){3}|[0-9a-fA-F.]*:[0-9a-fA-F:.]+"
_NAME = "(?:[*][.])?[^\\s\\/:*]{1,253}"
_PATTERNS: Mapping[Kind[Any], str] = {
    kinds.DURATION: _SPAN,
    kinds.INTERVAL: _INTERVAL,
    kinds.LEARNING: f"auto|{_INTERVAL}",
    kinds.SIZE: "[1-9][0-9]{0,8}[KMG]",
    kinds.TIME: "(?:19[7-9]|[2-9][0-9]{2})[0-9](?:-[0-9]{2}){2}T[0-9]{2}(?::[0-9]{2}){1,2}Z",
    kinds.CLOCK: "(?:[01][0-9]|2[0-3]):[0-5][0-9]",
    kinds.MARK: "(?=.{3,10}$)0[xX]0*[1248]0*|[1-9][0-9]{0,9}",
    kinds.WORKERS: "auto|[1-9]|1[0-6]",
    kinds.RATE: "[1-9][0-9]?|[1-5][0-9]{2}|600",
    kinds.LABEL: "[A-Za-z0-9][A-Za-z0-9_.\\-]{0,31}",
    kinds.TEXT: ".{0,200}",
    kinds.PLACE: ".{0,1000}",
    kinds.PATH: "\\/.*[^\\/]",
    kinds.URL: "https?:\\/\\/[!-~]{1,190}",
    kinds.TOKEN: "[!-~]{1,500}",
    kinds.HASH: "scrypt[$][!-~]{1,500}",
    kinds.MAC: _MAC,
    kinds.MAC_OR_ANY: f"[*]|{_MAC}",
    kinds.ADDRESS: _ADDRESS,
    kinds.NETWORK: "(?![.\\-])[A-Za-z0-9_.@:\\-]{1,15}",
    kinds.DESTINATION: f"[*]|{_NAME}|(?:{_ADDRESS})(?:\\/[0-9]{{1,3}})?",
    kinds.SERVICE: "web|[a-z0-9][a-z0-9.\\-]*(?:\\/[1-9][0-9]{0,4})?",
    kinds.LISTEN: "lan|.+:[1-9][0-9]{0,4}",
    kinds.HOST: "[A-Za-z0-9](?:[A-Za-z0-9.\\-]{0,252})",
    kinds.PREFIX: f"(?:{_ADDRESS})(?:\\/[0-9]{{1,3}})?",
    kinds.WEB_TOKEN: "[A-Za-z0-9][A-Za-z0-9_.\\-]{0,31}:[a-z]+(?:,[a-z]+){0,3}:[0-9a-f]{64}",
}
_WORDS = re.compile(r"`[a-z0-9]+`(?:, `[a-z0-9]+`)* or `[a-z0-9]+`")
_HEAD = """\
'use strict';
'require baseclass';

/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Every option of /etc/config/smartrouter. Made by `make docs` from the product's own table; changes here do
 * not last.
 */

return baseclass.extend({
"""


def page() -> str:
    """The whole text of resources/smartrouter/options.js."""
    sections = ",\n".join(_section(name, section) for name, section in SECTIONS.items())
    return f"{_HEAD}\tsections: [\n{sections}\n\t]\n}});\n"


def pattern_of(option: Option) -> str:
    """A regular expression that whatever may be written matches; '' where one chooses from a list."""
    return "" if _widget(option) in ("flag", "choice") else _PATTERNS[option.kind]


def _section(name: str, section: type[Section]) -> str:
    options = ",\n".join(_option(option) for option in options_of(section))
    help_text = " ".join((section.__doc__ or "").split())
    facts = f"type: {_text(name)}, title: {_translated(_TITLES[name])},\n\t\t\thelp: {_translated(help_text)}"
    return f"\t\t{{\n\t\t\t{facts},\n\t\t\toptions: [\n{options}\n\t\t\t]\n\t\t}}"


def _option(option: Option) -> str:
    widget = _widget(option)
    facts = [
        f"name: {_text(option.name)}, title: {_translated(_title(option.name))}, widget: {_text(widget)}, "
        f"default: {_text(option.default)}, required: {json.dumps(option.required)}",
        f"help: {_translated(option.doc)}",
    ]
    if widget == "choice":
        facts.append(f"values: {json.dumps(_choices(option.kind))}".replace('"', "'"))
    elif widget != "flag":
        facts.append(f"pattern: {_text(pattern_of(option))}")
        facts.append(f"allowed: {_translated(option.kind.allowed)}")
    body = ",\n\t\t\t\t\t".join(facts)
    return f"\t\t\t\t{{\n\t\t\t\t\t{body}\n\t\t\t\t}}"


def _widget(option: Option) -> str:
    if option.secret:
        return "secret"
    if option.many:
        return "list"
    if option.kind.allowed == kinds.BOOLEAN.allowed:
        return "flag"
    return "choice" if _choices(option.kind) else "value"


def _choices(kind: Kind[Any]) -> list[str]:
    """The words that a kind consists of; none if it is one of another sort."""
    return re.findall("`([a-z0-9]+)`", kind.allowed) if _WORDS.fullmatch(kind.allowed) else []


def _title(name: str) -> str:
    words = [_UPPER.get(word, word) for word in name.split("_")]
    return " ".join([words[0][0].upper() + words[0][1:], *words[1:]])


def _text(text: str) -> str:
    """`text` in JavaScript."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _translated(text: str) -> str:
    return f"_({_text(text)})"


if __name__ == "__main__":
    print(page(), end="")
