# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device shows of itself without being asked, as values: what it said in DHCP, what it announced, how
its connections begin, how it behaves. All of it is the device's own word: it may say anything.

`wire` makes the first three from packets; who heard them adds the MAC. Texts are as the device sent them, but
for what is no UTF-8, and bounded in length; '' and () where it said nothing.
"""

from typing import NamedTuple


class DhcpAsked(NamedTuple):
    """A client's DHCP message (RFC 2131; DHCPv6, RFC 9915, as far as it says the same)."""

    mac: str  # the client's hardware address as the message says, '' if it says none
    version: int  # 4 or 6
    kind: int  # DHCPv4 option 53 (1 discover, 3 request, 7 release, 8 inform …), or DHCPv6's message type
    hostname: str = ""  # option 12, else the name in option 81; DHCPv6: option 39
    vendor_class: str = ""  # option 60; DHCPv6: option 16
    user_class: str = ""  # option 77; DHCPv6: option 15
    params: tuple[int, ...] = ()  # option 55, in the order sent; DHCPv6: option 6
    client_id: str = ""  # option 61 in hexadecimal digits; DHCPv6: the DUID
    address: str = ""  # the one that it asks for, or has


class Announced(NamedTuple):
    """What it announces to its neighbours: mDNS answers (RFC 6762, 6763), SSDP notices (UPnP 1.1)."""

    hostname: str = ""  # its own `X.local`, without `.local`
    services: tuple[str, ...] = ()  # `_hap._tcp`; `urn:schemas-upnp-org:device:MediaRenderer:1`
    models: tuple[str, ...] = ()  # what it says it is: TXT md=, model=, ty=, am=; SSDP's SERVER
    names: tuple[str, ...] = ()  # what a person calls it: service instance names, TXT fn=, n=
    ids: tuple[str, ...] = ()  # what stays when its MAC changes: TXT id=, deviceid=; the uuid in SSDP's USN


class SynShape(NamedTuple):
    """How it opens TCP connections; tells the operating system (as p0f does)."""

    ttl: int  # the next of 32, 64, 128, 255 that is not below the packet's
    window: int
    options: str  # kinds in the order sent: M(SS) W(indow scale) S(ACK permitted) T(imestamps) N(op) E(nd) ?
    mss: int = 0  # 0 if not sent
    scale: int = -1  # -1 if not sent


class Behaviour(NamedTuple):
    """How it has behaved so far."""

    span: float  # seconds between the first and the last of its attempts
    hours: int  # different hours with an attempt or a question
    attempts: int  # connections that it opened, or names that it asked for, whichever are more
    groups: int  # different name groups (registrable domains), and addresses without a name
    busiest_hour: int  # of these, in the hour with the most
    personal: int  # registrable domains that only people's devices need (`core.public.personal`)
    repeated: float  # share of the attempts that go to a group that it had been to before
