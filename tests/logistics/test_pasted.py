"""Pasted addresses are split into their parts, as people write them in all provinces."""

from pathlib import Path

import pytest

from logistics import pasted, regions
from logistics.pasted import Pasted

LISTED = [
    [part.strip() for part in line.split(" | ")]
    for line in Path(__file__).with_name("pasted_addresses.txt").read_text("utf-8").splitlines()
]


def test_the_list_is_of_all_provinces() -> None:
    assert len(LISTED) == 100
    assert {regions.province_name(city) for _, _, _, city, _, _ in LISTED} == set(regions.PROVINCES.values())


@pytest.mark.parametrize("listed", LISTED, ids=[one[0][:30] for one in LISTED])
def test_each_is_split_right(listed: list[str]) -> None:
    text, name, mobile, city, district, street = listed
    assert pasted.split(text) == Pasted(name, mobile, regions.province_name(city), city, district, street)


def test_what_is_not_there_stays_empty() -> None:
    assert pasted.split("") == Pasted()
    assert pasted.split("示范路8号") == Pasted(address="示范路8号")
    assert pasted.split("上海市黄浦路8号") == Pasted(province="上海市", city="310100", address="黄浦路8号")


def test_a_province_that_is_not_the_citys_is_told_as_it_was_written() -> None:
    found = pasted.split("广东省杭州市西湖区示范路8号 吴大 13800138000")
    assert (found.province, found.city, found.district) == ("广东省", "330100", "西湖区")


def test_any_text_is_split_without_trouble_and_quickly() -> None:
    for text in (
        "朝阳" * 200,
        "北京市" * 100,
        "1" * 5_000,
        "(" * 300,
        "\u200b\x00姓名:" * 60,
        "广东省" + " " * 280 + "深圳",
    ):
        found = pasted.split(text)
        assert len(found.address) <= pasted.LONGEST
