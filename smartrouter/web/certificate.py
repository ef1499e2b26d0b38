# SPDX-License-Identifier: GPL-2.0-or-later
"""HTTPS: the given certificate, or one that we make, by `openssl` or OpenWrt's `px5g`. Python can use a
certificate but not make one, and a library that can takes more memory than all of the pages.

Needs root, who alone may read the key: to be called before the rights go.
"""

import os
import ssl
from collections.abc import Collection, Sequence

from smartrouter.config import WebConfig
from smartrouter.core.errors import BadConfig, Unavailable
from smartrouter.linux import program

DAYS = 3650
_YEARS_WITHOUT_CLOCK = 100  # a router that does not know the time yet thinks that it is 1970
_CLOCK_IS_SET = 1_700_000_000.0  # epoch seconds: before this was written
_PATIENCE = 60.0  # seconds for a key on a slow router
_DIRECTORY_MODE, _KEY_MODE, _CERTIFICATE_MODE = 0o755, 0o600, 0o644


def context(
    web: WebConfig, names: Collection[str], addresses: Collection[str], now: float
) -> ssl.SSLContext | None:
    """What to speak TLS with; None where it is not wanted. A certificate that is wanted and not there is made
    for `names` and `addresses`. Raises BadConfig, Unavailable."""
    if web.tls == "0":
        return None
    if web.tls == "self" and not (os.path.exists(web.certificate) and os.path.exists(web.key)):
        _make(web.certificate, web.key, names, addresses, now)
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        found.load_cert_chain(web.certificate, web.key, password=_no_password)
    except FileNotFoundError:
        missing = web.key if os.path.exists(web.certificate) else web.certificate
        raise BadConfig(
            f"config web: option tls: {missing} does not exist; put the certificate (PEM) and its key where "
            "`certificate` and `key` say, or set `option tls 'self'`"
        ) from None
    except (ssl.SSLError, OSError, ValueError) as error:
        why = getattr(error, "reason", None) or getattr(error, "strerror", None) or "they do not match"
        raise BadConfig(
            f"config web: option tls: {web.certificate} and {web.key} cannot be used: {why}; both are PEM, "
            "the key without a password"
        ) from None
    return found


def _no_password() -> str:
    """Else OpenSSL would ask on a terminal that is not there."""
    return ""


def _make(certificate: str, key: str, names: Collection[str], addresses: Collection[str], now: float) -> None:
    from tempfile import TemporaryDirectory  # once in years

    days = DAYS if now >= _CLOCK_IS_SET else DAYS + _YEARS_WITHOUT_CLOCK * 365
    try:
        for path in (certificate, key):
            os.makedirs(os.path.dirname(path), _DIRECTORY_MODE, exist_ok=True)
        with TemporaryDirectory(dir=os.path.dirname(key), prefix=".web-") as folder:
            made = (os.path.join(folder, "crt"), os.path.join(folder, "key"))
            _run(_command(*made, names, addresses, days))
            for source, target, mode in (
                (made[1], key, _KEY_MODE),
                (made[0], certificate, _CERTIFICATE_MODE),
            ):
                os.chmod(source, mode)
                os.replace(source, target)
    except OSError as error:
        raise Unavailable(f"cannot make a certificate at {certificate}: {error.strerror or error}") from error


def _command(
    certificate: str, key: str, names: Collection[str], addresses: Collection[str], days: int
) -> Sequence[str]:
    """What makes a key on the curve P-256 and a certificate for it."""
    files = ("-keyout", key, "-out", certificate, "-days", str(days), "-subj", "/CN=smartrouter")
    if openssl := program.find("openssl"):
        alternatives = [f"DNS:{name}" for name in sorted(names)] + [
            f"IP:{each}" for each in sorted(addresses)
        ]
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        return (
            openssl,
            "req",
            "-x509",
            *curve,
            *files,
            "-addext",
            f"subjectAltName={','.join(alternatives)}",
        )
    if px5g := program.find("px5g"):
        return (px5g, "selfsigned", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *files)
    raise Unavailable(
        "neither `openssl` nor `px5g` is there to make a certificate: install one of them, or give your own "
        "certificate (`option tls '1'`)"
    )


def _run(command: Sequence[str]) -> None:
    name = os.path.basename(command[0])
    try:
        done = program.run(list(command), "", _PATIENCE)
    except TimeoutError:
        raise Unavailable(f"`{name}` did not make a certificate in time") from None
    if done.status != 0:
        said = done.errors.strip().splitlines()
        raise Unavailable(f"`{name}` could not make a certificate: {said[-1] if said else 'it says nothing'}")
