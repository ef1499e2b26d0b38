# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device talks to, in the words a person would use: a name group and a service."""

from enum import StrEnum
from functools import lru_cache
from re import compile as regex
from typing import NamedTuple

from smartrouter.core.names import labels, registrable_domain

_WEB = {(6, 80), (6, 443), (17, 443)}
# IANA protocol numbers that have a usual short name (assigned-internet-protocol-numbers).
_PROTOCOL_NAMES = {
    1: "icmp", 2: "igmp", 4: "ipip", 6: "tcp", 17: "udp", 33: "dccp", 41: "6in4", 47: "gre", 50: "esp",
    51: "ah", 58: "icmp", 132: "sctp", 136: "udplite",
}  # fmt: skip
_WITH_PORTS = {6, 17, 33, 132, 136}


class Match(StrEnum):
    """How names are grouped into destinations."""

    CHAIN = "chain"  # the domain of the name that led to it, through any aliases (core.naming)
    HOST = "host"  # the exact name
    DOMAIN = "domain"  # the registrable domain, by the public suffix list with its private part


class Destination(NamedTuple):
    """`name`: a name group, or an address where no name is known. `service`: see `service_of`."""

    name: str
    service: str


def service_of(protocol: int, port: int) -> str:
    """`web` for tcp/80, tcp/443 and udp/443; else `tcp/8883`; the protocol alone where it has no ports."""
    if (protocol, port) in _WEB:
        return "web"
    name = _PROTOCOL_NAMES.get(protocol, f"proto-{protocol}")
    return f"{name}/{port}" if protocol in _WITH_PORTS else name


def protocol_name(protocol: int) -> str:
    """`tcp`, `udp`, `icmp` …, or `proto-N` for IANA number N."""
    return _PROTOCOL_NAMES.get(protocol, f"proto-{protocol}")


def is_address(name: str) -> bool:
    """Does a destination of this name stand for a bare address, where no name is known?"""
    return ":" in name or name.replace(".", "").isdecimal()


# Domains of content networks and clouds, by operator, below which each name is another customer's, or a map
# that many share, and which the public suffix list does not take apart.
_SHARED_BY_CUSTOMERS = {
    "Akamai": """
        akadns.net akamai.net akamaiedge.net akamaihd.net akamaistream.net akamaitechnologies.com
        akamaized.net edgekey.net edgesuite.net linodeusercontent.com srip.net
    """,
    "Alibaba": """
        alicdn.com alikunlun.com aliyuncs.com kunlunar.com kunlunca.com kunlungr.com kunlunle.com kunlunsl.com
        kunlunwe.com tbcache.com
    """,
    "Amazon": "amazonaws.com amazonaws.com.cn amazoncognito.com on.aws",
    "Azion": "azioncdn.net",
    "Backblaze": "backblazeb2.com",
    "Baidu": "baidubce.com bcebos.com bdydns.com jomodns.com",
    "Bunny": "b-cdn.net",
    "CacheFly": "cachefly.net",
    "CDN77": "cdn77.org",
    "CDNetworks": "cdngc.net",
    "ChinaCache": "ccgslb.com.cn chinacache.net",
    "Cloudflare": "cloudflare.net r2.cloudflarestorage.com",
    "Cloudinary": "cloudinary.com",
    "Contabo": "contaboserver.net",
    "Edgio": "edgecastcdn.net edgio.link edgio.net footprint.net lldns.net llnwd.net systemcdn.net v0cdn.net",
    "Fastly": "fastly.net fastlylb.net glitch.me",
    "Gcore": "gcdn.co",
    "Google": """
        cloud.goog firebasedatabase.app firebaseio.com googlehosted.com googleusercontent.com
        storage.googleapis.com
    """,
    "Heroku": "herokudns.com",
    "Hetzner": "your-server.de",
    "Huawei": "cdnhwc1.com cdnhwc2.com hwclouds-dns.com myhuaweicloud.com",
    "imgix": "imgix.net",
    "Imperva": "impervadns.net incapdns.net",
    "KeyCDN": "kxcdn.com",
    "Kingsoft": "ksyuncdn.com ksyuncs.com",
    "Microsoft": """
        a-msedge.net azure-devices-provisioning.net azure-devices.net azurecr.io azureedge.net azurefd.net
        azureiotcentral.com cache.windows.net cloudapp.azure.com cloudapp.net core.windows.net
        database.windows.net documents.azure.com eventgrid.azure.net media.azure.net msedge.net
        search.windows.net service.signalr.net trafficmanager.net vault.azure.net webpubsub.azure.com
    """,
    "MongoDB": "mongodb.net",
    "names for addresses at home": "freedns.org localtest.me mooo.com nip.io selfhost.eu sslip.io",
    "Oracle": "oraclecloud.com",
    "OVH": "ovh.net",
    "Qiniu": "clouddn.com qbox.me qiniucdn.com qiniudns.com",
    "Scaleway": "online.net poneytelecom.eu scw.cloud",
    "StackPath": "hwcdn.net netdna-cdn.com netdna-ssl.com stackpathcdn.com stackpathdns.com",
    "Tencent": """
        dnsv1.com myqcloud.com ovscdns.com tencdns.net tencent-cloud.net tencentcs.com
    """,
    "tunnels": "lhr.life loca.lt serveo.net",
    "UCloud": "ucloud.com.cn ufileos.com",
    "Upyun": "upaiyun.com upcdn.net",
    "Volcengine": "volccdn.com volces.com",
    "Vultr": "vultrusercontent.com",
    "Wangsu": "cdn20.com chinanetcenter.com lxdns.com wscdns.com wsglb0.com",
    "Wasabi": "wasabisys.com",
    "web sites of anybody": "000webhostapp.com tumblr.com weebly.com wordpress.com",
}  # fmt: skip
_SHARED_DOMAINS = frozenset(domain for domains in _SHARED_BY_CUSTOMERS.values() for domain in domains.split())

# What the operator of a shared domain names himself, and no customer can: one of his servers is like another.
_SHARD = regex(r"s-[a-z0-9]+-nss-[0-9]+\.firebaseio\.com")


def group_of(name: str, match: Match) -> str:
    """The name group that `name` belongs to under `match`, if it is not known what led to it."""
    if match is Match.HOST:
        return name
    domain = registrable_domain(name)
    if match is Match.CHAIN and domain != name and _is_shared(name) and not _SHARD.fullmatch(name):
        return name
    return domain


@lru_cache(maxsize=2048)
def _is_shared(name: str) -> bool:
    """Is `name` below a domain of a content network?"""
    parts = labels(name)
    above = range(max(1, len(parts) - _DEEPEST), len(parts))
    return any(".".join(parts[at:]) in _SHARED_DOMAINS for at in above)


_DEEPEST = max(domain.count(".") + 1 for domain in _SHARED_DOMAINS)  # labels
