# SPDX-License-Identifier: GPL-2.0-or-later
"""How a part begins: `python -m smartrouter.supervisor.part PART --config PATH --run-dir DIR --channel FD`.

Not by the usual command line, which takes 3 MB and 20 ms of each process that reads one. Should an import of
the part fail, the supervisor hears which module is missing. Knows no part.
"""

import contextlib
import sys
from importlib import import_module
from types import SimpleNamespace

from smartrouter.channel import Channel, plain
from smartrouter.core.errors import SmartrouterError


def main() -> int:
    """Run the part that the arguments name; gives the exit status."""
    part, *words = sys.argv[1:]
    given = dict(zip(words[::2], words[1::2], strict=True))
    channel = int(given["--channel"])
    arguments = SimpleNamespace(
        config=given.get("--config"), run_dir=given.get("--run-dir"), channel=channel, leases=None
    )
    try:
        status: int = begin(part, arguments)
    except SmartrouterError as error:
        for line in str(error).splitlines():
            print(f"smartrouter: {plain(line)}", file=sys.stderr)
        _tell(channel, error)
        return 1
    except ImportError as error:
        _tell(channel, error)
        raise
    return status


def _tell(channel: int, error: Exception) -> None:
    """Have the supervisor know, for its status, why the part ends."""
    # A descriptor that is closed already belonged to a channel that has told the same.
    with contextlib.suppress(Exception), Channel(channel):
        raise error


def begin(part: str, arguments: SimpleNamespace) -> int:
    """Its `main`."""
    status: int = import_module(f"smartrouter.{part}.daemon").main(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
