# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m smartrouter` is the command `smartrouter`."""

import sys

from smartrouter.cli import main

sys.exit(main())
