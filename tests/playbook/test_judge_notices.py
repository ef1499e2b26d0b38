# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversations about news that is blocked like any other and yet no alarm: and that nobody can choose to be
taken for such."""

import pytest
from playbook.conversation import (
    CAMERA,
    ENFORCE,
    PLUG,
    Conversation,
    Log,
    alerts,
    looked_up,
    raised,
    recorded,
    verdict,
    watched,
)

from smartrouter.core.detection.conduct import TIME_REQUESTS
from smartrouter.core.effects import Evidence, Kind, Severity
from smartrouter.core.events import UDP, DeviceSeen, LookedUp, OutageEnded, Paused, Scope
from smartrouter.core.policy import Action, DeviceSettings, Mode, NewDevices, Reason, Rule

CLOUD, OTHER, NEW = "203.0.113.10", "203.0.113.99", "203.0.113.50"
NOTICE, WARNING = Severity.NOTICE, Severity.WARNING
PIHOLE = "192.168.77.2"
QUAD9 = "9.9.9.9"


def camera(**settings: object) -> Conversation:
    talk = Conversation(mode=ENFORCE, **settings)  # type: ignore[arg-type]
    talk.learn("api.maker.example", CLOUD)
    talk.protect()
    return talk


@pytest.mark.parametrize(
    ("name", "port", "reason", "severity"),
    [
        ("connectivitycheck.gstatic.com", 80, Reason.CONNECTIVITY_CHECK, NOTICE),
        ("captive.apple.com", 443, Reason.CONNECTIVITY_CHECK, NOTICE),
        ("ocsp.digicert.com", 80, Reason.CERTIFICATE_STATUS, NOTICE),
        ("r3.o.lencr.org", 80, Reason.CERTIFICATE_STATUS, NOTICE),
        ("irc.maker.example", 6667, Reason.NEW_PORT, NOTICE),
        # Look-alikes, and the same for something else.
        ("connectivitycheck.gstatic.com", 8080, Reason.UNKNOWN_NAME, WARNING),
        ("connectivitycheck.gstatic.com.evil.example", 80, Reason.UNKNOWN_NAME, WARNING),
        ("xcaptive.apple.com", 80, Reason.UNKNOWN_NAME, WARNING),
        ("evil.captive.apple.com", 80, Reason.UNKNOWN_NAME, WARNING),
        ("ocsp.digicert.com", 443, Reason.UNKNOWN_NAME, WARNING),
        ("www.digicert.com", 80, Reason.UNKNOWN_NAME, WARNING),
        ("ocsp.digicert.com.evil.example", 80, Reason.UNKNOWN_NAME, WARNING),
        ("ocsp-digicert.com", 80, Reason.UNKNOWN_NAME, WARNING),
        ("lencr.org.evil.example", 80, Reason.UNKNOWN_NAME, WARNING),
        ("api-maker.example", 443, Reason.UNKNOWN_NAME, WARNING),
        ("maker.example.evil.example", 443, Reason.UNKNOWN_NAME, WARNING),
        ("api.maker-example.com", 443, Reason.UNKNOWN_NAME, WARNING),
        ("xmaker.example", 443, Reason.UNKNOWN_NAME, WARNING),
    ],
)
def test_news_is_a_notice_or_a_warning_and_blocked_either_way(
    name: str, port: int, reason: Reason, severity: Severity
) -> None:
    talk = camera()
    talk.resolve(name, OTHER)
    effects = talk.connect(OTHER, port)
    assert verdict(effects) == (False, reason)
    assert [(each.reason, each.severity) for each in raised(effects)] == [(reason, severity)]


def test_an_address_that_another_device_was_told_for_a_known_name_is_a_notice() -> None:
    talk = camera()
    talk.resolve("cdn.maker.example", OTHER, mac=PLUG, client="192.168.77.21")
    effects = talk.connect(OTHER)
    assert verdict(effects) == (False, Reason.ADDRESS_OF_KNOWN_NAME)
    assert raised(effects)[0].severity is NOTICE


def test_an_address_that_another_device_was_told_for_any_other_name_is_a_warning() -> None:
    talk = camera()
    talk.resolve("evil.example", OTHER, mac=PLUG, client="192.168.77.21")
    effects = talk.connect(OTHER)
    assert verdict(effects) == (False, Reason.UNKNOWN_ADDRESS)
    assert raised(effects)[0].severity is WARNING


# -- requests for the time -------------------------------------------------------------------------------


def test_requests_for_the_time_pass_at_a_capped_rate_and_are_not_learned() -> None:
    talk = camera()
    found = [verdict(talk.connect(f"198.51.100.{n}", 123, protocol=UDP, asks_time=True)) for n in range(40)]
    assert found[:TIME_REQUESTS] == [(True, Reason.TIME)] * TIME_REQUESTS
    assert set(found[TIME_REQUESTS:]) == {(False, Reason.UNKNOWN_ADDRESS)}
    talk.running += 61.0
    assert verdict(talk.connect(OTHER, 123, protocol=UDP, asks_time=True)) == (True, Reason.TIME)
    assert not verdict(talk.connect(OTHER, 123, protocol=UDP, asks_time=True)).accept


def test_what_only_goes_to_the_port_of_time_is_unknown() -> None:
    assert verdict(camera().connect(OTHER, 123, protocol=UDP)) == (False, Reason.UNKNOWN_ADDRESS)


def test_an_unnamed_request_for_the_time_is_not_learned_and_a_named_one_is() -> None:
    talk = Conversation()
    talk.connect(OTHER, 123, protocol=UDP, asks_time=True)
    assert talk.judge.roster.devices[CAMERA].learning.learned == {}
    talk.resolve("pool.ntp.example", NEW)
    talk.connect(NEW, 123, protocol=UDP, asks_time=True)
    assert [name for name, _ in talk.judge.roster.devices[CAMERA].learning.learned] == ["ntp.example"]


def test_a_deny_rule_stands_above_the_time() -> None:
    talk = camera(rules=(Rule("*", "*", "", Action.DENY),))
    assert not verdict(talk.connect(OTHER, 123, protocol=UDP, asks_time=True)).accept


# -- a resolver on the local network ---------------------------------------------------------------------


def told_through(talk: Conversation, name: str, *addresses: str, client: str = PIHOLE) -> None:
    """The resolver on the local network asks outside; it is a device that nobody watches."""
    talk.ask(name, mac="02:00:00:00:00:99", client=client, resolver=QUAD9)
    talk.answer(name, *addresses, client=client, resolver=QUAD9)


def test_what_a_shared_resolver_was_told_counts_for_every_device() -> None:
    shared = {"shared_resolvers": frozenset({PIHOLE}), "resolvers": frozenset({QUAD9, PIHOLE})}
    talk = camera(**shared)
    told_through(talk, "cdn.maker.example", OTHER)
    effects = talk.connect(OTHER)
    assert verdict(effects) == (True, Reason.LEARNED)
    assert (recorded(effects).name, recorded(effects).evidence) == ("cdn.maker.example", Evidence.SHARED)
    told_through(talk, "evil.example", NEW)
    assert verdict(talk.connect(NEW)) == (False, Reason.UNKNOWN_NAME)


def test_a_resolver_that_is_not_configured_as_shared_names_nothing_for_others() -> None:
    talk = camera(resolvers=frozenset({QUAD9}))
    told_through(talk, "cdn.maker.example", OTHER)
    assert verdict(talk.connect(OTHER)) == (False, Reason.ADDRESS_OF_KNOWN_NAME)


def test_a_resolver_that_is_shared_no_more_names_and_labels_nothing() -> None:
    talk = camera(shared_resolvers=frozenset({PIHOLE}), resolvers=frozenset({QUAD9, PIHOLE}))
    told_through(talk, "cdn.maker.example", OTHER)
    talk.configure(shared_resolvers=frozenset())
    effects = talk.connect(OTHER)
    assert verdict(effects) == (False, Reason.UNKNOWN_ADDRESS)
    assert (recorded(effects).name, recorded(effects).evidence) == ("", Evidence.NONE)


def test_a_shared_resolver_that_asks_somebody_whom_nobody_trusts_names_nothing() -> None:
    talk = camera(shared_resolvers=frozenset({PIHOLE}), resolvers=frozenset({PIHOLE}))
    told_through(talk, "cdn.maker.example", OTHER)
    assert not verdict(talk.connect(OTHER)).accept


def test_what_a_device_was_told_itself_stands_above_what_is_shared() -> None:
    talk = camera(shared_resolvers=frozenset({PIHOLE}), resolvers=frozenset({QUAD9, PIHOLE}))
    talk.resolve("evil.example", OTHER)
    told_through(talk, "cdn.maker.example", OTHER)
    assert verdict(talk.connect(OTHER)) == (False, Reason.UNKNOWN_NAME)


# -- after an outage, in a pause, isolated -----------------------------------------------------------------


def test_after_an_outage_known_names_are_looked_up_and_name_their_addresses() -> None:
    talk = camera()
    effects = talk.tell(OutageEnded())
    assert looked_up(effects) == ["api.maker.example"]
    talk.look_up("api.maker.example", OTHER, "10.0.0.1")
    effects = talk.connect(OTHER)
    assert verdict(effects) == (True, Reason.LEARNED)
    assert recorded(effects).evidence is Evidence.REFRESHED
    effects = talk.connect(NEW)
    assert verdict(effects) == (True, Reason.AFTER_OUTAGE)
    assert [(each.kind, each.severity) for each in raised(effects)] == [(Kind.AFTER_OUTAGE, NOTICE)]
    talk.wait(901.0)
    assert not verdict(talk.connect(NEW)).accept


def test_a_lookup_of_what_a_device_does_not_know_names_nothing() -> None:
    talk = camera()
    talk.tell(OutageEnded())
    assert talk.tell(LookedUp("evil.example", (NEW,), 60)) == []


def test_a_scan_after_an_outage_is_one_alert() -> None:
    talk = camera()
    talk.tell(OutageEnded())
    log = Log()
    for number in range(100):
        log.take(talk.connect(f"198.51.100.{number}", 23))
    assert [len(each) for each in log.of(Kind.SCAN)] == [100]
    assert len(log.entries) == 1


def test_a_pause_lets_pass_and_still_tells() -> None:
    talk = camera()
    talk.tell(Paused(60.0))
    effects = talk.connect(OTHER)
    assert verdict(effects) == (True, Reason.PAUSED)
    assert alerts(effects) == [(Kind.NEW_DESTINATION, OTHER, "web", False)]


def test_an_isolated_device_learns_nothing_and_has_no_scan_learned() -> None:
    newcomer = "02:11:22:33:44:55"
    talk = Conversation(new_devices=NewDevices.ISOLATE)
    talk.tell(DeviceSeen(newcomer, None, True, "", ""))
    log = Log()
    for number in range(50):
        effects = talk.connect(f"198.51.100.{number}", 23, mac=newcomer)
        assert verdict(effects) == (False, Reason.ISOLATED)
        log.take(effects)
    assert len(log.entries) == 1


# -- tunnels, encrypted DNS, resolvers that nobody vouches for ----------------------------------------------


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("address", "port", "protocol"),
    [(OTHER, 853, 6), (OTHER, 853, UDP), ("1.1.1.1", 443, 6), ("8.8.8.8", 443, UDP)],
)
def test_encrypted_dns_is_told_by_port_and_address(
    mode: Mode, address: str, port: int, protocol: int
) -> None:
    talk = Conversation(mode=mode)
    talk.protect()
    effects = talk.connect(address, port, protocol=protocol)
    assert verdict(effects).accept is (mode is Mode.MONITOR)
    assert [(each.kind, each.severity) for each in raised(effects)] == [(Kind.ENCRYPTED_DNS, WARNING)]


def test_encrypted_dns_is_told_by_name_and_by_the_head_of_a_chain() -> None:
    talk = Conversation()
    talk.resolve("dns.google", OTHER)
    assert [each.kind for each in raised(talk.connect(OTHER))] == [Kind.ENCRYPTED_DNS]
    talk.resolve("dns.nextdns.io", NEW, aliases=("steering.example",))
    talk.resolve("steering.example", NEW)
    assert [each.kind for each in raised(talk.connect(NEW))] == [Kind.ENCRYPTED_DNS]


def test_asking_whether_encrypted_dns_may_be_used_is_a_notice() -> None:
    (alert,) = raised(Conversation().ask("use-application-dns.net"))
    assert (alert.kind, alert.reason, alert.severity) == (Kind.ENCRYPTED_DNS, Reason.DNS_CANARY, NOTICE)


def test_where_the_router_answers_all_dns_dot_is_refused_but_for_a_rule() -> None:
    for talk in (camera(redirect_dns=True), Conversation(redirect_dns=True)):
        assert verdict(talk.connect(OTHER, 853)) == (False, Reason.ENCRYPTED_DNS)
    allowed = Conversation(redirect_dns=True, rules=(Rule("*", "*", "tcp/853", Action.ALLOW),))
    assert verdict(allowed.connect(OTHER, 853)) == (True, Reason.ALLOWED_BY_RULE)


def test_data_in_names_is_told_as_a_tunnel_without_any_connection() -> None:
    talk = Conversation()
    found = []
    for number in range(300):
        label = "".join(chr(97 + (number * 7919 * (at + 3) // 11) % 26) for at in range(50))
        found += raised(talk.ask(f"{label}{number}.t.evil.example", ident=number, type=16))
        talk.running += 1.0
    assert {(each.kind, each.severity) for each in found} == {(Kind.DNS_TUNNEL, Severity.CRITICAL)}
    assert len(found) <= 3


def test_a_resolver_that_nobody_vouches_for_is_not_learned() -> None:
    talk = Conversation()
    (alert,) = raised(talk.ask("cloud.example", resolver=OTHER))
    assert alert.kind is Kind.FOREIGN_RESOLVER
    talk.answer("cloud.example", NEW, resolver=OTHER)
    talk.connect(NEW)
    assert {name for name, _ in talk.judge.roster.devices[CAMERA].learning.learned} == {NEW}


# -- a source that is not its own ---------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "passes"), [(Mode.MONITOR, True), (Mode.ENFORCE, False)])
def test_a_forged_source_is_told_and_blocked_in_enforce_mode(mode: Mode, passes: bool) -> None:
    talk = Conversation(mode=mode)
    talk.learn("cloud.example", CLOUD)
    talk.protect()
    effects = talk.connect(CLOUD, source="198.51.100.7", spoofed=True)
    assert verdict(effects) == (passes, Reason.SPOOFED_SOURCE)
    (alert,) = raised(effects)
    assert (alert.kind, alert.severity) == (Kind.IP_SPOOFING, Severity.CRITICAL)
    assert "198.51.100.7" in alert.detail


def test_a_forged_source_does_not_get_around_a_deny_rule() -> None:
    talk = Conversation(rules=(Rule("*", "*", "", Action.DENY),))
    assert not verdict(talk.connect(OTHER, source="198.51.100.7", spoofed=True)).accept


def test_a_flood_of_forged_sources_is_one_alert_and_learns_nothing() -> None:
    talk = Conversation()
    log = Log()
    for number in range(500):
        log.take(talk.connect(f"198.51.100.{number % 250}", source=f"10.9.{number % 250}.1", spoofed=True))
    assert [len(each) for each in log.entries.values()] == [500]
    assert talk.judge.roster.devices[CAMERA].learning.learned == {}


# -- addresses ----------------------------------------------------------------------------------------------


def test_two_devices_that_use_one_address_by_turns_are_told() -> None:
    talk = Conversation()
    talk.connect(CLOUD, mac=CAMERA)
    assert alerts(talk.connect(CLOUD, mac=PLUG)) == []
    (alert,) = raised(talk.connect(CLOUD, mac=CAMERA))
    assert (alert.kind, alert.severity) == (Kind.ADDRESS_CONFLICT, WARNING)
    assert PLUG in alert.detail


def test_a_device_that_says_to_be_the_router_is_told_once_the_router_answers() -> None:
    talk = Conversation()
    router = "02:00:00:00:00:fe"
    talk.claims("192.168.77.1", mac=router)
    assert alerts(talk.claims("192.168.77.1", mac=CAMERA)) == []
    (alert,) = raised(talk.claims("192.168.77.1", mac=router))
    assert (alert.kind, alert.mac, alert.destination) == (Kind.ADDRESS_CONFLICT, CAMERA, "192.168.77.1")


def test_a_fight_between_devices_that_nobody_watches_is_no_alert_and_makes_no_device() -> None:
    talk = Conversation()
    one, other = "02:00:00:00:00:01", "02:00:00:00:00:02"
    for mac in (one, other) * 5:
        assert talk.claims("192.168.77.9", mac=mac) == []
    assert one not in talk.judge.roster.devices


def test_a_repeater_is_told() -> None:
    talk = Conversation()
    found = [alert for n in range(5) for alert in raised(talk.claims(f"192.168.77.{30 + n}"))]
    assert {each.kind for each in found} == {Kind.REPEATER}
    assert len({each.key for each in found}) == 1


# -- people, and resolvers that hide ------------------------------------------------------------------------


def test_a_phone_behind_a_plug_is_told_once_and_learned_all_the_same() -> None:
    talk = Conversation()
    found = []
    for name in ("graph.facebook.com", "api.twitter.com", "i.instagram.com", "www.tripadvisor.com"):
        found += raised(talk.ask(name))
    assert [(each.kind, each.severity) for each in found] == [(Kind.PERSON, NOTICE)]


def nameless(talk: Conversation, hours: float) -> set[Kind]:
    log = Log()
    for number in range(int(hours * 12)):
        log.take(talk.connect(f"198.51.100.{number % 4}"))
        log.take(talk.wait(300.0))
    return {each[0].kind for each in log.entries.values()}


def test_a_device_that_never_asks_for_names_is_told() -> None:
    talk = Conversation(devices=watched(CAMERA))
    assert Kind.HIDDEN_RESOLVER not in nameless(talk, 0.9)
    assert Kind.HIDDEN_RESOLVER in nameless(talk, 2.0)


def test_a_device_that_goes_on_with_names_from_its_own_cache_is_not() -> None:
    talk = Conversation(mode=Mode.MONITOR)
    talk.resolve("api.maker.example", CLOUD, ttl=60)
    for _ in range(100):
        assert Kind.HIDDEN_RESOLVER not in {each[0] for each in alerts(talk.connect(CLOUD))}
        talk.wait(600.0)


def test_a_device_that_asks_now_and_then_is_not() -> None:
    talk = Conversation(devices=watched(CAMERA))
    for _ in range(5):
        talk.resolve("api.maker.example", CLOUD)
        assert Kind.HIDDEN_RESOLVER not in nameless(talk, 0.8)


def test_a_service_of_the_router_is_told_under_one_alert() -> None:
    talk = camera()
    log = Log()
    for _ in range(20):
        effects = talk.connect("192.168.77.1", 22, scope=Scope.ROUTER)
        assert verdict(effects).accept
        log.take(effects)
    assert [(each[0].kind, each[0].severity, len(each)) for each in log.entries.values()] == [
        (Kind.ROUTER_SERVICE, NOTICE, 20)
    ]


def test_settings_of_one_device_stand_above_the_rest() -> None:
    talk = camera(devices=watched(PLUG) | {CAMERA: DeviceSettings(CAMERA, mode=Mode.MONITOR)})
    talk.tell(DeviceSeen(CAMERA, True, False, "", ""))
    assert verdict(talk.connect(OTHER)).accept
