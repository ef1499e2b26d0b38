# SPDX-License-Identifier: GPL-2.0-or-later
"""What an organisation makes that a MAC belongs to, and what people call it."""

import json
from collections import Counter
from itertools import islice
from pathlib import Path

import pytest

from smartrouter.core.classification.makers import Making, entries, making, sayings, short, words
from smartrouter.makers import TABLE, Makers
from smartrouter.makers.table import Table


@pytest.fixture(scope="module")
def names() -> set[str]:
    """All names in the registry."""
    return {name for _, name in Table(TABLE.read_bytes()) if name}


@pytest.fixture(scope="module")
def beginnings(names: set[str]) -> set[str]:
    """What the registry's names begin with, in whole words."""
    spelt = [words(name) for name in names]
    return {" ".join(name[:count]) for name in spelt for count in range(1, len(name) + 1)}


@pytest.mark.parametrize(
    ("maker", "kind"),
    [
        ("Philips Lighting BV", Making.APPLIANCES),
        ("Signify B.V.", Making.APPLIANCES),
        ("Roku, Inc", Making.APPLIANCES),
        ("Hangzhou Hikvision Digital Technology Co.,Ltd.", Making.APPLIANCES),
        ("eQ-3 Entwicklung GmbH", Making.APPLIANCES),
        ("D&M Holdings Inc.", Making.APPLIANCES),
        ("BSH Hausgeräte GmbH", Making.APPLIANCES),
        ("Espressif Inc.", Making.MODULES_OF_THINGS),
        ("Tuya Smart Inc.", Making.MODULES_OF_THINGS),
        ("Hui Zhou Gaoshengda Technology Co.,LTD", Making.MODULES_OF_THINGS),
        ("Shenzhen Bilian Electronic Co.，Ltd", Making.MODULES_OF_THINGS),
        ("AzureWave Technology Inc.", Making.MODULES),
        ("Liteon Technology Corporation", Making.MODULES),
        ("Hon Hai Precision Ind. Co.,Ltd.", Making.MODULES),
        ("LG Electronics", Making.MIXED),
        ("Apple, Inc.", Making.MIXED),
        ("Amazon Technologies Inc.", Making.MIXED),
        ("Blink by Amazon", Making.APPLIANCES),
        ("LG Electronics (Mobile Communications)", Making.PHONES),
        ("GUANGDONG OPPO MOBILE TELECOMMUNICATIONS CORP.,LTD", Making.PHONES),
        ("HUAWEI TECHNOLOGIES CO.,LTD", Making.MIXED),
        ("Huawei Device Co., Ltd.", Making.PHONES),
        ("Dell Inc.", Making.COMPUTERS),
        ("ASUSTek COMPUTER INC.", Making.COMPUTERS),
        ("VMware, Inc.", Making.VIRTUAL),
        ("PCS Systemtechnik GmbH", Making.VIRTUAL),
        ("Cisco Systems, Inc", Making.NETWORK),
        ("Routerboard.com", Making.NETWORK),
        ("TP-LINK TECHNOLOGIES CO.,LTD.", Making.NETWORK_AND_THINGS),
        ("SHEN ZHEN TENDA TECHNOLOGY CO.,LTD", Making.NETWORK_AND_THINGS),
        ("Ciscoville", Making.UNKNOWN),
        ("Zhejiang", Making.UNKNOWN),
        ("!", Making.UNKNOWN),
        ("", Making.UNKNOWN),
    ],
)
def test_the_longest_beginning_in_whole_words_tells_what_a_maker_makes(maker: str, kind: Making) -> None:
    assert making(maker) is kind


def test_everything_that_is_said_of_makers_is_said_once_and_of_somebody(beginnings: set[str]) -> None:
    for said in ([beginning for beginning, _ in entries()], [beginning for beginning, _ in sayings()]):
        assert [beginning for beginning, count in Counter(said).items() if count > 1] == []
        assert [beginning for beginning in said if beginning not in beginnings] == []


def test_no_entry_stands_behind_another_one_that_has_all_its_names(names: set[str]) -> None:
    known = dict(entries())
    used: set[str] = set()
    for name in names:
        spelt = words(name)
        starts = (" ".join(spelt[:count]) for count in range(len(spelt), 0, -1))
        used.update(islice((start for start in starts if start in known), 1))
    assert set(known) - used == set()


def test_all_sorts_of_makers_are_there_in_numbers() -> None:
    counts = Counter(kind for _, kind in entries())
    assert counts[Making.APPLIANCES] > 500
    assert set(counts) == set(Making) - {Making.UNKNOWN}


def test_few_surprises_where_one_entry_has_many_names(names: set[str]) -> None:
    """Names that begin like a well-known maker's, and are another's."""
    others = {
        "Intelligent Technology Inc.", "Dellshin", "Ringdale UK Ltd", "Applied Signal Corp.", "Sonoscape",
        "Rocktech", "Googol Technology", "Cisconet", "Nestlé", "Bosetti", "Canary Communications, Inc.",
        "Pioneer Century Infocomm Pte Ltd", "Yamaha Motor Co., Ltd.", "Genie Networks Limited",
        "Ring Access, Inc.", "Samsung Heavy Industries Co.,Ltd.", "Next Video Systems", "Hive Internet Ltd",
    }  # fmt: skip
    assert {name: making(name) for name in others if making(name) is not Making.UNKNOWN} == {}


@pytest.mark.parametrize(
    ("maker", "said"),
    [
        ("Espressif Inc.", "Espressif"),
        ("Philips Lighting BV", "Philips Lighting"),
        ("TP-LINK TECHNOLOGIES CO.,LTD.", "TP-Link"),
        ("Tp-Link Technologies Co.,Ltd.", "TP-Link"),
        ("Samsung Electronics Co.,Ltd", "Samsung"),
        ("LG Electronics (Mobile Communications)", "LG"),
        ("Hangzhou Hikvision Digital Technology Co.,Ltd.", "Hikvision"),
        ("Shenzhen Bilian Electronic Co.，Ltd", "Bilian"),
        ("Apple, Inc.", "Apple"),
        ("Texas Instruments", "Texas Instruments"),
        ("Silicon Laboratories", "Silicon Laboratories"),
        ("Roku, Inc.", "Roku"),
        ("LIFI LABS MANAGEMENT PTY LTD", "LIFX"),
        ("PCS Systemtechnik GmbH", "VirtualBox"),
        ("Withings", "Withings"),
        ("Shenzhen Dangs Science and Technology CO.,Ltd.", "Dangs Science"),
        ("Nobody & Co. KG", "Nobody"),
        ("Nobody Technology Co.Ltd", "Nobody"),
        ("Beijing", "Beijing"),
        ("Inc.", "Inc."),
        ("", ""),
    ],
)
def test_makers_are_called_what_people_call_them(maker: str, said: str) -> None:
    assert short(maker) == said


def test_every_maker_has_a_short_name_that_is_no_longer_than_its_own(names: set[str]) -> None:
    assert [name for name in names if not short(name)] == []
    said = {saying for _, saying in sayings()}
    assert [name for name in names if len(short(name)) > len(name) and short(name) not in said] == []


def test_what_real_devices_makers_make_is_known(shared: Path) -> None:
    """Who made the IoT devices among the labelled DHCP clients, and who the others."""
    maker_of = Makers().of
    found: dict[str, Counter[Making]] = {"iot": Counter(), "not-iot": Counter()}
    for line in (shared / "devices" / "clients.jsonl").read_text().splitlines():
        client = json.loads(line)
        if maker := maker_of(client["mac"]):
            found[client["label"]][making(maker)] += 1
    things, others = found["iot"], found["not-iot"]
    persons = {Making.COMPUTERS, Making.PHONES, Making.VIRTUAL}
    assert not things.keys() & (persons | {Making.NETWORK, Making.UNKNOWN})
    assert not others.keys() & {Making.APPLIANCES, Making.MODULES_OF_THINGS, Making.NETWORK_AND_THINGS}
    assert sum(things.values()) == 25  # all
    assert others[Making.UNKNOWN] == 1  # of 13: 00:11:22:33:44:55
