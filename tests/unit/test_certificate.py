# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTPS: a certificate that is made, one that is given, and what is said where there is none."""

import socket
import ssl
import stat
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from smartrouter.config import WebConfig
from smartrouter.core.errors import BadConfig, Unavailable
from smartrouter.web import certificate
from smartrouter.web.certificate import context

NOW = 1_800_000_000.0


def web(folder: Path, tls: str) -> WebConfig:
    return WebConfig(tls=tls, certificate=str(folder / "ssl/web.crt"), key=str(folder / "ssl/web.key"))


def shakes_hands(server: ssl.SSLContext, trusted: Path) -> str:
    """The protocol that a client agrees on which trusts this certificate alone, for 127.0.0.1."""
    ours, theirs = socket.socketpair()
    client = ssl.create_default_context(cafile=str(trusted))

    def serve() -> None:
        with server.wrap_socket(ours, server_side=True) as sock:
            sock.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(theirs, server_hostname="127.0.0.1") as sock:
        version = sock.version()
        sock.sendall(b"x")
    thread.join(10)
    return version or ""


def test_none_is_wanted(tmp_path: Path) -> None:
    assert context(web(tmp_path, "0"), [], [], NOW) is None
    assert list(tmp_path.iterdir()) == []


def test_one_is_made_for_our_names_and_addresses_and_used_again(tmp_path: Path) -> None:
    wanted = web(tmp_path, "self")
    found = context(wanted, ["router.lan", "smartrouter"], ["127.0.0.1", "fd00::1"], NOW)
    assert found is not None
    made = x509.load_pem_x509_certificate(Path(wanted.certificate).read_bytes())
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {"router.lan", "smartrouter"}
    assert {str(each) for each in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "fd00::1"}
    assert isinstance(made.public_key(), EllipticCurvePublicKey)
    assert stat.S_IMODE(Path(wanted.key).stat().st_mode) == 0o600
    assert shakes_hands(found, Path(wanted.certificate)) in ("TLSv1.2", "TLSv1.3")
    before = Path(wanted.certificate).read_bytes()
    assert context(wanted, ["router.lan"], ["127.0.0.1"], NOW) is not None
    assert Path(wanted.certificate).read_bytes() == before
    assert sorted(path.name for path in (tmp_path / "ssl").iterdir()) == ["web.crt", "web.key"]


def test_a_router_that_does_not_know_the_time_makes_one_that_lasts(tmp_path: Path) -> None:
    command = certificate._command("crt", "key", ["a"], [], certificate.DAYS)
    context(web(tmp_path, "self"), ["a"], [], 100.0)
    made = x509.load_pem_x509_certificate((tmp_path / "ssl/web.crt").read_bytes())
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days > 100 * 365
    assert "3650" in command


def test_one_that_is_given_is_used(tmp_path: Path) -> None:
    context(web(tmp_path, "self"), ["a"], ["127.0.0.1"], NOW)
    found = context(web(tmp_path, "1"), [], [], NOW)
    assert found is not None
    assert shakes_hands(found, tmp_path / "ssl/web.crt")


def test_what_is_missing_or_does_not_fit_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"web\.crt does not exist"):
        context(web(tmp_path, "1"), [], [], NOW)
    context(web(tmp_path, "self"), ["a"], [], NOW)
    other = tmp_path / "other"
    context(web(other, "self"), ["a"], [], NOW)
    key = tmp_path / "ssl/web.key"
    key.write_bytes((other / "ssl/web.key").read_bytes())
    with pytest.raises(BadConfig, match="cannot be used"):
        context(web(tmp_path, "1"), [], [], NOW)
    key.write_text("no key")
    with pytest.raises(BadConfig, match="cannot be used"):
        context(web(tmp_path, "1"), [], [], NOW)
    key.unlink()
    with pytest.raises(BadConfig, match=r"web\.key does not exist"):
        context(web(tmp_path, "1"), [], [], NOW)


def test_without_a_program_that_makes_one_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(Unavailable, match="openssl"):
        context(web(tmp_path, "self"), ["a"], [], NOW)


def test_openwrts_program_is_used_where_there_is_no_openssl(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"px5g": "/usr/sbin/px5g"}
    monkeypatch.setattr("smartrouter.linux.program.find", found.get)
    command = certificate._command("crt", "key", ["a"], ["127.0.0.1"], 10)
    assert command[:2] == ("/usr/sbin/px5g", "selfsigned")
