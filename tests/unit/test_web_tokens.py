# SPDX-License-Identifier: GPL-2.0-or-later
"""Tokens: what is made, what is kept, and who is known by one."""

import hashlib

import pytest

from smartrouter.config.options import WEB_TOKEN
from smartrouter.core.errors import BadConfig
from smartrouter.web.tokens import MEANINGS, Scope, find, made, read


def test_what_is_kept_of_a_token_is_its_hash() -> None:
    secret, kept = made("grafana", ["metrics", "read"])
    assert secret.startswith("smr_")
    assert len(secret) == 47
    assert kept == f"grafana:read,metrics:{hashlib.sha256(secret.encode()).hexdigest()}"
    assert WEB_TOKEN.read(kept) == kept


def test_a_token_is_found_by_its_secret_alone() -> None:
    (one, kept_one), (other, kept_other) = made("one", ["read"]), made("other", ["decide", "configure"])
    known = read([kept_one, kept_other])
    found = find(other, known)
    assert found is not None
    assert found.name == "other"
    assert set(map(str, found.scopes)) == {Scope.DECIDE, Scope.CONFIGURE}
    assert one != made("one", ["read"])[0]
    for wrong in ("", "smr_", one[:-1], one + "x", kept_one, found.digest, "\ud800"):
        assert find(wrong, known) is None


@pytest.mark.parametrize("scopes", [[], ["act"], ["read", "everything"]])
def test_a_scope_that_there_is_not_is_refused(scopes: list[str]) -> None:
    with pytest.raises(BadConfig, match="NAME:SCOPES:HASH"):
        made("one", scopes)


@pytest.mark.parametrize(
    "kept", ["", "a:read", "a b:read:" + 64 * "0", "a:read:" + 63 * "0", "a::" + 64 * "0"]
)
def test_what_is_no_token_is_refused_without_showing_it(kept: str) -> None:
    with pytest.raises(BadConfig) as refused:
        read([kept])
    assert not kept or kept not in str(refused.value)


def test_every_scope_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Scope)
