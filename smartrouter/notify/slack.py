# SPDX-License-Identifier: GPL-2.0-or-later
"""Slack: by a bot's token, with one message for each thing that is kept up to date and has buttons, or by an
incoming webhook, which can only post.

What happens again goes into the message's thread, at most once an hour, since an updated message makes no
phone ring. slack_sdk logs addresses and payloads; it gets a logger here that says nothing.
"""

import logging
import re
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from smartrouter.config import NotifyConfig
from smartrouter.notify import repeats
from smartrouter.notify.channel import PATIENCE, NotDelivered
from smartrouter.notify.loopback import is_here
from smartrouter.notify.message import Answer, Message
from smartrouter.notify.slack_blocks import blocks, fallback
from smartrouter.notify.slack_socket import AnswerSocket
from smartrouter.notify.trouble import not_reached, refused, retry_after

if TYPE_CHECKING:
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError

NEEDS = ("slack_sdk", "slack_sdk.errors", "slack_sdk.socket_mode", "slack_sdk.webhook")
_ANSWERED_KEPT = 200
_SILENT = logging.Logger("slack", logging.CRITICAL + 1)  # in nobody's hierarchy
# Slack's error codes after which trying again is no use, and what to do about them.
# https://docs.slack.dev/reference/methods/chat.postMessage/#errors
_FINAL: Mapping[str, str] = {
    "invalid_auth": "Slack does not know the token; copy it anew from your app's page into `option token`",
    "not_authed": "Slack got no token; set `option token`",
    "token_revoked": "the token was revoked; install the app anew and set `option token`",
    "token_expired": "the token has expired; set one that does not in `option token`",
    "account_inactive": "the app was removed from the workspace; install it anew and set `option token`",
    "missing_scope": "the app may not do this; give it the scope `chat:write` (for buttons: "
    "`connections:write` on the app's token) and install it anew",
    "not_allowed_token_type": "this kind of token will not do; `option token` takes a bot's (`xoxb-…`), "
    "`option app_token` an app's (`xapp-…`)",
    "channel_not_found": "there is no such channel, or it is private and the app is not in it; mend "
    "`option channel`, or invite the app there",
    "not_in_channel": "the app is not in the channel; invite it there with /invite",
    "is_archived": "the channel is archived; name another in `option channel`",
    "restricted_action": "the workspace does not let the app post in this channel; ask its administrator",
    "org_login_required": "the workspace is being moved, and wants a login; ask its administrator",
    "ekm_access_denied": "the workspace's administrator has suspended messages",
}
# What is wrong with one message alone: the next may do.
_OF_ONE: Mapping[str, str] = {
    "invalid_blocks": "Slack does not take the message as it is; please report this",
    "invalid_blocks_format": "Slack does not take the message as it is; please report this",
    "msg_too_long": "Slack finds the message too long; please report this",
    "msg_blocks_too_long": "Slack finds the message too long; please report this",
}
# The message that was to be updated is gone, or too old for it: a new one is posted.
_GONE = frozenset({"message_not_found", "cant_update_message", "edit_window_closed", "thread_not_found"})
# What a webhook answers; https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/
_HOOK_GONE = "the webhook was switched off, or is not this one; make a new one and set `option channel`"


class _Place(NamedTuple):
    """Where a message is, and when something was last said about it; a receipt, read."""

    channel: str
    ts: str
    said: float

    def text(self) -> str:
        return f"{self.channel}:{self.ts}:{int(self.said)}"


class _Refusal(NotDelivered):
    """Slack said no. `code`: its own word for it."""

    def __init__(self, why: str, code: str, *, is_final: bool = False, retry_after: float | None = None):
        super().__init__(why, is_final=is_final, retry_after=retry_after)
        self.code = code


class Slack:
    """See the module. Raises BadConfig for options that cannot be used."""

    def __init__(self, config: NotifyConfig, first_wait: float = 1.0):
        self._app_token = config.app_token
        self._first_wait = first_wait
        self._socket: AnswerSocket | None = None
        self._closed = threading.Event()
        self._answered: OrderedDict[str, str] = OrderedDict()  # key -> id of who pressed a button
        self._is_hook = config.channel.lower().startswith(("https:", "http:"))
        _check(config, self._is_hook)
        self._channel = config.channel
        self._url = config.url
        self._token = config.token
        self._tls = ssl.create_default_context()
        self._web: WebClient | None = None if self._is_hook else self._web_client()

    def send(self, message: Message, receipt: str) -> str:
        """See `channel.Channel`."""
        if self._is_hook:
            return self._post_to_hook(message, receipt)
        place = _place(receipt)
        shown = self._shown(message)
        if place is None:
            return self._post(shown)
        try:
            self._call("chat_update", channel=place.channel, ts=place.ts, **shown)
        except _Refusal as error:
            if error.code not in _GONE:
                raise
            return self._post(shown)
        now = time.time()
        if message.outcome or 0 <= now - place.said < repeats.QUIET:
            return place.text()
        self._call(
            "chat_postMessage", channel=place.channel, thread_ts=place.ts, text=fallback(message), **_BARE
        )
        return place._replace(said=now).text()

    def listen(self, answered: Callable[[str, Answer, str], None]) -> None:
        """See `channel.Answers`. Without an `app_token` there are no buttons, and so nothing to hear."""
        if not self._app_token or self._is_hook or self._socket is not None:
            return
        from slack_sdk.socket_mode import SocketModeClient

        def take(key: str, answer: Answer, user: str) -> None:
            self._answered[key] = user
            if len(self._answered) > _ANSWERED_KEPT:
                self._answered.popitem(last=False)
            answered(key, answer, f"slack:{user}")

        client = SocketModeClient(
            self._app_token,
            logger=_SILENT,
            web_client=self._web_client(),
            auto_reconnect_enabled=False,
            concurrency=1,
        )
        self._socket = AnswerSocket(client, self._new_address, take, self._first_wait)

    @property
    def trouble(self) -> str:
        """Why button presses are not heard now, '' if they are or there are none."""
        return self._socket.trouble if self._socket else ""

    def close(self) -> None:
        """See `channel.Channel`."""
        if self._socket:
            self._socket.close()

    def _shown(self, message: Message) -> dict[str, Any]:
        by = self._answered.get(message.key, "")
        shown = blocks(message, with_buttons=bool(self._app_token), by=by)
        return {"text": fallback(message), "blocks": shown, "parse": "none", "link_names": False}

    def _post(self, shown: Mapping[str, Any]) -> str:
        done = self._call("chat_postMessage", channel=self._channel, **{**shown, **_BARE})
        return _Place(str(done.get("channel") or ""), str(done.get("ts") or ""), time.time()).text()

    def _post_to_hook(self, message: Message, receipt: str) -> str:
        if not repeats.is_due(message, receipt, time.time()):
            return receipt
        from slack_sdk.webhook import WebhookClient

        hook = WebhookClient(
            self._channel, timeout=int(PATIENCE), ssl=self._tls, logger=_SILENT, retry_handlers=[]
        )
        failure: NotDelivered
        try:
            done = hook.send(text=fallback(message), blocks=blocks(message, with_buttons=False))
        except Exception as error:
            failure = not_reached(error, "Slack's webhook")
        else:
            if done.status_code == 200:
                return repeats.receipt_for(message, time.time())
            failure = _hook_refusal(done.status_code, done.headers)
        raise failure  # here, not above: the error that it came from may quote the address

    def _new_address(self) -> str:
        done = self._call("apps_connections_open", app_token=self._app_token)
        return str(done.get("url") or "")

    def _web_client(self) -> "WebClient":
        from slack_sdk import WebClient

        return WebClient(
            self._token,
            base_url=self._url.rstrip("/") + "/" if self._url else WebClient.BASE_URL,
            timeout=int(PATIENCE),
            ssl=self._tls,
            logger=_SILENT,
            retry_handlers=[],
        )

    def _call(self, method: str, **arguments: Any) -> Any:
        from slack_sdk.errors import SlackApiError

        failure: NotDelivered
        try:
            return getattr(self._web, method)(**arguments)
        except SlackApiError as error:
            failure = _refusal(error)
        except Exception as error:  # of the network, or of the library about an answer that makes no sense
            failure = not_reached(error, "Slack")
        raise failure  # here, not above: the error that it came from may quote the token


def open_channel(config: NotifyConfig) -> Slack:
    """See `channels`."""
    return Slack(config)


_BARE: Mapping[str, Any] = {"mrkdwn": False, "parse": "none", "unfurl_links": False, "unfurl_media": False}


def _place(receipt: str) -> _Place | None:
    found = re.fullmatch(r"([A-Za-z0-9]+):([0-9.]+)(?::([0-9]+))?", receipt)
    return _Place(found[1], found[2], float(found[3] or 0)) if found else None


def _check(config: NotifyConfig, is_hook: bool) -> None:
    if is_hook:
        if not _is_private(config.channel):
            raise refused(config, "channel", "an address without TLS", "`https://hooks.slack.com/services/…`")
        return
    if not config.channel:
        raise refused(
            config, "channel", "nothing", "a channel such as `#alerts` or `C024BE91L`, or a webhook's address"
        )
    if not config.token.startswith("xoxb-"):
        raise refused(config, "token", _kind_of(config.token), "a bot's token, `xoxb-…`")
    if config.app_token and not config.app_token.startswith("xapp-"):
        raise refused(config, "app_token", _kind_of(config.app_token), "an app's token, `xapp-…`")
    if config.url and not _is_private(config.url):
        raise refused(config, "url", "an address without TLS", "an address that begins with `https://`")


def _is_private(url: str) -> bool:
    """Whether nobody can listen in on the way to `url`."""
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.scheme == "https" or is_here(parts.hostname or ""))
    except ValueError:
        return False


def _kind_of(token: str) -> str:
    """What kind of token it is, by the part that is not secret."""
    found = re.match(r"(xox[a-z]|xoxe\.xox[a-z]|xapp)-", token)
    return f"one that begins with `{found[0]}`" if found else "something else" if token else "nothing"


def _refusal(error: "SlackApiError") -> _Refusal:
    answer = error.response
    status, headers = answer.status_code, answer.headers
    data = answer.data
    code = data.get("error") if isinstance(data, dict) else None
    if not isinstance(code, str) or not re.fullmatch("[a-z_]{1,60}", code):
        code = ""
    if code in _FINAL:
        return _Refusal(f"{_FINAL[code]} ({code})", code, is_final=True)
    wait = retry_after(headers)
    if status == 429 or code in ("ratelimited", "rate_limited", "message_limit_exceeded"):
        return _Refusal("Slack wants fewer messages; it goes on later", code, retry_after=wait)
    if code:
        return _Refusal(f"{_OF_ONE.get(code, 'Slack said no')} ({code})", code, retry_after=wait)
    what = f"with HTTP status {status}" if status != 200 else "with something that is not Slack's"
    return _Refusal(f"Slack answered {what}", code, retry_after=wait)


def _hook_refusal(status: int, headers: Mapping[str, str]) -> NotDelivered:
    if status == 429:
        return NotDelivered("Slack wants fewer messages; it goes on later", retry_after=retry_after(headers))
    if status in (401, 403, 404, 410):
        return NotDelivered(f"{_HOOK_GONE} (HTTP status {status})", is_final=True)
    if status in (400, 413):
        return NotDelivered(
            f"Slack does not take the message as it is; please report this (HTTP status {status})"
        )
    return NotDelivered(f"Slack answered with HTTP status {status}", retry_after=retry_after(headers))
