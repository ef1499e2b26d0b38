# SPDX-License-Identifier: GPL-2.0-or-later
"""Encrypted DNS that is known as such: names and addresses of public services, ports, and the names by which
clients ask whether they should use it.

A device that asks such a service hides what it talks to from the network that it is in. Names are what
operators publish; collected in 2026 from AdGuard's list of known providers and the list of public servers
in curl's wiki. Not listed: names at which
there is a web site of another kind, and addresses that a content network shares among customers. Private
servers are without number: what is not listed may still be one.

The addresses of the big resolvers stand in `core.public.resolvers` alone: on ports 443 and 853 they speak
encrypted DNS, and nothing else. Knows no configuration, no device and no packet.
"""

from smartrouter.core.events import TCP, UDP
from smartrouter.core.names import is_below
from smartrouter.core.public.resolvers import PUBLIC_RESOLVERS

DISCOVERY = "_dns.resolver.arpa"
"""Clients of Apple, Google and Microsoft ask for it as a matter of course, to learn whether the network's own
resolver speaks encrypted DNS (RFC 9462 section 4). That alone is no use of it."""

_CANARY = "use-application-dns.net"
_DOT_PORT = 853  # DNS over TLS (RFC 7858) on TCP, over QUIC (RFC 9250) and DTLS (RFC 8094) on UDP

# What one operator answers under, for DNS over HTTPS, TLS or QUIC; `*.`: that name, and all names below it.
_NAMES: dict[str, str] = {
    "360": "doh.360.cn dot.360.cn",
    "AdGuard": "*.adguard-dns.com *.dns.adguard.com dns-family.adguard.com dns-unfiltered.adguard.com",
    "AhaDNS": "blitz.ahadns.com doh.nl.ahadns.net",
    "Alekberg": "dnsnl.alekberg.net dnsse.alekberg.net dnsnl-noads.alekberg.net dnsse-noads.alekberg.net",
    "Alibaba": "*.dns.alidns.com",
    "Andrews & Arnold": "dns.aa.net.uk",
    "Apple": "dns.apple.com doh.dns.apple.com",
    "Applied Privacy": "doh.applied-privacy.net dot1.applied-privacy.net",
    "Artikel 10": "dns.artikel10.org",
    "Avast": "secure.avastdns.com",
    "BebasDNS": """
        *.dns.bebasid.com antivirus.bebasid.com internetsehat.bebasid.com family-adblock.bebasid.com
    """,
    "Belnet": "dns.belnet.be",
    "Bitdefender": "dns.bitdefender.net",
    "BlahDNS": """
        doh-ch.blahdns.com doh-de.blahdns.com doh-fi.blahdns.com doh-jp.blahdns.com doh-sg.blahdns.com
    """,
    "BlissDNS": "us1.blissdns.net",
    "Blokada": "dns.blokada.org",
    "Blue Shield": "rfree1.blue-shield.at rfree2.blue-shield.at",
    "Bortzmeyer": "doh.bortzmeyer.fr dot.bortzmeyer.fr",
    "Brahma World": "dns.brahma.world",
    "BT": "doh.bt.com",
    "Caliph": "dns.caliph.dev",
    "CERT-EE": "dns.cert.ee",
    "CFIEC": "dns.cfiec.net",
    "Charter": "doh-01.spectrum.com doh-02.spectrum.com doh-03.spectrum.com",
    "Chunghwa Telecom": "dns.hinet.net dns.chunghwamc.com",
    "CIRA": "*.canadianshield.cira.ca",
    "CIRCL": "dns.circl.lu",
    "Cisco OpenDNS": """
        doh.opendns.com doh.familyshield.opendns.com doh.sandbox.opendns.com doh.umbrella.com
        dns.opendns.com dns.umbrella.com familyshield.opendns.com sandbox.opendns.com
    """,
    "CleanBrowsing": """
        doh.cleanbrowsing.org family-filter-dns.cleanbrowsing.org adult-filter-dns.cleanbrowsing.org
        security-filter-dns.cleanbrowsing.org
    """,
    "Cloudflare": "*.cloudflare-dns.com *.cloudflare-gateway.com dns.cloudflare.com one.one.one.one",
    "CMRG": "dns.cmrg.net",
    "Comcast": "doh.xfinity.com dot.xfinity.com",
    "Comss": "dns.comss.one router.comss.one",
    "Control D": "*.dns.controld.com *.freedns.controld.com",
    "Crypto.sx": "doh.crypto.sx",
    "CZ.NIC": "odvr.nic.cz",
    "DeCloudUs": "dns.decloudus.com",
    "Digitale Gesellschaft": "dns.digitale-gesellschaft.ch",
    "Digitalcourage": "dns3.digitalcourage.de",
    "DigitalSize": "dns.digitalsize.net",
    "Disconnect": "doh.disconnect.app",
    "de Bruin": "dns.larsdebruin.net",
    "DNS for Family": "dns-doh.dnsforfamily.com dns-dot.dnsforfamily.com",
    "DNS Privacy": "getdnsapi.net dnsovertls.sinodun.com dnsovertls1.sinodun.com",
    "dns0.eu": "open.dns0.eu zero.dns0.eu kids.dns0.eu dns0.eu",
    "DNS4All": "doh.dns4all.eu dot.dns4all.eu",
    "DNS4EU": "*.joindns4.eu",
    "DNS.SB": "doh.dns.sb dot.sb doh.sb",
    "DNSCrypt.ca": "dns1.dnscrypt.ca dns2.dnscrypt.ca",
    "dnsforge": "dnsforge.de",
    "dnsHome": "dns.dnshome.de",
    "dnslow": "dnslow.me",
    "dnsprivacy.at": "ns1.dnsprivacy.at ns2.dnsprivacy.at",
    "DNSWarden": "*.dns.dnswarden.com *.dot.dnswarden.com doh.dnswarden.com",
    "Faelix": "rdns.faelix.net pdns.faelix.net",
    "FDN": "ns0.fdn.fr ns1.fdn.fr",
    "Freifunk Munich": "doh.ffmuc.net dot.ffmuc.net",
    "Go6Lab": "privacydns.go6lab.si",
    "Google": "*.dns.google dns.google.com 8888.google",
    "Hostux": "dns.hostux.net",
    "Huque": "doth.huque.com",
    "Hurricane Electric": "ordns.he.net",
    "IIJ": "public.dns.iij.jp",
    "In-Berlin": "dns1.in-berlin.de",
    "JupitrDNS": "dns.jupitrdns.net",
    "La Contre-Voie": "doh.lacontrevoie.fr",
    "LibreDNS": "doh.libredns.gr dot.libredns.gr",
    "Mullvad": "*.dns.mullvad.net doh.mullvad.net adblock.doh.mullvad.net",
    "NextDNS": "*.dns.nextdns.io *.dns1.nextdns.io *.dns2.nextdns.io",
    "NIC Chile": "dnsotls.lab.nic.cl",
    "NIC.LV": "doh.nic.lv",
    "Njalla": "dns.njal.la",
    "OARC": "tls-dns-u.odvr.dns-oarc.net",
    "OneDNS": "doh.onedns.net secure.onedns.cc",
    "OpenBLD": "ada.openbld.net ric.openbld.net",
    "PowerDNS": "doh.powerdns.org",
    "Quad101": "dns.twnic.tw",
    "Quad9": """
        dns.quad9.net dns9.quad9.net dns10.quad9.net dns11.quad9.net dns12.quad9.net dns13.quad9.net
        dns-nosec.quad9.net
    """,
    "Quadrant": "doh.qis.io dns-tls.qis.io",
    "Rabbit DNS": "dns.rabbitdns.org security.rabbitdns.org family.rabbitdns.org",
    "RESTENA": "kaitain.restena.lu dnspub.restena.lu",
    "RethinkDNS": "basic.rethinkdns.com sky.rethinkdns.com *.max.rethinkdns.com",
    "Safe Surfer": "doh.safesurfer.io",
    "Seby": "doh-2.seby.io dot.seby.io",
    "SecureDNS": "doh.securedns.eu dot.securedns.eu",
    "Shecan": "free.shecan.ir dns.shecan.ir pro.shecan.ir",
    "Snopyta": "fi.doh.dns.snopyta.org fi.dot.dns.snopyta.org",
    "Surfshark": "dns.surfshark.com dns.surfsharkdns.com",
    "Switch": "dns.switch.ch",
    "Telekom": "dns.telekom.de dns.t53.de",
    "Tencent DNSPod": "*.doh.pub *.dot.pub dns.pub",
    "Tiarap": "doh.tiar.app dot.tiar.app doh.tiarap.org jp.tiar.app jp.tiarap.org",
    "UncensoredDNS": "unicast.censurfridns.dk anycast.censurfridns.dk unicast.uncensoreddns.org "
    "anycast.uncensoreddns.org",
    "Unstoppable": "resolver.unstoppable.io",
    "Wikimedia": "wikimedia-dns.org",
    "Yandex": "*.dns.yandex.net",
}  # fmt: skip

# Of operators whose plain resolvers `core.public.resolvers` does not list, and addresses that answer
# encrypted questions only.
_ADDRESSES: dict[str, str] = {
    "Applied Privacy": "146.255.56.98 2a02:1b8:10:234::2",
    "CIRA": """
        149.112.121.10 149.112.122.10 149.112.121.20 149.112.122.20 149.112.121.30 149.112.122.30
        2620:10a:80bb::10 2620:10a:80bc::10 2620:10a:80bb::20 2620:10a:80bc::20
        2620:10a:80bb::30 2620:10a:80bc::30
    """,
    "Cisco OpenDNS": "146.112.41.2 2620:119:fc::2",
    "Cloudflare": """
        104.16.248.249 104.16.249.249 162.159.36.1 162.159.46.1 162.159.61.3 162.159.61.4 172.64.41.3
        172.64.41.4 2606:4700::6810:f8f9 2606:4700::6810:f9f9
    """,
    "CMRG": "199.58.81.218 2001:470:1c:76d::53",
    "Comcast": "96.113.151.141 96.113.151.143 96.113.151.145 2001:558:fe21:6b:96:113:151:150",
    "Control D": """
        76.76.2.0 76.76.2.1 76.76.2.2 76.76.2.3 76.76.2.4 76.76.2.5 76.76.2.11 76.76.2.22
        76.76.10.0 76.76.10.1 76.76.10.2 76.76.10.3 76.76.10.4 76.76.10.5 76.76.10.11 76.76.10.22
        2606:1a40:: 2606:1a40::1 2606:1a40::2 2606:1a40::3 2606:1a40::4 2606:1a40::5
        2606:1a40:1:: 2606:1a40:1::1 2606:1a40:1::2 2606:1a40:1::3 2606:1a40:1::4 2606:1a40:1::5
    """,
    "CZ.NIC": "193.17.47.1 185.43.135.1 2001:148f:ffff::1 2001:148f:fffe::1",
    "Digitale Gesellschaft": "185.95.218.42 185.95.218.43 2a05:fc84::42 2a05:fc84::43",
    "DNS4EU": "86.54.11.1 86.54.11.201 2a13:1001::86:54:11:1 2a13:1001::86:54:11:201",
    "DNS for Family": "94.130.180.225 78.47.64.161 2a01:4f8:1c0c:40db::1 2a01:4f8:1c17:4df8::1",
    "DNS.SB": "185.222.222.222 185.184.222.222 45.11.45.11 2a09:: 2a11::",
    "FFMUC": "195.30.94.28 2001:608:a01::3",
    "Hurricane Electric": "74.82.42.42 2001:470:20::2",
    "IIJ": "103.2.57.5 103.2.57.6 2001:300::5 2001:300::6",
    "LibreDNS": "116.202.176.26 116.203.115.192",
    "NextDNS": "45.90.28.0 45.90.30.0 2a07:a8c0::7d:7d77 2a07:a8c1::7d:7d77",
    "Quad101": "101.101.101.101 101.102.103.104",
    "Quad9": "9.9.9.12 149.112.112.12 9.9.9.13 149.112.112.13 2620:fe::12 2620:fe::fe:12 2620:fe::13 "
    "2620:fe::fe:13",
    "Surfshark": "194.169.169.169 2a09:a707:169::",
    "UncensoredDNS": "91.239.100.100 89.233.43.71 2001:67c:28a4:: 2a01:3a0:53:53::",
    "Wikimedia": "185.71.138.138 2001:67c:930::1",
    "Yandex": """
        77.88.8.8 77.88.8.1 77.88.8.88 77.88.8.2 77.88.8.7 77.88.8.3
        2a02:6b8::feed:ff 2a02:6b8:0:1::feed:ff
    """,
}

SERVICES: tuple[str, ...] = tuple(_NAMES)
"""The operators whose names are known."""

DOH_ADDRESSES: frozenset[str] = PUBLIC_RESOLVERS.union(
    address for addresses in _ADDRESSES.values() for address in addresses.split()
)
"""Addresses, IPv4 and IPv6, in the form that `socket.inet_ntop` gives."""

# Each customer of NextDNS is given addresses out of these for itself.
_ADDRESS_BLOCKS = ("45.90.28.", "45.90.30.", "2a07:a8c0::", "2a07:a8c1::")

_ALL = frozenset(name for names in _NAMES.values() for name in names.split())
_TREES = tuple(name[1:] for name in _ALL if name.startswith("*."))  # with their first dot
_EXACT = frozenset(name.removeprefix("*.") for name in _ALL)


def is_doh_name(name: str) -> bool:
    """Is `name` (normalised) where a known service answers encrypted DNS?"""
    if name in _EXACT:
        return True
    return name.endswith(_TREES) and any(is_below(name, tree[1:]) for tree in _TREES)


def is_doh_address(address: str) -> bool:
    """Does a known service answer encrypted DNS at `address` (as `socket.inet_ntop` gives it)? Meant for
    connections to port 443: some of these addresses answer plain DNS on port 53 too."""
    return address in DOH_ADDRESSES or address.startswith(_ADDRESS_BLOCKS)


def is_dot(protocol: int, port: int) -> bool:
    """Is `port` of this IANA protocol number kept for DNS over TLS or over QUIC?"""
    return port == _DOT_PORT and protocol in (TCP, UDP)


def is_canary(name: str) -> bool:
    """Is `name` the one by which Firefox asks whether this network wants it to leave DNS alone?
    https://support.mozilla.org/kb/canary-domain-use-application-dnsnet: any error says yes."""
    return name == _CANARY


def is_discovery(name: str) -> bool:
    """Is `name` a question for the resolver's own encrypted service (RFC 9462)? See `DISCOVERY`."""
    return is_below(name, "resolver.arpa")
