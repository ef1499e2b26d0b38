# SPDX-License-Identifier: GPL-2.0-or-later
"""Which DNS servers the router itself asks, read from where Linux routers keep them.

A device that asks one of them directly asks somebody whom the router's owner trusts already.
"""

import os
import socket

_RESOLV_CONFS = (
    "/etc/resolv.conf",
    "/tmp/resolv.conf.d/resolv.conf.auto",  # noqa: S108 - where OpenWrt's netifd writes it
    "/run/systemd/resolve/resolv.conf",
)
_DNSMASQ_CONFS = ("/etc/dnsmasq.conf", "/etc/dnsmasq.d/*", "/var/etc/dnsmasq.conf.*")
_LARGEST = 1 << 20  # bytes that are read of a file


def upstreams(root: str = "/") -> frozenset[str]:
    """The resolvers' addresses, in `inet_ntop` form, without zones and without loopback.

    Files that are not there or cannot be read name nobody. `root`: the directory that they lie under.
    """
    files = [os.path.join(root, path.lstrip("/")) for path in _RESOLV_CONFS]
    found = set()
    for conf in _DNSMASQ_CONFS:
        for path in _files(os.path.join(root, conf.lstrip("/"))):
            for key, value in _options(path):
                if key == "resolv-file":
                    files.append(os.path.join(root, value.lstrip("/")))
                elif key == "server":
                    # server=[/domain/]address[#port][@interface or source], dnsmasq(8)
                    found.add(_address(value.rpartition("/")[2].partition("@")[0].partition("#")[0]))
    for path in files:
        for line in _lines(path):
            words = line.split()
            if len(words) > 1 and words[0] == "nameserver":
                found.add(_address(words[1]))
    return frozenset(address for address in found if address)


def _files(path: str) -> list[str]:
    """`path`, or what there is of `path*`, but nothing hidden."""
    if not path.endswith("*"):
        return [path]
    folder, name = os.path.split(path[:-1])
    try:
        found = sorted(os.listdir(folder))
    except OSError:
        return []
    return [os.path.join(folder, each) for each in found if each.startswith(name) and each[0] != "."]


def _address(text: str) -> str:
    """`text` in `inet_ntop` form without its zone; '' if it is no address, or one of this host's own."""
    bare = text.partition("%")[0]
    family = socket.AF_INET6 if ":" in bare else socket.AF_INET
    try:
        packed = socket.inet_pton(family, bare)
    except OSError:
        return ""
    if packed in (bytes(4), bytes(16), bytes(15) + b"\x01") or (len(packed) == 4 and packed[0] == 127):
        return ""
    return socket.inet_ntop(family, packed)


def _options(path: str) -> list[tuple[str, str]]:
    """dnsmasq's `key=value` lines; a # at the start, or after a space, begins a comment."""
    pairs = (f" {line}".partition(" #")[0].partition("=") for line in _lines(path))
    return [(key.strip(), value.strip()) for key, _, value in pairs]


def _lines(path: str) -> list[str]:
    try:
        with open(path, "rb") as file:
            return file.read(_LARGEST).decode(errors="replace").splitlines()
    except OSError:
        return []
