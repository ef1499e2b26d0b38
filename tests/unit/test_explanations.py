# SPDX-License-Identifier: GPL-2.0-or-later
"""What is said of alerts, and which of them a rule can decide. That every kind is explained: tests/docs."""

import pytest

from smartrouter.core.effects import Kind
from smartrouter.core.explanations import EXPLANATIONS, is_about_destination, sentence, would_be_blocked
from smartrouter.core.policy import REASONS, Reason

UNDECIDABLE = [
    Kind.SCAN, Kind.DNS_TUNNEL, Kind.IP_SPOOFING, Kind.ADDRESS_CONFLICT, Kind.ROUTER_SERVICE,
    Kind.HIDDEN_RESOLVER, Kind.REPEATER, Kind.PERSON, Kind.CLONE, Kind.ACCOUNTING, Kind.OVERFLOW,
    Kind.NOT_STORED,
]  # fmt: skip


@pytest.mark.parametrize("kind", Kind)
def test_what_no_rule_can_decide_says_so(kind: Kind) -> None:
    assert is_about_destination(kind, Reason.UNKNOWN_NAME) is (kind not in UNDECIDABLE)
    assert ("No rule" in EXPLANATIONS[kind].advice) is (kind in UNDECIDABLE)


def test_a_question_whether_encrypted_dns_is_welcome_is_no_destination() -> None:
    assert is_about_destination(Kind.ENCRYPTED_DNS, Reason.ENCRYPTED_DNS)
    assert not is_about_destination(Kind.ENCRYPTED_DNS, Reason.DNS_CANARY)


@pytest.mark.parametrize("kind", Kind)
def test_what_would_be_blocked_is_about_a_destination(kind: Kind) -> None:
    passes = kind in (*UNDECIDABLE, Kind.NEW_NAME, Kind.FRONTING, Kind.UPLOAD)
    assert would_be_blocked(kind, "") is not passes


def test_a_kind_or_reason_of_another_version_is_none_of_ours() -> None:
    assert not is_about_destination("new-kind", "new-reason")
    assert sentence("new-reason") == ""
    assert sentence("scan") == REASONS[Reason.SCAN]
