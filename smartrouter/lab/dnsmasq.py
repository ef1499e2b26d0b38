# SPDX-License-Identifier: GPL-2.0-or-later
"""The lab's dnsmasqs, all real: the Internet's resolver, the router's DHCP, RA and DNS server, and that of a
device which answers the others' questions."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_interface
from pathlib import Path
from time import monotonic, sleep

from smartrouter.lab.hosts import Host
from smartrouter.lab.plan import RESOLVER4, RESOLVERS, Lan

Names = Mapping[str, Sequence[str]]  # name -> addresses, or one other name: a CNAME
_TTL = 300  # seconds


def serve_internet(host: Host, config: Path, names: Names) -> None:
    """Answer `names` at RESOLVERS, backwards too, and say NXDOMAIN to all else."""
    options = ["bind-interfaces", "address=/#/", f"local-ttl={_TTL}"]
    options += [f"listen-address={address}" for address in RESOLVERS]
    for name, targets in names.items():
        if all(map(_is_address, targets)):
            options += [f"host-record={name},{address}" for address in targets]
        else:
            options += [f"cname={name},{target},{_TTL}" for target in targets]
    _start(host, config, options)
    _wait_for(host, RESOLVER4)


def serve_home(
    host: Host, config: Path, lan: Lan, upstream: str, leases: Path, options: Sequence[str] = ()
) -> None:
    """Be the DHCP, RA and DNS server of `lan`, asking `upstream`; `options`: more lines of configuration."""
    network = ip_interface(lan.ipv4).network
    own = [
        "bind-dynamic",
        f"interface={lan.bridge}",
        f"server={upstream}",
        "domain=lan",
        "local=/lan/",
        "dhcp-authoritative",
        "no-ping",
        f"dhcp-leasefile={leases}",
        f"dhcp-range={network[100]},{network[200]},12h",
        f"dhcp-range=::,constructor:{lan.bridge},slaac,64,12h",
        "enable-ra",
    ]
    _start(host, config, [*own, *options])
    _wait_for(host, "127.0.0.1")


def serve_neighbours(host: Host, config: Path, upstream: str) -> None:
    """Be a resolver for whoever asks, asking `upstream`, as a Pi-hole is."""
    _start(host, config, ["bind-dynamic", f"server={upstream}", "no-negcache"])
    _wait_for(host, "127.0.0.1")


def _start(host: Host, config: Path, options: Sequence[str]) -> None:
    """Run dnsmasq with `options`, the lines of its configuration file, logging beside that file."""
    always = ["no-resolv", "no-hosts", "user=root", "group=root", "pid-file=", "port=53"]
    config.write_text("\n".join([*always, *options, ""]))
    with config.with_suffix(".log").open("a") as log:
        host.popen(
            ["dnsmasq", "--keep-in-foreground", "--log-facility=-", f"--conf-file={config}"],
            stdout=log,
            stderr=log,
        )


def _wait_for(host: Host, server: str, timeout: float = 20.0) -> None:
    end = monotonic() + timeout
    while monotonic() < end:
        if host.resolve("lab-is-up.lan", server=server, timeout=0.2).status.isupper():
            return
        sleep(0.02)
    raise RuntimeError(f"dnsmasq in {host.name} did not answer within {timeout:.0f} s: see its log")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
