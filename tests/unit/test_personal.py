# SPDX-License-Identifier: GPL-2.0-or-later
"""Names that only people's devices ask for."""

import pytest

from smartrouter.core.public.personal import personal_domain


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("graph.facebook.com", "facebook.com"),
        ("facebook.com", "facebook.com"),
        ("www.bbc.co.uk", "bbc.co.uk"),
        ("play.google.com", "play.google.com"),
        ("time.google.com", ""),
        ("facebook.com.example", ""),
        ("notfacebook.com", ""),
        ("com", ""),
        ("", ""),
    ],
)
def test_the_domain_that_a_name_belongs_to(name: str, domain: str) -> None:
    assert personal_domain(name) == domain
