# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether this kernel can redirect: what `redirect_dns` needs, and a small kernel may lack.

Asks without changing anything. Standard library only; knows nothing of the rest of the ruleset.
"""

import errno

from smartrouter.linux.netlink import Netlink, unavailable
from smartrouter.linux.nftables import SUBSYSTEM, append_rule, expression, new_base_chain, new_table

NO_REDIRECT = (
    "The kernel cannot redirect packets, which `option redirect_dns '1'` needs: install the modules "
    "nft_chain_nat and nft_redir (OpenWrt: kmod-nft-nat), or set it to '0'."
)

_PRE_ROUTING = 0  # linux/netfilter.h: enum nf_inet_hooks
_DSTNAT = -100  # linux/netfilter_ipv4.h: NF_IP_PRI_NAT_DST
_UNKNOWN = frozenset({errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL})


def has_redirect(link: Netlink) -> bool:
    """Whether it would take a rule that redirects. Loads the modules, if there are any."""
    table = "smartrouter_probe"  # a name of its own: the answer must not depend on what ours holds now
    chain = new_base_chain("probe", "nat", _PRE_ROUTING, _DSTNAT, table)
    messages = [new_table(table), chain, append_rule("probe", [expression("redir")], "a probe", table)]
    try:
        link.transaction(SUBSYSTEM, messages, check=True)
    except OSError as error:
        if error.errno in _UNKNOWN:
            return False
        raise unavailable(error) from error
    return True
