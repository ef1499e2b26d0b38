# SPDX-License-Identifier: GPL-2.0-or-later
"""What an organisation makes that a MAC belongs to."""

import pytest

from smartrouter.core.classification.makers import Making, making


@pytest.mark.parametrize(
    ("maker", "kind"),
    [
        ("Philips Lighting BV", Making.APPLIANCES),
        ("Hangzhou Hikvision Digital Technology Co.,Ltd.", Making.APPLIANCES),
        ("SHEN ZHEN TENDA TECHNOLOGY CO.,LTD", Making.NETWORK_AND_THINGS),
        ("Espressif Inc.", Making.MODULES_OF_THINGS),
        ("AzureWave Technology Inc.", Making.MODULES),
        ("LG Electronics", Making.MIXED),
        ("LG Electronics (Mobile Communications)", Making.PHONES),
        ("GUANGDONG OPPO MOBILE TELECOMMUNICATIONS CORP.,LTD", Making.PHONES),
        ("Dell Inc.", Making.COMPUTERS),
        ("PCS Systemtechnik GmbH", Making.VIRTUAL),
        ("Cisco Systems, Inc", Making.NETWORK),
        ("Ciscoville", Making.UNKNOWN),
        ("Zhejiang", Making.UNKNOWN),
        ("", Making.UNKNOWN),
    ],
)
def test_the_longest_beginning_in_whole_words_tells_what_a_maker_makes(maker: str, kind: Making) -> None:
    assert making(maker) is kind
