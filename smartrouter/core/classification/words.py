# SPDX-License-Identifier: GPL-2.0-or-later
"""The words by which names tell what bears them, in host names, vendor classes and announced models.

Tables only: vendors' product names and support pages for `PRODUCTS` and `PERSONAL`, plain language for the
rest. A word counts where it stands alone (`hue-bridge`, `LivingRoomTV`); those of six letters and more
wherever they stand (`mysmartplug2`), but for a few that hide in other words.
"""

import re


def table(text: str) -> frozenset[str]:
    """The words in `text`."""
    return frozenset(text.split())


# What a thing is.
KINDS = table(
    """
        aircon airfryer airpurifier alarm appliance babymonitor bidet blinds boiler brewer bridge bulb cam
        camara camera charger chime chromecast coffee conditioner cooker coolcam cube dehumidifier
        detector dimmer dishwasher display door doorbell dooropener dryer dvr fan feeder fireplace freezer
        fridge fryer garage gateway geyser grill hdmi heater heatpump hob hood hub humidifier inverter ipc
        ipcam irrigation kamera kettle kitchenhub lamp led light lightbulb lights lightstrip lock
        mediaplayer meter microwave mower nvr outlet oven petfeeder photoframe pictureframe plug printer
        projector pump purifier radiator radio receiver refrigerator relay remote robot sauna scale sensor
        settopbox shade shutter siren smartlock smartplug smarttv socket soundbar speaker sprinkler stb
        steckdose stove strip switchbox television thermometer thermostat toothbrush trv tv vac vacuum
        valve wallbox washer washingmachine washtower weather webcam wlanplug
        """
)
# Names of things, and of makers that make nothing else.
PRODUCTS = table(
    """
        abode aeotec airplay alexa amcrest ankuoo anova appletv aqara arlo asante aura awair awox behmor
        belkin blink bluesound bosch bose bosiwo bravia broadlink bticino canary caseta charmast chime
        chunmi cloudcam control4 cync dafang dahua daikin danfoss deco deebot denon dingz divoom dlink
        dropcam dyson easyn echo echodot echoplus echoshow echospot ecobee ecoflow ecovacs edimax elgato
        emporia enphase eufy ewelink ezviz fibaro firestick firetv fitbit flic foscam freebuds fritzdect
        fronius furbo gardena geeni gira goodwe googlecast googlehome goove gosund govee growatt hama
        harman harmony hikvision hisense homebridge homecontrol homehub homematic homepod homewizard
        honeywell hue husqvarna ihome ikea ikettle imou insight insteon invoke irobot kasa keurig kogan
        koogeek lametric ledvance lefun lgwebostv lifx lightify lightwave logi logitech lohas loxone luohe
        lutron magichome mediola meross microseven miele miio minut mitsubishi myq myqgarage mystrom
        nanoleaf neato nest netatmo nodemcu nuheat nuki nvidiashield onkyo onvif osram ozom panasonic
        philips plejd powerwall purpleair qardio rachio rainbird rainmachine reolink ring roborock rokid
        roku rokutv roomba samsungtv sengled senseme sensi sensibo shark shelly shield simplisafe slingbox
        smarter smartlife smartthings smartwares solaredge somfy sonoff sonos sonoszp soundlink soundtouch
        spotcam sunpower sureflap switchbot switchmate tado tahoma tapo tasmota teckin tedee tesmart
        tibber tivo tizen tplink tradfri tuya tween unifiprotect velux venstar viessmann vizio viziocast
        vorwerk wansview wattbox webos webostv wemo wifiplug wink withings wiz wled wyze wyzecam xiaodu
        xiaofang yale yeelight yeelink yi zmodo zosi
        """
)
# What Wi-Fi modules and their kits call themselves, and small systems that nobody gave a name.
MODULES = table(
    """
        ameba anyka arduino atmel bk7231 bl602 buildroot cc3200 cc3220 esp espressif gainspan goke gs hf
        hi3516 hi3518 ingenic lpb lwip mchpboard mediatek mxchip nodemcu particle photon realtek rtl8710
        rtl8720 usrwifi wiced winc wizfi wiznet
        """
)
# What people carry or sit at, by product.
PERSONAL = table(
    """
        alienware asusphone blackberry chromebook elitebook fairphone fold galaxy honor ideapad imac
        inspiron ipad iphone ipod kindle latitude legion lumia macair macbook macbookair macbookpro
        macmini macpro mbp nexus nokia oneplus optiplex pavilion pixel pixelbook poco precision probook
        realme redmi rog surface thinkbook thinkcentre thinkpad vaio vostro watch xperia xps yoga zenbook
        zenfone
        """
)
# What computers are called by those who set them up, or by their systems.
COMPUTERS = table(
    """
        arch archlinux centos client computer debian desktop dev devbox elementary endeavouros fedora
        freebsd gentoo host kali kubuntu laptop linux linuxmint lubuntu mac manjaro mint netbook
        node notebook oemcomputer openbsd opensuse pc pentium phone pop redhat rhel rocky server
        smartphone solaris srv suse tablet test testclient ubuntu vagrant victim virtualbox vm vmware win
        windows winxp wks workstation ws xp xubuntu zorin
        """
)
# In between: whether to watch it is a matter of taste, what it is is plain.
BETWEEN = {
    "console": table(
        """
        nintendo playstation ps psp steamdeck wii xbox xboxone
        """
    ),
    "telephone": table(
        """
        aastra ata avaya cisco fritzfon gigaset gxp gxv mitel obihai phone polycom sep sip snom spa voip
        yealink
        """
    ),
    "network": table(
        """
        accesspoint airport ap aruba extender firewall fritz fritzbox lede meraki mikrotik modem openwrt
        opnsense orbi pfsense powerline repeater router routeros rt ubnt unifi wap
        """
    ),
    "server": table(
        """
        diskstation freenas hassio homeassistant libreelec mycloud nas octopi openmediavault osmc pihole
        plex proxmox qnap raspberry raspberrypi raspbian readynas retropie rpi synology truenas volumio
        """
    ),
}
# Rooms: Apple's and Google's speakers and players are called after the one they stand in.
_ROOM = r"""
    (?:family|living|bed|bath|dining|guest|master|play|sitting|sun|media|games?|laundry|tv)[-_\s]?(?:room|bath)
    kitchen office hallway garage garden patio den basement attic nursery lounge study upstairs downstairs
    wohnzimmer schlafzimmer kinderzimmer esszimmer k(?:ü|ue)che bad b(?:ü|ue)ro flur keller
    salon cuisine chambre bureau s[ée]jour soggiorno cucina cocina dormitorio sala
    woonkamer keuken slaapkamer vardagsrum k[öo]k sovrum
"""
ROOMS = re.compile(rf"(?:{'|'.join(_ROOM.split())})(?:[-_\s]?[0-9]{{1,2}})?", re.IGNORECASE)

_HIDING = table(
    """
        charge charger client device outlet remote server shield surface switch
        """
)
_INSIDE = 6  # letters from which a word counts wherever it stands


def pattern(words: frozenset[str]) -> re.Pattern[str]:
    """Finds those of `words` in a name's small letters that count wherever they stand."""
    long = sorted(word for word in words if len(word) >= _INSIDE and word not in _HIDING)
    return re.compile("|".join(long) or r"(?!)")


def split(name: str) -> frozenset[str]:
    """The words of a name in small letters: `Meross_Smart_Garage`, `RokuPremiere`, `LGwebOSTV`, `PS4-123`."""
    runs = re.findall(r"[A-Za-z]+", name)
    parts = (part for run in runs for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", run))
    return frozenset(word.lower() for word in (*runs, *parts))
