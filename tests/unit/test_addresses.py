# SPDX-License-Identifier: GPL-2.0-or-later
"""What a reply teaches, and what a device's book of names remembers, for how long, and how much."""

import tracemalloc
from itertools import pairwise
from math import inf

import pytest

from smartrouter.core.effects import Evidence
from smartrouter.core.events import Alias, Question, Reply, Told
from smartrouter.core.told.addresses import (
    MAX_ADDRESSES,
    MAX_NAMES,
    MAX_PAIRS,
    MAX_TTL,
    AddressBook,
    lesson,
)

A, AAAA, MX, SVCB, HTTPS, ANY = 1, 28, 15, 64, 65, 255
FOUR, SIX = "203.0.113.1", "2001:db8::1"
HOUR, DAY = 3600.0, 86400.0


def reply(
    *told: tuple[str, str],
    name: str = "dev.example",
    kind: int = A,
    aliases: tuple[tuple[str, str], ...] = (),
) -> Reply:
    return Reply(
        7,
        0,
        0,
        False,
        (Question(name, kind, 1),),
        tuple(Alias(owner, target, 60) for owner, target in aliases),
        tuple(Told(owner, address, 60) for owner, address in told),
    )


DIRECT = reply(("dev.example", FOUR))


def taught(answer: Reply) -> dict[str, str]:
    """Which addresses it teaches, each with its name."""
    found = lesson(answer)
    return dict.fromkeys(found.addresses, found.name)


def test_a_reply_teaches_the_name_that_was_asked_for() -> None:
    assert taught(DIRECT) == {FOUR: "dev.example"}


@pytest.mark.parametrize("backwards", [False, True])
def test_at_the_end_of_a_chain_still_the_name_that_was_asked_for(backwards: bool) -> None:
    chain = (("dev.example", "a.cdn"), ("a.cdn", "b.cdn"), ("b.cdn", "c.cdn"))
    aliases = chain[::-1] if backwards else chain
    answer = reply(("c.cdn", FOUR), ("b.cdn", "203.0.113.2"), ("x.cdn", "203.0.113.3"), aliases=aliases)
    assert taught(answer) == {FOUR: "dev.example", "203.0.113.2": "dev.example"}


@pytest.mark.parametrize(("hops", "reaches"), [(16, True), (17, False)])
def test_a_chain_is_followed_for_sixteen_hops(hops: int, reaches: bool) -> None:
    names = ["dev.example", *[f"c{n}.example" for n in range(hops)]]
    answer = reply((names[-1], FOUR), aliases=tuple(pairwise(names)))
    assert bool(taught(answer)) is reaches


def test_chains_in_a_circle_come_to_an_end() -> None:
    circle = (("dev.example", "b"), ("b", "dev.example"))
    assert taught(reply(("b", FOUR), aliases=circle)) == {FOUR: "dev.example"}


def test_of_two_aliases_of_one_name_the_first_counts() -> None:
    two = (("dev.example", "b"), ("dev.example", "c"))
    assert taught(reply(("b", FOUR), ("c", "203.0.113.2"), aliases=two)) == {FOUR: "dev.example"}


@pytest.mark.parametrize(
    "answer",
    [
        DIRECT._replace(opcode=4),
        DIRECT._replace(rcode=3),
        DIRECT._replace(truncated=True),
        DIRECT._replace(questions=()),
        DIRECT._replace(questions=DIRECT.questions * 2),
        DIRECT._replace(questions=(Question("dev.example", A, 3),)),
        DIRECT._replace(questions=(Question("dev.example", MX, 1),)),
        reply(("", FOUR), name=""),
        reply(("bank.example", FOUR)),
    ],
    ids=["opcode", "error", "truncated", "no question", "two", "class", "MX", "root", "another's"],
)
def test_a_reply_that_answers_no_question_teaches_nothing(answer: Reply) -> None:
    assert taught(answer) == {}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(A, {FOUR}), (AAAA, {SIX}), (HTTPS, {FOUR, SIX}), (SVCB, {FOUR, SIX}), (ANY, {FOUR, SIX})],
)
def test_only_addresses_of_the_kind_that_was_asked_for_count(kind: int, expected: set[str]) -> None:
    assert taught(reply(("dev.example", FOUR), ("dev.example", SIX), kind=kind)).keys() == expected


PUBLIC = """
    1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 172.15.255.255 172.32.0.0
    192.0.1.0 192.0.2.1 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 198.51.100.1 203.0.113.1
    223.255.255.255 2000:: 2001:200:: 2001:db8::1 2a00:1450::1 3fff:ffff::1 64:ff9b::808:808 2002:808:808::1
"""
PRIVATE = """
    10.0.0.0 10.255.255.255 172.16.0.1 172.31.255.255 192.168.0.0 192.168.255.255 fc00:: fd12:3456::1
    fdff:ffff::1
"""
NOWHERE = """
    0.0.0.0 0.255.255.255 100.64.0.0 100.127.255.255 127.0.0.1 169.254.169.254 192.0.0.1 192.0.0.255
    192.88.99.1 198.18.0.0 198.19.255.255 224.0.0.251 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1
    ::192.168.1.1 ::ffff:192.168.1.1 ::ffff:8.8.8.8 64:ff9b::c0a8:101 64:ff9b::7f00:1 64:ff9b:1::1
    64:ff9b::1:808:808 2002:c0a8:101::1 2002:7f00:1::1 2001:: 2001:1ff:ffff::1 100::1 fe80::1 fec0::1 ff02::fb
    4000::1 5f00::1
"""


@pytest.mark.parametrize("address", PUBLIC.split())
def test_a_public_address_is_taught_for_any_name(address: str) -> None:
    for name in ("dev.example", "tv.lan"):
        assert taught(reply((name, address), name=name, kind=ANY)) == {address: name}


@pytest.mark.parametrize("address", PRIVATE.split())
@pytest.mark.parametrize("name", ["philips-hue.lan", "x.home.arpa", "tv.local", "nas.internal", "printer"])
def test_a_private_address_is_taught_for_a_local_name(name: str, address: str) -> None:
    assert taught(reply((name, address), name=name, kind=ANY)) == {address: name}


@pytest.mark.parametrize("address", (PRIVATE + NOWHERE).split())
@pytest.mark.parametrize("name", ["dev.example", "lan.example", "x.evil\\.lan"])
def test_a_special_address_is_never_taught_for_a_public_name(name: str, address: str) -> None:
    assert taught(reply((name, address), name=name, kind=ANY)) == {}


@pytest.mark.parametrize("address", NOWHERE.split())
def test_an_address_that_leads_nowhere_is_taught_for_no_name(address: str) -> None:
    assert taught(reply(("tv.lan", address), name="tv.lan", kind=ANY)) == {}


def test_an_alias_into_the_local_domain_makes_no_public_name_local() -> None:
    answer = reply(("nas.lan", "192.168.1.20"), aliases=(("dev.example", "nas.lan"),))
    assert taught(answer) == {}


# -- the book ---------------------------------------------------------------------------------------


def book(grace: float = 7 * DAY, stale_after: float = HOUR) -> AddressBook:
    return AddressBook(grace=grace, stale_after=stale_after)


def test_names_come_newest_first() -> None:
    told = book()
    for at, name in enumerate(["a", "b", "c", "a"]):
        told.tell(FOUR, name, 60, float(at))
    assert told.names(FOUR, 5.0) == ("a", "c", "b")
    assert told.names("203.0.113.9", 5.0) == ()


def test_a_name_is_fresh_then_stale_then_gone() -> None:
    told = book(grace=DAY)
    told.tell(FOUR, "a", 60, 1000.0)
    fresh_until = 1000.0 + 60 + HOUR
    assert told.evidence(FOUR, fresh_until) is Evidence.DNS
    assert told.evidence(FOUR, fresh_until + 1) is Evidence.STALE
    assert told.names(FOUR, fresh_until + DAY) == ("a",)
    assert told.names(FOUR, fresh_until + DAY + 1) == ()
    assert told.evidence(FOUR, fresh_until + DAY + 1) is Evidence.NONE


def test_each_name_of_an_address_goes_at_its_own_time() -> None:
    told = book(grace=0.0)
    told.tell(FOUR, "long", 3600, 0.0)
    told.tell(FOUR, "short", 0, 0.0)
    assert told.names(FOUR, HOUR) == ("short", "long")
    assert told.names(FOUR, HOUR + 1) == ("long",)
    assert told.evidence(FOUR, HOUR + 1) is Evidence.DNS
    assert told.names(FOUR, 2 * HOUR + 1) == ()


def test_a_change_of_grace_holds_at_once() -> None:
    told = book(grace=0.0)
    told.tell(FOUR, "a", 0, 0.0)
    told.grace = DAY
    assert told.names(FOUR, 2 * HOUR) == ("a",)
    told.grace = 0.0
    assert told.names(FOUR, 2 * HOUR) == ()


def test_told_again_a_name_lives_longer_never_shorter() -> None:
    told = book(grace=0.0)
    told.tell(FOUR, "a", 600, 0.0)
    told.tell(FOUR, "a", 0, 1.0)
    assert told.evidence(FOUR, 600 + HOUR) is Evidence.DNS
    told.tell(FOUR, "a", 600, 100.0)
    assert told.evidence(FOUR, 700 + HOUR) is Evidence.DNS


@pytest.mark.parametrize(
    ("ttl", "counts_as"), [(0, 0), (MAX_TTL, MAX_TTL), (2**31 - 1, MAX_TTL), (2**31, 0), (2**32 - 1, 0)]
)
def test_a_ttl_is_kept_within_bounds(ttl: int, counts_as: int) -> None:
    told = book()
    told.tell(FOUR, "a", ttl, 0.0)
    assert told.evidence(FOUR, counts_as + HOUR) is Evidence.DNS
    assert told.evidence(FOUR, counts_as + HOUR + 1) is Evidence.STALE


def test_worth_storing_is_what_is_new_or_lives_notably_longer() -> None:
    told = book()
    assert told.tell(FOUR, "a", 60, 0.0).to_store
    assert not told.tell(FOUR, "a", 60, 1800.0).to_store
    assert not told.tell(FOUR, "a", 60, 3600.0).to_store
    assert told.tell(FOUR, "a", 60, 3601.0).to_store
    assert not told.tell(FOUR, "a", 60, 3602.0).to_store
    assert told.tell(FOUR, "b", 60, 3602.0).to_store
    assert told.tell(SIX, "a", 60, 3602.0).to_store


def test_without_staleness_a_name_is_fresh_for_ever() -> None:
    told = book(grace=0.0, stale_after=inf)
    assert told.tell(FOUR, "a", 0, 0.0).to_store
    assert not told.tell(FOUR, "a", 0, 1e9).to_store
    assert told.names(FOUR, 1e12) == ("a",)
    assert told.evidence(FOUR, 1e12) is Evidence.DNS


def test_the_oldest_name_of_an_address_makes_room() -> None:
    told = book()
    for number in range(MAX_NAMES + 2):
        told.tell(FOUR, f"n{number}", 60, 0.0)
    names = told.names(FOUR, 0.0)
    assert (len(names), names[0], names[-1]) == (MAX_NAMES, f"n{MAX_NAMES + 1}", "n2")


def test_the_address_that_was_told_longest_ago_makes_room() -> None:
    told = book()
    for number in range(MAX_ADDRESSES):
        told.tell(f"a{number}", "n", 60, 0.0)
    told.tell("a0", "n", 60, 1.0)
    told.tell("one more", "n", 60, 1.0)
    assert told.names("a0", 1.0) == ("n",)
    assert told.names("a1", 1.0) == ()
    assert told.names("a2", 1.0) == ("n",)


def test_a_flood_of_pairs_is_bounded_too() -> None:
    told = book()
    for number in range(MAX_ADDRESSES):
        for name in range(MAX_NAMES):
            told.tell(f"a{number}", f"n{name}", 60, 0.0)
    kept = [told.names(f"a{number}", 0.0) for number in range(MAX_ADDRESSES)]
    assert sum(map(len, kept)) == MAX_PAIRS
    assert kept[-1] != ()


def test_room_that_expired_names_leave_is_used_again() -> None:
    told = book(grace=0.0)
    for number in range(MAX_PAIRS // MAX_NAMES):
        for name in range(MAX_NAMES):
            told.tell(f"a{number}", f"n{name}", 0, 0.0)
    assert told.names("a0", 2 * HOUR) == ()
    for name in range(MAX_NAMES):
        told.tell("new", f"n{name}", 0, 0.0)
    assert len(told.names("a1", 0.0)) == MAX_NAMES


def test_asking_for_names_makes_nothing_new() -> None:
    told = book()
    told.tell(FOUR, "a", 60, 0.0)
    first = told.names(FOUR, 1.0)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(1000):
        assert told.names(FOUR, 2.0) is first
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 1000


def test_the_evidence_is_who_told_the_newest_name_last_and_for_longest() -> None:
    book = AddressBook(grace=DAY)
    book.tell(FOUR, "a.example", 60, 0.0)
    book.tell(FOUR, "a.example", 3600, 10.0, Evidence.REFRESHED)
    assert book.evidence(FOUR, 20.0) is Evidence.REFRESHED
    book.tell(FOUR, "a.example", 60, 30.0)
    assert book.evidence(FOUR, 40.0) is Evidence.REFRESHED  # which lasts longer
    book.tell(FOUR, "b.example", 60, 50.0)
    assert book.evidence(FOUR, 60.0) is Evidence.DNS
    assert book.all_names() == {"a.example", "b.example"}


# -- what a question is an alias of ------------------------------------------------------------------------


def test_what_a_question_leads_to_are_the_names_of_its_chain_and_no_others() -> None:
    chain = (("dev.example", "a.cdn"), ("a.cdn", "b.cdn"), ("x.cdn", "y.cdn"))
    assert lesson(reply(("b.cdn", FOUR), aliases=chain)).behind == {"a.cdn", "b.cdn"}
    assert lesson(reply(aliases=chain)).behind == {"a.cdn", "b.cdn"}  # without any address, too
    assert lesson(DIRECT).behind == set()


def test_a_circle_leads_to_no_more_than_its_names() -> None:
    assert lesson(reply(aliases=(("dev.example", "b"), ("b", "dev.example")))).behind == {"b"}


def test_an_error_or_another_class_leads_nowhere() -> None:
    answer = reply(aliases=(("dev.example", "a.cdn"),))
    assert lesson(answer._replace(rcode=3)).behind == set()
    assert lesson(answer._replace(opcode=4)).behind == set()
    assert lesson(answer._replace(questions=())).behind == set()
    assert lesson(answer._replace(questions=(Question("dev.example", A, 3),))).behind == set()
