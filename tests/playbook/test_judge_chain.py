# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversations about chains of aliases: a name is called by the question that led to it, and nobody who
shares the same content network is."""

import pytest
from playbook.conversation import CAMERA, ENFORCE, PLUG, Conversation, raised, recorded, verdict

from smartrouter.core.destinations import Destination, Match
from smartrouter.core.effects import Effect, Kind, NameAlias, Severity
from smartrouter.core.policy import Action, Reason, Rule
from smartrouter.core.told.aliases import LIFETIME

CLOUD, OTHER, THIRD = "203.0.113.10", "203.0.113.99", "203.0.113.77"
HEAD = "mesu.apple.com"
CHAIN = ("mesu.apple.com.edgekey.net", "e1329.g.akamaiedge.net")
MAP = CHAIN[-1]
DAY = 86400.0


def aliases(effects: list[Effect]) -> list[tuple[str, str]]:
    return [(effect.target, effect.head) for effect in effects if isinstance(effect, NameAlias)]


def taught(**settings: object) -> Conversation:
    """A camera that has learned `HEAD`, through its chain, and enforces since."""
    talk = Conversation(mode=ENFORCE, **settings)  # type: ignore[arg-type]
    talk.resolve(HEAD, CLOUD, aliases=CHAIN)
    talk.connect(CLOUD)
    talk.protect()
    return talk


def reaches(talk: Conversation, name: str, address: str = OTHER) -> tuple[bool, Reason]:
    """The camera asks for `name` itself, and connects."""
    talk.resolve(name, address, client="192.168.77.30")
    return verdict(talk.connect(address))


@pytest.mark.parametrize("name", [HEAD, *CHAIN, "other.apple.com"])
def test_what_the_question_led_to_is_known_as_the_question_is(name: str) -> None:
    assert reaches(taught(), name) == (True, Reason.LEARNED)


@pytest.mark.parametrize(
    "name",
    [
        "e9999.g.akamaiedge.net", "g.akamaiedge.net", "akamaiedge.net", "x.e1329.g.akamaiedge.net",
        "evil.com.edgekey.net", "apple.com.edgekey.net", "edgekey.net", "xmesu.apple.com.edgekey.net",
    ],
)  # fmt: skip
def test_who_shares_the_content_network_is_not(name: str) -> None:
    assert reaches(taught(), name) == (False, Reason.UNKNOWN_NAME)


@pytest.mark.parametrize(
    ("mine", "anothers"),
    [
        ("d1.cloudfront.net", "d2.cloudfront.net"),
        ("mine.s3.amazonaws.com", "evil.s3.amazonaws.com"),
        ("mine.s3.eu-west-1.amazonaws.com", "evil.s3.eu-west-1.amazonaws.com"),
        ("ec2-1-2-3-4.compute-1.amazonaws.com", "ec2-5-6-7-8.compute-1.amazonaws.com"),
        ("mine-lb-1.us-east-1.elb.amazonaws.com", "evil-lb-1.us-east-1.elb.amazonaws.com"),
        ("mine.execute-api.eu-west-1.amazonaws.com", "evil.execute-api.eu-west-1.amazonaws.com"),
        ("mine.azurewebsites.net", "evil.azurewebsites.net"),
        ("mine.azureedge.net", "evil.azureedge.net"),
        ("mine.blob.core.windows.net", "evil.blob.core.windows.net"),
        ("mine.azure-devices.net", "evil.azure-devices.net"),
        ("mine.trafficmanager.net", "evil.trafficmanager.net"),
        ("mine.eastus.cloudapp.azure.com", "evil.eastus.cloudapp.azure.com"),
        ("mine.global.ssl.fastly.net", "evil.global.ssl.fastly.net"),
        ("mine.map.fastly.net", "evil.map.fastly.net"),
        ("mine.github.io", "evil.github.io"),
        ("mine.herokuapp.com", "evil.herokuapp.com"),
        ("mine.appspot.com", "evil.appspot.com"),
        ("mine.web.app", "evil.web.app"),
        ("mine.pages.dev", "evil.pages.dev"),
        ("mine.workers.dev", "evil.workers.dev"),
        ("mine.b-cdn.net", "evil.b-cdn.net"),
        ("mine.oss-cn-beijing.aliyuncs.com", "evil.oss-cn-beijing.aliyuncs.com"),
        ("mine.duckdns.org", "evil.duckdns.org"),
        ("mine.edgesuite.net", "evil.edgesuite.net"),
        ("a1.w10.akamai.net", "a2.w10.akamai.net"),
        ("mine.storage.googleapis.com", "evil.storage.googleapis.com"),
        ("mine.firebaseio.com", "evil.firebaseio.com"),
        ("mine.ngrok.io", "evil.ngrok.io"),
    ],
)
@pytest.mark.parametrize("chained", [False, True])
def test_another_customer_of_a_cloud_is_never_known(mine: str, anothers: str, chained: bool) -> None:
    talk = Conversation(mode=ENFORCE)
    if chained:
        talk.resolve("maker.example", CLOUD, aliases=(mine,))
    talk.resolve(mine, CLOUD)
    talk.connect(CLOUD)
    talk.protect()
    assert reaches(talk, mine) == (True, Reason.LEARNED)
    assert reaches(talk, anothers, THIRD) == (False, Reason.UNKNOWN_NAME)


def test_one_who_asks_for_the_end_of_a_chain_first_learns_the_name_by_itself_only() -> None:
    talk = Conversation(mode=ENFORCE)
    talk.learn(MAP, CLOUD)
    talk.protect()
    assert set(talk.judge.roster.devices[CAMERA].learning.learned) == {Destination(MAP, "web")}
    assert reaches(talk, HEAD) == (False, Reason.UNKNOWN_NAME)


def test_an_alias_lives_for_thirty_days_and_what_was_learned_by_it_longer() -> None:
    talk = taught(name_grace=90 * DAY)
    talk.running += LIFETIME - 1
    assert reaches(talk, MAP) == (True, Reason.LEARNED)
    talk.running += 2
    assert reaches(talk, MAP, THIRD) == (False, Reason.UNKNOWN_NAME)
    direct = Conversation(mode=ENFORCE)
    direct.resolve(HEAD, CLOUD, aliases=CHAIN)
    direct.resolve(MAP, CLOUD)
    direct.connect(CLOUD)
    direct.protect()
    direct.running += LIFETIME + 1
    assert reaches(direct, MAP) == (True, Reason.LEARNED)


def test_an_alias_lives_on_where_a_known_question_leads_there_again() -> None:
    talk = taught()
    talk.running += LIFETIME - 1
    talk.resolve(HEAD, CLOUD, aliases=CHAIN)
    talk.running += LIFETIME - 1
    assert reaches(talk, MAP) == (True, Reason.LEARNED)


def test_once_protected_only_a_question_that_is_known_makes_aliases() -> None:
    talk = taught()
    talk.ask("evil.example")
    assert aliases(talk.answer("evil.example", OTHER, aliases=("new.evil.example",))) == []
    talk.ask(HEAD)
    assert aliases(talk.answer(HEAD, CLOUD, aliases=("new.edge.example",))) == [("new.edge.example", HEAD)]
    assert reaches(talk, "new.edge.example") == (True, Reason.LEARNED)


def test_while_learning_any_answer_makes_aliases_and_says_so_once_a_day() -> None:
    talk = Conversation(learning=30 * DAY)
    talk.ask(HEAD)
    assert aliases(talk.answer(HEAD, CLOUD, aliases=CHAIN)) == [(each, HEAD) for each in sorted(CHAIN)]
    talk.running += 3600.0
    talk.ask(HEAD)
    assert aliases(talk.answer(HEAD, CLOUD, aliases=CHAIN)) == []
    talk.running += DAY
    talk.ask(HEAD)
    assert len(aliases(talk.answer(HEAD, CLOUD, aliases=CHAIN))) == 2


def test_an_attackers_name_that_leads_into_a_known_map_is_not_known_by_it() -> None:
    """`evil.example` CNAME `e1329…`: the alias goes from what is asked to what is behind, never back."""
    talk = taught()
    talk.ask("evil.example")
    talk.answer("evil.example", OTHER, aliases=(MAP,))
    effects = talk.connect(OTHER)
    assert verdict(effects) == (False, Reason.UNKNOWN_NAME)
    assert raised(effects)[0].name == "evil.example"


def test_aliases_do_not_add_up_over_several_steps() -> None:
    """Who controls the end of a chain cannot have it lead on to what he likes."""
    talk = taught()
    talk.ask(MAP)
    talk.answer(MAP, CLOUD, aliases=("evil.example",))
    talk.wait(1.0)
    assert reaches(talk, "evil.example") == (False, Reason.UNKNOWN_NAME)


def test_an_alias_of_one_device_is_none_of_another() -> None:
    talk = taught()
    talk.protect(PLUG)
    talk.resolve(MAP, OTHER, mac=PLUG, client="192.168.77.21")
    assert not verdict(talk.connect(OTHER, mac=PLUG, source="192.168.77.21")).accept


def test_only_the_chain_match_goes_by_heads() -> None:
    for match in (Match.DOMAIN, Match.HOST):
        assert reaches(taught(match=match), MAP) == (False, Reason.UNKNOWN_NAME)


def test_an_attempt_behind_a_chain_is_recorded_under_its_own_name() -> None:
    talk = taught()
    talk.resolve(MAP, OTHER)
    assert recorded(talk.connect(OTHER)).name == MAP


def test_an_unknown_name_behind_a_known_question_s_address_is_a_notice() -> None:
    """Content networks answer for many names at one address."""
    talk = taught()
    talk.resolve("evil.example", CLOUD)
    effects = talk.connect(CLOUD)
    assert verdict(effects) == (True, Reason.LEARNED)
    assert [(each.kind, each.severity) for each in raised(effects)] == [(Kind.NEW_NAME, Severity.NOTICE)]


@pytest.mark.parametrize("destination", [HEAD, "apple.com", "*.apple.com", MAP])
def test_rules_about_the_head_of_a_chain_apply_to_what_is_behind_it(destination: str) -> None:
    deny = Rule("*", destination, "", Action.DENY)
    talk = taught()
    talk.configure(rules=(deny,))
    assert reaches(talk, MAP) == (False, Reason.DENIED_BY_RULE)
    allow = Conversation(mode=ENFORCE, rules=(Rule("*", destination, "", Action.ALLOW),))
    allow.resolve(HEAD, CLOUD, aliases=CHAIN)
    allow.protect()
    assert reaches(allow, MAP) == (True, Reason.ALLOWED_BY_RULE)


def test_a_deny_rule_goes_by_the_newest_name_of_an_address() -> None:
    talk = taught(rules=(Rule("*", "evil.example", "", Action.DENY),))
    talk.resolve("evil.example", CLOUD)
    assert verdict(talk.connect(CLOUD)) == (False, Reason.DENIED_BY_RULE)
    talk.resolve(HEAD, CLOUD, aliases=CHAIN)
    assert verdict(talk.connect(CLOUD)) == (True, Reason.LEARNED)


def test_a_restored_device_knows_its_aliases() -> None:
    talk = taught()
    device = talk.judge.roster.devices[CAMERA]
    again = Conversation(mode=ENFORCE, learning=60.0)
    known = [(MAP, HEAD, again.now.wall - DAY), ("old.example", HEAD, again.now.wall - LIFETIME - 1)]
    again.judge.restore(CAMERA, device.learning.progress, device.learning.learned, (), again.now, known)
    assert reaches(again, MAP) == (True, Reason.LEARNED)
    assert reaches(again, "old.example", THIRD) == (False, Reason.UNKNOWN_NAME)


def test_a_restart_makes_no_domain_of_a_host_that_a_known_question_led_to() -> None:
    """`pool.provider.example` is learned as just that: nobody else's name there is known before or after."""
    talk = Conversation(mode=ENFORCE)
    host = "pool.provider.example"
    talk.resolve(HEAD, CLOUD, aliases=(host,))
    talk.learn(host, CLOUD)
    talk.protect()
    learned = talk.judge.roster.devices[CAMERA].learning
    assert Destination(host, "web") in learned.learned
    again = Conversation(mode=ENFORCE)
    again.judge.restore(CAMERA, learned.progress, dict(learned.learned), (), again.now)
    for each in (talk, again):
        assert reaches(each, host) == (True, Reason.LEARNED)
        assert reaches(each, "evil.provider.example", THIRD) == (False, Reason.UNKNOWN_NAME)


def test_a_learned_destination_that_is_not_used_for_long_expires_with_a_notice() -> None:
    talk = Conversation(mode=ENFORCE, unused_after=10 * DAY, learning=3600.0)
    talk.learn("old.example", OTHER)
    talk.resolve(HEAD, CLOUD, aliases=CHAIN, ttl=7 * 86400)
    talk.resolve(MAP, CLOUD, ttl=7 * 86400)
    talk.connect(CLOUD)
    talk.protect()
    told = []
    for _ in range(12):
        told += talk.wait(DAY)
        talk.connect(CLOUD)
    assert [(each.kind, each.destination, each.severity) for each in raised(told)] == [
        (Kind.UNUSED, "old.example", Severity.NOTICE)
    ]
    assert reaches(talk, "old.example") == (False, Reason.UNKNOWN_NAME)


def test_a_device_that_knows_nothing_makes_no_aliases() -> None:
    talk = Conversation(mode=ENFORCE)
    talk.protect()
    talk.ask(HEAD)
    assert aliases(talk.answer(HEAD, CLOUD, aliases=CHAIN)) == []
