# SPDX-License-Identifier: GPL-2.0-or-later
"""The public suffix list, beside the class that its package has for it."""

import publicsuffixlist
import pytest

from smartrouter.core.suffixes import public_labels


@pytest.fixture(scope="module")
def oracle() -> publicsuffixlist.PublicSuffixList:
    return publicsuffixlist.PublicSuffixList()


def test_every_rule_means_what_its_package_says(oracle: publicsuffixlist.PublicSuffixList) -> None:
    with open(publicsuffixlist.PSLFILE, encoding="utf-8") as file:
        rules = [line.split()[0] for line in file if line.strip() and not line.startswith("//")]
    assert len(rules) > 9000
    for rule in rules:
        bare = rule.lstrip("!*.").encode("idna").decode("ascii")
        for name in (bare, f"b.{bare}", f"a.b.{bare}", f"c.a.b.{bare}", bare.partition(".")[2] or bare):
            suffix = oracle.publicsuffix(name)
            assert suffix is not None
            assert public_labels(name.split(".")) == suffix.count(".") + 1, name


@pytest.mark.parametrize(
    ("name", "labels"),
    [("", 0), ("com", 1), ("no-such-end", 1), ("a.no-such-end", 1), ("ck", 1), ("a.ck", 2)],
)
def test_a_name_without_a_rule_has_one_label_that_is_public(name: str, labels: int) -> None:
    assert public_labels(name.split(".") if name else []) == labels


def test_no_rule_has_more_labels_than_are_looked_at() -> None:
    with open(publicsuffixlist.PSLFILE, encoding="utf-8") as file:
        assert max(line.count(".") for line in file if line.strip() and not line.startswith("//")) < 11
