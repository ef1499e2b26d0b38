# SPDX-License-Identifier: GPL-2.0-or-later
"""What the judge believes of DNS: whose replies count, and who may be asked."""

from ipaddress import ip_network

import pytest
from playbook.conversation import (
    CAMERA,
    CAMERA_ADDRESS,
    ENFORCE,
    PLUG,
    Conversation,
    alerts,
    recorded,
    verdict,
)

from smartrouter.core.effects import AdmitReplies, DismissReplies, Evidence, Kind, Name, Verdict
from smartrouter.core.events import TCP, DnsAsked, Scope
from smartrouter.core.naming import MAX_CLIENTS
from smartrouter.core.policy import Action, Reason, Rule
from smartrouter.core.told.queries import LIFETIME, MAX_QUERIES

CLOUD = "203.0.113.10"
FOREIGN = "198.51.100.53"
PUBLIC = "9.9.9.9"


def named(talk: Conversation, address: str = CLOUD, mac: str = CAMERA) -> str:
    """The name that a connection to `address` is recorded under."""
    return recorded(talk.connect(address, mac=mac)).name


def test_query_admits_the_asker_before_its_verdict_and_only_once() -> None:
    talk = Conversation()
    assert talk.ask("cloud.example") == [AdmitReplies(CAMERA_ADDRESS), Verdict(True, Reason.DNS_QUERY)]
    assert talk.ask("cloud.example") == [Verdict(True, Reason.DNS_QUERY)]


def test_answer_names_its_addresses_for_the_asker_and_is_stored() -> None:
    talk = Conversation()
    talk.ask("cloud.example")
    effects = talk.answer("cloud.example", CLOUD, "203.0.113.11", ttl=60)
    assert effects == [
        Verdict(True, Reason.DNS_REPLY),
        Name(CAMERA, CLOUD, "cloud.example", 60, talk.now.wall),
        Name(CAMERA, "203.0.113.11", "cloud.example", 60, talk.now.wall),
    ]
    assert named(talk) == "cloud.example"


def test_address_behind_a_chain_is_called_by_the_question() -> None:
    talk = Conversation()
    talk.resolve("www.cloud.example", CLOUD, aliases=("edge.cdn.example", "e1.cdn.example"))
    assert named(talk) == "www.cloud.example"


@pytest.mark.parametrize(
    "forged",
    [
        {"ident": 8},
        {"port": 40001},
        {"client": "192.168.77.99"},
        {"resolver": "203.0.113.53"},
        {"protocol": TCP},
        {"type": 28},
        {"rcode": 3},
    ],
)
def test_reply_that_differs_from_the_query_names_nothing(forged: dict[str, object]) -> None:
    talk = Conversation()
    talk.ask("cloud.example")
    effects = talk.answer("cloud.example", CLOUD, **forged)  # type: ignore[arg-type]
    assert effects == [Verdict(True, Reason.DNS_REPLY)]
    assert named(talk) == ""


def test_reply_to_another_question_names_nothing() -> None:
    talk = Conversation()
    talk.ask("cloud.example")
    talk.answer("bank.example", CLOUD)
    assert named(talk) == ""


def test_unsolicited_reply_names_nothing() -> None:
    talk = Conversation()
    talk.answer("cloud.example", CLOUD)
    assert named(talk) == ""


def test_second_answer_to_one_query_names_nothing_but_each_retransmission_may_be_answered() -> None:
    talk = Conversation()
    talk.ask("cloud.example")
    talk.answer("cloud.example", CLOUD)
    talk.answer("cloud.example", "203.0.113.66")
    assert named(talk, "203.0.113.66") == ""
    talk.ask("cloud.example")
    talk.ask("cloud.example")
    talk.answer("cloud.example", CLOUD)
    talk.answer("cloud.example", "203.0.113.67")
    assert named(talk, "203.0.113.67") == "cloud.example"


def test_answer_that_comes_too_late_names_nothing() -> None:
    talk = Conversation()
    talk.ask("cloud.example")
    talk.running += LIFETIME + 1
    talk.answer("cloud.example", CLOUD)
    assert named(talk) == ""


def test_public_name_on_a_private_address_names_nothing() -> None:
    talk = Conversation()
    talk.resolve("cloud.example", "192.168.77.1")
    assert recorded(talk.connect("192.168.77.1", scope=Scope.LAN)).name == ""


def test_queries_over_tcp_count_too() -> None:
    talk = Conversation()
    talk.resolve("cloud.example", CLOUD, protocol=TCP)
    assert named(talk) == "cloud.example"


def test_what_is_no_query_to_the_router_passes() -> None:
    talk = Conversation(mode=ENFORCE)
    effects = talk.tell(DnsAsked(CAMERA, CAMERA_ADDRESS, 1, "192.168.77.1", TCP, None, Scope.ROUTER))
    assert verdict(effects) == (True, Reason.DNS_QUERY)


def test_trusted_resolver_outside_names_things() -> None:
    talk = Conversation(resolvers=frozenset({PUBLIC}))
    talk.resolve("cloud.example", CLOUD, resolver=PUBLIC)
    assert named(talk) == "cloud.example"


def test_foreign_resolver_names_nothing_and_is_reported_in_monitor_mode() -> None:
    talk = Conversation()
    talk.protect()
    effects = talk.ask("cloud.example", resolver=FOREIGN)
    assert verdict(effects) == (True, Reason.FOREIGN_RESOLVER)
    assert alerts(effects) == [(Kind.FOREIGN_RESOLVER, FOREIGN, "udp/53", False)]
    talk.answer("cloud.example", CLOUD, resolver=FOREIGN)
    assert named(talk) == ""


@pytest.mark.parametrize(
    ("blocks", "learning", "accepted"), [(True, False, False), (False, False, True), (True, True, True)]
)
def test_foreign_resolver_in_enforce_mode(blocks: bool, learning: bool, accepted: bool) -> None:
    talk = Conversation(mode=ENFORCE, block_foreign_dns=blocks)
    if not learning:
        talk.protect()
    effects = talk.ask("cloud.example", resolver=FOREIGN)
    assert verdict(effects) == (accepted, Reason.FOREIGN_RESOLVER)
    assert alerts(effects) == [(Kind.FOREIGN_RESOLVER, FOREIGN, "udp/53", not accepted)]


def test_repeated_query_to_a_foreign_resolver_is_one_attempt() -> None:
    talk = Conversation()
    talk.ask("cloud.example", resolver=FOREIGN)
    assert talk.ask("cloud.example", resolver=FOREIGN) == [Verdict(True, Reason.FOREIGN_RESOLVER)]


def test_rules_decide_about_resolvers() -> None:
    allow = Rule("*", ip_network(FOREIGN + "/32"), "", Action.ALLOW)
    deny = Rule("*", ip_network(PUBLIC + "/32"), "", Action.DENY)
    talk = Conversation(mode=ENFORCE, rules=(allow, deny), resolvers=frozenset({PUBLIC}))
    talk.protect()
    assert verdict(talk.ask("cloud.example", resolver=FOREIGN)) == (True, Reason.ALLOWED_BY_RULE)
    talk.answer("cloud.example", CLOUD, resolver=FOREIGN)
    assert named(talk) == ""
    assert verdict(talk.ask("cloud.example", resolver=PUBLIC)) == (False, Reason.DENIED_BY_RULE)


def test_resolver_on_the_lan_is_never_blocked_and_names_only_if_configured() -> None:
    pihole = "192.168.78.5"
    for resolvers, name in ((frozenset[str](), ""), (frozenset({pihole}), "cloud.example")):
        talk = Conversation(mode=ENFORCE, resolvers=resolvers)
        talk.protect()
        effects = talk.ask("cloud.example", resolver=pihole, scope=Scope.LAN)
        assert verdict(effects).accept is True
        talk.answer("cloud.example", CLOUD, resolver=pihole)
        assert named(talk) == name


def test_names_of_one_address_are_all_kept_newest_first() -> None:
    talk = Conversation()
    talk.resolve("one.example", CLOUD)
    talk.resolve("two.example", CLOUD)
    assert named(talk) == "two.example"
    talk.resolve("one.example", CLOUD)
    assert named(talk) == "one.example"


def test_evidence_is_dns_then_stale_then_none() -> None:
    talk = Conversation(name_grace=7200.0)
    talk.resolve("cloud.example", CLOUD, ttl=300)
    for wait, evidence in ((3800, Evidence.DNS), (200, Evidence.STALE), (7200, Evidence.NONE)):
        talk.running += wait
        assert recorded(talk.connect(CLOUD)).evidence is evidence


def test_seventeenth_address_of_a_device_dismisses_its_oldest() -> None:
    talk = Conversation()
    clients = [f"192.168.77.{100 + n}" for n in range(MAX_CLIENTS + 1)]
    for client in clients[:-1]:
        assert AdmitReplies(client) in talk.ask("cloud.example", client=client)
    effects = talk.ask("cloud.example", client=clients[-1])
    assert effects[:2] == [DismissReplies(clients[0]), AdmitReplies(clients[-1])]


def test_device_that_claims_anothers_address_cannot_have_it_dismissed() -> None:
    talk = Conversation()
    talk.ask("cloud.example")
    talk.ask("cloud.example", mac=PLUG)  # claims the camera's address
    for n in range(MAX_CLIENTS):
        effects = talk.ask("cloud.example", mac=PLUG, client=f"192.168.77.{100 + n}")
        assert DismissReplies(CAMERA_ADDRESS) not in effects


def test_flood_of_queries_costs_a_device_its_own_oldest_only() -> None:
    talk = Conversation()
    talk.ask("cloud.example")
    for n in range(MAX_QUERIES + 50):
        talk.ask("flood.example", mac=PLUG, client="192.168.77.21", ident=n)
    talk.answer("cloud.example", CLOUD)
    assert named(talk) == "cloud.example"
    talk.answer("flood.example", "203.0.113.20", client="192.168.77.21", ident=0)
    assert named(talk, "203.0.113.20", PLUG) == ""
