# SPDX-License-Identifier: GPL-2.0-or-later
"""The template of translations of the LuCI application, made from its sources as LuCI's own script makes it:

python tests/openwrt/template.py > openwrt-package/luci-app-smartrouter/po/templates/smartrouter.pot

Texts are those in `_('…')` of the views, and titles and descriptions of the menu and the rights.
"""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2] / "openwrt-package"
APPLICATION = ROOT / "luci-app-smartrouter"
_TEXT = re.compile(r"\b_\('((?:[^'\\]|\\.)*)'\)")
_NAMED = re.compile(r'"(?:title|description)"\s*:\s*"((?:[^"\\]|\\.)*)"')


def template() -> str:
    """The whole template."""
    places: dict[str, list[str]] = {}
    for text, place in _texts():
        places.setdefault(text, []).append(place)
    entries = ['msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n']
    for text in sorted(places):
        lines = [f"#: {place}" for place in places[text]]
        entries.append("\n".join([*lines, f'msgid "{_escaped(text)}"', 'msgstr ""', ""]))
    return "\n".join(entries)


def _texts() -> Iterator[tuple[str, str]]:
    """Each text with the place where it stands, by file and line."""
    files = [*APPLICATION.glob("htdocs/**/*.js"), *APPLICATION.glob("root/**/*.json")]
    for path in sorted(files):
        pattern = _TEXT if path.suffix == ".js" else _NAMED
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for found in pattern.finditer(line):
                yield found[1].replace("\\'", "'"), f"{path.relative_to(ROOT)}:{number}"


def _escaped(text: str) -> str:
    return text.replace('"', '\\"')


if __name__ == "__main__":
    print(template(), end="")
