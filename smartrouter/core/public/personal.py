# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that only people's devices ask for: social networks, mail, news, what browsers and app stores need.

Knows no device.
"""

from smartrouter.core.names import labels

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


def personal_domain(name: str) -> str:
    """The domain among a person's that `name` belongs to, '' if to none."""
    if name in _PERSONAL_HOSTS:
        return name
    parts = labels(name)
    for at in range(max(0, len(parts) - 3), len(parts) - 1):
        domain = ".".join(parts[at:])
        if domain in _PERSONAL:
            return domain
    return ""
