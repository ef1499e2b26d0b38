# SPDX-License-Identifier: GPL-2.0-or-later
"""Three namespaces: device -- router -- internet. Gone at the end, however that comes.

The devices' wire is one for all: `send` puts frames with fifty MACs on it, and for those who want a real TCP
each device is an interface as well, `d0` to `d49`. On the Internet's side two addresses have a host; all
others lead to a machine that is not there: what goes to them arrives at the wire, is counted, and vanishes.
"""

import os
import signal
from pathlib import Path
from tempfile import mkdtemp
from types import TracebackType
from typing import NamedTuple, Self, TypeVar

from bench import home
from smartrouter.core.errors import Unavailable
from smartrouter.lab.hosts import PREFIX, Host, leftovers, remove, remove_leftovers
from smartrouter.linux import netlink, queue_stats, ruleset
from smartrouter.linux.ruleset import Plan

T = TypeVar("T")

_HOST_MAC = "02:00:00:00:01:03"
_GATEWAY, _WAN_ADDRESS, _NOBODY = "192.168.77.1", "203.0.113.1", "203.0.113.3"
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Any home's router tracks connections, for its NAT: this is what makes it do so without smartrouter.
TRACKING = """
table inet bench {
    chain forward { type filter hook forward priority filter; ct state established counter accept; }
}
"""


class Traffic(NamedTuple):
    """What an interface has received, in packets."""

    packets: int
    dropped: int


class Network:
    """See the module. `folder`: for files, gone at the end as well."""

    def __init__(self) -> None:
        self._prefix = f"{PREFIX}{os.getpid()}-0-"
        self._hosts: list[Host] = []

    def __enter__(self) -> Self:
        remove_leftovers()
        try:
            self.folder = Path(mkdtemp(prefix=self._prefix))
            self.folder.chmod(0o755)  # the guard, which is not root, has its store in it
            self.device, self.router, self.internet = map(self._host, ("device", "router", "internet"))
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End what runs in the namespaces, and remove them. A second Ctrl-C does not disturb it: it takes
        seconds at most."""
        before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING}
        try:
            for host in self._hosts:
                host.close()
            for path in leftovers(self._prefix):  # the folder; a host that was interrupted
                remove(path)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _host(self, name: str) -> Host:
        host = Host(name, self._prefix + name)
        self._hosts.append(host)
        # Nothing but what is measured is to be on the wires: no neighbour discovery, no listener reports.
        host.sysctl({"net/ipv6/conf/all/disable_ipv6": 1, "net/ipv6/conf/default/disable_ipv6": 1})
        return host

    def _build(self) -> None:
        self.router.sysctl({"net/ipv4/ip_forward": 1, "net/ipv4/conf/all/rp_filter": 0})
        device, router, internet = self.device, self.router, self.internet
        router.ip(
            f"link add lan address {home.LAN_MAC} type veth peer name out netns {device.namespace}\n"
            f"link add wan address {home.WAN_MAC} type veth"
            f" peer name wan address {_HOST_MAC} netns {internet.namespace}"
        )
        router.ip(f"""
            link set lan up
            link set wan up
            addr add {_GATEWAY}/24 dev lan
            addr add {_WAN_ADDRESS}/29 dev wan
            route add default via {_NOBODY} dev wan
            neigh add {_NOBODY} lladdr 02:00:00:00:01:ff dev wan""")
        router.ip("\n".join(f"neigh add {host} lladdr {_HOST_MAC} dev wan" for host in home.HOSTS))
        device.ip("link set out up")
        for number, (mac, address) in enumerate(zip(home.MACS, home.ADDRESSES, strict=True)):
            router.ip(f"neigh add {address} lladdr {mac} dev lan")
            device.ip(f"""
                link add d{number} link out address {mac} type macvlan mode private
                link set d{number} up
                addr add {address}/24 dev d{number}
                neigh add {_GATEWAY} lladdr {home.LAN_MAC} dev d{number}
                route add default via {_GATEWAY} dev d{number} metric {number + 1}""")
        internet.ip(f"""
            link set wan up
            neigh add {_WAN_ADDRESS} lladdr {home.WAN_MAC} dev wan""")
        internet.ip("\n".join(f"addr add {host}/29 dev wan" for host in home.HOSTS))
        internet.ip(f"route add 192.168.77.0/24 via {_WAN_ADDRESS}")

    # -- the router's rules ------------------------------------------------------------------------------

    def bare(self) -> None:
        """No packet rules at all, and no connection is tracked."""
        self.router.run(["nft", "flush", "ruleset"], check=True)

    def tracking(self) -> None:
        """No rules of ours, but those of any router that tracks connections."""
        self.bare()
        self.router.run(["nft", "-f", "-"], input=TRACKING, check=True)
        self.forget_connections()

    def guarded(self) -> None:
        """Our table, as new, with all devices watched; nobody listens yet."""
        self.bare()
        self.router.inside(ruleset.load, Plan(lan=("lan",), watched=frozenset(home.MACS)))
        self.forget_connections()

    def forget_connections(self) -> None:
        """Each connection is new from now on."""
        self.router.inside(_forget_connections)

    # -- what the kernel counted -------------------------------------------------------------------------

    def counters(self) -> dict[str, int]:
        """The ruleset's."""
        return self.router.inside(ruleset.read_counters)

    def queue(self, number: int) -> queue_stats.QueueStats:
        """How a queue of the router does. Raises Unavailable if nobody listens to it."""
        found = self.router.inside(queue_stats.read, "/proc/thread-self/net/netfilter/nfnetlink_queue")
        if number not in found:
            raise Unavailable(f"nobody listens to queue {number}")
        return found[number]

    def arrived(self) -> Traffic:
        """At the Internet's end of the wire."""
        return _traffic(self.internet, "wan")

    def came_in(self) -> Traffic:
        """At the router, from the devices."""
        return _traffic(self.router, "lan")


def _traffic(host: Host, interface: str) -> Traffic:
    lines = host.inside(Path("/proc/thread-self/net/dev").read_text).splitlines()
    words = next(line for line in lines if line.strip().startswith(f"{interface}:")).split()
    return Traffic(int(words[2]), int(words[4]))


def _forget_connections() -> None:
    """Delete all of conntrack's entries (a delete message that names none)."""
    with netlink.Netlink() as link:
        link.request(netlink.Message(_DELETE_CONNECTION, 0, 0, b"", "forgetting connections"))


_DELETE_CONNECTION = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
