# SPDX-License-Identifier: GPL-2.0-or-later
"""The big public DNS resolvers, whose answers name things wherever a device asks them.

Real devices ask 8.8.8.8 whatever DHCP says. An address belongs here if its operator publishes it as a
resolver for everybody, answers from it with what the domains' owners say (filtering apart), and has kept
it for years. Whose own resolver is missing lists it in the configuration. Knows no configuration.
"""

_BY_OPERATOR: dict[str, str] = {
    # https://developers.google.com/speed/public-dns/docs/using, and .../dns64
    "Google": """
        8.8.8.8 8.8.4.4 2001:4860:4860::8888 2001:4860:4860::8844
        2001:4860:4860::6464 2001:4860:4860::64
    """,
    # https://developers.cloudflare.com/1.1.1.1/ip-addresses/: plain, malware, families, DNS64
    "Cloudflare": """
        1.1.1.1 1.0.0.1 2606:4700:4700::1111 2606:4700:4700::1001
        1.1.1.2 1.0.0.2 2606:4700:4700::1112 2606:4700:4700::1002
        1.1.1.3 1.0.0.3 2606:4700:4700::1113 2606:4700:4700::1003
        2606:4700:4700::64 2606:4700:4700::6400
    """,
    # https://docs.quad9.net/services/addresses-and-features/: secured, unsecured, with client subnet
    "Quad9": """
        9.9.9.9 149.112.112.112 149.112.112.9 2620:fe::fe 2620:fe::9
        9.9.9.10 149.112.112.10 2620:fe::10 2620:fe::fe:10
        9.9.9.11 149.112.112.11 2620:fe::11 2620:fe::fe:11
    """,
    # https://www.opendns.com/setupguide/: plain, FamilyShield, sandbox
    "Cisco OpenDNS": """
        208.67.222.222 208.67.220.220 208.67.222.220 208.67.220.222 2620:119:35::35 2620:119:53::53
        208.67.222.123 208.67.220.123 2620:119:35::123 2620:119:53::123
        208.67.222.2 208.67.220.2 2620:0:ccc::2 2620:0:ccd::2
    """,
    # https://adguard-dns.io/en/public-dns.html: default, family, without filter
    "AdGuard": """
        94.140.14.14 94.140.15.15 2a10:50c0::ad1:ff 2a10:50c0::ad2:ff
        94.140.14.15 94.140.15.16 2a10:50c0::bad1:ff 2a10:50c0::bad2:ff
        94.140.14.140 94.140.14.141 2a10:50c0::1:ff 2a10:50c0::2:ff
    """,
    # https://cleanbrowsing.org/filters/: family, adult, security
    "CleanBrowsing": """
        185.228.168.168 185.228.169.168 2a0d:2a00:1:: 2a0d:2a00:2::
        185.228.168.10 185.228.169.11 2a0d:2a00:1::1 2a0d:2a00:2::1
        185.228.168.9 185.228.169.9 2a0d:2a00:1::2 2a0d:2a00:2::2
    """,
    # https://www.alidns.com/
    "Alibaba": "223.5.5.5 223.6.6.6 2400:3200::1 2400:3200:baba::1",
    # https://www.dnspod.cn/Products/publicdns
    "Tencent DNSPod": "119.29.29.29 2402:4e00::",
    # https://www.114dns.com/
    "114DNS": "114.114.114.114 114.114.115.115",
}

PUBLIC_RESOLVERS: frozenset[str] = frozenset(
    address for addresses in _BY_OPERATOR.values() for address in addresses.split()
)
"""Addresses, IPv4 and IPv6, in the form that `socket.inet_ntop` gives."""
