# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages in a real browser: what a person sees and does there."""

import time
from typing import Any

import pytest
from axe_selenium_python import Axe
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select
from unit.made_home import TV, alert, attempt, noted, sighting
from web.browser import DESKTOP, PHONE, Browser
from web.hostile import NAMES
from web.house import House

from smartrouter.config import load
from smartrouter.core.effects import Kind
from smartrouter.core.policy import Reason
from smartrouter.store.alerts import alerts, set_reverse
from smartrouter.store.changes import Sighting
from smartrouter.store.connect import open_reader, open_writer
from smartrouter.web import passwords

pytestmark = pytest.mark.browser

SCREENS = {
    "home": "/", "inbox": "/inbox", "devices": "/devices", "device": f"/devices/{TV}",
    "log": "/log", "rules": "/rules", "settings": "/settings", "account": "/account",
    "enforce": "/mode/enforce", "alert": "/alerts/1",
}  # fmt: skip
PASSWORD = "correct horse battery"

# -- first run, logging in ---------------------------------------------------------------------------------


def test_the_first_run_sets_a_password_sorts_devices_and_begins(browser: Browser, house: House) -> None:
    browser.forget()
    browser.open("/")
    assert browser.driver.current_url.endswith("/setup")
    browser.shot("setup")
    browser.one("#code").send_keys(house.site.setup.code)  # we are the router itself, not a phone of the LAN
    browser.one("#password").send_keys(PASSWORD)
    browser.one("#again").send_keys("something else entirely")
    browser.click("Set the password")
    browser.wait(lambda: browser.one(".flash.bad"), "an error")
    assert load(house.path).web is not None
    assert not house.site.web.password_hash
    browser.one("#code").send_keys(house.site.setup.code)
    browser.one("#password").send_keys(PASSWORD)
    browser.one("#again").send_keys(PASSWORD)
    browser.click("Set the password")
    browser.wait(lambda: browser.driver.current_url.endswith("/welcome"), "the devices")
    assert passwords.is_right(PASSWORD, house.site.web.password_hash)
    assert "Living-room TV" in browser.text()
    assert "smart-plug" in browser.text()
    browser.shot("welcome")
    browser.one("main form button.main").click()
    browser.wait(lambda: browser.driver.current_url.endswith("/welcome/learning"), "what happens now")
    assert "learn" in browser.text()


def test_a_stranger_logs_in_and_out(browser: Browser, house: House) -> None:
    house.site.web = house.site.web.replace(password_hash=passwords.hashed(PASSWORD))
    browser.forget()
    browser.open("/inbox")
    assert "/login" in browser.driver.current_url
    browser.one("#password").send_keys("wrong password", Keys.ENTER)
    browser.wait(lambda: browser.one(".flash.bad"), "an error")
    browser.one("#password").send_keys(PASSWORD, Keys.ENTER)
    browser.wait(lambda: browser.driver.current_url.endswith("/inbox"), "the page that was wanted")
    cookie = browser.driver.get_cookie("smartrouter")
    assert cookie is not None
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    browser.click("Log out")
    browser.wait(lambda: "/login" in browser.driver.current_url, "the way out")
    browser.driver.back()
    browser.wait(lambda: "evil.example" not in browser.text(), "nothing to be seen")


# -- alerts ------------------------------------------------------------------------------------------------


def test_an_alert_appears_by_itself_and_is_allowed_and_that_is_taken_back(
    browser: Browser, house: House
) -> None:
    browser.open("/inbox")
    assert "new.example" not in browser.text()
    house.put(alert(TV, "www.new.example"))
    browser.wait(lambda: "www.new.example" in browser.text(), "the alert")
    browser.shot("inbox")
    row = next(each for each in browser.all("article.alert") if "new.example" in each.text)
    browser.click("Allow", row)
    browser.wait(lambda: browser.one(".flash.good"), "that it was done")
    (rule,) = [each for each in load(house.path).rules if "new.example" in each.destination]
    assert (rule.device, rule.action, rule.by) == (TV, "allow", "web:admin")
    assert not any("new.example" in each.text for each in browser.all("article.alert"))
    browser.click("Undo")
    browser.wait(
        lambda: any("new.example" in each.text for each in browser.all("article.alert")), "the alert"
    )
    assert not [each for each in load(house.path).rules if "new.example" in each.destination]


def test_a_page_is_not_changed_under_somebodys_hands(browser: Browser, house: House) -> None:
    browser.open("/inbox")
    row = browser.one("article.alert")
    row.find_element("css selector", "summary").click()
    Select(row.find_element("css selector", "select[name=time]")).select_by_index(1)
    house.put(alert(TV, "new.example"))
    browser.wait(lambda: browser.button("Show what is new"), "word of it")
    assert "new.example" not in browser.text()
    browser.click("Show what is new")
    browser.wait(lambda: "new.example" in browser.text(), "the alert")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_home_shows_what_was_blocked_beside_what_passed(scripts: bool, browser: Browser) -> None:
    browser.look(scripts=scripts)
    browser.open("/")
    assert "2 connection attempts, 1 blocked, 2 alerts" in " ".join(browser.text().split())
    if scripts:
        browser.wait(lambda: browser.one("[data-chart=day] .u-legend"), "the drawing that tells numbers")
        assert "Blocked" in browser.one("[data-chart=day] .u-legend").text
    else:
        (bar,) = [each for each in browser.run(BARS) if "blocked" in each and ":" in each]
        assert bar.endswith("2 attempts, 1 blocked, 2 alerts")
    browser.one(".numbers summary").click()
    heads = [each.text for each in browser.all("#day-numbers th[scope=col]")]
    assert heads == ["Time", "Attempts", "Blocked", "Alerts"]


# -- settings, the mode ------------------------------------------------------------------------------------


def saved(browser: Browser, name: str, value: str) -> None:
    field = browser.one(f"#main-{name}")
    card = field.find_element("xpath", "ancestor::details")
    if card.get_attribute("open") is None:
        card.find_element("css selector", "summary").click()
    field.clear()
    field.send_keys(value)
    browser.click("Save", card)


def test_a_setting_is_refused_beside_its_field_and_then_accepted(browser: Browser, house: House) -> None:
    browser.open("/settings")
    saved(browser, "learning_period", "a fortnight")
    browser.wait(lambda: browser.one("#main-learning_period-error"), "the error")
    assert "14d" in browser.one("#main-learning_period-error").text
    field = browser.one("#main-learning_period")
    assert field.get_attribute("value") == "a fortnight"
    assert field.get_attribute("aria-invalid") == "true"
    assert browser.driver.switch_to.active_element == field  # wherever on the page it stands
    assert "Nothing was saved: what is wrong stands beside Learning period." in browser.text()
    assert load(house.path).main.learning_period == 14 * 86400
    browser.shot("settings-refused")
    saved(browser, "learning_period", "21d")
    browser.wait(lambda: browser.one(".flash.good"), "that it was saved")
    assert load(house.path).main.learning_period == 21 * 86400


def test_enforce_is_tried_and_ends_by_itself(browser: Browser, house: House) -> None:
    browser.open("/settings")
    browser.click("Block what is not known …")
    browser.wait(lambda: "What will still be new" in browser.text(), "what enforce meets")
    browser.shot("enforce")
    browser.button_like("Try it for").click()
    browser.wait(lambda: "on trial" in browser.text(), "the trial")
    house.household.trial.take(time.time(), time.time(), time.monotonic())
    browser.wait(lambda: load(house.path).main.mode == "monitor", "the end")
    browser.wait(lambda: "on trial" not in browser.text(), "word of it, without a click")
    assert load(house.path).main.mode_until is None


def test_enforce_is_tried_and_kept_and_paused_from_any_page(browser: Browser, house: House) -> None:
    browser.open("/mode/enforce")
    browser.button_like("Try it for").click()
    browser.wait(lambda: "on trial" in browser.text(), "the trial")
    browser.open("/devices")
    browser.click("Keep it")
    browser.wait(lambda: "on trial" not in browser.text(), "that it stays")
    assert load(house.path).main.mode == "enforce"
    browser.click("Pause 1 h")
    browser.wait(lambda: house.asked[-1:] == [{"do": "pause", "seconds": 3600}], "the pause")


# -- whoever reads it --------------------------------------------------------------------------------------


@pytest.fixture
def hostile(house: House) -> House:
    """Whatever has a name has a hostile one."""
    devices = []
    for number, name in enumerate(NAMES):
        mac = f"02:00:00:00:00:{number:02x}"
        seen = sighting(mac, name, True, f"192.168.2.{number}", maker=name)
        devices.append(seen._replace(called=name if number % 2 else "", reasons=(name,)))
    effects: list[Any] = []
    for number, name in enumerate(NAMES):
        mac = f"02:00:00:00:00:{number:02x}"
        effects += [
            alert(mac, name),
            alert(mac, "", address=f"198.51.100.{number}"),
            noted(mac, Kind.SCAN, Reason.SCAN, name),
            attempt(mac, name, accepted=False),
        ]
    house.fill(*effects, sightings=tuple[Sighting, ...](devices))
    conn = open_writer(house.database)
    set_reverse(conn, [(each.id, NAMES[each.id % len(NAMES)]) for each in alerts(conn) if not each.name])
    conn.close()
    return house


INERT = """
    const ours = location.origin + "/static/";
    const found = [];
    for (const each of document.querySelectorAll("*")) {
      for (const name of each.getAttributeNames()) {
        if (/^on|^hx-on|^hx-get|^sse-|^srcdoc$/i.test(name)) { found.push(each.outerHTML); }
      }
      for (const name of ["src", "href", "action", "formaction", "data"]) {
        const value = each.getAttribute && each.getAttribute(name);
        if (value && new URL(value, location.href).origin !== location.origin) { found.push(each.outerHTML); }
      }
    }
    for (const each of document.querySelectorAll(
        "img, iframe, object, embed, video, base, math, style, meta[http-equiv], " +
        "script:not([src]), main script, main link, main meta, main title:not(svg title)")) {
      found.push(each.outerHTML);
    }
    for (const {name} of performance.getEntriesByType("resource")) {
      if (!name.startsWith(ours) && !name.startsWith(location.origin + "/api/")) { found.push(name); }
    }
    return [found, window.pwned === undefined];
"""


BARS = """
    return [...document.querySelectorAll("[data-chart=day] svg title")].map(e => e.textContent);
"""
AWAY = """
    return [...document.querySelectorAll("nav a")].filter(e => {
        const box = e.getBoundingClientRect();
        return box.left < 0 || box.right > document.documentElement.clientWidth;
    }).map(e => e.textContent);
"""
WIDER = """
    const room = document.documentElement.clientWidth;
    const wide = [...document.querySelectorAll("main *")].filter(
        e => e.getBoundingClientRect().right > room + 1 && !e.closest(".hidden, details:not([open])"));
    const first = wide.map(e => e.outerHTML.slice(0, 120)).slice(0, 3);
    return [document.documentElement.scrollWidth - room, first];
"""
SMALL = """
    return [...document.querySelectorAll("main button, nav a")].filter(e => {
        const box = e.getBoundingClientRect();
        return box.width && box.height && box.height < 24;
    }).map(e => e.outerHTML);
"""
# This axe does not know yet that a `dl` may have a `div` for each of its groups.
AXE = """
    const done = arguments[0];
    axe.run(document, {
        runOnly: {type: "tag", values: ["wcag2a", "wcag2aa"]},
        rules: {"dlitem": {enabled: false}, "definition-list": {enabled: false}},
    }).then(done, e => done({violations: [{id: String(e), nodes: [{html: "", failureSummary: ""}]}]}));
"""


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_hostile_names_are_inert_on_every_screen(scripts: bool, browser: Browser, hostile: House) -> None:
    browser.look(scripts=scripts)
    with_name = [
        f"/devices/02:00:00:00:00:{number:02x}" for number in (range(len(NAMES)) if scripts else (0, 3))
    ]
    conn = open_reader(hostile.database)
    numbers = sorted(each.id for each in alerts(conn, limit=1000))
    conn.close()
    pages = [
        *SCREENS.values(),
        *with_name,
        *(f"/alerts/{number}" for number in numbers[:: 5 if scripts else 40]),
    ]
    pages += ["/inbox?page=2", "/devices?page=2", "/log?destination=%3Cscript%3E", "/welcome"]
    for path in pages:
        browser.open(path)  # a dialog would end this
        found, is_untouched = browser.run(INERT)
        assert found == [], path
        assert is_untouched, path
        assert browser.complaints() == [], path
    browser.open("/devices")
    assert "<script>window.pwned=1</script>" in browser.text()  # as text, which tells that it was there


def test_a_phone_shows_it_all_without_scrolling_sideways(browser: Browser) -> None:
    browser.look(PHONE)
    for screen, path in SCREENS.items():
        browser.open(path)
        browser.shot(f"phone-{screen}")
        assert browser.run(WIDER) == [0, []], screen
        assert browser.run(SMALL) == [], screen  # WCAG 2.2, 2.5.8
        assert browser.run(AWAY) == [], screen  # nobody finds what is beyond the edge


def test_without_scripts_everything_can_be_seen_and_done(browser: Browser, house: House) -> None:
    browser.look(scripts=False)
    for path in SCREENS.values():
        browser.open(path)
        assert browser.one("main").text
    browser.open("/inbox")
    row = next(each for each in browser.all("article.alert") if "evil.example" in each.text)
    browser.click("Block", row)
    browser.wait(lambda: browser.one(".flash.good"), "that it was done")
    assert [each.action for each in load(house.path).rules if each.destination == "evil.example"] == ["deny"]
    browser.open("/settings")
    saved(browser, "analysis_interval", "10m")
    browser.wait(lambda: browser.one(".flash.good"), "that it was saved")
    browser.click("Pause 1 h")
    browser.wait(lambda: house.asked[-1:] == [{"do": "pause", "seconds": 3600}], "the pause")


def test_the_keyboard_reaches_everything_and_shows_where_it_is(browser: Browser, house: House) -> None:
    browser.open("/inbox")
    seen = []
    for _ in range(60):
        browser.driver.switch_to.active_element.send_keys(Keys.TAB)
        what, outline = browser.run(
            """const e = document.activeElement; const s = getComputedStyle(e);
            return [e.tagName + " " + (e.textContent || e.name || "").trim().slice(0, 40),
                s.outlineStyle !== "none" && parseFloat(s.outlineWidth) > 0 || s.boxShadow !== "none"]"""
        )
        if what.startswith("BODY"):
            break
        assert outline, what
        seen.append(what)
        if what.startswith("BUTTON Block") and house:
            break
    assert seen[0] == "A Skip to the page"
    assert any(each.startswith("A Devices") for each in seen)
    assert seen[-1].startswith("BUTTON Block")
    browser.driver.switch_to.active_element.send_keys(Keys.ENTER)
    browser.wait(lambda: browser.one(".flash.good"), "that it was done")
    assert [each for each in load(house.path).rules if each.action == "deny" and each.by == "web:admin"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_screen_has_barriers(dark: bool, browser: Browser) -> None:
    """By the rules of WCAG AA that axe can check, contrast among them."""
    browser.look(DESKTOP, dark=dark)
    for screen, path in SCREENS.items():
        browser.open(path)
        browser.shot(f"{screen}-dark" if dark else screen)
        ground = browser.run("return getComputedStyle(document.documentElement).backgroundColor")
        red = int(ground.partition("(")[2].partition(",")[0])
        assert red < 60 if dark else red > 200, ground
        Axe(browser.driver).inject()
        result = browser.driver.execute_async_script(AXE)
        wrong = [
            (each["id"], node["html"][:200], node["failureSummary"])
            for each in result["violations"]
            for node in each["nodes"]
        ]
        assert wrong == [], screen
        assert browser.complaints() == [], screen


def test_an_empty_house_and_a_silent_one_are_said_to_be(browser: Browser, house: House) -> None:
    conn = open_writer(house.database)
    conn.execute("DELETE FROM devices")
    conn.close()
    for path in SCREENS.values():
        if path not in (SCREENS["device"], SCREENS["alert"]):
            browser.open(path)
            assert browser.one("main").text
    browser.open("/inbox")
    assert "Nothing waits for you." in browser.text()
    browser.open("/nothing")
    assert "There is no such page" in browser.text()
