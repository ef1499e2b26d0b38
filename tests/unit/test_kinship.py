# SPDX-License-Identifier: GPL-2.0-or-later
"""When two names are one maker's."""

import pytest

from smartrouter.core.kinship import organisation


@pytest.mark.parametrize(
    "spellings",
    [
        (
            "TP-LINK TECHNOLOGIES CO.,LTD.",
            "Tp-Link Technologies Co.,Ltd.",
            "TP-Link Technologies Limited",
        ),
        ("Samsung Electronics Co.,Ltd", "SAMSUNG ELECTRONICS CO., LTD.", "Samsung Electronics"),
        ("Signify B.V.", "Signify BV", "SIGNIFY"),
        ("Roku, Inc.", "Roku, Inc", "ROKU INC"),
        ("Intel Corporate", "Intel Corporation", "INTEL CORP"),
        ("Beko S.p.A.", "BEKO SPA", "Beko"),
        ("Nuki Home Solutions GmbH", "NUKI Home Solutions GmbH & Co. KG"),
        ("", ""),
        ("!", ""),
    ],
)
def test_spellings_of_one_maker_are_equal(spellings: tuple[str, ...]) -> None:
    assert len({organisation(maker) for maker in spellings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("LG Electronics", "LG Electronics (Mobile Communications)"),
        ("Huawei Technologies Co.,Ltd", "Huawei Device Co., Ltd."),
        ("Philips Lighting BV", "Signify B.V."),
        ("Shenzhen Four Seas Co., Ltd.", "Four Seas Co., Ltd."),
        ("Co", "Ltd"),
    ],
)
def test_makers_that_are_not_the_same_on_paper_stay_apart(one: str, other: str) -> None:
    assert organisation(one) != organisation(other)
