# SPDX-License-Identifier: GPL-2.0-or-later
"""What the devices in a capture show of themselves, and what they are by that.

Judges nothing: the judge is told of every device in a capture, whatever its class.
"""

from collections.abc import Mapping

from smartrouter.core.classification import Classification, classify
from smartrouter.core.classification.portrait import Portrait
from smartrouter.core.effects import Attempt
from smartrouter.core.errors import BadPacket
from smartrouter.core.events import UDP
from smartrouter.core.names import registrable_domain
from smartrouter.replay.figures import Identity
from smartrouter.replay.hearing import DHCP6_SERVER_PORT, DHCP_SERVER_PORT, Heard, is_syn
from smartrouter.wire.dhcp import parse_dhcp, parse_dhcp6
from smartrouter.wire.mdns import parse_announcement
from smartrouter.wire.packet import Packet
from smartrouter.wire.ssdp import parse_notice
from smartrouter.wire.syn import syn_shape

_MDNS_PORT, _SSDP_PORT = 5353, 1900


class Portraits:
    """The portraits of those devices whose makers are given, by MAC. Times are running times."""

    def __init__(self, makers: Mapping[str, str]):
        self._makers = makers
        self.by_mac = {mac: Portrait(mac) for mac in makers}

    def heard(self, heard: Heard, packet: Packet, running: float) -> None:
        """A device sent this."""
        try:
            if is_syn(packet):
                self.by_mac[heard.sender].opened(syn_shape(heard.data, packet), "", running)
            elif packet.protocol == UDP:
                self._said(heard, packet)
        except BadPacket:
            pass  # says nothing of the device

    def _said(self, heard: Heard, packet: Packet) -> None:
        portrait = self.by_mac[heard.sender]
        payload = heard.data[packet.payload : packet.end]
        if packet.destination_port == DHCP_SERVER_PORT:
            asked = parse_dhcp(payload)
            # What comes through a repeater, or with somebody else's address, is not the sender's own.
            if asked.mac in ("", heard.sender):
                portrait.asked(asked)
        elif packet.destination_port == DHCP6_SERVER_PORT:
            portrait.asked(parse_dhcp6(payload))  # its DUID may hold the address of another of its cards
        elif packet.source_port == _MDNS_PORT:
            portrait.announced(parse_announcement(payload))
        elif _SSDP_PORT in (packet.source_port, packet.destination_port):
            portrait.announced(parse_notice(payload))

    def named(self, mac: str, name: str, running: float) -> None:
        """A device asked for a name."""
        self.by_mac[mac].named(name, running)

    def opened(self, attempt: Attempt, running: float) -> None:
        """A device opened a connection to the outside."""
        group = registrable_domain(attempt.name) if attempt.name else attempt.address
        self.by_mac[attempt.mac].opened(None, group, running)

    def identities(self) -> dict[str, Identity]:
        """What each is."""
        return {mac: self._identity(portrait) for mac, portrait in self.by_mac.items()}

    def _identity(self, portrait: Portrait) -> Identity:
        maker = self._makers[portrait.mac]
        found: Classification = classify(portrait.evidence(maker))
        return Identity(found.word, found.confidence, maker, portrait.hostname)
