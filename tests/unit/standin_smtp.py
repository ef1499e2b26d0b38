# SPDX-License-Identifier: GPL-2.0-or-later
"""A mail server on loopback that takes mail, or refuses it in any way."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, NamedTuple

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class Taken(NamedTuple):
    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def mail(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=default)


class MailStandIn:
    """`says`: what it answers to a command (`RCPT`, `DATA`), if not that all is well."""

    def __init__(self, says: dict[str, str]):
        self.taken: list[Taken] = []
        self.logins: list[tuple[str, str]] = []
        self.used_tls: list[bool] = []
        self.port = 0
        self._says = says

    async def handle_RCPT(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if said := self._says.get("RCPT"):
            return said
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_MAIL(  # noqa: N802
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._says.get("MAIL", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if said := self._says.get("DATA"):
            return said
        self.used_tls.append(session.ssl is not None)
        self.taken.append(Taken(envelope.mail_from, list(envelope.rcpt_tos), bytes(envelope.content)))
        return "250 OK"

    def login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success="AUTH" not in self._says, handled=False)


@contextmanager
def serving(
    tls: ssl.SSLContext | None = None, *, wrapped: bool = False, says: dict[str, str] | None = None
) -> Iterator[MailStandIn]:
    """A server; with `tls` it offers STARTTLS or, `wrapped`, speaks TLS from the beginning."""
    stand_in = MailStandIn(says or {})
    options: dict[str, Any] = {"authenticator": stand_in.login, "auth_require_tls": False}
    if wrapped:
        options["ssl_context"] = tls
    elif tls:
        options["tls_context"] = tls
    controller = Controller(stand_in, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    stand_in.port = controller.port
    try:
        yield stand_in
    finally:
        controller.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
