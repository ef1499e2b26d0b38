# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages of rtnetlink as pyroute2 reads them, as far as we look at them."""

from typing import Any

LO, WAN, BRIDGE, PORT, PORT2, VLAN = 1, 2, 3, 4, 5, 6
NAMES = {WAN: "eth0", BRIDGE: "br-lan", PORT: "lan1", PORT2: "lan2", VLAN: "br-lan.10"}
REACHABLE, STALE, FAILED, INCOMPLETE, NOARP, PERMANENT = 0x02, 0x04, 0x20, 0x01, 0x40, 0x80
UP = 0x1 | 0x10000


def attrs(**given: Any) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in given.items() if value is not None]


def link(
    number: int, name: str = "", mac: str = "", event: str = "RTM_NEWLINK", **more: Any
) -> dict[str, Any]:
    kind, data = more.get("kind"), more.get("data")
    info = {"attrs": attrs(IFLA_INFO_KIND=kind, IFLA_INFO_DATA=data)} if kind else None
    return {
        "event": event,
        "family": more.get("family", 0),
        "index": number,
        "flags": more.get("flags", UP),
        "attrs": attrs(
            IFLA_IFNAME=name or NAMES[number], IFLA_ADDRESS=mac or f"02:00:00:00:00:{number:02x}",
            IFLA_LINKINFO=info, IFLA_MASTER=more.get("master"), IFLA_LINK=more.get("parent"),
            IFLA_LINK_NETNSID=more.get("elsewhere"),
        ),
    }  # fmt: skip


def vlan(number: int, parent: int, ident: int) -> dict[str, Any]:
    return link(number, kind="vlan", parent=parent, data={"attrs": attrs(IFLA_VLAN_ID=ident)})


def address(number: int, text: str, length: int, event: str = "RTM_NEWADDR", **more: Any) -> dict[str, Any]:
    return {
        "event": event,
        "index": number,
        "prefixlen": length,
        "attrs": attrs(IFA_ADDRESS=text, IFA_LOCAL=more.get("local")),
    }


def neigh(
    number: int,
    dst: str | None,
    mac: str | None,
    state: int = REACHABLE,
    event: str = "RTM_NEWNEIGH",
    **more: Any,
) -> dict[str, Any]:
    times = {"ndm_confirmed": more.get("confirmed", 0), "ndm_updated": more.get("updated", 0)}
    cache = None if more.get("timeless") else times
    return {
        "event": event,
        "family": more.get("family", 2),
        "ifindex": number,
        "state": state,
        "attrs": attrs(
            NDA_DST=dst, NDA_LLADDR=mac, NDA_CACHEINFO=cache, NDA_MASTER=more.get("master"),
            NDA_VLAN=more.get("vlan"),
        ),
    }  # fmt: skip


def home() -> list[dict[str, Any]]:
    """A router: eth0 to the outside, a bridge of two ports, a VLAN on the bridge."""
    return [
        link(LO, "lo", "00:00:00:00:00:00"),
        link(WAN),
        link(BRIDGE, kind="bridge"),
        link(PORT, master=BRIDGE, kind="veth", parent=9),
        link(PORT2, master=BRIDGE),
        vlan(VLAN, BRIDGE, 10),
    ]
