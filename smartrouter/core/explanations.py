# SPDX-License-Identifier: GPL-2.0-or-later
"""What each kind of alert means, what may be behind it innocently, and what to do about it: a sentence each,
for somebody who knows their devices but not their protocols. And the same for evidence.

Every listing, page and message that explains an alert takes its words from here; docs/alerts.md is made of
them. Knows no command and no screen.
"""

from collections.abc import Mapping
from typing import NamedTuple

from smartrouter.core.effects import Evidence, Kind
from smartrouter.core.policy import REASONS, Reason


class Explanation(NamedTuple):
    """A sentence each. `means`: what happened; `perhaps`: what it may be innocently; `advice`: what to do."""

    means: str
    perhaps: str
    advice: str


EXPLANATIONS: Mapping[str, Explanation] = {
    Kind.NEW_DESTINATION: Explanation(
        "A device tried to reach something on the Internet that it did not need while it was learning.",
        "An update, a function used for the first time, or a server that its maker has moved to.",
        "Allow it if you know the name or have just used something new on the device; deny it if not.",
    ),
    Kind.NEW_PORT: Explanation(
        "A device tried to use another service of a name that it knows.",
        "A new function of the device, or of the server that it always talks to.",
        "Allow it if the name is its maker's; look twice if the port is for remote access, as 22 or 3389.",
    ),
    Kind.SCAN: Explanation(
        "A device tried many addresses or ports within a short time, without asking anybody for their names.",
        "A program that talks to many others directly, as games, telephony and file sharing do; or a network "
        "scanner of yours.",
        "If you cannot explain it, cut the device off, update or reset it, and change its password: infected "
        "devices look for their next victims so. No rule can name a scan, but one can name an address of it.",
    ),
    Kind.FOREIGN_RESOLVER: Explanation(
        "A device asks a DNS server that nobody vouches for; what that one answers names nothing here.",
        "A device with a DNS server of its maker's built in.",
        "If you trust that server for names, add it as `list resolver`; allow it only if it is to work but "
        "not to be believed; or have the router answer in its place with `option redirect_dns '1'`.",
    ),
    Kind.ENCRYPTED_DNS: Explanation(
        "A device speaks encrypted DNS, or asks whether it may, so that its questions cannot be seen.",
        "A browser, a television or a phone that has it switched on as it came from the factory.",
        "Switch it off on the device, or deny its connections: most devices then fall back to plain DNS. "
        "Allowed, it leaves much of what the device talks to without a name.",
    ),
    Kind.DNS_TUNNEL: Explanation(
        "A device asks for names that look like data in disguise: so data leave a network unnoticed, or "
        "orders come in.",
        "A virus scanner or a content network that puts checksums into names.",
        "If you do not know the domain, cut the device off and find out what runs on it; to stop just the "
        "questions, have your DNS server refuse the domain (dnsmasq: `address=/DOMAIN/`). No rule can: rules "
        "name destinations, and a tunnel through DNS has none.",
    ),
    Kind.IP_SPOOFING: Explanation(
        "A device sent packets with a source address that is not on its network, as if somebody else had.",
        "A device that has moved from another network and still uses its address there, or a router behind "
        "yours that translates no addresses.",
        "If it goes on, or the addresses change all the time, cut the device off: it may take part in an "
        "attack. No rule can allow it; mend the network behind the device.",
    ),
    Kind.ADDRESS_CONFLICT: Explanation(
        "Two devices use the same local address by turns.",
        "An address that was given to one device by hand and to another by DHCP, or one device that is here "
        "by cable and by radio.",
        "Give one of them another address; if neither should have this one, somebody may be reading the "
        "other's traffic (ARP spoofing). No rule can settle it.",
    ),
    Kind.CLONE: Explanation(
        "Something else seems to use this device's MAC address: it speaks like another system, or is in two "
        "places at once.",
        "An update that changed the device's system, a device that was moved to another network, or one that "
        "is here by cable and by radio.",
        "Nothing if you have just updated or moved the device. Else find out what is at its address, and "
        "change the Wi-Fi password: who takes on a device's MAC may talk to all that the device may. No rule "
        "can settle it.",
    ),
    Kind.FRONTING: Explanation(
        "A connection to an address that the device knows asked there for a server that it does not know.",
        "A server that answers for several services of one maker, or a name that was renamed.",
        "Allow the name if you know it; deny the address if it means nothing to you and the device can do "
        "without.",
    ),
    Kind.NEW_NAME: Explanation(
        "A device was told another name for an address that it knows, and it does not know the new one.",
        "Two services of one maker on one server, or a content network with many customers.",
        "Allow the name if you know it, else deny it: it passes because the address has a known name, too.",
    ),
    Kind.AFTER_OUTAGE: Explanation(
        "A connection without a name was let pass, because the guard had been away and may have missed the "
        "name.",
        "Nearly always something that the device needs, and was told the name of while nobody listened.",
        "Nothing, unless it goes on for longer than a quarter of an hour; allow or deny it if you know it.",
    ),
    Kind.ROUTER_SERVICE: Explanation(
        "A device opened a connection to the router itself, to a service other than the usual ones.",
        "An app or a hub that looks for the router's pages, for UPnP or for shared files.",
        "Nothing if you offer that service to devices; else close it in the router's own firewall. No rule "
        "can: smartrouter never blocks what goes to the router itself.",
    ),
    Kind.HIDDEN_RESOLVER: Explanation(
        "A device connects to servers, but asks for no names in this router's sight.",
        "A DNS server in your home, such as a Pi-hole, that answers past the router; or encrypted DNS.",
        "Name that server with `list resolver`, or have the router answer with `option redirect_dns '1'`; "
        "until then its destinations are bare addresses. No rule can settle it.",
    ),
    Kind.REPEATER: Explanation(
        "Several devices seem to share one MAC address, so that they count as one.",
        "A wireless repeater, a bridge of virtual machines or a second router.",
        "Use it as a plain access point, or leave it alone with `option watch 'never'`: what it learns is "
        "that of all behind it. No rule can settle it.",
    ),
    Kind.PERSON: Explanation(
        "What this device asks for is what people's phones and computers ask for.",
        "Somebody's phone, connected through the device while it was set up; or it is a phone or a computer.",
        "If a phone was behind it, have it forget what it learned and learn again; if it is a phone or a "
        "computer, leave it alone with `option watch 'never'`. No rule can settle it.",
    ),
    Kind.UNUSED: Explanation(
        "A destination that the device once learned was not used for long, and is known no more.",
        "A function that nobody uses, or a server that the maker has given up.",
        "Nothing; allow it if you know that it will be needed again.",
    ),
    Kind.UPLOAD: Explanation(
        "Within an hour a device sent far more to a destination than in any hour while it was learning.",
        "A long recording, a backup, a log that its maker asked for, or a function used for the first time.",
        "Allow it if you know what was sent; then no upload there is told of. Deny it if not: what is sent "
        "out without your doing may be what a microphone, a camera or an intruder has collected.",
    ),
    Kind.ACCOUNTING: Explanation(
        "Packets that smartrouter's rules counted were then dealt with by nobody: neither let through nor "
        "stopped, nor recorded.",
        "Another firewall's rule that takes packets away between ours, or an interface that went away while "
        "packets of it waited.",
        "Look for rules of others in the table `inet smartrouter`, and for tables with chains at priorities "
        "between its own; if there are none, please report it, with `smartrouter status --json`. No rule can "
        "settle it.",
    ),
    Kind.OVERFLOW: Explanation(
        "More came at once than could be judged or written down: packets that found no room in a queue were "
        "dropped; what passed or was refused without a record is only counted.",
        "Very many connections at once, as after a power cut, or a router that is too slow for its network.",
        "If it was once, nothing. Else look which device opens so many connections (`smartrouter devices`), "
        "and cut it off; if it is all of them together, try `option workers` and `option reader 'netlink'`. "
        "No rule can settle it.",
    ),
    Kind.NOT_STORED: Explanation(
        "For a while nothing of what devices did could be stored; they were judged all the time.",
        "A disk that was full or read-only, a USB stick that was unplugged, or something that held the file "
        "for long.",
        "Make room on the disk of `option database`, or look after it, if it happens again; what is missing "
        "in the log meanwhile is lost. No rule can settle it.",
    ),
}

EVIDENCE: Mapping[str, str] = {
    Evidence.DNS: "A trusted resolver told this device so.",
    Evidence.STALE: "A trusted resolver told this device so, but the answer has run out since.",
    Evidence.SHARED: "A resolver of the household was told so, for whichever device.",
    Evidence.REFRESHED: "The router looked the name up itself, and it leads to this address.",
    Evidence.HELLO: "The device named the server itself, in the first data; nobody else vouches for it.",
    Evidence.REVERSE: "The address's owner calls it so (a reverse lookup that leads back to the address).",
    Evidence.NONE: "Nobody told this device a name for the address.",
}

_ABOUT_DESTINATIONS = frozenset(
    (
        Kind.NEW_DESTINATION,
        Kind.NEW_PORT,
        Kind.FOREIGN_RESOLVER,
        Kind.ENCRYPTED_DNS,
        Kind.FRONTING,
        Kind.NEW_NAME,
        Kind.AFTER_OUTAGE,
        Kind.UNUSED,
        Kind.UPLOAD,
    )
)
_PASSES_ANYHOW = frozenset((Kind.FRONTING, Kind.NEW_NAME, Kind.UPLOAD))


def sentence(reason: str) -> str:
    """What a reason code means, '' if another version gave it."""
    try:
        return REASONS[Reason(reason)]
    except ValueError:
        return ""


def is_about_destination(kind: str, reason: str) -> bool:
    """Can a rule decide about such an alert? Whether a device may use encrypted DNS is only a question."""
    return kind in _ABOUT_DESTINATIONS and reason != Reason.DNS_CANARY


def would_be_blocked(kind: str, reason: str) -> bool:
    """Does enforce mode block what such an alert was raised about?"""
    return is_about_destination(kind, reason) and kind not in _PASSES_ANYHOW
