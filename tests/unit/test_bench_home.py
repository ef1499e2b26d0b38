# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make bench` sends is what it says: read back by the guard's own parsers."""

from collections import Counter
from itertools import islice

import pytest

from bench import frames, home
from bench.home import Mix
from smartrouter.core.events import TCP, UDP
from smartrouter.core.learning import State
from smartrouter.core.told.addresses import lesson
from smartrouter.wire.dns import parse_query, parse_reply
from smartrouter.wire.packet import parse_ip

ETHERNET = 14


def test_syns_come_from_fifty_devices_in_turn_and_no_two_are_of_one_connection() -> None:
    sent = list(home.syns(4000))
    packets = [parse_ip(frame[ETHERNET:]) for frame in sent]
    assert Counter(frame[6:12].hex(":") for frame in sent) == dict.fromkeys(home.MACS, 80)
    assert all(packet.protocol == TCP and packet.flags == 0x02 for packet in packets)
    flows = {(p.source, p.source_port, p.destination, p.destination_port) for p in packets}
    assert len(flows) == len(sent)
    assert len({(p.source, p.destination, p.destination_port) for p in packets}) > 1000


def test_the_home_is_mostly_known_with_some_news_and_some_addresses_without_a_name() -> None:
    residents = home.residents()
    places = [place for each in residents for place in each.places]
    assert len(places) == home.DEVICES * (home.DESTINATIONS + 1)
    unnamed = sum(not place.name for place in places) / len(places)
    news = sum(not place.learned for place in places) / len(places)
    aliases = sum(bool(place.alias) for place in places) / len(places)
    assert (0.02 < unnamed < 0.04, 0.03 < news < 0.06, 0.4 < aliases < 0.65) == (True, True, True)
    assert Counter(each.progress.state for each in residents) == {State.PROTECTED: 40, State.LEARNING: 10}


def test_the_worst_case_is_news_only_of_protected_devices() -> None:
    learned = {place.address for each in home.residents() for place in each.places if place.learned}
    for frame in home.syns(200, Mix.STRANGERS):
        assert parse_ip(frame[ETHERNET:]).destination not in learned
        assert home.MACS.index(frame[6:12].hex(":")) < home.DEVICES - home.LEARNERS


def test_one_syn_to_each_learned_place_makes_as_many_pairs_as_are_learned() -> None:
    pairs = {
        (frame[6:12].hex(":"), packet.destination, packet.destination_port)
        for frame in home.one_syn_each(202)
        for packet in [parse_ip(frame[ETHERNET:])]
    }
    assert len(pairs) == 40 * 200 + 10 * 200 + 25


def test_each_answer_answers_its_query_and_teaches_its_name() -> None:
    hops: Counter[int] = Counter()
    for asked, answered in islice(home.lookups(2000), 0, 2000, 7):
        question, answer = parse_ip(asked[ETHERNET:]), parse_ip(answered[ETHERNET:])
        assert (question.protocol, question.destination, question.destination_port) == (
            UDP,
            home.RESOLVER,
            53,
        )
        assert (answer.source, answer.source_port) == (question.destination, question.destination_port)
        assert (answer.destination, answer.destination_port) == (question.source, question.source_port)
        query = parse_query(asked[ETHERNET:][question.payload : question.end])
        reply = parse_reply(answered[ETHERNET:][answer.payload : answer.end])
        assert (reply.ident, reply.questions) == (query.ident, (query.question,))
        assert lesson(reply).name == query.question.name
        hops[len(lesson(reply).behind)] += 1
    assert 0.4 < hops[2] / hops.total() < 0.6
    assert set(hops) == {0, 2}


def test_no_device_has_more_queries_on_their_way_than_the_guard_remembers() -> None:
    assert max(Counter(asked[6:12] for asked, _ in home.lookups(10_000)).values()) <= 256


@pytest.mark.parametrize("length", [0, 1, 5, 20])
def test_checksums_are_right_by_the_rule_that_a_sum_with_its_complement_is_zero(length: int) -> None:
    """RFC 1071: over data with its checksum in it, the checksum is 0."""
    data = bytes(range(length)) + bytes(length % 2)
    assert frames.checksum(data + frames.checksum(data).to_bytes(2, "big")) == 0


def test_a_file_of_frames_has_the_length_before_each() -> None:
    assert frames.as_file([b"ab", b"", b"c"]) == b"\0\2ab" + b"\0\0" + b"\0\1c"
