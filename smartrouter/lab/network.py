# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's wires: a router with a LAN bridge, an Internet behind it, and devices on the bridge.

    with Network() as network:
        camera = network.add_device("camera", mac="02:00:00:00:00:01")
        camera.connect("203.0.113.7", 443)
        network.router.run(["nft", "list", "ruleset"])

Everything lives in namespaces called `sr-<pid>-<number>-<name>` and ends with the `with` block, also on an
exception, SIGINT, SIGTERM or SIGHUP; what a killed lab left behind goes when the next one starts.
"""

import itertools
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_interface
from math import inf
from pathlib import Path
from time import monotonic, sleep
from types import FrameType, TracebackType
from typing import Any, Self, TypeAlias

from smartrouter.core.errors import Unavailable
from smartrouter.lab import dhcp
from smartrouter.lab.dnsmasq import Names, serve_home, serve_internet
from smartrouter.lab.hosts import PREFIX, Host, command, leftovers, obstacle, remove, remove_leftovers
from smartrouter.lab.internet import Servers
from smartrouter.lab.plan import (
    HOME,
    NETWORK6,
    NETWORKS4,
    RESOLVER4,
    RESOLVERS,
    WAN_INTERNET,
    WAN_PREFIX4,
    WAN_PREFIX6,
    WAN_ROUTER,
    Lan,
    Way,
)

_LABS = itertools.count(1)
_Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None
_ENDING: dict[signal.Signals, _Handler] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
    signal.SIGHUP: signal.SIG_DFL,
}  # the signals that end a lab, and what they usually do

# A router tracks connections whether or not smartrouter runs; a `ct` expression is what turns it on.
_FIREWALL = """
table inet lab {
    chain forward { type filter hook forward priority filter; ct state established counter accept; }
    %s
}
"""
_MASQUERADE = 'chain out { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }'


class Network:
    """The whole lab. `router`, `internet`: its two fixed hosts; `servers`: the Internet's; `folder`: files.

    `names`: what the outside resolver answers, `{name: [address, …]}` or `{name: [other name]}` for a
    CNAME. `masquerade`: the router hides the LAN behind its own WAN address (IPv4 and IPv6).
    """

    def __init__(self, names: Names | None = None, masquerade: bool = False) -> None:
        self.hosts: dict[str, Host] = {}
        self._lan_of: dict[str, Lan] = {}  # device -> where it is
        self._names = dict(names or {})
        self._masquerade = masquerade
        self._prefix = f"{PREFIX}{os.getpid()}-{next(_LABS)}-"
        self._numbers = itertools.count(10)
        self._caught: dict[signal.Signals, _Handler] = {}
        self._stopped_at = -inf
        self._is_making = False
        self._waiting: signal.Signals | None = None

    # -- beginning and end -----------------------------------------------------------------------------

    def __enter__(self) -> Self:
        if why := obstacle():
            raise Unavailable(why)
        self._catch_signals()
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=self._prefix))
            self.folder.chmod(0o755)  # smartrouter's unprivileged parts have files in it
            self.lease_folder = self.folder / "leases"
            self.lease_folder.mkdir()
            remove_leftovers()
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
        """End and remove everything. A second Ctrl-C does not disturb it: it takes seconds at most."""
        before = self._deafen()
        try:
            for host in reversed(self.hosts.values()):
                host.end_processes()
            if servers := getattr(self, "servers", None):
                servers.close()
            for host in self.hosts.values():
                host.close()
            for path in self.leftovers():  # its folder, and a host that was interrupted while it was made
                remove(path)
        finally:
            self.hosts.clear()
            for number, handler in before.items():
                signal.signal(number, handler)

    def leftovers(self) -> list[Path]:
        """What is left of this lab on the system: nothing, once it is closed."""
        return leftovers(self._prefix)

    def _catch_signals(self) -> None:
        """SIGTERM and SIGHUP end a lab as Ctrl-C does, unless somebody already cares for them."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number, usual in _ENDING.items():
            if signal.getsignal(number) == usual:
                self._caught[number] = usual
                signal.signal(number, self._stop)

    def _stop(self, number: int, _: FrameType | None) -> None:
        """Interrupt, once: who presses Ctrl-C twice must not interrupt the cleaning up that is to follow."""
        if self._is_making:
            self._waiting = signal.Signals(number)
            return
        last, self._stopped_at = self._stopped_at, monotonic()
        if self._stopped_at - last > 1.0:
            raise KeyboardInterrupt(signal.Signals(number).name)

    @contextmanager
    def _uninterrupted(self) -> Iterator[None]:
        """A signal waits until what is made here is there: a program that has just begun to make it would
        go on after all had been removed."""
        self._is_making = True
        try:
            yield
        finally:
            self._is_making = False
        number, self._waiting = self._waiting, None
        if number is not None:
            self._stop(number, None)

    def _deafen(self) -> dict[signal.Signals, _Handler]:
        """Ignore the signals that end a lab; gives what to set them to afterwards."""
        if threading.current_thread() is not threading.main_thread():
            return {}
        return {number: signal.signal(number, signal.SIG_IGN) for number in _ENDING} | self._caught

    # -- building --------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.internet = self.add_host("internet")
        self.router = self.add_host("router")
        self._build_router()
        self._build_internet()
        self.add_lan(HOME)

    def add_host(self, name: str) -> Host:
        """A machine without any wire."""
        if name in self.hosts:
            raise ValueError(f"the lab has a host {name!r} already")
        with self._uninterrupted():
            host = self.hosts[name] = Host(name, self._prefix + name)
        return host

    def _build_router(self) -> None:
        router = self.router
        router.sysctl(
            {
                "net/ipv4/ip_forward": 1,
                "net/ipv6/conf/all/forwarding": 1,
                "net/ipv4/conf/all/rp_filter": 2,  # loose: forged sources are for smartrouter to see
                "net/ipv4/conf/default/rp_filter": 2,
            }
        )
        router.ip(
            f"link add wan address {WAN_ROUTER.mac} type veth"
            f" peer name wan address {WAN_INTERNET.mac} netns {self.internet.namespace}"
        )
        router.ip(f"""
            addr add {WAN_ROUTER.ipv4}/{WAN_PREFIX4} dev wan
            addr add {WAN_ROUTER.ipv6}/{WAN_PREFIX6} dev wan nodad
            link set wan up
            neigh add {WAN_INTERNET.ipv4} lladdr {WAN_INTERNET.mac} dev wan
            neigh add {WAN_INTERNET.ipv6} lladdr {WAN_INTERNET.mac} dev wan
            route add default via {WAN_INTERNET.ipv4}
            route add default via {WAN_INTERNET.ipv6}""")
        command(
            ["ip", "netns", "exec", router.namespace, "nft", "-f", "-"],
            input=_FIREWALL % (_MASQUERADE if self._masquerade else ""),
        )
        router.set_resolver("127.0.0.1")

    def _build_internet(self) -> None:
        internet = self.internet
        internet.sysctl({"net/ipv4/ip_nonlocal_bind": 1, "net/ipv6/ip_nonlocal_bind": 1})
        internet.ip(f"""
            addr add {WAN_INTERNET.ipv4}/{WAN_PREFIX4} dev wan
            addr add {WAN_INTERNET.ipv6}/{WAN_PREFIX6} dev wan nodad
            link set wan up
            neigh add {WAN_ROUTER.ipv4} lladdr {WAN_ROUTER.mac} dev wan
            neigh add {WAN_ROUTER.ipv6} lladdr {WAN_ROUTER.mac} dev wan""")
        # "AnyIP": every address of a local route is ours, without putting each on an interface.
        internet.ip("\n".join(f"route add local {network} dev lo" for network in (*NETWORKS4, NETWORK6)))
        internet.ip("\n".join(f"addr add {address} dev lo" for address in RESOLVERS))
        self.servers = Servers(internet)
        serve_internet(internet, self.folder / "internet.conf", self._names)

    def add_lan(self, lan: Lan) -> None:
        """A bridge of the router, with the router's addresses on it, known to the Internet."""
        self.router.ip(f"""
            link add {lan.bridge} address {lan.mac} type bridge
            link set {lan.bridge} type bridge forward_delay 0 mcast_snooping 0
            addr add {lan.ipv4} dev {lan.bridge}
            addr add {lan.ipv6} dev {lan.bridge} nodad
            link set {lan.bridge} up""")
        if not self._masquerade:
            self.internet.ip(f"""
                route add {ip_interface(lan.ipv4).network} via {WAN_ROUTER.ipv4}
                route add {ip_interface(lan.ipv6).network} via {WAN_ROUTER.ipv6}""")

    def add_device(
        self,
        name: str,
        mac: str = "",
        ipv4: str = "",
        ipv6: str = "",
        lan: Lan = HOME,
        addresses: bool = True,
    ) -> Host:
        """A device on `lan`, `eth0` inside. MAC and addresses are chosen unless given.

        Without `addresses` it has none but its link-local one, until `lease` or the router's
        advertisements give it some.
        """
        number = next(self._numbers)
        device = self.add_host(name)
        device.mac = mac or f"02:00:00:00:77:{number:02x}"
        device.resolver = lan.router4
        self._lan_of[name] = lan
        router = f"{name[:10]}-{number}"
        device.ip(
            f"link add eth0 address {device.mac} type veth peer name {router} netns {self.router.namespace}"
        )
        self.router.ip(f"link set {router} master {lan.bridge} up")
        if addresses:
            self._give_addresses(device, lan, ipv4, ipv6, number)
        else:
            device.sysctl({"net/ipv6/conf/eth0/router_solicitation_delay": 0})
            device.ip("link set eth0 up")
        return device

    def _give_addresses(self, device: Host, lan: Lan, ipv4: str, ipv6: str, number: int) -> None:
        at4, at6 = ip_interface(lan.ipv4), ip_interface(lan.ipv6)
        device.ipv4 = ipv4 or str(at4.network[number])
        device.ipv6 = ipv6 or str(at6.network[number])
        device.sysctl({"net/ipv6/conf/eth0/accept_ra": 0})
        device.ip(f"""
            addr add {device.ipv4}/{at4.network.prefixlen} dev eth0
            addr add {device.ipv6}/{at6.network.prefixlen} dev eth0 nodad
            link set eth0 up
            route add default via {lan.router4}
            route add default via {lan.router6}""")
        device.set_resolver(lan.router4)

    # -- ways for odd packets --------------------------------------------------------------------------

    def way_out(self, device: Host, destination: str, source: str = "") -> Way:
        """From `device` to `destination`; `source` (forged) instead of the device's own address."""
        own = device.ipv6 if ":" in destination else device.ipv4
        return Way(device.mac, self._lan_of[device.name].mac, source or own, destination)

    def way_in(self, source: str, device: Host) -> Way:
        """From `source` to `device`, for frames on the Internet's `wan`."""
        own = device.ipv6 if ":" in source else device.ipv4
        return Way(WAN_INTERNET.mac, WAN_ROUTER.mac, source, own)

    # -- what a router does for its LAN ----------------------------------------------------------------

    def start_router_dnsmasq(
        self, upstream: str = RESOLVER4, options: Sequence[str] = (), lan: Lan = HOME
    ) -> Path:
        """dnsmasq as the router's DHCP, RA and DNS server on `lan`; gives its lease file."""
        leases = self.lease_folder / "dnsmasq.leases"
        serve_home(self.router, self.folder / "router.conf", lan, upstream, leases, options)
        return leases

    def lease(
        self,
        device: Host,
        hostname: str | None = None,
        vendor: str = "udhcp 1.36.1",
        wanted: Sequence[int] = dhcp.WANTED,
    ) -> dhcp.Lease:
        """Let `device` get its IPv4 address by DHCP, and its IPv6 address by router advertisement. `hostname`
        None: its name in the lab; '': it says none. `vendor`, `wanted`: DHCP's options 60 and 55."""
        sock = device.new_socket(*dhcp.SOCKET)
        with sock:
            name = device.name if hostname is None else hostname
            lease = dhcp.obtain(sock, "eth0", device.mac, name, vendor, wanted)
        device.ip(f"addr add {lease.address}/{lease.prefix} dev eth0\nroute add default via {lease.router}")
        device.ipv4 = lease.address
        device.set_resolver(lease.resolver)
        device.ipv6 = _advertised_address(device)
        return lease


def _advertised_address(device: Host, timeout: float = 20.0) -> str:
    """The address that `device` made for itself from a router advertisement."""
    end = monotonic() + timeout
    while monotonic() < end:
        for line in command(
            ["ip", "-n", device.namespace, "-6", "-o", "addr", "show", "scope", "global"]
        ).splitlines():
            return line.split()[3].partition("/")[0]
        sleep(0.05)
    raise TimeoutError(f"no router advertisement reached {device.name}")
