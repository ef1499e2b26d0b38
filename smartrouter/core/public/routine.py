# SPDX-License-Identifier: GPL-2.0-or-later
"""What systems do as a matter of course, so that doing it for the first time is worth a notice and no alarm:
they check whether there is Internet, and whether a certificate still holds.

What is listed can hold nothing but its owner's own pages. The look of a name counts for nothing: anybody can
call a host `ocsp`, and register a domain that begins like another's. Names are lower case, without the final
dot. Knows no device, no service and no rule.
"""

from re import compile as regex

from smartrouter.core.names import labels, registrable_domain

# By whose system asks, as the makers document it for operators of captive portals, or as their sources say.
_CHECKS: dict[str, str] = {
    "Amazon": """
        fireoscaptiveportal.com freetimecaptiveportal.com tabletcaptiveportal.com spectrum.s3.amazonaws.com
    """,
    "Apple": """
        captive.apple.com captive.g.aaplimg.com captive-cidr.origin-apple.com.akadns.net gsp1.apple.com
    """,
    "ASUS": "dns.msftncsi.com",
    "Arch Linux": "ping.archlinux.org",
    "Brave": "detectportal.brave-http-only.com",
    "Cloudflare": "cp.cloudflare.com",
    "Debian": "network-test.debian.org",
    "elementary": "capnet.elementary.io",
    "Fedora": "fedoraproject.org",
    "GNOME": "nmcheck.gnome.org",
    "Google": """
        connectivitycheck.gstatic.com connectivitycheck.android.com clients1.google.com clients3.google.com
    """,
    "GrapheneOS": "connectivitycheck.grapheneos.network",
    "Home Assistant": "checkonline.home-assistant.io",
    "Huawei": """
        connectivitycheck.platform.hicloud.com connectivitycheck.cbg-app.huawei.com
        connectivitycheck.platform.dbankcloud.com connectivitycheck.platform.dbankcloud.cn
    """,
    "KDE": "networkcheck.kde.org",
    "LineageOS, /e/": "204.ecloud.global",
    "Microsoft": """
        www.msftconnecttest.com ipv6.msftconnecttest.com www.msftncsi.com ipv6.msftncsi.com dns.msftncsi.com
        edge-http.microsoft.com
    """,
    "Mozilla": "detectportal.firefox.com detectportal.prod.mozaws.net "
    "prod.detectportal.prod.cloudops.mozgcp.net",
    "Nintendo": "conntest.nintendowifi.net ctest.cdn.nintendo.net",
    "OnePlus, Oppo, Realme": """
        conn1.oppomobile.com conn2.oppomobile.com conn1.coloros.com conn2.coloros.com
        conn-service-eu-04.allawnos.com conn-service-us-05.allawnos.com
    """,
    "openSUSE": "conncheck.opensuse.org",
    "Red Hat": "static.redhat.com",
    "Roku": "captive.roku.com",
    "Samsung": "connectivitycheck.samsung.com",
    "Sony": "ena.net.playstation.net get.net.playstation.net",
    "Ubuntu": "connectivity-check.ubuntu.com",
    "Vivo": "wifi.vivo.com.cn",
    "Xiaomi": "connect.rom.miui.com connect.rom.intl.miui.com",
}  # fmt: skip

# Domains of certificate authorities at which there is nothing else: any name of theirs is about certificates.
_STATUS_ONLY: dict[str, str] = {
    "Amazon Trust Services": "amazontrust.com ss2.us",
    "Asseco Certum": "ocsp-certum.com",
    "DigiCert, with what it took over": """
        digicertcdn.com digitalcertvalidation.com omniroot.com public-trust.com symcb.com symcd.com dcocsp.cn
    """,
    "GlobalSign": "globalsign.cloud",
    "Google Trust Services": "pki.goog",
    "Let's Encrypt": "lencr.org",
    "Microsoft": "msocsp.com",
    "Sectigo": "comodoca2.com comodoca3.com comodoca4.com ocsp-responder.com trust-provider.com",
}

# Domains of certificate authorities with other pages too, all of them their own.
_AUTHORITIES: dict[str, str] = {
    "Actalis": "actalis.it",
    "Asseco Certum": "certum.pl certum.eu",
    "Buypass": "buypass.com buypass.no",
    "certSIGN": "certsign.ro",
    "D-TRUST": "d-trust.net",
    "Deutsche Telekom Security": "telesec.de",
    "DigiCert, with what it took over": """
        digicert.com digicert.cn geotrust.com quovadisglobal.com rapidssl.com thawte.com verisign.com
    """,
    "Disig": "disig.sk",
    "e-Szigno": "e-szigno.hu",
    "Entrust": "entrust.net affirmtrust.com",
    "Firmaprofesional": "firmaprofesional.com",
    "GlobalSign": "globalsign.com globalsign.net alphassl.com",
    "HARICA": "harica.gr",
    "IdenTrust": "identrust.com",
    "Let's Encrypt": "letsencrypt.org",
    "SECOM Trust Systems": "secomtrust.net",
    "Sectigo": "sectigo.com comodoca.com usertrust.com netsolssl.com",
    "SSL.com": "ssl.com",
    "SwissSign": "swisssign.net swisssign.ch",
    "Trustwave": "trustwave.com",
    "TWCA": "twca.com.tw",
}

# Of authorities whose domains hold much besides, their customers' pages with some.
_STATUS_HOSTS: dict[str, str] = {
    "Apple": "certs.apple.com crl.apple.com ocsp.apple.com ocsp2.apple.com valid.apple.com",
    "Chunghwa Telecom": "ocsp.eca.hinet.net eca.hinet.net",
    "GlobalSign": "secure.globalsign.com secure.globalsign.net secure2.alphassl.com",
    "GoDaddy": """
        certificates.godaddy.com certs.godaddy.com crl.godaddy.com ocsp.godaddy.com
        certificates.starfieldtech.com certs.starfieldtech.com crl.starfieldtech.com ocsp.starfieldtech.com
    """,
    "Google": "pki.google.com",
    "IdenTrust": "apps.identrust.com",
    "Microsoft": "crl.microsoft.com mscrl.microsoft.com ocsp.microsoft.com oneocsp.microsoft.com "
    "ctldl.windowsupdate.com",
    "QuoVadis": "trust.quovadisglobal.com",
}

_CONNECTIVITY_CHECKS = frozenset(name for names in _CHECKS.values() for name in names.split())
_STATUS_NAMES = frozenset(name for names in _STATUS_HOSTS.values() for name in names.split())
_STATUS_DOMAINS = frozenset(name for names in _STATUS_ONLY.values() for name in names.split())
_AUTHORITY_DOMAINS = frozenset(name for names in _AUTHORITIES.values() for name in names.split())

# OCSP (RFC 6960), lists of revoked certificates (RFC 5280 section 5), and where issuers' certificates lie
# (authority information access, RFC 5280 section 4.2.2.1): `ocsp2`, `crl3`, `cacerts`, `svr-ov-aia`.
_STATUS_LABEL = regex(
    r"(?:[a-z0-9]+-)*(?:ocsp|crl|crt|aia|cacert|cert|status|statuse|repository|validation)s?[0-9]{0,2}"
)


def is_connectivity_check(name: str) -> bool:
    """Is `name` one that a system asks only to see whether there is Internet, or a captive portal?"""
    return name in _CONNECTIVITY_CHECKS


def is_certificate_status(name: str) -> bool:
    """Is `name` where a certificate authority says whether its certificates still hold, or hands them out?"""
    if name in _STATUS_NAMES:
        return True
    domain = registrable_domain(name)
    if domain in _STATUS_DOMAINS:
        return True
    if domain not in _AUTHORITY_DOMAINS:
        return False
    below = labels(name[: -len(domain)].removesuffix("."))
    return any(_STATUS_LABEL.fullmatch(label) for label in below)
