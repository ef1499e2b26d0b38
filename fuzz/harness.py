# SPDX-License-Identifier: GPL-2.0-or-later
"""One target under atheris: `python -m fuzz.harness TARGET [libFuzzer's options] [corpus…]`. oss-fuzz makes a
program of each target that calls `main` (see oss-fuzz/build.sh).
"""

import sys

import atheris


def main(name: str) -> None:
    """Fuzz until libFuzzer ends it; does not come back."""
    with atheris.instrument_imports(include=["smartrouter"]):
        from fuzz.targets import once

    atheris.Setup(sys.argv, lambda data: once(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv.pop(1))
