# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device's announcements tell: services and models in mDNS and SSDP.

Sources: IANA's registry of service names, the vendors' protocol documentation (Apple's HomeKit and AirPlay,
Google Cast, Matter, DIAL, Roku's ECP, Sonos, Hue), Avahi's default services, Apple's model identifiers.
"""

import re
from collections.abc import Iterator, Mapping

from smartrouter.core.classification.clue import Clue, shown
from smartrouter.core.classification.hostnames import by_words
from smartrouter.core.classification.words import table

MEANINGS: Mapping[str, str] = {
    "announces.appliance": "announces services that only appliances have",
    "announces.media": "announces that it plays media, as players, speakers and some computers do",
    "announces.network": "announces that it is a gateway to the Internet",
    "announces.personal": "announces services of people's computers and phones",
    "model.appliance": "announces itself as an appliance's model",
    "model.personal": "announces itself as a computer's or a phone's model",
}

_APPLIANCE = table(
    """
        _amzn-alexa _amzn-wplay _androidtvremote _androidtvremote2 _axis-video _bose _bosehd _coap _dhnap
        _dyson_mqtt _ecobee _elg _esphomelib _ewelink _freebox _googlecast _googlezone _hap _heos-audio
        _homeconnect _homematic _hue _ikea _ipp _ipps _irobot _kodi _leap _lifx _lutron _matter _matterc
        _mediaremotetv _meshcop _miio _mysma _nanoleafapi _nanoleafms _octoprint _onvif _pdl-datastream
        _philipshue _plugwise _powerview _printer _psia _rc _roku _rsp _scanner _sengled _shelly _sonos
        _soundtouch _spotify-connect _sues800device _tivo-remote _touch-remote _trel _uscan _uscans
        _viziocast _wled
        """
)
_MEDIA = table("_airplay _airport _dacp _raop")
_PERSONAL = table(
    """
        _adb _airdrop _apple-mobdev _apple-mobdev2 _asquic _companion-link _dosvc _eppc _iphonesync
        _keynote _net-assistant _nfs _odisk _presence _rdlink _remotepairing _rfb _sftp-ssh _teamviewer
        _udisks-ssh _vnc _workstation
        """
)
_SSDP = (
    ("announces.network", re.compile(r"(?i)internetgatewaydevice|wandevice|wlanaccesspoint|wfadevice")),
    (
        "announces.appliance",
        re.compile(
            r"(?i)dial-multiscreen|roku|sonos|belkin|hue|zoneplayer|samsung|lge?[.-]|printer|basic:1|light|camera|hvac"
        ),
    ),
    ("announces.media", re.compile(r"(?i)mediarenderer|mediaserver")),
)
_PHRASES = {
    "announces.appliance": "announces {}, which appliances have",
    "announces.media": "announces {}: it plays media",
    "announces.network": "announces {}: a gateway to the Internet",
    "announces.personal": "announces {}, as people's computers and phones do",
}

_APPLE_THINGS = re.compile(r"AppleTV|AudioAccessory|J105|J305|K66|B238|B520")
_APPLE_PERSONAL = re.compile(
    r"MacBook|iMac|Macmini|MacPro|Mac[0-9]|iPhone|iPad|iPod|Watch[0-9]|Xserve|VirtualMac"
)
_SYSTEMS = re.compile(r"Microsoft-Windows|Windows NT|Darwin|Android|ChromeOS", re.IGNORECASE)
_MODELS = {
    "name.appliance": "model.appliance",
    "name.module": "model.appliance",
    "name.personal": "model.personal",
    "name.product": "model.appliance",
}
_MOST, _LONGEST = 16, 64  # texts, and characters of each, that are looked at; a device may say anything


def clues(services: tuple[str, ...], models: tuple[str, ...]) -> Iterator[Clue]:
    """One clue a feature: the first service, and the first model, that speaks for it."""
    found: dict[str, Clue] = {}
    for service in services[-_MOST:]:  # the latest are at the end
        feature = _of_service(service[:_LONGEST])
        if feature and feature not in found:
            found[feature] = Clue(feature, _PHRASES[feature].format(shown(service)))
    for model in models[-_MOST:]:
        feature = _of_model(model[:_LONGEST])
        if feature and feature not in found:
            what = "an appliance's" if feature == "model.appliance" else "a computer's or a phone's"
            found[feature] = Clue(feature, f"says that its model is {shown(model)}, {what}")
    yield from found.values()


def _of_service(service: str) -> str:
    name = service.lower().partition(".")[0]
    if name in _APPLIANCE:
        return "announces.appliance"
    if name in _MEDIA:
        return "announces.media"
    if name in _PERSONAL:
        return "announces.personal"
    if name.startswith("_"):
        return ""
    return next((feature for feature, shape in _SSDP if shape.search(service)), "")


def _of_model(model: str) -> str:
    if _APPLE_THINGS.match(model):
        return "model.appliance"
    if _APPLE_PERSONAL.match(model) or _SYSTEMS.search(model):
        return "model.personal"
    return _MODELS.get(by_words(model), "")
