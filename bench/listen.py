# SPDX-License-Identifier: GPL-2.0-or-later
"""Our reader of NFLOG with nobody behind it: `python -m bench.listen GROUP`. Says `ready`, and takes what
comes until it is ended. So the kernel makes its records, as it does beside the guard."""

import sys
from threading import Event

from smartrouter.linux.nflog import Log


def main() -> None:
    log = Log(int(sys.argv[1]), len)
    print("ready", flush=True)
    log.serve(Event(), lambda: None)


if __name__ == "__main__":
    main()
