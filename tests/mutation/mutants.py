# SPDX-License-Identifier: GPL-2.0-or-later
"""Deliberate breakages, one or more for each invariant of ARCHITECTURE.md, and the test that must notice.

A breakage is a text that stands in a file once, and what takes its place. If the code that it breaks is
written anew, so must its row be: what the invariant says, broken in the smallest way that still runs.
"""

from typing import NamedTuple

INVARIANTS = {
    1: "monitor drops nothing but for a deny rule; enforce lets nothing unknown of a protected device out",
    2: "no connection is judged before the reply that named its address was stored",
    3: "what is forgotten or denied leaves the known pairs before that is acknowledged",
    4: "every packet gets a verdict; a fault costs one packet its judgement, never the process",
    5: "what the kernel's rules count is judged, recorded, or counted as passed",
    6: "a change of the ruleset is one transaction; a broken one changes nothing",
    7: "state is bounded",
    8: "rules survive anything at once; what was learned, all but the last minute",
    9: "names from the network are inert wherever they come out",
    10: "secrets are in no output, and with no part that does not need them",
    11: "after a stop no table, process or socket is left",
    12: "the same events give the same verdicts",
}


class Mutant(NamedTuple):
    """`tests`: pytest's names of those that must fail, each by itself. `network`: they need root and
    namespaces, and run by `make mutants` only."""

    name: str
    invariant: int
    file: str
    before: str
    after: str
    tests: tuple[str, ...]
    network: bool = False


MUTANTS = (
    Mutant(
        "monitor mode drops what is unknown",
        1,
        "smartrouter/core/policy.py",
        "        return Decision(True, found, alert=True, routine=routine)\n    if standing.after_outage",
        "        return Decision(False, found, alert=True, routine=routine)\n    if standing.after_outage",
        (
            "tests/property/test_judge.py::test_monitor_mode_never_drops",
            "tests/playbook/test_judge_flows.py::test_unknown_destination_is_only_reported_in_monitor_mode",
        ),
    ),
    Mutant(
        "enforce mode lets the unknown through",
        1,
        "smartrouter/core/policy.py",
        "    return Decision(False, found, alert=True, routine=routine)\n\n\n_DENIED",
        "    return Decision(True, found, alert=True, routine=routine)\n\n\n_DENIED",
        (
            "tests/property/test_judge.py"
            "::test_enforce_mode_never_lets_an_unknown_destination_of_a_protected_device_through",
            "tests/playbook/test_judge_flows.py"
            "::test_unknown_destination_is_blocked_and_reported_in_enforce_mode",
        ),
    ),
    Mutant(
        "a packet like one before passes whatever that one's verdict was",
        1,
        "smartrouter/guard/handlers/flows.py",
        "self._repeated.append((repeat, port, number))\n                    return repeat.accept",
        "self._repeated.append((repeat, port, number))\n                    return True",
        (
            "tests/unit/test_handlers.py::test_further_packets_of_a_sort_get_its_verdict_and_are_told_of_together",
        ),
    ),
    Mutant(
        "of those that come together, it passes whatever that one's verdict was",
        1,
        "smartrouter/guard/handlers/flows.py",
        "rulings.append(repeat.accept)",
        "rulings.append(True)",
        ("tests/unit/test_recall.py::test_what_was_judged_before_is_recalled",),
    ),
    Mutant(
        "an era outlasts what was found to hold in it",
        1,
        "smartrouter/core/roster.py",
        "        self.serial += 1\n        self._eras.end()\n",
        "        self.serial += 1\n",
        ("tests/unit/test_recall.py::test_it_is_recalled_until_something_changes",),
    ),
    Mutant(
        "what fits no connection is dropped in monitor mode too",
        1,
        "nft/smartrouter.nft",
        "oifname != @lan ether saddr @enforced counter name invalid_dropped drop",
        "oifname != @lan counter name invalid_dropped drop",
        (
            "tests/netns/test_packet_rules.py::test_a_packet_that_fits_no_connection_passes_in_monitor_mode_only",
        ),
        network=True,
    ),
    Mutant(
        "a reply goes on before its names are stored",
        2,
        "smartrouter/linux/serving.py",
        "            self._handler.conclude()\n",
        "            __import__('threading').Timer(0.02, self._handler.conclude).start()\n",
        (
            "tests/unit/test_queue.py::test_the_first_packet_is_answered_at_once_and_up_to_64_that_wait_behind_it_together",
        ),
    ),
    Mutant(
        "a reply goes on before its names are stored, on a real network",
        2,
        "smartrouter/linux/serving.py",
        "            self._handler.conclude()\n",
        "            __import__('threading').Timer(0.02, self._handler.conclude).start()\n",
        ("tests/netns/test_guard_dns.py::test_no_connection_is_judged_before_the_name_of_its_address",),
        network=True,
    ),
    Mutant(
        "what is forgotten stays with the kernel",
        3,
        "smartrouter/core/shortcuts.py",
        "        return [] if was is None else [Unsettle(pair, was)]",
        "        return []",
        ("tests/playbook/test_judge_shortcuts.py::test_what_is_forgotten_is_known_no_more",),
    ),
    Mutant(
        "the kernel is told of it later",
        3,
        "smartrouter/guard/bench.py",
        "        if unsettled:\n            done = self._unsettle(unsettled)\n        for effect in others:",
        "        __import__('threading').Timer(0.5, self._unsettle, (unsettled,)).start()\n"
        "        for effect in others:",
        ("tests/unit/test_bench.py::test_what_is_to_be_asked_again_is_out_first_and_in_one_transaction",),
    ),
    Mutant(
        "the kernel is told of it later, on a real network",
        3,
        "smartrouter/guard/bench.py",
        "        if unsettled:\n            done = self._unsettle(unsettled)\n        for effect in others:",
        "        __import__('threading').Timer(0.5, self._unsettle, (unsettled,)).start()\n"
        "        for effect in others:",
        ("tests/netns/test_guard_fastpath.py::test_what_is_forgotten_is_refused_at_once",),
        network=True,
    ),
    Mutant(
        "a fault of the judge's leaves its packet without a verdict",
        4,
        "smartrouter/linux/serving.py",
        "                    new = fates[self._faults.ruling(error)]",
        "                    raise",
        ("tests/unit/test_batched_queue.py",),
    ),
    Mutant(
        "a fault in the repair of a fault is raised",
        4,
        "smartrouter/linux/rulings.py",
        "            self.note(another)\n            return None",
        "            raise",
        ("tests/unit/test_queue.py::test_every_packet_gets_one_verdict_whatever_is_raised_where",),
    ),
    Mutant(
        "what the kernel settled is not counted",
        5,
        "smartrouter/guard/handlers/log.py",
        "            self._bench.recorded[shortcut] += 1",
        "            self._bench.recorded[shortcut] += 0",
        ("tests/unit/test_handlers.py::test_what_the_kernel_settled_is_told_as_such_and_counted",),
    ),
    Mutant(
        "what the guard judged is not counted",
        5,
        "smartrouter/core/judge.py",
        "                self.counts[effect.reason] += 1\n                break",
        "                break",
        ("tests/unit/test_packet_cost.py::test_each_way_is_what_it_is_called",),
    ),
    Mutant(
        "a gap that lasts is told to nobody",
        5,
        "smartrouter/guard/losses.py",
        "lasting = min(self._gaps) if len(self._gaps) == LOOKS else 0",
        "lasting = 0",
        ("tests/unit/test_losses.py::test_a_gap_that_lasts_is_told_once_with_its_size",),
    ),
    Mutant(
        "packets go to the guard uncounted",
        5,
        "nft/smartrouter.nft",
        "\t\tcounter name queued_flows goto to_guard",
        "\t\tgoto to_guard",
        ("tests/netns/test_known_pairs.py::test_of_mixed_traffic_everything_is_accounted_for",),
        network=True,
    ),
    Mutant(
        "a reload takes the rules away before it puts them back",
        6,
        "smartrouter/linux/ruleset.py",
        "                _place_xtables(link, plan)\n            _nft(ruleset)",
        "                _place_xtables(link, plan)\n"
        "            if not new:\n"
        "                for each in ('watch', 'gate'):\n"
        "                    _nft(f'flush chain inet smartrouter {each}\\n')\n"
        "            _nft(ruleset)",
        ("tests/netns/test_packet_rules.py::test_reloads_under_fire_let_nothing_through",),
        network=True,
    ),
    Mutant(
        "a device's addresses have no bound",
        7,
        "smartrouter/core/told/addresses.py",
        "        while len(entries) > MAX_ADDRESSES or self._pairs > MAX_PAIRS:",
        "        while False:",
        (
            "tests/unit/test_addresses.py::test_the_address_that_was_told_longest_ago_makes_room",
            "tests/unit/test_addresses.py::test_a_flood_of_pairs_is_bounded_too",
        ),
    ),
    Mutant(
        "one device's flood reaches the queue",
        7,
        "nft/smartrouter.nft",
        "limit rate over 500/second burst 2000 packets } goto over_limit\n"
        "\t\tcounter name queued_flows goto to_guard",
        "limit rate over 500000/second burst 200000 packets } goto over_limit\n"
        "\t\tcounter name queued_flows goto to_guard",
        (
            "tests/netns/test_packet_rules.py::test_a_flood_of_one_device_reaches_the_queue_only_up_to_its_limit",
        ),
        network=True,
    ),
    Mutant(
        "a configuration is written over the old one",
        8,
        "smartrouter/config/uci_file.py",
        "        os.replace(temporary, path)",
        "        path.write_bytes(content)",
        ("tests/unit/test_uci_file.py::test_mode_owner_and_link_are_kept",),
    ),
    Mutant(
        "what was flushed is not on the disk",
        8,
        "smartrouter/store/disk.py",
        "{'FULL' if durable else 'NORMAL'}",
        "{'NORMAL' if durable else 'NORMAL'}",
        (
            "tests/unit/test_store_disk.py::test_what_is_to_be_durable_is_synced_by_sqlite_and_nothing_else_is",
        ),
    ),
    Mutant(
        "hostile text is passed on",
        9,
        "smartrouter/core/inert.py",
        "    if text.isascii() and text.isprintable():",
        "    if text is not None:",
        (
            "tests/unit/test_inert.py::test_nothing_is_left_that_acts_or_hides",
            "tests/unit/test_terminal.py::test_hostile_text_is_shown_not_obeyed",
        ),
    ),
    Mutant(
        "a quote ends a value of the configuration",
        9,
        "smartrouter/config/uci_edit.py",
        '    return "\'" + value.replace("\'", "\'\\\\\'\'") + "\'"',
        '    return "\'" + value + "\'"',
        ("tests/property/test_config_text.py::test_every_value_reads_back_as_it_was_written",),
    ),
    Mutant(
        "every part gets every secret",
        10,
        "smartrouter/config/__init__.py",
        "secrets=kind == secrets_of",
        "secrets=True",
        ("tests/unit/test_config.py::test_each_share_holds_the_secrets_of_its_own_part_only",),
    ),
    Mutant(
        "secrets are shown where a section is printed",
        10,
        "smartrouter/config/options.py",
        "for each in self.options if not each.secret]",
        "for each in self.options]",
        ("tests/unit/test_config.py::test_no_repr_and_no_error_shows_a_secret",),
    ),
    Mutant(
        "the table stays after a stop",
        11,
        "smartrouter/supervisor/household.py",
        "            child.stop(now)\n        self._table_must_go = True",
        "            child.stop(now)",
        ("tests/unit/test_household.py::test_switched_off_the_table_goes_and_nobody_looks_around",),
    ),
    Mutant(
        "the table stays after a stop, on a real network",
        11,
        "smartrouter/supervisor/household.py",
        "            child.stop(now)\n        self._table_must_go = True",
        "            child.stop(now)",
        ("tests/netns/test_supervisor.py::test_stopping_leaves_no_table_process_or_socket",),
        network=True,
    ),
    Mutant(
        "the judge goes by a clock of its own",
        12,
        "smartrouter/core/judge.py",
        "        if isinstance(event, FlowOpened):\n            effects = self._attempts.opened(event, now)",
        "        now = now._replace(wall=__import__('time').time())\n"
        "        if isinstance(event, FlowOpened):\n            effects = self._attempts.opened(event, now)",
        ("tests/property/test_judge.py::test_same_events_give_the_same_effects",),
    ),
)
