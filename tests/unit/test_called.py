# SPDX-License-Identifier: GPL-2.0-or-later
"""What a device is called."""

import pytest

from smartrouter.core.identity.called import human_name

MAC = "3c:2e:ff:29:4d:93"


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({"given": "TV", "announced": "Samsung", "hostname": "tizen", "maker": "Samsung"}, "TV"),
        ({"announced": "Kitchen lamp", "hostname": "lamp-1"}, "Kitchen lamp"),
        ({"hostname": "lamp-1", "maker": "Espressif Inc."}, "lamp-1"),
        ({"maker": "Espressif Inc."}, "Espressif 4d:93"),
        ({}, MAC),
    ],
)
def test_the_best_name_that_is_known(known: dict[str, str], name: str) -> None:
    assert human_name(MAC, **known) == name
