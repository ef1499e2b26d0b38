# SPDX-License-Identifier: GPL-2.0-or-later
"""The table `inet smartrouter`: rendered from `nft/smartrouter.nft`, loaded, looked at, removed.

Knows which values the ruleset depends on (`Plan`) and how to change it so that no packet sees it half
made; not what a device is, nor what the guard decides. Standard library only.

Only interface names, MACs and numbers ever enter the text, and each is checked first: nothing that came
from the network can be nft syntax.
"""

import functools
import os
import re
from collections.abc import Callable, Iterable
from ipaddress import IPv6Address, ip_address
from string import Template
from typing import NamedTuple, TypeVar

from smartrouter.core.errors import BadConfig, Unavailable
from smartrouter.core.events import Shortcut
from smartrouter.linux import nftables, program, queue_rule, redirect_rule
from smartrouter.linux.netlink import NEEDS_NET_ADMIN, Netlink, unavailable
from smartrouter.linux.queue_rule import DNS_QUEUE, FLOWS_QUEUE, LOG_GROUP, OVERHEARD_GROUP

MAX_INTERFACES, MAX_DEVICES, MAX_RESOLVERS = 256, 4096, 256  # the sizes of the sets in the template
DEVICE_SETS = ("watched", "exempt", "enforced", "studied")
OVERHEARD = "overheard"  # the prefix of what is copied to the guard
MAX_WORKERS = 16  # queues for new connections: more threads of one interpreter gain nothing
_NFT_PATIENCE = 30.0  # seconds; a slow router with a large table needs one
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")  # stricter than the kernel's dev_valid_name()
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_ERROR_LINE = re.compile(r"^[^\s:]*:(\d+):\d+(?:-\d+)?: (.*)$", re.MULTILINE)
NO_QUEUE_STATEMENT = (
    "The kernel takes neither nft's `queue` nor the xtables target NFQUEUE: install the module nft_queue "
    "(OpenWrt: kmod-nft-queue)."
)
NO_LOG = (
    "The kernel cannot log packets to a process, which it must for connections that it settles by itself: "
    "install the modules nft_log and nfnetlink_log (OpenWrt: kmod-nfnetlink-log)."
)
# All that is read of a logged packet is its headers; in one go for as many packets, or after a second.
_LOG = 'log prefix "{}" group {} snaplen 128 queue-threshold 64'
# What a device says of itself is read whole, and at once: how it is handled hangs on it.
_LOG_OVERHEARD = 'log prefix "{}" group {} snaplen 2048 queue-threshold 1'
_Answer = TypeVar("_Answer")
_BEFORE_ROUTING = """\
add chain inet smartrouter before_routing { type nat hook prerouting priority dstnat - 5; policy accept; }
flush chain inet smartrouter before_routing
add rule inet smartrouter before_routing iifname @lan meta l4proto { tcp, udp } \
th dport 53 jump own_resolver"""
_HOLD_RULES = frozenset({"watch", "gate", "to_router", "from_router", "to_guard", "to_dns"})


class Plan(NamedTuple):
    """All that the ruleset depends on.

    `lan`, `iot`: names of the local interfaces; on those of `iot` every device is watched.
    `redirect_dns`: the router's own resolver answers, whomever a watched device asks. `shared_resolvers`:
    addresses of resolvers on the local networks, whose questions to the outside are looked at. `watched`,
    `exempt`, `enforced`, `studied`: the MACs that the sets of these names shall hold; None: what they hold
    already. The marks are single bits of the packet mark. New connections go to queue `flows_queue`, or are
    spread over as many from there on as there are `workers`.
    """

    lan: tuple[str, ...]
    iot: tuple[str, ...] = ()
    on_failure: str = "open"  # open | closed
    block_action: str = "reject"  # reject | drop
    pass_mark: int = 0x40000000
    block_mark: int = 0x80000000
    redirect_dns: bool = False
    shared_resolvers: frozenset[str] = frozenset()
    watched: frozenset[str] | None = None
    exempt: frozenset[str] | None = None
    enforced: frozenset[str] | None = None
    studied: frozenset[str] | None = None
    flows_queue: int = FLOWS_QUEUE
    dns_queue: int = DNS_QUEUE
    workers: int = 1
    log_group: int = LOG_GROUP
    overheard_group: int = OVERHEARD_GROUP


def render(plan: Plan, native_queue: bool) -> str:
    """The whole ruleset as text for `nft -f`. Without `native_queue` the chains to_guard and to_dns are
    left as they are. Raises BadConfig for a plan that cannot be."""
    check(plan)
    both_marks = plan.pass_mark | plan.block_mark
    return Template(template()).substitute(
        pass_mark=f"0x{plan.pass_mark:08x}",
        block_mark=f"0x{plan.block_mark:08x}",
        both_marks=f"0x{both_marks:08x}",
        keep_mark=f"0x{0xFFFFFFFF & ~both_marks:08x}",
        unjudged="accept" if plan.on_failure == "open" else "goto refuse",
        refusal="\n\t\t".join(_refusal_lines(plan)),
        **{f"log_{was}": _LOG.format(was, plan.log_group) for was in Shortcut},
        log_overheard=_LOG_OVERHEARD.format(OVERHEARD, plan.overheard_group),
        redirection="redirect" if plan.redirect_dns else "return",
        before_routing=_BEFORE_ROUTING
        if plan.redirect_dns
        else "# DNS goes where it is sent: redirect_dns is off.",
        queues="\n".join(_queue_lines(plan, native_queue)),
        members="\n".join(_member_lines(plan)),
    )


def load(plan: Plan, native_queue: bool | None = None) -> None:
    """Make the kernel's table what `plan` says, in one transaction; everything in the sets that the plan
    does not give, the counters, and connections stay. `native_queue` None: ask the kernel.

    Raises BadConfig for a plan that cannot be; Unavailable where the system will not have it, and then
    nothing has changed.
    """
    with Netlink() as link:
        if native_queue is None:
            native_queue = queue_rule.has_native_queue(link)
        ruleset = render(plan, native_queue)
        new = nftables.TABLE not in nftables.table_names(link)
        try:
            if not native_queue:
                # Netlink places what nft cannot write, then nft does the rest and leaves that alone.
                if not new:
                    _nft(ruleset, "--check")  # 40 ms, before anything is touched that must stay as it was
                _place_xtables(link, plan)
            _nft(ruleset)
        except Unavailable as error:
            if new and not native_queue:
                remove()
            raise _cause(link, plan) or error from error


def _cause(link: Netlink, plan: Plan) -> Unavailable | None:
    """What the kernel lacks, where that is why a ruleset was refused: nft's own words do not say it. Asked
    afterwards, as each answer takes the kernel 15 ms."""
    if plan.redirect_dns and not redirect_rule.has_redirect(link):
        return Unavailable(redirect_rule.NO_REDIRECT)
    return None if queue_rule.has_log(link) else Unavailable(NO_LOG)


def try_out(plan: Plan, native_queue: bool) -> None:
    """Have nft and the kernel say whether they would take the ruleset; changes nothing, raises as `load`."""
    _nft(render(plan, native_queue), "--check")


def remove() -> None:
    """Delete the table with all that is in it. No table is no error. Raises Unavailable."""
    with Netlink() as link:
        try:
            link.transaction(nftables.SUBSYSTEM, [nftables.delete_table()])
        except FileNotFoundError:
            return
        except OSError as error:
            raise unavailable(error) from error


def is_present() -> bool:
    """Whether the table is there and each chain that must hold rules does. Raises Unavailable."""
    return _ask(nftables.chains_with_rules) >= _HOLD_RULES


def read_counters() -> dict[str, int]:
    """Packets by named counter, see the template; empty without a table. Raises Unavailable."""
    return _ask(nftables.counter_packets)


def check(plan: Plan) -> None:
    """Raises BadConfig, saying what was found and what is allowed, unless the plan can be loaded."""
    if not plan.lan and not plan.iot:
        raise BadConfig("No local interface: name one with `list network` or `list device`.")
    for name in (*plan.lan, *plan.iot):
        if not _NAME.fullmatch(name):
            raise BadConfig(
                f"Interface name {name!r}: allowed are up to 15 letters, digits, '_', '-' and '.', "
                "the first neither '-' nor '.'."
            )
    if len({*plan.lan, *plan.iot}) > MAX_INTERFACES:
        raise BadConfig(f"More than {MAX_INTERFACES} local interfaces.")
    _check_one_of("on_failure", plan.on_failure, "open", "closed")
    _check_one_of("block_action", plan.block_action, "reject", "drop")
    for option, mark in (("pass_mark", plan.pass_mark), ("block_mark", plan.block_mark)):
        if not 0 < mark < 1 << 32 or mark.bit_count() != 1:
            raise BadConfig(f"{option} {mark:#x}: allowed is one bit of 32, as in 0x40000000.")
    if plan.pass_mark == plan.block_mark:
        raise BadConfig(f"pass_mark and block_mark are both {plan.pass_mark:#x}: they must differ.")
    _check_queues(plan)
    if len(plan.shared_resolvers) > MAX_RESOLVERS:
        raise BadConfig(
            f"{len(plan.shared_resolvers)} resolvers on local networks: allowed are {MAX_RESOLVERS}."
        )
    for address in plan.shared_resolvers:
        _check_address(address)
    for name, macs in _device_sets(plan):
        if len(macs) > MAX_DEVICES:
            raise BadConfig(f"{len(macs)} devices are to be {name}: allowed are {MAX_DEVICES}.")
        for mac in macs:
            if not _MAC.fullmatch(mac):
                raise BadConfig(f"MAC {mac!r}: allowed is the form aa:bb:cc:dd:ee:ff, in lower case.")


def _check_queues(plan: Plan) -> None:
    if not 1 <= plan.workers <= MAX_WORKERS:
        raise BadConfig(f"{plan.workers} workers: allowed are 1 to {MAX_WORKERS}.")
    flows = range(plan.flows_queue, plan.flows_queue + plan.workers)
    for queue in (*flows, plan.dns_queue):
        if not 0 <= queue < 1 << 16:
            raise BadConfig(f"Queue number {queue}: allowed are 0 to 65535.")
    if plan.dns_queue in flows:
        raise BadConfig(f"Queue {plan.dns_queue} is both for DNS and for connections: they must differ.")
    for group in (plan.log_group, plan.overheard_group):
        if not 0 <= group < 1 << 16:
            raise BadConfig(f"Log group {group}: allowed are 0 to 65535.")
    if plan.log_group == plan.overheard_group:
        raise BadConfig(f"Log group {plan.log_group} is for two things: they must differ.")


def _check_one_of(option: str, found: str, *allowed: str) -> None:
    if found not in allowed:
        raise BadConfig(f"{option} {found!r}: allowed are {', '.join(allowed)}.")


def _check_address(address: str) -> None:
    try:
        parsed = ip_address(address)
    except ValueError as error:
        raise BadConfig(f"Resolver {address!r}: allowed is an IPv4 or IPv6 address.") from error
    if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
        raise BadConfig(f"Resolver {address!r}: allowed is an address without an interface behind it.")


def _device_sets(plan: Plan) -> list[tuple[str, frozenset[str]]]:
    sets = {name: getattr(plan, name) for name in DEVICE_SETS}
    return [(name, macs) for name, macs in sets.items() if macs is not None]


def _queue_lines(plan: Plan, native_queue: bool) -> Iterable[str]:
    for chain, (queue, workers) in _queues(plan).items():
        if native_queue:
            yield f"flush chain inet smartrouter {chain}"
            yield f"add rule inet smartrouter {chain} {queue_rule.native(queue, workers)}"
        else:
            queues = f"queue {queue}" if workers == 1 else f"queues {queue} to {queue + workers - 1}"
            yield f"# {chain} holds the xtables target NFQUEUE to {queues}, placed through netlink."


def _queues(plan: Plan) -> dict[str, tuple[int, int]]:
    """The first queue of each chain that leads to one, and how many there are."""
    return {"to_guard": (plan.flows_queue, plan.workers), "to_dns": (plan.dns_queue, 1)}


def _refusal_lines(plan: Plan) -> Iterable[str]:
    reject = plan.block_action == "reject"
    if plan.redirect_dns and not reject:
        # A device that is told so at once falls back to plain DNS; one that hears nothing waits.
        yield "tcp dport 853 reject with tcp reset"
        yield "udp dport 853 reject with icmpx admin-prohibited"
    yield from (
        ["meta l4proto tcp reject with tcp reset", "reject with icmpx admin-prohibited"]
        if reject
        else ["drop"]
    )


def _member_lines(plan: Plan) -> Iterable[str]:
    interfaces = [("lan", {*plan.lan, *plan.iot}), ("iot", {*plan.iot})]
    quoted = [(name, [f'"{member}"' for member in sorted(members)]) for name, members in interfaces]
    families = (("lan_resolvers4", False), ("lan_resolvers6", True))
    resolvers = [
        (name, sorted(each for each in plan.shared_resolvers if (":" in each) is six))
        for name, six in families
    ]
    devices = [(name, sorted(macs)) for name, macs in _device_sets(plan)]
    for name, members in quoted + resolvers + devices:
        yield f"flush set inet smartrouter {name}"
        if members:
            yield f"add element inet smartrouter {name} {{ {', '.join(members)} }}"


@functools.cache
def template() -> str:
    """The template, from beside the installed package or from the checkout. Who gives up root asks for it
    before: later the file may be out of reach."""
    package = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    for folder in (package, os.path.dirname(package)):
        path = os.path.join(folder, "nft", "smartrouter.nft")
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                return file.read()
    raise Unavailable(f"{package}/nft/smartrouter.nft is missing: install smartrouter again.")


def _ask(question: Callable[[Netlink], _Answer]) -> _Answer:
    with Netlink() as link:
        try:
            return question(link)
        except OSError as error:
            raise unavailable(error) from error


def _place_xtables(link: Netlink, plan: Plan) -> None:
    try:
        queue_rule.place_xtables(link, _queues(plan))
    except FileNotFoundError as error:
        raise Unavailable(NO_QUEUE_STATEMENT) from error
    except OSError as error:
        raise unavailable(error) from error


def nft_path() -> str:
    """Where the program nft is. Raises Unavailable."""
    path = program.find("nft")
    if path is None:
        raise Unavailable("The program nft is missing: install nftables.")
    return path


def _nft(ruleset: str, *options: str) -> None:
    """Have `nft` work through `ruleset`: all or nothing."""
    command = [nft_path(), *options, "--file", "-"]
    try:
        done = program.run(command, ruleset, _NFT_PATIENCE)
    except OSError as error:
        raise Unavailable(f"Could not run nft: {error}") from error
    if done.status:
        raise Unavailable(_explained(done.errors, ruleset))


def _explained(message: str, ruleset: str) -> str:
    """nft's first complaint, with the line that it is about."""
    if "Operation not permitted" in message:
        return NEEDS_NET_ADMIN
    found = _ERROR_LINE.search(message)
    if found is None:
        return f"nft refused the ruleset: {message.strip() or 'without a word'}"
    lines = ruleset.splitlines()
    at = int(found[1])
    about = lines[at - 1].strip() if 0 < at <= len(lines) else ""
    return f"nft refused the ruleset: {found[2]}; line {at}: {about}"
