# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes docs/reliability.md from the table of faults and from what its tests measured:
`python -m netns.faults_page JUNIT_XML > docs/reliability.md` (see `make reliability`)."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from netns.faults import FAULTS, SETTINGS, Fault, Probe

_ROW = re.compile(r"\| `([a-z-]+)` .* \| ([0-9.]+) s \|")
_CASE = re.compile(r"test_a_fault_is_seen.*\[([a-z-]+)-(?:monitor|enforce)-(?:open|closed)\]")


class Elsewhere(NamedTuple):
    """A fault with a test of its own: what must hold, and the test's place."""

    what: str
    holds: str
    test: str


ELSEWHERE = (
    Elsewhere(
        "The guard is killed over and over while devices connect",
        "Established and known connections notice nothing; others wait for one retransmitted SYN; back < 1 s",
        "netns/test_chaos.py::test_a_guard_that_is_killed_over_and_over_costs_a_retransmitted_packet_each_time",
    ),
    Elsewhere(
        "Any process is killed right after a decision was acknowledged",
        "The decision is in the configuration, what was learned is still there, the store is whole",
        "netns/test_chaos.py::test_whatever_is_killed_no_acknowledged_rule_and_nothing_learned_is_lost",
    ),
    Elsewhere(
        "Any process is killed with kill -9, over and over, and every other time its successor as it starts",
        "The store is whole, no acknowledged rule is lost or comes back, what was learned stays but for the "
        "last minute; no process, socket, table, descriptor or file is left over",
        "netns/test_kill_nine.py::"
        "test_whatever_is_killed_however_often_the_store_is_whole_and_no_decision_is_lost",
    ),
    Elsewhere(
        "The four come up in any order, crash in any order, and come up again: over the store as it was "
        "left, none, one of the schema before (upgrade), one that somebody has locked",
        "A device that learned is known, what it never spoke to is refused, the alert is in the list and on "
        "the web page",
        "netns/test_four_processes.py::test_in_any_order_they_come_up_and_crash_and_come_up",
    ),
    Elsewhere(
        "Parts are started by hand, beside the supervisor and in any order",
        "Who comes second waits or ends and says why; once those are gone, the product is whole",
        "netns/test_parts_by_hand.py::"
        "test_beside_parts_that_were_started_by_hand_it_comes_up_once_they_are_gone",
    ),
    Elsewhere(
        "The configuration changes over and over while a device floods what it never learned",
        "No packet slips through, and what is known passes",
        "netns/test_changes_under_fire.py::test_while_the_configuration_changes_nothing_slips_through",
    ),
    Elsewhere(
        "Two change the configuration at the same time, or one is killed while he writes it",
        "No change is lost, the file is the old one or the new one",
        "unit/test_uci_file.py::test_of_changes_made_at_the_same_time_none_is_lost",
    ),
    Elsewhere(
        "An exception on every tenth packet",
        "It costs these packets their judgement (`on_failure` says what becomes of them), and nothing else",
        "netns/test_chaos.py::test_an_exception_on_every_tenth_packet_costs_that_packet_and_no_more",
    ),
    Elsewhere(
        "The clock stands at 1970, jumps forward by decades, and back",
        "No verdict changes, no process ends, the store stays whole",
        "netns/test_chaos.py::test_a_clock_that_starts_in_1970_and_jumps_by_years_changes_no_verdict",
    ),
    Elsewhere(
        "A device asks in the name of hundreds of addresses",
        "It gets room for 16 of them; replies to others are held and named as before",
        "netns/test_chaos.py::test_queries_with_forged_sources_take_the_room_of_nobody_else",
    ),
    Elsewhere(
        "A flood of new names and addresses, with a memory limit (cgroup) around the product",
        "Nothing is killed, and others' connections pass",
        "netns/test_chaos.py::test_the_whole_product_lives_within_its_memory_under_a_flood_of_addresses_and_names",
    ),
    Elsewhere(
        "A device makes up thousands of MACs",
        "The guard answers everybody else as before",
        "netns/test_guard_adversary.py::test_a_device_that_makes_macs_up_keeps_the_guard_from_nobody_else",
    ),
    Elsewhere(
        "A device floods the guard with new connections",
        "The kernel lets 500 a second of it through to the queue, the rest is counted",
        "netns/test_packet_rules.py::test_a_flood_of_one_device_reaches_the_queue_only_up_to_its_limit",
    ),
    Elsewhere(
        "Queries that are much work",
        "They delay nobody else's",
        "netns/test_guard_adversary.py::test_queries_that_are_much_work_delay_nobody_elses",
    ),
    Elsewhere(
        "A queue, or the socket behind it, is full",
        "What overflows is counted, and `status` says so; the reader lives on",
        "netns/test_packet_queue.py::test_packets_that_overflow_are_counted_and_the_reader_lives_on",
    ),
    Elsewhere(
        "The guard beats, but judges nothing (a dead-lock)",
        "It is killed within three seconds",
        "netns/test_supervisor.py::test_a_guard_that_beats_but_does_not_judge_is_killed",
    ),
    Elsewhere(
        "The ruleset is loaded anew, over and over, under fire",
        "No packet slips through",
        "netns/test_packet_rules.py::test_reloads_under_fire_let_nothing_through",
    ),
    Elsewhere(
        "A ruleset that nft refuses",
        "It changes nothing",
        "netns/test_packet_rules.py::test_a_ruleset_that_nft_refuses_changes_nothing",
    ),
    Elsewhere(
        "A forged packet mark",
        "It is worth nothing",
        "netns/test_packet_rules.py::test_forged_marks_are_worthless",
    ),
    Elsewhere(
        "A LAN interface is deleted and made anew",
        "It goes on with the new one",
        "netns/test_guard_discovery.py::test_with_the_lan_taken_away_and_made_anew_it_goes_on",
    ),
    Elsewhere(
        "The supervisor is killed",
        "Its parts end, the rules stay, and the next one takes over",
        "netns/test_guard_life.py::test_a_supervisor_that_was_killed_leaves_the_rules_and_the_next_one_takes_over",
    ),
    Elsewhere(
        "A second instance is started",
        "It is refused, and the first goes on",
        "netns/test_supervisor.py::test_a_second_one_is_refused_and_the_first_goes_on",
    ),
    Elsewhere(
        "The store's disk is read-only at the start, with changes in SQLite's log",
        "What was learned counts, `status` says that nothing can be stored, and it is stored once it can be",
        "netns/test_read_only_disk.py::test_what_was_learned_counts_and_what_cannot_be_stored_is_said",
    ),
    Elsewhere(
        "A service that gets alerts is away, slow, or hangs",
        "Alerts wait in the store and are delivered later; no verdict waits",
        "netns/test_delivery.py::test_kills_in_the_middle_lose_nothing",
    ),
    Elsewhere(
        "Power is lost, and with it the memory that the store lies in (`option snapshot`)",
        "What was learned is known again, but for the last minute; with `closed` nothing unknown passes",
        "netns/test_kept_state.py::test_closed_holds_between_power_and_guard_and_what_was_learned_survives",
    ),
    Elsewhere(
        "Whoever copies the store to flash is killed, at any moment",
        "What is kept there is the old copy or the new one, whole",
        "unit/test_store_snapshot.py::test_whenever_it_is_killed_what_is_kept_can_be_taken_up",
    ),
    Elsewhere(
        "Flash takes nothing any more",
        "Judging goes on; `status` says what would be lost",
        "netns/test_kept_state.py::test_a_disk_that_takes_nothing_is_said",
    ),
    Elsewhere(
        "Odd packets (49,000, most of them against some protocol) from the wire of watched devices",
        "Each that reaches a queue is judged, by either reader; no part ends or grows, others are served",
        "netns/test_hostile.py::test_odd_packets_end_nothing_and_keep_nobody_waiting",
    ),
    Elsewhere(
        "Broken and lying replies (13,000) of a resolver, through dnsmasq, and as if of dnsmasq itself",
        "They name nothing but what was asked for; no part ends or grows, others are served",
        "netns/test_hostile.py::test_bad_replies_end_nothing_name_nothing_else_and_keep_nobody_waiting",
    ),
    Elsewhere(
        "100,000 made-up MACs with addresses that are theirs or not: ARP, DHCP, mDNS, queries, connections",
        "No part ends or takes over 48 MiB more (the guard; 16 the analyzer); others are served",
        "netns/test_hostile_floods.py::test_made_up_macs_and_addresses_fill_nothing_and_are_in_nobodys_way",
    ),
    Elsewhere(
        "80,000 random names and as many addresses, asked and connected to by 24 devices at once",
        "Memory and store stay within the same bounds; others are served",
        "netns/test_hostile_floods.py::test_random_names_and_addresses_fill_nothing_and_are_in_nobodys_way",
    ),
    Elsewhere(
        "50,000 SYNs a second of one device",
        "The kernel lets 500 a second of them to the guard, counts the rest; others are judged as before",
        "netns/test_hostile_floods.py::test_of_a_flood_of_syns_the_kernel_lets_through_what_one_device_may",
    ),
    Elsewhere(
        "The queue of new connections is full",
        "Names are asked and answered",
        "netns/test_hostile_floods.py::test_with_the_queue_of_connections_full_names_are_answered",
    ),
    Elsewhere(
        "The queue of names is full",
        "New connections are judged",
        "netns/test_hostile_floods.py::test_with_the_queue_of_names_full_connections_are_judged",
    ),
    Elsewhere(
        "Somebody else's table marks by DSCP, or keeps marks with connections, in the bits that are ours",
        "What a device brings about so is no way out",
        "netns/test_hostile_marks.py::test_no_class_of_service_is_a_way_out",
    ),
)

LONG = (
    (
        "`ROUNDS=100 pytest tests/netns/test_kill_nine.py`, cut short, two runs beside it, and `ROUNDS=20`",
        "killed at least: supervisor 204 times, guard 211, analyzer 207, web interface 206, with a load of "
        "20 on two processors. Each time the store was whole, nothing stored was forgotten, no acknowledged "
        "rule lost, what is known passed. The first run (124 of each) left a process behind; one cause was "
        "found and mended: a web interface that is killed as it starts. Since then, on a quiet machine: 171 "
        "kills, 15,988 connections, 890 changes of rules, 93 destinations learned, 7 of them lost (at most "
        "0.3 s old), nothing left behind; back after 0.7 s (guard) to 3.0 s (supervisor) in the median",
    ),
    (
        "`ROUNDS=25 pytest tests/netns/test_changes_under_fire.py`",
        "1,078,588 packets of a protected device to what it never learned, during 26 changes of the "
        "configuration (three of them have the guard start anew): none left the router",
    ),
    (
        "`ROUNDS=2 pytest tests/netns/test_four_processes.py`",
        "all 24 orders of crashes, with each of the 6 orders of starts over each of the 4 stores: each ends "
        "with the product at work",
    ),
)
"""Tests that are shorter in a plain run, run in full length once: the command, and what came of it."""

_HEAD = """\
# Reliability

What devices see while something is broken, in each mode and with each `on_failure`, and what is tested of it.
The first table is written from the table that the tests go through (`tests/netns/faults.py`); the times are
the longest of the four settings, measured by `make reliability` on a development machine with other work
beside it.

*Open*: connections that were open before. *Known*: new connections to a learned destination, which the kernel
lets through by itself. *Unknown*: new connections of a protected device to anything else. *Names*: questions
to the router's resolver. *Waits*: the packet is held, or sent again, until the fault is over. Where nothing
stands, it is over before it could be told.

"""
_MIDDLE = """
What passed while nobody judged is counted apart (`unjudged_down`), and never as judged.

## Faults with tests of their own

"""
_LAST = """
## Long runs

What a plain run of the tests does a few times, done in full, on the same machine.

"""


def page(measured: Mapping[str, float]) -> str:
    """The page. `measured`: seconds until all was as before, by the fault's key."""
    settings = [f"unknown: {mode}, {end}" for mode, end in SETTINGS]
    head = ["fault", "", "open", "known", *settings, "names", "back within", "measured", "you hear of it"]
    rows = [_row(fault, measured.get(fault.key)) for fault in FAULTS]
    others = [[each.what, each.holds, f"`tests/{each.test}`"] for each in ELSEWHERE]
    elsewhere = _table(["fault", "what holds", "test"], others)
    return _HEAD + _table(head, rows) + _MIDDLE + elsewhere + _LAST + _table(["run", "result"], LONG)


def measured_on(text: str) -> dict[str, float]:
    """What `page` was given, read from the page."""
    return {found[1]: float(found[2]) for line in text.splitlines() if (found := _ROW.match(line))}


def measured_in(junit: ElementTree.Element) -> dict[str, float]:
    """The longest time by fault, in the results of the tests."""
    measured: dict[str, float] = {}
    for case in junit.iter("testcase"):
        found = _CASE.match(case.get("name", ""))
        for each in case.iter("property"):
            if found and each.get("name") == "back":
                seconds = float(each.get("value", "0"))
                measured[found[1]] = max(seconds, measured.get(found[1], 0.0))
    return measured


def _row(fault: Fault, measured: float | None) -> list[str]:
    def cells(probe: Probe) -> list[str]:
        return [str(fault.expected(setting).get(probe, "")) for setting in SETTINGS]

    back = f"{fault.back:.0f} s" if fault.back else "at once"
    return [
        f"`{fault.key}`", fault.what, cells(Probe.OPEN)[0], cells(Probe.KNOWN)[0], *cells(Probe.UNKNOWN),
        cells(Probe.NAMES)[0], back, "" if measured is None else f"{measured:.1f} s", fault.told,
    ]  # fmt: skip


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main() -> None:
    measured = measured_in(ElementTree.fromstring(Path(sys.argv[1]).read_text()))
    if missing := [fault.key for fault in FAULTS if fault.key not in measured]:
        sys.exit(f"not measured: {', '.join(missing)}")
    sys.stdout.write(page(measured))


if __name__ == "__main__":
    main()
