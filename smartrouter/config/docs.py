# SPDX-License-Identifier: GPL-2.0-or-later
"""The reference of the configuration, made from the table of options:

python -m smartrouter.config.docs > docs/uci.md
"""

from smartrouter.config.options import Option, Section, options_of
from smartrouter.config.sections import SECTIONS

_INTRODUCTION = """\
# The configuration

<!-- Made by `python -m smartrouter.config.docs > docs/uci.md`; changes here do not last. -->

Everything that you decide stands in one file, `/etc/config/smartrouter`, in the format of OpenWrt's UCI, on
every Linux. An example:

```
config smartrouter 'main'
	option mode 'monitor'
	list network 'lan'

config device
	option mac '3c:2e:ff:29:4d:93'
	option name 'Living-room TV'
	option mode 'enforce'

config rule
	option device '3c:2e:ff:29:4d:93'
	option destination 'netflix.com'
	option service 'web'
	option action 'allow'
```

- `option` has one value. `list` may be repeated; each gives one value more.
- What you leave out has its default.
- After a change by hand or with `uci`: `service smartrouter reload`, or SIGHUP to `smartrouter run`. The
  file is taken whole or not at all. If anything in it is wrong, the running configuration stays, and you are
  told of every fault: file, section, option, what was found and what is allowed. A name that does not exist
  is a fault too.
- The commands `allow`, `deny` and `mode` write to this file. Where the `uci` command exists they write
  through it, and `uci` keeps no comments; elsewhere comments stay.
- The file may hold secrets: keep it readable to root alone (mode 0600).
"""


def reference() -> str:
    """The whole text of docs/uci.md."""
    return _INTRODUCTION + "".join(_section(name, section) for name, section in SECTIONS.items())


def _section(name: str, section: type[Section]) -> str:
    called = " 'main'" if name == "smartrouter" else ""
    rows = [f"\n## `config {name}{called}`\n\n{_one_line(section.__doc__ or '')}\n"]
    rows += ["\n| option | default | meaning | allowed |", "\n|---|---|---|---|"]
    rows += [_row(option) for option in options_of(section)]
    return "".join(rows) + "\n"


def _row(option: Option) -> str:
    keyword = "list" if option.many else "option"
    default = f"`{option.default}`" if option.default else "required" if option.required else "none"
    cells = (f"`{keyword} {option.name}`", default, option.doc, option.kind.allowed)
    return "\n| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _one_line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    print(reference(), end="")
