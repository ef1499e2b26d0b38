# SPDX-License-Identifier: GPL-2.0-or-later
"""Which parts of smartrouter are installed here. OpenWrt has each in a package of its own, so that a small
router can do with the guard alone. Imports nothing of what it looks for.
"""

import os

import smartrouter

# By module, in the order in which a name is looked up: the longest first.
PACKAGES = {
    "smartrouter.cli.classify": "smartrouter-analyzer",
    "smartrouter.cli.digest": "smartrouter-analyzer",
    "smartrouter.listings.digest": "smartrouter-analyzer",
    "smartrouter.analyzer": "smartrouter-analyzer",
    "smartrouter.evaluate": "smartrouter-tools",
    "smartrouter.lab": "smartrouter-tools",
    "smartrouter.replay": "smartrouter-tools",
    "smartrouter.makers": "smartrouter-analyzer",
    "smartrouter.web": "smartrouter-web",
}
LACKS = {
    "analyzer": "no device is found by itself, but on an `iot_network`; nothing is looked up, sent, or "
    "written to the alert file",
}
"""What does not happen without a part."""


def is_installed(part: str) -> bool:
    """Is the part of this name there? As its source, or compiled alone, as on a router."""
    return any(
        os.path.isfile(os.path.join(folder, part, f"__init__.{kind}"))
        for folder in smartrouter.__path__
        for kind in ("py", "pyc")
    )


def absent() -> tuple[str, ...]:
    """The parts that one could miss and that are not there."""
    return tuple(part for part in LACKS if not is_installed(part))


def what_is_missing(module: str) -> str:
    """In words, what to install for `module`, which could not be found."""
    for name, package in PACKAGES.items():
        if module == name or module.startswith(f"{name}."):
            return f"this needs a part of smartrouter that is not installed: install the package {package}"
    return f"this needs the Python module {module}, which is not installed"
