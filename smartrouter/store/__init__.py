# SPDX-License-Identifier: GPL-2.0-or-later
"""What is kept: SQLite, one file, one writer's thread in the guard, readers wherever they are needed.

`schema` the tables; `files` the file and who may touch it; `connect` connections; `pending`, `batch`,
`alert_rows`, `labels` and `writer` from effects to rows; `queries`, `alerts` and `attempts` what can be
asked; `changes` what others than the guard write; `retention` what goes again. Knows the core's values,
nothing of packets, the network or configuration.
"""

from smartrouter.store.connect import open_reader, open_writer

__all__ = ["open_reader", "open_writer"]
