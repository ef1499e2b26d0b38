# SPDX-License-Identifier: GPL-2.0-or-later
"""The guard's process has what it needs in memory, and no more: each of these modules was there once.

Found again, one costs as much as is said here, for good; `python -X importtime` shows who brings it in.
"""

import subprocess
import sys

import pytest

from smartrouter.linux import process

HEAVY = {
    "_hashlib": "OpenSSL, 3.5 MiB",
    "argparse": "0.3 MiB, and as much time as ten of our modules",
    "ast": "0.2 MiB; with inspect",
    "bz2": "0.1 MiB; with shutil",
    "dataclasses": "0.4 MiB with inspect, and 15 ms for the classes that it makes",
    "difflib": "only a mistake in the configuration needs it",
    "glob": "with fnmatch",
    "inspect": "0.4 MiB",
    "lzma": "0.1 MiB; with shutil",
    "pathlib": "with fnmatch and urllib",
    "random": "0.3 MiB; with tempfile",
    "shutil": "with bz2 and lzma",
    "smartrouter.cli": "the tree of all commands, 2 MiB",
    "smartrouter.config.uci": "the guard gets its share and reads no file",
    "stringprep": "with the codec `idna`, 20 ms for the public suffix list",
    "subprocess": "0.2 MiB; linux.program is enough",
    "tempfile": "with random and shutil",
    "urllib": "0.2 MiB",
}


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules of a guard that has its configuration and has read what it reads when it starts."""
    code = """if True:
        import sys
        from smartrouter.guard import daemon
        from smartrouter.config import from_text
        daemon.registrable_domain("example.com")
        daemon.ruleset.template()
        daemon.ruleset.program.run(["/bin/true"], "", 5.0)
        config = {"smartrouter": [{"device": ["br-lan"]}], "device": [], "rule": []}
        daemon.Share({"config": config, "lan": ["br-lan"], "iot": [], "upstreams": []}).settings()
        print(*sys.modules)
    """
    # Without `site`, which loads some of them where a package is installed for development.
    environment = process.environment()
    environment["PYTHONPATH"] = ":".join((process.home(), *filter(None, sys.path)))
    done = subprocess.run([sys.executable, "-S", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.parametrize("module", HEAVY)
def test_the_guard_does_without(module: str, loaded: set[str]) -> None:
    assert "smartrouter.guard.wiring" in loaded
    assert module not in loaded, HEAVY[module]
