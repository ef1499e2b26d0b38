# SPDX-License-Identifier: GPL-2.0-or-later
"""The web interface as a household has it: the real smartrouter on the lab's router, browsers on the LAN, on
the things' network and beyond the WAN.
"""

import http.client
import re
import socket
import time
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

from smartrouter.config import load
from smartrouter.core.policy import Mode
from smartrouter.lab.hosts import Host
from smartrouter.lab.network import Network
from smartrouter.lab.plan import HOME, IOT, WAN_ROUTER
from smartrouter.lab.product import Product

pytestmark = [pytest.mark.netns, pytest.mark.timeout(180)]

PORT = 8081
PASSWORD = "correct horse battery staple"
MOST_MEMORY = 40 << 10  # KiB
PAGES = ("/", "/inbox", "/devices", "/log", "/rules", "/settings", "/mode/enforce", "/account", "/welcome")


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


class Browser:
    """Someone's, at `host`, who calls the router by `address`."""

    def __init__(self, host: Host, address: str = HOME.router4):
        self.host, self.address = host, address
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
        return self.host.inside(self._ask, method, path, form, headers)

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, form: dict[str, str], of: str = "/login") -> Answer:
        """Post a form as the page `of` has it."""
        return self.ask("POST", path, {"csrf": self.token(of), **form})

    def token(self, page: str) -> str:
        found = re.search('name="csrf" value="([0-9a-f]+)"', self.get(page).text)
        return found[1] if found else ""

    def log_in(self, password: str = PASSWORD) -> Answer:
        return self.post("/login", {"password": password})

    def _ask(self, method: str, path: str, form: dict[str, str] | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self.address, PORT, timeout=15)
        try:
            sent = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()), **headers}
            if form is not None:
                sent["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, path, None if form is None else urlencode(form), sent)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                cookie = value.partition(";")[0].partition("=")
                self.cookies[cookie[0]] = cookie[2]
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)


class Home(NamedTuple):
    """The network, smartrouter on its router, a person's device, and a thing."""

    network: Network
    product: Product
    phone: Host
    thing: Host

    def web(self) -> dict[str, Any]:
        """What the supervisor says of the process."""
        parts = self.product.json("status")["parts"]
        return next((part for part in parts if part["name"] == "web"), {})

    def until(self, what: Any, patience: float = 30.0) -> None:
        try:
            self.product.wait_for(what, patience)
        except TimeoutError:
            pytest.fail(self.product.last_words(40))

    def is_up(self) -> bool:
        return bool(self.web().get("state") == "running" and _connects(self.phone, HOME.router4))


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    """Set up from the phone already: whoever logs in uses PASSWORD."""
    with Network() as network:
        network.add_lan(IOT)
        phone = network.add_device("phone")
        thing = network.add_device("thing", lan=IOT)
        product = Product(network, {})
        text = product.config.read_text() + "\tlist iot_network 'br-iot'\nconfig web\n"
        product.config.write_text(text)
        product.start()
        home = Home(network, product, phone, thing)
        try:
            home.until(home.is_up)
            code = product.json("status")["web"]["setup_code"]
            form = {"password": PASSWORD, "again": PASSWORD, "code": code}
            answer = Browser(phone).post("/setup", form, of="/setup")
            assert answer.headers.get("location") == "/welcome", answer.text
            yield home
        finally:
            product.stop()


@pytest.fixture
def owner(home: Home) -> Browser:
    """The phone's, logged in."""
    home.until(home.is_up)
    browser = Browser(home.phone)
    answer = browser.log_in()
    assert answer.status == 303, answer.text
    return browser


def _connects(host: Host, address: str) -> bool:
    """Is there somebody who answers a request?"""

    def knock() -> bool:
        try:
            with socket.create_connection((address, PORT), timeout=3) as sock:
                sock.sendall(b"GET /login HTTP/1.1\r\nHost: 192.168.77.1\r\n\r\n")
                return bool(sock.recv(1))
        except OSError:
            return False

    return host.inside(knock)


def test_the_password_is_a_hash_in_the_configuration_and_the_code_is_gone(home: Home) -> None:
    web = load(home.product.config).web
    assert web is not None
    assert web.password_hash.startswith("scrypt$8192$8$10$")
    assert home.product.json("status")["web"]["setup_code"] == ""
    assert Browser(home.phone).get("/setup").headers["location"] == "/login"


def test_it_listens_on_the_lan_and_nowhere_else(home: Home) -> None:
    home.until(lambda: _connects(home.phone, HOME.router4) and _connects(home.phone, HOME.router6))
    assert not _connects(home.network.internet, WAN_ROUTER.ipv4)
    assert not _connects(home.network.internet, WAN_ROUTER.ipv6)
    assert not _connects(home.network.internet, HOME.router4), "by the LAN's address from beyond the WAN"
    assert not _connects(home.thing, IOT.router4), "on the things' own network"
    assert not _connects(home.thing, HOME.router4), "from there, by the other network's address"
    listening = home.network.router.run(["ss", "-Hltn", f"sport = :{PORT}"]).stdout
    places = {line.split()[3].rpartition(":")[0].strip("[]") for line in listening.splitlines()}
    assert {each for each in places if not each.startswith("fe80")} == {HOME.router4, HOME.router6}


def test_the_process_has_no_rights(home: Home) -> None:
    pid = home.web()["pid"]
    with open(f"/proc/{pid}/status") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
    assert status["Uid"].split()[0] != "0"
    assert {status[kind] for kind in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"


def test_a_foreign_host_a_foreign_page_and_no_token_change_nothing(home: Home, owner: Browser) -> None:
    before = home.product.config.read_bytes()
    token = owner.token("/rules")
    rule = {"device": "*", "destination": "evil.example", "action": "allow", "time": "always"}
    for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        answer = owner.ask("POST", "/rules/add", {"csrf": token, **rule}, **headers)
        assert answer.status in (403, 421), headers
    assert owner.ask("POST", "/rules/add", rule).status == 403
    assert Browser(home.phone).post("/rules/add", rule).status == 303
    assert home.product.config.read_bytes() == before


def test_a_settings_change_is_in_the_file_and_counts(home: Home, owner: Browser) -> None:
    answer = owner.post("/settings/smartrouter", {"retention": "30d"}, of="/settings")
    assert answer.status == 303
    assert load(home.product.config).main.retention == 30 * 86400
    assert 'value="30d"' in owner.get("/settings").text
    answer = owner.post("/settings/smartrouter", {"retention": "soon"}, of="/settings")
    assert answer.status == 400
    assert "a time of one second or more" in answer.text
    assert load(home.product.config).main.retention == 30 * 86400


def test_enforce_on_trial_counts_at_once_and_can_be_kept_or_left(home: Home, owner: Browser) -> None:
    def mode() -> Any:
        return home.product.json("status")["guard"].get("mode")

    owner.post("/mode", {"mode": "enforce", "how": "try"}, of="/mode/enforce")
    home.until(lambda: mode() == Mode.ENFORCE)
    main = load(home.product.config).main
    assert main.mode_until is not None
    assert 0 < main.mode_until - time.time() <= 600
    owner.post("/mode/keep", {}, of="/settings")
    assert load(home.product.config).main.mode_until is None
    home.until(lambda: mode() == Mode.ENFORCE)
    owner.post("/mode", {"mode": "monitor"}, of="/settings")
    home.until(lambda: mode() == Mode.MONITOR)


def test_a_trial_that_nobody_keeps_ends_even_if_all_was_restarted_meanwhile(home: Home) -> None:
    def outlasts_a_stop(seconds: int) -> bool:
        begun = time.time()
        done = home.product.command("mode", "enforce", "--yes", "--for", f"{seconds}s")
        assert done.returncode == 0, done.stderr
        home.product.stop()
        outlasts = load(home.product.config).main.mode is Mode.ENFORCE
        assert outlasts or time.time() > begun + seconds
        home.product.start()
        return outlasts

    assert any(map(outlasts_a_stop, (5, 40)))
    home.until(lambda: load(home.product.config).main.mode is Mode.MONITOR, 60.0)
    main = load(home.product.config).main
    assert main.mode_until is None
    home.until(lambda: home.product.json("status")["guard"].get("mode") == Mode.MONITOR)


def test_a_session_outlives_a_killed_process(home: Home, owner: Browser) -> None:
    pid = home.web()["pid"]
    home.network.router.run(["kill", "-9", str(pid)])
    home.until(lambda: home.web().get("pid") not in (pid, 0) and home.is_up())
    assert owner.get("/account").status == 200


def test_a_new_address_is_listened_on_and_an_old_one_is_not(home: Home) -> None:
    home.network.router.ip("addr add 192.168.77.99/24 dev br-lan")
    home.until(lambda: _connects(home.phone, "192.168.77.99"))
    assert Browser(home.phone, "192.168.77.99").get("/login").status == 200
    home.network.router.ip("addr del 192.168.77.99/24 dev br-lan")
    home.until(lambda: "192.168.77.99" not in str(home.product.json("status")["web"]["urls"]))


def test_it_fits_into_its_memory_while_it_serves(home: Home, owner: Browser) -> None:
    for _ in range(3):
        for path in PAGES:
            assert owner.get(path).status == 200, path
        owner.log_in()
    part = home.web()
    assert part["rss_kib"] <= MOST_MEMORY, part
    assert part["restarts"] <= 1, part


def test_many_at_once_do_not_stop_its_heart(home: Home, owner: Browser) -> None:
    before = home.web()["restarts"]

    def crowd() -> int:
        requests = []
        for _ in range(20):
            sock = socket.create_connection((HOME.router4, PORT), timeout=15)
            cookie = "; ".join(f"{name}={value}" for name, value in owner.cookies.items())
            sock.sendall(f"GET / HTTP/1.1\r\nHost: {HOME.router4}\r\nCookie: {cookie}\r\n\r\n".encode())
            requests.append(sock)
        answers = [sock.recv(20) for sock in requests]
        for sock in requests:
            sock.close()
        return sum(answer.startswith(b"HTTP/1.1 200") for answer in answers)

    assert home.phone.inside(crowd) == 20
    assert home.web()["restarts"] == before


def test_what_is_secret_is_in_no_log_and_no_process_list(home: Home, owner: Browser) -> None:
    made = owner.post("/account/tokens", {"name": "panel", "scope": "read"}, of="/account")
    token = made.text.partition('<code class="secret">')[2].partition("<")[0]
    assert token
    web = load(home.product.config).web
    assert web is not None
    log = home.product.log.read_text(errors="replace")
    listed = home.network.router.run(["ps", "-ewwo", "args,comm"]).stdout
    with open(f"/proc/{home.web()['pid']}/environ", "rb") as file:
        environment = file.read().decode(errors="replace")
    for secret in (PASSWORD, token, web.password_hash, *web.token, owner.cookies["smartrouter"]):
        assert secret not in log + listed + environment
    answer = owner.host.inside(owner._ask, "GET", "/alerts.txt", None, {"Authorization": f"Bearer {token}"})
    assert answer.status == 200


def test_it_ends_and_begins_with_its_section(home: Home) -> None:
    text = home.product.config.read_text()
    without = text.partition("config web")[0]
    home.product.config.write_text(without)
    home.network.router.run(["kill", "-HUP", str(home.product.json("status")["pid"])])
    try:
        home.until(lambda: not home.web() and not _connects(home.phone, HOME.router4))
    finally:
        home.product.config.write_text(text)
        home.network.router.run(["kill", "-HUP", str(home.product.json("status")["pid"])])
    home.until(home.is_up)


def test_the_password_is_chosen_anew_on_the_router(home: Home, owner: Browser) -> None:
    command = home.product._argv("web", "--set-password")
    done = home.network.router.run(
        ["sh", "-c", 'printf "another password\\n" | "$@"', "sh", *command], timeout=30
    )
    assert done.returncode == 0, done.stderr
    home.until(lambda: owner.get("/account").status == 303)
    assert Browser(home.phone).log_in().status == 403
    other = Browser(home.phone)
    assert other.log_in("another password").status == 303
    back = home.product._argv("web", "--set-password")
    home.network.router.run(["sh", "-c", f'printf "{PASSWORD}\\n" | "$@"', "sh", *back], timeout=30)
    home.until(lambda: other.get("/account").status == 303)


def test_brute_force_is_locked_out_and_others_are_not(home: Home) -> None:
    attacker = home.network.add_device("attacker")
    browser = Browser(attacker)
    answers = [browser.log_in(f"guess number {number}").status for number in range(7)]
    assert answers[:5] == [403] * 5
    assert answers[-1] == 429
    assert browser.log_in().status == 429, "the right one does not help now"
    assert Browser(home.phone).log_in().status == 303
