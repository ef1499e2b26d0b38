# SPDX-License-Identifier: GPL-2.0-or-later
"""From a packet to a verdict: bytes in, an event to the judge, its effects carried out.

One handler a queue, each used by one thread; they share the judge, on its bench. What must be true before
the verdict (a query's client admitted, a connection cut) is done in `judge`; all else waits in `settle`,
after the verdict went to the kernel. They know nothing of the queue's library, of processes or of
configuration files.
"""
