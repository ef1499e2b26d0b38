# SPDX-License-Identifier: GPL-2.0-or-later
"""Does what a device asks for look like a person's phone or computer? A plug that is being set up may carry
the phone's traffic; if it is learning then, it learns what the phone needs.

Two signs, within one hour: names that only people's devices ask for (social networks, mail, news, what
browsers and app stores need), and very many name groups. A thing was seen to need at most 4 groups in an
hour (14 devices); the phone behind a plug 10, five of them a person's. Local names and reverse lookups say
nothing.
"""

from typing import NamedTuple

from smartrouter.core.names import is_local, is_special_use, labels, registrable_domain

HOUR = 3600.0
_SURE, _SOME, _SOME_GROUPS, _MANY_GROUPS = 3, 1, 8, 40
_MAX_GROUPS = 256

# Registrable domains. General knowledge of what these services are; whole services for people only, since a
# television may well ask for advertisements, video and shops.
_PERSONAL = frozenset(
    """
    facebook.com facebook.net fbcdn.net fbsbx.com messenger.com instagram.com cdninstagram.com whatsapp.com
    whatsapp.net twitter.com twimg.com x.com t.co linkedin.com licdn.com pinterest.com pinimg.com reddit.com
    redd.it redditstatic.com redditmedia.com snapchat.com sc-cdn.net sc-static.net tiktok.com tiktokv.com
    tiktokcdn.com musical.ly telegram.org t.me signal.org discord.com discordapp.com discord.gg viber.com
    line.me line-apps.com wechat.com weixin.qq.com qq.com weibo.com weibo.cn sina.com.cn vk.com vk.me ok.ru
    skype.com zoom.us slack.com slack-edge.com outlook.com office.com office365.com live.com
    gmail.com yahoo.com yahooapis.com mail.ru gmx.net gmx.com web.de proton.me protonmail.com tripadvisor.com
    booking.com airbnb.com expedia.com flipboard.com nytimes.com bbc.co.uk cnn.com theguardian.com spiegel.de
    washingtonpost.com wikipedia.org wikimedia.org stackoverflow.com quora.com medium.com tumblr.com
    flickr.com imgur.com ebay.com aliexpress.com etsy.com paypal.com uber.com strava.com duolingo.com
    bing.com duckduckgo.com mozilla.org mozilla.com mozilla.net firefox.com opera.com brave.com vivaldi.com
    samsungosp.com samsungapps.com bugsense.com localytics.com flurry.com appsflyer.com adjust.com branch.io
    app-measurement.com crashlytics.com crittercism.com mixpanel.com kochava.com onesignal.com
    """.split()  # noqa: SIM905 - a table
)
_PERSONAL_HOSTS = frozenset(
    """
    safebrowsing.googleapis.com safebrowsing.google.com safebrowsing-cache.google.com update.googleapis.com
    clientservices.googleapis.com optimizationguide-pa.googleapis.com play.google.com
    android.clients.google.com play.googleapis.com inbox.google.com mail.google.com docs.google.com
    calendar.google.com drive.google.com maps.google.com news.google.com photos.google.com
    itunes.apple.com apps.apple.com imap.gmail.com smtp.gmail.com imap.mail.me.com
    config.edge.skype.com browser.events.data.msn.com www.msn.com
    """.split()  # noqa: SIM905 - a table
)


class Sign(NamedTuple):
    """`personal`: domains that speak for a person. `groups`: name groups in this hour."""

    personal: tuple[str, ...]
    groups: int


class PersonWatch:
    """What one device asked for within the hour."""

    __slots__ = ("_groups", "_personal", "_since", "_told")

    def __init__(self) -> None:
        self._since = 0.0
        self._groups: set[str] = set()
        self._personal: dict[str, None] = {}
        self._told = False

    def asked(self, name: str, now: float) -> Sign | None:
        """The device asks for `name`. A sign if that makes it look like a person's device, once an hour at
        most."""
        if now - self._since >= HOUR:
            self._since, self._groups, self._personal, self._told = now, set(), {}, False
        group = registrable_domain(name)
        if group in self._groups or len(self._groups) >= _MAX_GROUPS:
            return None
        if is_local(name) or is_special_use(name):
            return None
        self._groups.add(group)
        personal = _personal(name)
        if personal:
            self._personal[personal] = None
        if self._told or not self._is_person():
            return None
        self._told = True
        return Sign(tuple(self._personal), len(self._groups))

    def _is_person(self) -> bool:
        personal, groups = len(self._personal), len(self._groups)
        return personal >= _SURE or (personal >= _SOME and groups >= _SOME_GROUPS) or groups >= _MANY_GROUPS


def _personal(name: str) -> str:
    """The domain among a person's that `name` belongs to, '' if to none."""
    if name in _PERSONAL_HOSTS:
        return name
    parts = labels(name)
    for at in range(max(0, len(parts) - 3), len(parts) - 1):
        domain = ".".join(parts[at:])
        if domain in _PERSONAL:
            return domain
    return ""
