# SPDX-License-Identifier: GPL-2.0-or-later
"""Mail by SMTP: one thread for each alert, as text and as modest HTML.

`channel` is `smtp(s)://user@host:port/?from=…&to=…`, or just an address, for a mail server on the router.
TLS is required where the way leads over a network, unless `tls=none` says otherwise, with which no password
is ever sent. Later mails of one thread: see `repeats`.
"""

import contextlib
import html
import re
import smtplib
import ssl
import time
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime, localtime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from smartrouter.config import NotifyConfig
from smartrouter.core.errors import BadConfig
from smartrouter.notify import plain, repeats
from smartrouter.notify.channel import PATIENCE, NotDelivered
from smartrouter.notify.loopback import is_here
from smartrouter.notify.message import Message
from smartrouter.notify.trouble import not_reached, refused

LONGEST_SUBJECT = 150  # characters
MOST_RECIPIENTS = 20
_HELO = "smartrouter.localdomain"  # the name that we would be asked for; looking ours up can take long
_PORTS = {"smtp": 587, "smtps": 465}
_ADDRESS = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?"
)
_ALLOWED = "an address, or `smtp://USER@HOST:587/?from=ADDRESS&to=ADDRESS` (also `smtps://`, port 465)"


class Mailbox(NamedTuple):
    """Where mail is handed over, and to whom it goes; `tls`: required | offered | wrapped | none."""

    host: str
    port: int
    tls: str
    user: str
    password: str
    sender: str
    recipients: tuple[str, ...]

    def __repr__(self) -> str:
        return f"Mailbox({self.host!r}, {self.port}, {self.tls!r})"


class Email:
    """See the module. A connection for each mail: they are rare."""

    def __init__(self, mailbox: Mailbox):
        self._mailbox = mailbox
        self._tls = ssl.create_default_context()

    def send(self, message: Message, receipt: str) -> str:
        """See `channel.Channel`."""
        root, _, said = receipt.partition(":")
        if not repeats.is_due(message, said, time.time()):
            return receipt
        first = root if said else ""
        root = first or sha256(repr((message.key, message.at)).encode()).hexdigest()[:24]
        self._hand_over(mail(message, self._mailbox, root, is_first=not first))
        return f"{root}:{repeats.receipt_for(message, time.time())}"

    def close(self) -> None:
        """See `channel.Channel`."""

    def _hand_over(self, made: EmailMessage) -> None:
        try:
            server = self._connection()
            try:
                server.sendmail(self._mailbox.sender, self._mailbox.recipients, made.as_bytes(policy=WIRE))
            finally:
                with contextlib.suppress(Exception):  # what it says to our goodbye changes nothing
                    server.quit()
                server.close()
            return
        except smtplib.SMTPException as error:
            failure = _refusal(error)
        except Exception as error:
            failure = not_reached(error, "the mail server")
        raise failure  # here, not above: the error that it came from may quote what was sent

    def _connection(self) -> smtplib.SMTP:
        box = self._mailbox
        if box.tls == "wrapped":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                box.host, box.port, _HELO, timeout=PATIENCE, context=self._tls
            )
        else:
            server = smtplib.SMTP(box.host, box.port, _HELO, timeout=PATIENCE)
        try:
            server.ehlo_or_helo_if_needed()
            if box.tls == "required" or (box.tls == "offered" and server.has_extn("starttls")):
                server.starttls(context=self._tls)
            if box.password:
                server.login(box.user, box.password)
        except BaseException:
            server.close()
            raise
        return server


def open_channel(config: NotifyConfig) -> Email:
    """See `channels`. Raises BadConfig."""
    return Email(mailbox(config))


def mailbox(config: NotifyConfig) -> Mailbox:
    """What the options mean. Raises BadConfig."""
    if _ADDRESS.fullmatch(config.channel):
        return Mailbox("localhost", 25, "none", "", "", config.channel, (config.channel,))
    try:
        parts = urlsplit(config.channel)
        given = parse_qs(parts.query, strict_parsing=True) if parts.query else {}
        port = parts.port
    except ValueError:
        raise refused(config, "channel", "something else", _ALLOWED) from None
    host, user = parts.hostname or "", unquote(parts.username or "")
    if parts.scheme not in _PORTS or not host or port == 0 or given.keys() - {"from", "to", "tls"}:
        raise refused(config, "channel", "something else" if config.channel else "nothing", _ALLOWED)
    if parts.password is not None:
        raise refused(config, "channel", "a password in the address", "one in `option token`")
    if config.token and not user:
        raise refused(config, "channel", "no user, but a password in `option token`", _ALLOWED)
    recipients = tuple(given.get("to", [""])[-1].split(","))
    sender = given.get("from", [user if _ADDRESS.fullmatch(user) else recipients[0]])[-1]
    if not all(map(_ADDRESS.fullmatch, (*recipients, sender))) or len(recipients) > MOST_RECIPIENTS:
        raise refused(
            config,
            "channel",
            "`from` or `to` that are no addresses",
            f"{_ALLOWED}, several with commas between",
        )
    tls = _tls(config, parts.scheme, host, given.get("tls", [""])[-1])
    return Mailbox(host, port or _PORTS[parts.scheme], tls, user, config.token, sender, recipients)


def _tls(config: NotifyConfig, scheme: str, host: str, wanted: str) -> str:
    if wanted not in ("", "none") or (wanted and (config.token or scheme == "smtps")):
        problem: BadConfig = refused(
            config,
            "channel",
            "a `tls` that will not do",
            "`tls=none`, and only with `smtp://` and without a password",
        )
        raise problem
    if scheme == "smtps":
        return "wrapped"
    return wanted or ("offered" if is_here(host) else "required")


def mail(message: Message, box: Mailbox, root: str, *, is_first: bool) -> EmailMessage:
    """The message as mail. `root`: names the thread."""
    domain = box.sender.rpartition("@")[2]
    thread = f"<smartrouter.{root}@{domain}>"
    made = EmailMessage(policy=WIRE)
    made["From"] = f"smartrouter <{box.sender}>"
    made["To"] = ", ".join(box.recipients)
    made["Subject"] = ("" if is_first else "Re: ") + f"[smartrouter] {_header(plain.title(message))}"
    made["Date"] = format_datetime(localtime())
    if is_first:
        made["Message-ID"] = thread
    else:
        made["Message-ID"] = f"<smartrouter.{root}.{message.revision}@{domain}>"
        made["In-Reply-To"] = made["References"] = thread
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: no machine is to answer
    if message.severity == "critical" and not message.outcome:
        made["Importance"] = "high"
    text = "\n".join([plain.title(message), "", *plain.lines(message)]) + "\n"
    made.set_content(text, cte="quoted-printable")
    made.add_alternative("\n".join(_page(message)) + "\n", subtype="html", cte="quoted-printable")
    return made


def _header(text: str) -> str:
    """`text` in a header: no encoded word is read in it but those that we make (RFC 2047)."""
    return text[:LONGEST_SUBJECT].replace("=?", "= ?")


def _page(message: Message) -> Iterator[str]:
    yield '<!DOCTYPE html><html><head><meta charset="utf-8"></head><body style="font-family:sans-serif">'
    yield f"<p><strong>{html.escape(plain.title(message))}</strong></p>"
    yield "<table>"
    address = plain.link(message)
    for line in plain.lines(message):
        if line == address:
            continue
        what, colon, said = line.partition(": ")
        if colon:
            yield f"<tr><td>{html.escape(what)}</td><td>{html.escape(said)}</td></tr>"
        else:
            yield f'<tr><td colspan="2">{html.escape(line)}</td></tr>'
    yield "</table>"
    if address:
        yield f'<p><a href="{html.escape(address)}">Open its page</a></p>'
    yield "</body></html>"


def _refusal(error: smtplib.SMTPException) -> NotDelivered:
    match error:
        case smtplib.SMTPAuthenticationError():
            is_final = error.smtp_code >= 500
            return NotDelivered(
                f"the mail server does not accept user and password ({error.smtp_code}); mend "
                "`option token`, or the user in `option channel`",
                is_final=is_final,
            )
        case smtplib.SMTPRecipientsRefused():
            codes = [code for code, _ in error.recipients.values()]
            return NotDelivered(
                f"the mail server does not take mail for the address in `option channel` ({max(codes)})",
                is_final=min(codes) >= 500,
            )
        case smtplib.SMTPNotSupportedError():
            return NotDelivered(
                "the mail server offers no STARTTLS, or no way to log in; use `smtps://`, or, without a "
                "password in a network that you trust, `tls=none` in `option channel`",
                is_final=True,
            )
        case smtplib.SMTPServerDisconnected():
            cause = error.__context__ if isinstance(error.__context__, OSError) else ConnectionError()
            return not_reached(cause, "the mail server")
        case smtplib.SMTPConnectError():
            return NotDelivered(f"the mail server does not want to talk now ({error.smtp_code})")
        case smtplib.SMTPResponseException():
            return NotDelivered(
                f"the mail server does not take the mail ({error.smtp_code}); look into its log",
                is_final=error.smtp_code >= 500 and isinstance(error, smtplib.SMTPSenderRefused),
            )
        case _:
            return NotDelivered(
                f"the mail server gave an answer that makes no sense ({type(error).__name__})"
            )
