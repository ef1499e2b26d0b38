# SPDX-License-Identifier: GPL-2.0-or-later
"""Which slices of Python's standard library each of our packages needs: OpenWrt ships it in pieces.

    python openwrt-package/slices.py

Imports everything that a package holds, in a process where only python3-light is, adds the slice that is
missed, and begins again, until nothing is. What functions import when they are called counts, too. Libraries
that are packages of their own name what they need themselves, and are stood in for.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

FEED = Path(__file__).resolve().parent
CHECKOUT = FEED.parent
# lang/python/python3/files/python3-package-*.mk of OpenWrt's packages feed; all else is in python3-light.
SLICES = {
    "python3-asyncio": ("asyncio",),
    "python3-cgi": ("cgi",),
    "python3-cgitb": ("cgitb",),
    "python3-codecs": (
        "unicodedata", "_codecs_cn", "_codecs_hk", "_codecs_iso2022", "_codecs_jp", "_codecs_kr",
        "_codecs_tw",
    ),
    "python3-ctypes": ("ctypes", "_ctypes"),
    "python3-dbm": ("dbm", "_dbm", "_gdbm"),
    "python3-decimal": ("decimal", "_decimal"),
    "python3-distutils": ("distutils",),
    "python3-email": ("email",),
    "python3-lib2to3": ("lib2to3",),
    "python3-logging": ("logging",),
    "python3-lzma": ("lzma", "_lzma"),
    "python3-multiprocessing": ("multiprocessing", "_multiprocessing"),
    "python3-ncurses": ("curses", "_curses", "_curses_panel"),
    "python3-openssl": ("_ssl", "_hashlib"),
    "python3-pydoc": ("pydoc", "pydoc_data", "doctest"),
    "python3-readline": ("readline",),
    "python3-sqlite3": ("sqlite3", "_sqlite3"),
    "python3-unittest": ("unittest",),
    "python3-urllib": ("urllib",),
    "python3-uuid": ("uuid", "_uuid"),
    "python3-venv": ("venv",),
    "python3-webbrowser": ("webbrowser",),
    "python3-xml": ("xml", "xmlrpc", "pyexpat", "_elementtree"),
}  # fmt: skip
# What a slice's own package depends on, and so need not be named beside it.
IMPLIED = {"python3-urllib": ("python3-email",), "python3-cgi": ("python3-email",)}
# Packages of their own, by module.
EXTERNAL = (
    "anyio", "apprise", "dns", "jinja2", "markupsafe", "netfilterqueue", "paho", "publicsuffixlist",
    "pyroute2", "scapy", "slack_sdk", "starlette", "uvicorn",
)  # fmt: skip
# getaddrinfo() spells each name by a codec that needs Unicode's tables.
HIDDEN = {"socket.getaddrinfo": "encodings.idna", "socket.create_connection": "encodings.idna"}
_RECIPES = {
    "python3-netfilterqueue": ("netfilterqueue",),
    "python3-publicsuffixlist": ("publicsuffixlist",),
    "python3-slack-sdk": ("slack_sdk", "slack_sdk.errors", "slack_sdk.webhook", "slack_sdk.socket_mode"),
}
_PROBE = """
import json, sys
from importlib.machinery import ModuleSpec
from types import ModuleType
job = json.load(sys.stdin)
missing, stood_in = set(job["missing"]), set(job["stood_in"])
class Dummy(ModuleType):
    __path__ = []
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {"__init__": lambda *_, **__: None})
class Gate:
    def find_spec(self, name, path=None, target=None):
        root = name.partition(".")[0]
        if root in missing:
            raise ModuleNotFoundError(root, name=root)
        return ModuleSpec(name, self) if root in stood_in else None
    def create_module(self, spec):
        return Dummy(spec.name)
    def exec_module(self, module):
        pass
for name in [name for name in sys.modules if name.partition(".")[0] in missing]:
    del sys.modules[name]
sys.meta_path.insert(0, Gate())
sys.path += job["path"]
for name in job["modules"]:
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        print(json.dumps([name, error.name]))
        break
else:
    print("null")
"""


def packages() -> dict[str, list[Path]]:
    """The modules that each package of the recipe `smartrouter` holds."""
    text = (FEED / "smartrouter" / "Makefile").read_text()
    found = {}
    for name, spec in re.findall(r"^define Py3Package/([\w-]+)/filespec\n(.*?)^endef", text, re.M | re.S):
        files: set[Path] = set()
        for line in spec.splitlines():
            sign, _, place = line.partition("|")
            path = CHECKOUT / "smartrouter" / place.removeprefix("$(SMARTROUTER_DIR)").lstrip("/")
            below = {path} if path.suffix == ".py" else set(path.rglob("*.py"))
            files = files | below if sign == "+" else files - below
        found[name] = sorted(file for file in files if file.is_file())
    return found


def needed(package: str) -> list[str]:
    """The slices that `package` needs to name, sorted. Raises RuntimeError for a module that nobody has."""
    if package in _RECIPES:
        return _enough(list(_RECIPES[package]), [name for name in EXTERNAL if name not in _RECIPES[package]])
    files = packages()[package]
    modules = [name for name in map(_module_name, files) if not name.endswith("__main__")]
    lazily = sorted({name for file in files for name in _imports(file) if _is_of_this_python(name)})
    return _enough(modules + lazily, list(EXTERNAL))


def _enough(modules: list[str], stood_in: list[str]) -> list[str]:
    present: list[str] = []
    while True:
        missing = [name for slice_, names in SLICES.items() if slice_ not in present for name in names]
        job = {
            "modules": modules,
            "missing": missing,
            "stood_in": stood_in,
            "path": [str(CHECKOUT), *sys.path[1:]],
        }
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _PROBE], input=json.dumps(job), capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        lacks = json.loads(done.stdout.splitlines()[-1])
        if lacks is None:
            implied = {name for slice_ in present for name in IMPLIED.get(slice_, ())}
            return sorted(set(present) - implied)
        wanted = [slice_ for slice_, names in SLICES.items() if lacks[1] in names]
        if not wanted or wanted[0] in present:
            raise RuntimeError(f"{lacks[0]} imports {lacks[1]}, which no slice has")
        present += wanted


def _is_of_this_python(name: str) -> bool:
    """Has this version of Python such a module? Some are imported only where they are."""
    return name.partition(".")[0] in EXTERNAL or find_spec(name.partition(".")[0]) is not None


def _module_name(path: Path) -> str:
    parts = path.relative_to(CHECKOUT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path) -> Iterator[str]:
    """What the module imports from outside, at once or later, but for what only a type checker needs."""
    waiting: list[ast.AST] = [ast.parse(path.read_text())]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if not alias.name.startswith("smartrouter"))
        elif isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("smartrouter"):
            yield node.module or ""
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in HIDDEN:
            yield HIDDEN[ast.unparse(node)]
        waiting += ast.iter_child_nodes(node)


if __name__ == "__main__":
    for each in (*packages(), *_RECIPES):
        print(f"{each}: {' '.join(f'+{slice_}' for slice_ in needed(each))}")
