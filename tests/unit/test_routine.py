# SPDX-License-Identifier: GPL-2.0-or-later
"""What systems do as a matter of course is recognised by whose it is, never by how it looks."""

import pytest

from smartrouter.core.public.routine import is_certificate_status, is_connectivity_check

CHECKS = """
    captive.apple.com
    connectivitycheck.gstatic.com
    connectivitycheck.android.com
    clients3.google.com
    www.msftconnecttest.com
    www.msftncsi.com
    detectportal.firefox.com
    fireoscaptiveportal.com
    connectivitycheck.samsung.com
    connectivity-check.ubuntu.com
    nmcheck.gnome.org
    network-test.debian.org
    connectivitycheck.platform.hicloud.com
    connect.rom.miui.com
    conntest.nintendowifi.net
    captive.roku.com
"""

NO_CHECKS = """
    apple.com
    www.google.com
    captive.apple.com.evil.example
    xcaptive.apple.com
    www.captive.apple.com
    captive.apple.co
    captiveapple.com
    connectivitycheck.gstatic.com.evil.example
    connectivitycheck.evil.example
    connectivitycheck.gstatic.co
    www.msftconnecttest.com.evil.example
    msftconnecttest.evil.example
    detectportal.firefox.com.evil.example
    evil\\.captive.apple.com
    s3.amazonaws.com
    evil.s3.amazonaws.com
"""

STATUS = """
    ocsp.digicert.com
    crl3.digicert.com
    cacerts.digicert.com
    statuse.digitalcertvalidation.com
    status.rapidssl.com
    r3.o.lencr.org
    r10.i.lencr.org
    x1.c.lencr.org
    ocsp.int-x3.letsencrypt.org
    ocsp.pki.goog
    o.pki.goog
    c.pki.goog
    ocsp.rootca1.amazontrust.com
    crl.r2m02.amazontrust.com
    ocsp.sectigo.com
    zerossl.ocsp.sectigo.com
    crt.usertrust.com
    ocsp.comodoca.com
    ocsp.globalsign.com
    ocsp2.globalsign.com
    secure.globalsign.com
    crl.globalsign.net
    ocsp.godaddy.com
    crl.starfieldtech.com
    ocsp.entrust.net
    aia.entrust.net
    isrg.trustid.ocsp.identrust.com
    apps.identrust.com
    svr-ov-crl.thawte.com
    ocsp.apple.com
    ocsp2.apple.com
    mscrl.microsoft.com
    ctldl.windowsupdate.com
    ocsp.quovadisglobal.com
    subca.ocsp-certum.com
    ss.symcb.com
    sv.symcd.com
    ocsps.ssl.com
    ocsp.verisign.com
"""

NO_STATUS = """
    ocsp.evil.example
    crl.evil.com
    ocsp.com
    ocsp
    ocsp.digicert.com.evil.net
    digicert.com.evil.net
    ocsp.digicert.evil.net
    ocsp-digicert.com
    ocspdigicert.com
    ocsp.digicert.co
    ocsp.evildigicert.com
    www.digicert.com
    digicert.com
    notocsp.digicert.com
    ocspx.digicert.com
    evil\\.digicert.com
    ocsp\\.digicert.com
    lencr.org.evil.net
    r3.o.lencr.org.evil.net
    o.lencr.net
    letsencrypt.org
    community.letsencrypt.org
    ocsp.myshop.godaddy.com
    ocsp.godaddysites.com
    www.godaddy.com
    ocsp.evil.pki.goog.example
    ocsp.s3.amazonaws.com
    ocsp.cloudfront.net
    ocsp.hinet.net
    ocsp.microsoft.com.evil.net
    www.microsoft.com
    ocsp.blob.core.windows.net
    ocsp.google.com
    www.apple.com
    ocsp3.apple.com
"""


@pytest.mark.parametrize("name", CHECKS.split())
def test_a_connectivity_check_is_recognised(name: str) -> None:
    assert is_connectivity_check(name)


@pytest.mark.parametrize("name", NO_CHECKS.split())
def test_what_looks_like_a_connectivity_check_is_none(name: str) -> None:
    assert not is_connectivity_check(name)


@pytest.mark.parametrize("name", STATUS.split())
def test_where_certificates_are_looked_up_is_recognised(name: str) -> None:
    assert is_certificate_status(name)


@pytest.mark.parametrize("name", NO_STATUS.split())
def test_what_looks_like_a_certificate_authority_is_none(name: str) -> None:
    assert not is_certificate_status(name)


@pytest.mark.parametrize("name", ["", "localhost", "com", "\\.", "_tcp.local"])
def test_odd_names_are_neither(name: str) -> None:
    assert not is_connectivity_check(name)
    assert not is_certificate_status(name)
