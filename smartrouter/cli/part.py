# SPDX-License-Identifier: GPL-2.0-or-later
"""How the supervisor starts a part: the usual command line, and should an import of it fail, the supervisor
hears which module is missing. Knows no part."""

import contextlib
import sys

from smartrouter.channel import Channel
from smartrouter.cli import main as command


def main() -> int:
    """`python -m smartrouter.cli.part PART --channel FD …`; gives the exit status."""
    try:
        return command()
    except ImportError as error:
        # A descriptor that is closed already belonged to a channel that has told the same.
        with contextlib.suppress(OSError, ValueError, IndexError):
            fd = int(sys.argv[sys.argv.index("--channel") + 1])
            with Channel(fd):
                raise error
        raise


if __name__ == "__main__":
    sys.exit(main())
