# SPDX-License-Identifier: GPL-2.0-or-later
"""What went wrong on the way to a service, in words that say what to do and hold no secret.

The texts of libraries' errors are not passed on: some of them quote the address, and an address may carry
a password.
"""

import contextlib
import re
import socket
import ssl
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from urllib.error import URLError

from smartrouter.config import NotifyConfig
from smartrouter.core.errors import BadConfig
from smartrouter.notify.channel import PATIENCE, NotDelivered

LONGEST_WAIT = 86400.0  # seconds that a service can make us wait by Retry-After


def refused(config: NotifyConfig, option: str, found: str, allowed: str) -> BadConfig:
    """An option of a channel that cannot be used. `found` describes it, and quotes no secret."""
    where = f"config notify, type {config.type}: option {option}"
    return BadConfig(f"{where}: found {found}; allowed is {allowed}")


def not_reached(error: BaseException, whom: str) -> NotDelivered:
    """For an error that came up between us and `whom`, a service or a host without anything secret."""
    return NotDelivered(f"{whom} {_failing(error)}")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds of a Retry-After header (RFC 9110 section 10.2.3), None without one that makes sense."""
    for name, value in headers.items():
        if name.lower() != "retry-after":
            continue
        if re.fullmatch("[0-9]{1,9}", said := str(value).strip()):
            return min(float(said), LONGEST_WAIT)
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            return min(max(0.0, parsedate_to_datetime(said).timestamp() - time.time()), LONGEST_WAIT)
    return None


def _failing(error: BaseException) -> str:
    if isinstance(error, URLError) and isinstance(error.reason, BaseException):
        error = error.reason
    match error:
        case ssl.SSLCertVerificationError():
            why = getattr(error, "verify_message", "")
            return (
                f"shows a certificate that is not valid for it ({why}); if it is one of your own authority, "
                "name that in the environment variable SSL_CERT_FILE; look at the router's clock too"
            )
        case ssl.SSLError():
            return f"does not speak TLS as it should ({getattr(error, 'reason', None) or 'no reason given'})"
        case TimeoutError():
            return f"did not answer within {PATIENCE:.0f} s"
        case socket.gaierror():
            return "has a name that cannot be looked up; look at the router's DNS and uplink"
        case ConnectionRefusedError():
            return "refuses connections; is it running, and is the port right?"
        case ConnectionError():
            return "broke the connection off"
        case HTTPException():
            return "answered with something that is not HTTP"
        case OSError():
            return f"cannot be reached ({error.strerror or type(error).__name__})"
        case _:
            return f"gave an answer that makes no sense ({type(error).__name__})"
