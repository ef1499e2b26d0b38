# SPDX-License-Identifier: GPL-2.0-or-later
"""The acts of the demonstration, in order, and what each of them claims.

Every claim is checked on the spot against what devices saw, what reached the Internet, and what the real
commands say. How it looks is `stage.py`'s business.
"""

import secrets
import shlex
import socket
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from smartrouter.lab import packets
from smartrouter.lab.devices import NAMES, PHONE, STRANGER, WATCHED, Habit, Model, Visit, follow, knock
from smartrouter.lab.hosts import Host
from smartrouter.lab.network import Network
from smartrouter.lab.pages import PORT, Browser
from smartrouter.lab.plan import HOME, RESOLVER4, WAN_ROUTER, Way
from smartrouter.lab.product import Product
from smartrouter.lab.stage import Stage
from smartrouter.lab.traffic import Result

_VERSIONS = (4, 6)
_CAMERA = WATCHED[0]
_STRANGER_DOMAIN = "stranger.example"
_UNNAMED_ADDRESS, _FORGED_ADDRESS = "198.51.100.99", "198.51.100.98"
_SCANNED_NETWORK, _SCANNED = "192.0.2", 254  # a /24, and how many of its addresses
_WORDS = {Result.REFUSED: "reset"}  # as people know it


class Story:
    """The acts, in order. `hosts`: the devices on the network by their model's key. `url`: where a browser
    outside the lab finds the web interface, '' if nowhere."""

    def __init__(self, stage: Stage, network: Network, product: Product, url: str = "") -> None:
        self.stage = stage
        self.network = network
        self.product = product
        self.url = url
        self.hosts: dict[str, Host] = {}
        self._password = secrets.token_hex(6)

    def tell(self, wait: Callable[[], object] | None = None) -> None:
        """The whole story; with `wait`, it stays as it is before the end for as long as that takes.

        Raises ClaimError, TimeoutError or RuntimeError where it cannot go on."""
        self.the_network()
        self.the_devices_arrive()
        self.learning()
        self.protected()
        self.monitor_mode_reports()
        self.enforce_mode_blocks()
        self.odd_packets()
        self.allowed_with_one_command()
        self.a_scan_is_one_alert()
        self.the_web_interface()
        self.the_phone_was_left_alone()
        if wait is not None:
            self._stay(wait)
        self.the_end()

    # -- the acts --------------------------------------------------------------------------------------

    def the_network(self) -> None:
        stage = self.stage
        stage.act(
            "A home network",
            "A router, an Internet of several servers, and four devices, all inside network namespaces.",
            "The router runs the real smartrouter, and dnsmasq as DHCP and DNS server.",
        )
        self.network.start_router_dnsmasq()
        self.product.start()
        self._command("status")
        stage.claim("smartrouter guards: its rules are in the router's kernel", self.product.has_table())
        done = self.product.command("web", "--set-password", said=f"{self._password}\n")
        stage.claim("its web interface has a password", done.returncode == 0, done.stderr)
        if self.url:
            stage.tell("Look at its pages while this runs:")
            stage.tell(f"    {self.url}   password {self._password}")

    def the_devices_arrive(self) -> None:
        stage = self.stage
        stage.act("Devices arrive", "Each asks dnsmasq for an address, and the router advertises IPv6.")
        for model in (*WATCHED, PHONE):
            host = self.network.add_device(model.key, mac=model.mac, addresses=False)
            self.network.lease(host, hostname=model.hostname, vendor=model.vendor)
            self.hosts[model.key] = host
            stage.deed(f"{model.title} says it is {model.hostname}", f"{host.ipv4}, {host.ipv6}", good=True)
        wanted = {model.mac for model in WATCHED}
        watched = self._eventually(lambda: self._watched() == wanted)
        self._command("devices")
        stage.claim("the three appliances are watched, the phone is not", watched, self._watched())

    def learning(self) -> None:
        stage = self.stage
        stage.act("Learning", "Devices do what they always do. What they use now is what they need.")
        visits = self._live(*WATCHED)
        stage.claim("everything works, over IPv4 and IPv6", all(v.outcome.ok for v in visits), _bad(visits))

    def protected(self) -> None:
        stage = self.stage
        stage.act("Protected", "Learning ends by itself: after some seconds here, after days in a home.")
        done = self._eventually(lambda: self._states() == {"protected"}, timeout=60.0)
        self._command("device", _CAMERA.title)
        stage.claim("all three devices are protected", done, self._states())
        visits = self._live(*WATCHED, quietly=True)
        stage.claim("what they learned goes on working", all(v.outcome.ok for v in visits), _bad(visits))
        stage.claim("and nothing was reported", not self._alerts(), self._alerts())

    def monitor_mode_reports(self) -> None:
        stage = self.stage
        stage.act("Monitor mode reports", "The camera calls somebody it has never called before.")
        visits = [*self._follow(_CAMERA, STRANGER), self._knock(_UNNAMED_ADDRESS)]
        stage.claim("it works: monitor mode drops nothing", all(v.outcome.ok for v in visits), _bad(visits))
        expected = {(_STRANGER_DOMAIN, "web", 2), (_UNNAMED_ADDRESS, "tcp/23", 1)}
        reported = self._eventually(lambda: set(self._reported()) == expected)
        self._command("alerts")
        reported = reported and len(self._reported()) == len(expected)
        stage.claim("both destinations were reported, each as one alert", reported, self._reported())

    def enforce_mode_blocks(self) -> None:
        stage = self.stage
        stage.act("Enforce mode blocks", "The same again, with one command before.")
        self._command("mode", "enforce", "--yes")
        arrived = len(self.network.servers.arrived())
        visits = [*self._follow(_CAMERA, STRANGER), self._knock(_UNNAMED_ADDRESS)]
        refused = all(v.outcome.result == Result.REFUSED for v in visits)
        slowest = max(v.outcome.ms for v in visits)
        stage.claim(f"the camera sees a reset, within {slowest:.1f} ms", refused, [v.outcome for v in visits])
        news = self.network.servers.arrived()[arrived:]
        stage.claim("not one packet reached the stranger", not news, news)
        visits = self._live(*WATCHED, quietly=True)
        stage.claim("what was learned still works", all(v.outcome.ok for v in visits), _bad(visits))

    def odd_packets(self) -> None:
        stage = self.stage
        stage.act("Odd packets", "A device that is taken over need not play by the rules. The camera sends:")
        camera = self.hosts[_CAMERA.key]
        for version, address in zip(_VERSIONS, NAMES[STRANGER.name], strict=True):
            way = self.network.way_out(camera, address)
            with self.network.internet.frames("wan") as wire:
                for what, frames in _odd_packets(way).items():
                    camera.send(*frames)
                    if version == 4:
                        stage.tell(f"· {what}")
                camera.connect(f"198.51.100.{version}", 443)  # once this is refused, the others were judged
                leaked = _addressed_to(wire, address)
            stage.claim(
                f"none of it gets out over IPv{version}", not leaked, [frame.hex() for frame in leaked]
            )
        stage.tell("Somebody on the Internet sends it an answer to a question that it never asked.")
        forged = packets.dns_reply(
            self.network.way_in(RESOLVER4, camera), _CAMERA.habits[0].name, _FORGED_ADDRESS
        )
        self.network.internet.send(forged, interface="wan")
        outcome = self._knock(_FORGED_ADDRESS, port=443).outcome
        stage.claim("a forged answer opens no door", outcome.result == Result.REFUSED, outcome)

    def allowed_with_one_command(self) -> None:
        stage = self.stage
        stage.act("Allowed with one command", "You know the stranger: it is the camera's new cloud.")
        self._command("allow", _CAMERA.title, _STRANGER_DOMAIN)
        visits = self._follow(_CAMERA, STRANGER)
        stage.claim("it works again, over IPv4 and IPv6", all(v.outcome.ok for v in visits), _bad(visits))
        visit = self._knock(_UNNAMED_ADDRESS)
        stage.claim("the bare address stays blocked", visit.outcome.result == Result.REFUSED, visit.outcome)

    def a_scan_is_one_alert(self) -> None:
        stage = self.stage
        stage.act("A scan is one alert", "Malware on the camera looks for its next victims: 254 addresses.")
        arrived = len(self.network.servers.arrived())
        for number in range(1, _SCANNED + 1):
            self.hosts[_CAMERA.key].connect(f"{_SCANNED_NETWORK}.{number}", 23)
        news = self.network.servers.arrived()[arrived:]
        stage.claim("not one packet of it got out", not news, news)
        told = self._eventually(
            lambda: [alert["count"] >= _SCANNED for alert in self._of_the_scan()] == [True]
        )
        self._command("alerts", "--kind", "scan")
        stage.claim("all of it is one alert", told, self._of_the_scan())

    def the_web_interface(self) -> None:
        stage, phone = self.stage, self.hosts[PHONE.key]
        stage.act(
            "The web interface", f"{PHONE.title} opens http://{HOME.router4}:{PORT}, where everything stands."
        )
        browser = Browser(phone, HOME.router4)
        refused = browser.send(browser.get("/"), "/login", password="a guess")  # noqa: S106 - a wrong one
        stage.claim("nobody comes in with a guess", refused.status == HTTPStatus.FORBIDDEN, refused.said)
        home = browser.send(refused, "/login", password=self._password)
        headline = home.text.partition("<h1>")[2].partition("</h1>")[0]
        stage.deed("Home says, first of all", headline, good=True)
        stage.claim("it says that the camera needs somebody", "1 needs you" in headline, home.said[:300])
        inbox = browser.get("/inbox")
        stage.claim(
            "the scan waits in the inbox, in plain words", "how a scan looks" in inbox.said, inbox.said
        )
        button = f"/alerts/{self._of_the_scan()[0]['id']}/decide"
        done = browser.send(inbox, button, do="cut")
        stage.claim("one click cuts the camera off", "is cut off for a day" in done.said, done.said[:300])
        visits = self._follow(_CAMERA, STRANGER)
        cut = all(visit.outcome.result == Result.REFUSED for visit in visits)
        stage.claim("and it is, even from what was allowed", cut, _bad(visits))
        browser.send(done, "/decisions/undo")
        visits = self._follow(_CAMERA, STRANGER)
        stage.claim("*Undo* takes that back", all(v.outcome.ok for v in visits), _bad(visits))
        pages = {
            path: browser.get(path) for path in ("/", "/inbox", "/devices", "/log", "/rules", "/settings")
        }
        most = max(len(page.text.encode()) for page in pages.values())
        slowest = max(page.ms for page in pages.values())
        stage.deed("The heaviest page, and the slowest", f"{most / 1000:.0f} kB, {slowest:.0f} ms", good=True)
        stage.claim("all pages are there, below 100 kB", most < 100_000, most)
        outcome = self.network.internet.connect(WAN_ROUTER.ipv4, PORT)
        stage.claim("the Internet finds no web interface", not outcome.ok, outcome)

    def _stay(self, wait: Callable[[], object]) -> None:
        self.stage.act("Look around", "Everything runs. On this machine, the pages are at:")
        self.stage.tell(f"    {self.url or 'no free port'}   password {self._password}")
        self.stage.tell("Enter ends it.")
        wait()

    def the_phone_was_left_alone(self) -> None:
        stage = self.stage
        stage.act("The phone was left alone", "It is no IoT device: it goes where it likes, unrecorded.")
        visits = [*self._live(PHONE), *self._follow(PHONE, STRANGER)]
        stage.claim("everything works, in enforce mode too", all(v.outcome.ok for v in visits), _bad(visits))
        stage.claim("there are records of the camera", bool(self._records_of(_CAMERA)))
        records = self._records_of(PHONE)
        stage.claim("there is none of what the phone did", not records, records)

    def the_end(self) -> None:
        stage = self.stage
        stage.act("The end", "Stopping smartrouter.")
        status = self.product.stop()
        stage.claim("it ended in good order", status == 0, f"exit status {status}")
        stage.claim("its rules are gone from the kernel", not self.product.has_table())
        visit = self._knock(_UNNAMED_ADDRESS)
        stage.claim("and the router forwards as before", visit.outcome.ok, visit.outcome)

    # -- what devices do -------------------------------------------------------------------------------

    def _live(self, *models: Model, quietly: bool = False) -> list[Visit]:
        """Devices do all that they usually do."""
        return [
            visit
            for model in models
            for habit in model.habits
            for visit in self._follow(model, habit, quietly=quietly)
        ]

    def _follow(self, model: Model, habit: Habit, quietly: bool = False) -> list[Visit]:
        """A device does something, over IPv4 and over IPv6."""
        visits = [follow(self.hosts[model.key], habit, version) for version in _VERSIONS]
        if not quietly:
            self._show(model, visits)
        return visits

    def _knock(self, address: str, port: int = 23) -> Visit:
        """The camera connects to an address that nobody gave it a name for."""
        habit = Habit("connects to a bare address", "", "tcp", port)
        visit = knock(self.hosts[_CAMERA.key], habit, address)
        self._show(_CAMERA, [visit])
        return visit

    def _show(self, model: Model, visits: list[Visit]) -> None:
        habit = visits[0].habit
        where = f"{habit.name or visits[0].address} {habit.protocol}/{habit.port}"
        results = [
            f"IPv{v.version} {_WORDS.get(v.outcome.result, v.outcome.result)} in {v.outcome.ms:.1f} ms"
            for v in visits
        ]
        good = all(v.outcome.ok for v in visits)
        self.stage.deed(f"{model.title} {habit.what}: {where}", ", ".join(results), good)

    # -- what smartrouter says -------------------------------------------------------------------------

    def _command(self, *arguments: str) -> None:
        done = self.product.command(*arguments, width=self.stage.width - 2)
        self.stage.command(f"smartrouter {shlex.join(arguments)}", done.stdout + done.stderr)
        if done.returncode:
            self.stage.claim(
                f"`smartrouter {arguments[0]}` succeeds", False, f"exit status {done.returncode}"
            )

    def _eventually(self, what: Callable[[], object], timeout: float = 30.0) -> bool:
        try:
            return bool(self.product.wait_for(what, timeout))
        except TimeoutError:
            return False

    def _devices(self) -> list[dict[str, Any]]:
        devices: list[dict[str, Any]] = self.product.json("devices")
        return devices

    def _watched(self) -> set[str]:
        return {device["mac"] for device in self._devices() if device["watched"]}

    def _states(self) -> set[str]:
        return {device["state"] for device in self._devices() if device["watched"]}

    def _alerts(self) -> list[dict[str, Any]]:
        alerts: list[dict[str, Any]] = self.product.json("alerts")
        return alerts

    def _reported(self) -> list[tuple[str, str, int]]:
        return [(alert["destination"], alert["service"], alert["count"]) for alert in self._alerts()]

    def _of_the_scan(self) -> list[dict[str, Any]]:
        """The open alerts about the scan: of the whole, or of parts of it."""
        in_it = _SCANNED_NETWORK + "."
        return [
            alert
            for alert in self._alerts()
            if alert["kind"] == "scan" or alert["destination"].startswith(in_it)
        ]

    def _records_of(self, model: Model) -> list[Any]:
        """What smartrouter knows of what a device did: alerts, attempts, destinations, names it was told."""
        device = self.product.json("device", model.mac)
        names = self.product.rows(
            "SELECT name FROM names JOIN devices ON devices.id = device WHERE mac = ?", model.mac
        )
        return [*device["alerts"], *device["latest"], *device["destinations"], *names]


def _bad(visits: Iterable[Visit]) -> str:
    """What did not work."""
    bad = [f"{v.habit.name} over IPv{v.version}: {v.outcome.result}" for v in visits if not v.outcome.ok]
    return "; ".join(bad)


def _odd_packets(way: Way) -> dict[str, list[bytes]]:
    return {
        "data without a connection": [packets.bare_data(way, 443)],
        "flags that belong together in no connection": [packets.strange_flags(way, 443, "SF")],
        "a SYN behind IP options or extension headers": [packets.syn_with_ip_options(way, 443)],
        "a datagram in fragments": packets.fragments(way, 5683),
        "GRE, which has no ports": [packets.gre(way)],
        "IP inside IP": [packets.ip_in_ip(way)],
    }


def _addressed_to(wire: socket.socket, destination: str) -> list[bytes]:
    """The frames that crossed `wire` toward `destination`, without waiting for more."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    packed = socket.inet_pton(family, destination)
    at = slice(38, 54) if ":" in destination else slice(30, 34)  # in Ethernet, without VLAN tags
    wire.setblocking(False)
    found: list[bytes] = []
    while True:
        try:
            frame = wire.recv(65535)
        except BlockingIOError:
            return found
        if frame[at] == packed:
            found.append(frame)
