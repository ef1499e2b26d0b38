# SPDX-License-Identifier: GPL-2.0-or-later
"""What this kernel and system can do for the packet path, what is missing, and how to mend it.

Looks without changing anything: every question to the kernel is a transaction that is taken back. Knows
no configuration. Standard library only.
"""

import importlib.util
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from smartrouter.core.errors import Unavailable
from smartrouter.linux import queue_rule, redirect_rule, ruleset
from smartrouter.linux.netlink import Netlink, number
from smartrouter.linux.nftables import expression

_SAMPLE = ruleset.Plan(lan=("lo",))  # any plan shows whether the kernel takes what the template says
_CT_STATE = expression("ct", number(1, 1), number(2, 0))  # into the first register: NFT_CT_STATE
# Where the source lives, into the first register: NFTA_FIB_DREG, _RESULT (NFT_FIB_RESULT_OIF), _FLAGS
# (NFTA_FIB_F_SADDR | _IIF | _PRESENT), as `fib saddr . iif oif missing` wants it.
_FIB_SOURCE = expression("fib", number(1, 1), number(2, 1), number(3, 1 | 8 | 32))


class Finding(NamedTuple):
    """One thing that was looked at. `text`: what was found and, where not `ok`, how to mend it."""

    name: str
    ok: bool
    text: str


def has_native_queue() -> bool:
    """Whether this kernel takes nft's own `queue`. Raises Unavailable without CAP_NET_ADMIN."""
    with Netlink() as link:
        return queue_rule.has_native_queue(link)


def has_xt_target() -> bool:
    """Whether it takes the xtables target in its place. Raises Unavailable without CAP_NET_ADMIN."""
    with Netlink() as link:
        return queue_rule.has_xt_target(link)


def nft_version() -> str:
    """As `nft --version` says it, such as `1.0.6`. Raises Unavailable where there is no nft."""
    try:
        done = subprocess.run([ruleset.nft_path(), "--version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"Could not run nft: {error}") from error
    words = done.stdout.split()
    if done.returncode or len(words) < 2:
        raise Unavailable(f"`nft --version` fails: {(done.stderr or done.stdout).strip()}")
    return words[1].removeprefix("v")


def redirection() -> Finding:
    """What `redirect_dns` needs besides. Raises Unavailable without CAP_NET_ADMIN."""
    with Netlink() as link:
        if redirect_rule.has_redirect(link):
            return Finding("redirect_dns", True, "The kernel can redirect DNS to the router.")
    return Finding("redirect_dns", False, redirect_rule.NO_REDIRECT)


def examine() -> list[Finding]:
    """Everything that the packet path needs of this system; where something is missing, the first fault
    is the one to mend first."""
    findings = [_library()]
    try:
        findings.append(Finding("nft", True, f"nft {nft_version()}."))
        findings += _kernel()
    except Unavailable as error:
        findings.append(Finding("packet rules", False, str(error)))
    return findings


def _kernel() -> Iterator[Finding]:
    with Netlink() as link:
        native = queue_rule.has_native_queue(link)
        yield _statement(native, queue_rule.has_xt_target(link))
        if queue_rule.has_queues(link):
            yield Finding("queues", True, "A process can listen to the kernel's packet queues.")
        else:
            text = (
                "No packet queues: install the kernel module nfnetlink_queue (OpenWrt: kmod-nfnetlink-queue)."
            )
            yield Finding("queues", False, text)
        if queue_rule.has_log(link):
            yield Finding("packet log", True, "The kernel logs packets to a process.")
        else:
            yield Finding("packet log", False, ruleset.NO_LOG)
        if queue_rule.takes(link, _CT_STATE):
            yield Finding("connection tracking", True, "The kernel tracks connections.")
        else:
            text = "No connection tracking in nft: install the kernel modules nf_conntrack and nft_ct."
            yield Finding("connection tracking", False, text)
        if queue_rule.takes(link, _FIB_SOURCE):
            yield Finding("source check", True, "The kernel knows where a source address lives (nft_fib).")
        else:
            text = (
                "No look-up of routes in nft: install the kernel module nft_fib_inet (OpenWrt: kmod-nft-fib)."
            )
            yield Finding("source check", False, text)
    try:
        ruleset.try_out(_SAMPLE, native)
    except Unavailable as error:
        yield Finding("ruleset", False, str(error))
    else:
        yield Finding("ruleset", True, "nft and the kernel take the whole ruleset.")


def _statement(native: bool, xtables: bool) -> Finding:
    if native:
        return Finding("queue statement", True, "nft's own `queue` (nft_queue).")
    if xtables:
        text = "The xtables target NFQUEUE, placed through netlink: this kernel has no nft_queue."
        return Finding("queue statement", True, text)
    return Finding("queue statement", False, ruleset.NO_QUEUE_STATEMENT)


def _library() -> Finding:
    if importlib.util.find_spec("netfilterqueue") is None:
        text = "The Python module netfilterqueue is missing: install NetfilterQueue."
        return Finding("queue library", False, text)
    return Finding("queue library", True, "NetfilterQueue is installed.")
