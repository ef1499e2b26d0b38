# SPDX-License-Identifier: GPL-2.0-or-later
"""Outstanding queries: what is remembered, for how long, and how much of it."""

from smartrouter.core.events import UDP, DnsAsked, Query, Question, Scope
from smartrouter.core.told.queries import LIFETIME, MAX_IN_ALL, MAX_QUERIES, Asked, OutstandingQueries

QUESTION = Question("cloud.example", 1, 1)


def asked(ident: int = 1, mac: str = "02:00:00:00:00:01", question: Question = QUESTION) -> DnsAsked:
    return DnsAsked(mac, "192.168.1.2", 4000, "192.168.1.1", UDP, Query(ident, question), Scope.ROUTER)


def answered(ident: int = 1, question: Question = QUESTION) -> Asked:
    return "192.168.1.2", 4000, "192.168.1.1", UDP, ident, question


def test_an_answer_finds_its_asker_once() -> None:
    queries = OutstandingQueries()
    queries.remember(asked(), 0.0)
    assert queries.askers(answered(), 1.0) == ("02:00:00:00:00:01",)
    assert not queries.askers(answered(), 1.0)
    assert len(queries) == 0


def test_an_answer_to_another_question_finds_nobody_and_leaves_the_query() -> None:
    queries = OutstandingQueries()
    queries.remember(asked(), 0.0)
    assert not queries.askers(answered(question=Question("bank.example", 1, 1)), 1.0)
    assert queries.askers(answered(), 1.0)


def test_a_query_in_the_name_of_another_device_takes_nothing_from_it() -> None:
    queries = OutstandingQueries()
    queries.remember(asked(), 0.0)
    queries.remember(asked(mac="02:00:00:00:00:02"), 0.0)
    queries.remember(asked(mac="02:00:00:00:00:02", question=Question("bank.example", 1, 1)), 0.0)
    assert queries.askers(answered(), 1.0) == ["02:00:00:00:00:01", "02:00:00:00:00:02"]
    assert len(queries) == 1


def test_all_devices_together_hold_a_bounded_number_and_the_oldest_goes() -> None:
    queries = OutstandingQueries()
    for number in range(MAX_IN_ALL + 10):
        queries.remember(asked(number % 65536, mac=f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"), 0.0)
    assert len(queries) == MAX_IN_ALL
    assert not queries.askers(answered(9), 1.0)
    assert queries.askers(answered(10), 1.0)


def test_old_queries_expire() -> None:
    queries = OutstandingQueries()
    queries.remember(asked(), 0.0)
    queries.expire(LIFETIME - 1)
    assert len(queries) == 1
    queries.expire(LIFETIME + 1)
    assert len(queries) == 0


def test_a_device_holds_a_bounded_number_and_loses_its_oldest() -> None:
    queries = OutstandingQueries()
    for ident in range(MAX_QUERIES + 10):
        queries.remember(asked(ident), 0.0)
    assert len(queries) == MAX_QUERIES
    assert not queries.askers(answered(9), 1.0)
    assert queries.askers(answered(10), 1.0)


def test_a_device_that_goes_takes_its_queries_along() -> None:
    queries = OutstandingQueries()
    queries.remember(asked(1), 0.0)
    queries.remember(asked(2, mac="02:00:00:00:00:02"), 0.0)
    queries.drop_device("02:00:00:00:00:01")
    assert len(queries) == 1
