"""Which courier brings a parcel."""

import pytest

from logistics import couriers, regions
from logistics.couriers import NoCourier
from runtime.db import reading, writing
from runtime.facts import Invalid
from tests.logistics.courier_world import BEIJING, GUANGZHOU, LHASA, SHANGHAI

pytestmark = pytest.mark.usefixtures("world")


@pytest.mark.parametrize(
    ("city", "cod", "chosen"),
    [
        (LHASA, False, "EMS"),  # nobody else goes there
        (SHANGHAI, False, "SF"),  # a province beats the whole country
        (SHANGHAI, True, "EMS"),  # SF takes no cash
        (BEIJING, False, "ZJS"),  # a city beats a province, whatever the priority
        (BEIJING, True, "ZJS"),
        ("440305", False, "SF"),  # a district of Shenzhen
        ("500228", True, "EMS"),  # a county of Chongqing
        ("广州市", False, "SF"),
        ("广州", False, "SF"),
    ],
)
def test_the_longest_area_wins_among_those_who_can(city: str, cod: bool, chosen: str) -> None:
    with reading() as session:
        assert couriers.choose(session, city=city, cod=cod).code == chosen


def test_priority_decides_between_equal_areas_and_the_code_between_equal_priorities() -> None:
    with writing() as session:
        couriers.add(session, code="YTO", name_zh="圆通", name_en="YTO", areas=["440000"], priority=10)
        assert couriers.choose(session, city=GUANGZHOU, cod=False).code == "YTO"
        couriers.add(session, code="YTO", name_zh="圆通", name_en="YTO", areas=["440000"], priority=9)
        assert couriers.choose(session, city=GUANGZHOU, cod=False).code == "SF"


def test_an_inactive_courier_is_passed_over_and_nobody_left_is_a_fact() -> None:
    with writing() as session:
        couriers.add(session, code="EMS", name_zh="邮政速递", name_en="EMS", areas=[""], active=False)
        with pytest.raises(NoCourier) as nobody:
            couriers.choose(session, city=LHASA, cod=False)
    assert (nobody.value.code, nobody.value.details) == ("no_courier", {"city": LHASA, "cod": False})


@pytest.mark.parametrize("city", ["", "999999", "44010", "亚特兰蒂斯", "４４０１００"])
def test_a_city_we_do_not_know_names_the_field(city: str) -> None:
    with reading() as session, pytest.raises(Invalid) as wrong:
        couriers.choose(session, city=city, cod=False)
    assert list(wrong.value.errors) == ["city"]


@pytest.mark.parametrize("area", ["4", "abc", "4401061", "440106", "00"])
def test_an_area_is_a_province_or_a_city(area: str) -> None:
    with writing() as session, pytest.raises(Invalid):
        couriers.add(session, code="X", name_zh="某", name_en="X", areas=[area])


def test_the_table_of_regions_is_whole() -> None:
    """333 prefectures, four municipalities, and what four provinces govern without a prefecture."""
    assert (len(regions.PROVINCES), len(regions.CITIES)) == (31, 341)
    assert len(set(regions.CITIES.values())) == 341
    assert (regions.city_name("440305"), regions.province_name("440305")) == ("深圳市", "广东省")
    assert regions.city_code("500228") == "500100"
