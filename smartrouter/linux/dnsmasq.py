# SPDX-License-Identifier: GPL-2.0-or-later
"""dnsmasq's lease file (its lease.c, lease_update_file).

Lines of `expiry mac address host client-id`, then after a line `duid …` the DHCPv6 leases: `expiry iaid
address host client-duid`. The file is written in place: it may be read half.
"""

import re
from collections.abc import Iterator

from smartrouter.linux.lease import LONGEST_NAME, Lease, mac_of_duid

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}\Z")


def parse(text: str, at: float = 0.0) -> Iterator[Lease]:
    """The leases of a file that was written `at`; lines not understood are passed over."""
    version = 4
    for line in text.splitlines():
        fields = line.split()
        if fields[:1] == ["duid"]:
            version = 6
        elif len(fields) >= 4:
            mac, address = fields[1].lower(), fields[2]
            if version == 6:
                mac = mac_of_duid(fields[4].replace(":", "").lower()) if len(fields) > 4 else ""
            elif not _MAC.match(mac):
                continue
            if (":" in address) == (version == 6):
                hostname = "" if fields[3] == "*" else fields[3][:LONGEST_NAME]
                yield Lease(mac, address, hostname, fields[0], at)
