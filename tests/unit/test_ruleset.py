# SPDX-License-Identifier: GPL-2.0-or-later
"""The ruleset as text: what a plan may be, and that the template agrees with itself."""

import re
from pathlib import Path
from typing import Any

import pytest

from smartrouter.core.errors import BadConfig, Unavailable
from smartrouter.core.events import Shortcut
from smartrouter.linux import ruleset
from smartrouter.linux.ruleset import Plan, check, render

PLAN = Plan(("br-lan",))
MAC = "02:00:00:00:00:01"
TEMPLATE = Path(ruleset.__file__).parents[2] / "nft" / "smartrouter.nft"
HOSTILE = 'x" }; delete table inet fw4; #'


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"lan": ()}, "No local interface"),
        ({"lan": ("",)}, "Interface name ''"),
        ({"lan": ("br lan",)}, "Interface name 'br lan'"),
        ({"lan": ("br*",)}, "Interface name"),
        ({"lan": ("..",)}, "Interface name"),
        ({"lan": ("-i",)}, "Interface name"),
        ({"lan": ("sixteen-letters_",)}, "Interface name"),
        ({"lan": ("lan\n",)}, "Interface name"),
        ({"lan": (HOSTILE,)}, "Interface name"),
        ({"iot": (HOSTILE,)}, "Interface name"),
        ({"lan": tuple(f"eth{i}" for i in range(257))}, "More than 256"),
        ({"on_failure": "ajar"}, "on_failure 'ajar': allowed are open, closed"),
        ({"block_action": "shout"}, "block_action 'shout': allowed are reject, drop"),
        ({"pass_mark": 0}, "pass_mark 0x0: allowed is one bit"),
        ({"pass_mark": 3}, "pass_mark 0x3"),
        ({"pass_mark": 1 << 32}, "pass_mark"),
        ({"block_mark": -1}, "block_mark"),
        ({"block_mark": 0x40000000}, "both 0x40000000"),
        ({"flows_queue": 65536}, "Queue number 65536"),
        ({"dns_queue": -1}, "Queue number -1"),
        ({"dns_queue": 7371}, "Queue 7371 is both for DNS and for connections"),
        ({"dns_queue": 7373, "workers": 3}, "Queue 7373 is both"),
        ({"flows_queue": 65530, "workers": 7}, "Queue number 65536"),
        ({"workers": 0}, "0 workers: allowed are 1 to 16"),
        ({"workers": 17}, "17 workers"),
        ({"log_group": 65536}, "Log group 65536"),
        ({"shared_resolvers": frozenset({HOSTILE})}, "allowed is an IPv4 or IPv6 address"),
        ({"shared_resolvers": frozenset({"fe80::1%br-lan"})}, "without an interface"),
        ({"shared_resolvers": frozenset(f"10.0.{i >> 8}.{i & 255}" for i in range(257))}, "allowed are 256"),
        ({"watched": frozenset({HOSTILE})}, "MAC"),
        ({"exempt": frozenset({"AA:BB:CC:DD:EE:FF"})}, "in lower case"),
        ({"enforced": frozenset({MAC + "\n"})}, "MAC"),
        (
            {"watched": frozenset(f"02:00:00:00:{i >> 8:02x}:{i & 255:02x}" for i in range(4097))},
            "4097 devices",
        ),
    ],
)
def test_a_plan_that_cannot_be_is_refused_with_what_is_allowed(changed: dict[str, Any], said: str) -> None:
    plan = PLAN._replace(**changed)
    with pytest.raises(BadConfig, match=re.escape(said)):
        check(plan)
    with pytest.raises(BadConfig):
        render(plan, True)


@pytest.mark.parametrize(
    "name", ["eth0", "br-lan", "wlan0-1", "eth0.100", "phy0-ap0", "_x", "fifteen-letters"]
)
def test_real_interface_names_are_allowed(name: str) -> None:
    assert f'{{ "{name}" }}' in render(Plan((name,)), False)


def test_members_are_replaced_only_where_the_plan_gives_them() -> None:
    assert "flush set inet smartrouter watched" not in render(PLAN, True)
    emptied = render(PLAN._replace(watched=frozenset()), True)
    assert "flush set inet smartrouter watched" in emptied
    assert "add element inet smartrouter watched" not in emptied


def test_nothing_is_left_to_fill_in() -> None:
    for native in (True, False):
        assert "$" not in render(PLAN, native)


def test_dns_is_redirected_only_where_that_is_asked_for() -> None:
    """A kernel without the modules must not even see the words."""
    off, on = render(PLAN, True), render(PLAN._replace(redirect_dns=True), True)
    assert "type nat" not in off
    assert "redirect\n" not in off
    assert "ether saddr @watched redirect\n" in on
    assert "add chain inet smartrouter before_routing { type nat hook prerouting" in on


def test_dns_over_tls_is_refused_in_words_even_where_the_rest_is_dropped_silently() -> None:
    silent = PLAN._replace(block_action="drop")
    assert "853" not in render(silent, True)
    refusal = render(silent._replace(redirect_dns=True), True).partition("\tchain refuse {\n")[2]
    assert refusal.split("}")[0].split("\n")[1:4] == [
        "\t\ttcp dport 853 reject with tcp reset",
        "\t\tudp dport 853 reject with icmpx admin-prohibited",
        "\t\tdrop",
    ]


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """nft refuses everything; gives the options that it was called with. No table is there, none is made."""
    asked: list[tuple[str, ...]] = []

    def refuse(_ruleset: str, *options: str) -> None:
        asked.append(options)
        raise Unavailable("nft refused the ruleset: No such file or directory; line 7: some rule")

    monkeypatch.setattr(ruleset, "_nft", refuse)
    monkeypatch.setattr("smartrouter.linux.nftables.table_names", lambda link: set())
    monkeypatch.setattr("smartrouter.linux.redirect_rule.has_redirect", lambda link: True)
    monkeypatch.setattr("smartrouter.linux.queue_rule.has_log", lambda link: True)
    monkeypatch.setattr("smartrouter.linux.queue_rule.place_xtables", lambda link, queues: None)
    monkeypatch.setattr(ruleset, "remove", lambda: asked.append(("removed",)))
    return asked


def test_a_kernel_that_cannot_redirect_is_told_what_to_install(
    refused: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartrouter.linux.redirect_rule.has_redirect", lambda link: False)
    with pytest.raises(Unavailable, match="kmod-nft-nat"):
        ruleset.load(PLAN._replace(redirect_dns=True), True)


def test_a_kernel_that_cannot_log_is_told_what_to_install(
    refused: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartrouter.linux.queue_rule.has_log", lambda link: False)
    with pytest.raises(Unavailable, match="kmod-nfnetlink-log"):
        ruleset.load(PLAN, True)


def test_what_nothing_is_known_of_is_said_in_nfts_words(refused: list[tuple[str, ...]]) -> None:
    with pytest.raises(Unavailable, match="line 7: some rule"):
        ruleset.load(PLAN, True)
    assert refused == [()]


def test_without_nfts_queue_a_new_table_that_is_refused_is_removed(refused: list[tuple[str, ...]]) -> None:
    with pytest.raises(Unavailable, match="line 7"):
        ruleset.load(PLAN, False)
    assert refused == [(), ("removed",)]


def test_without_nfts_queue_what_is_there_is_touched_only_after_nft_has_checked(
    refused: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smartrouter.linux.nftables.table_names", lambda link: {"smartrouter"})
    with pytest.raises(Unavailable, match="line 7"):
        ruleset.load(PLAN, False)
    assert refused == [("--check",)]


def test_what_the_kernel_settles_is_logged_under_the_name_of_how_it_did() -> None:
    text = render(PLAN._replace(log_group=99), True)
    for was in Shortcut:
        assert f'log prefix "{was}" group 99 snaplen 128 queue-threshold 64' in text


@pytest.mark.parametrize(
    ("workers", "native", "xtables"),
    [
        (1, "queue flags bypass to 7371\n", "queue 7371,"),
        (3, "fanout to 7371-7373\n", "queues 7371 to 7373,"),
    ],
)
def test_new_connections_are_spread_over_the_workers_queues(workers: int, native: str, xtables: str) -> None:
    plan = PLAN._replace(workers=workers)
    assert native in render(plan, True)
    assert f"# to_guard holds the xtables target NFQUEUE to {xtables}" in render(plan, False)
    assert "add rule inet smartrouter to_dns queue flags bypass to 7370\n" in render(plan, True)


def test_the_template_agrees_with_itself() -> None:
    text = TEMPLATE.read_text()
    chains = set(re.findall(r"^\tchain (\w+) \{.*\}$", text, re.MULTILINE))
    flushed = set(re.findall(r"^flush chain inet smartrouter (\w+)$", text, re.MULTILINE))
    filled = set(re.findall(r"^\tchain (\w+) \{$", text, re.MULTILINE))
    by_others = {"to_guard", "to_dns"}
    assert flushed == filled == chains - by_others
    assert set(re.findall(r"(?:goto|jump) (\w+)", text)) | {"refuse"} <= chains
    hooked = set(re.findall(r"^\tchain (\w+) \{ type filter hook", text, re.MULTILINE))
    assert hooked | by_others == ruleset._HOLD_RULES
    counters = re.findall(r"^\tcounter (\w+) \{", text, re.MULTILINE)
    assert set(re.findall(r"counter name (\w+)", text)) == set(counters)
    sets = re.findall(r"^\tset (\w+) \{", text, re.MULTILINE)
    assert set(re.findall(r"@(\w+)", text)) == set(sets)
    assert not re.search(r"^\s*delete ", text, re.MULTILINE)


def test_the_sets_are_as_large_as_the_plan_is_checked_for() -> None:
    text = TEMPLATE.read_text()
    sizes = {
        "watched": ruleset.MAX_DEVICES,
        "lan": ruleset.MAX_INTERFACES,
        "lan_resolvers4": ruleset.MAX_RESOLVERS,
    }
    for name, size in sizes.items():
        assert re.search(rf"set {name} {{ type \w+; size {size}; }}", text)


def test_without_nft_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smartrouter.linux.program.find", lambda name: None)
    with pytest.raises(Unavailable, match="install nftables"):
        ruleset.nft_path()


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "/dev/stdin:2:1-5: Error: syntax error\nadd table\n",
            "refused the ruleset: Error: syntax error; line 2: two",
        ),
        ("/dev/stdin:9:1-5: Error: odd\n", "Error: odd; line 9: "),
        ("netlink: Error: cache initialization failed: Operation not permitted\n", "CAP_NET_ADMIN"),
        ("", "without a word"),
    ],
)
def test_what_nft_complains_about_is_shown(message: str, expected: str) -> None:
    assert expected in ruleset._explained(message, "one\n\ttwo\n")
