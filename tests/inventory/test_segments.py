"""Mobile numbers and whose city they are."""

import re

import pytest

from inventory import regions, segments
from runtime.facts import Invalid
from tests.inventory.segments_oracle import TARGET, as_text, unicom_segments


@pytest.mark.parametrize(
    "text",
    [
        "18600138021",
        "+8618600138021",
        "+86 186 0013 8021",
        "86-186-0013-8021",
        "186-00138021",
        "008618600138021",
    ],
)
def test_any_usual_way_to_write_a_number(text: str) -> None:
    assert segments.normalise(text) == "18600138021"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1860013802",
        "186001380211",
        "12600138021",
        "14000138021",
        "１８６００１３８０２１",
        "1860013802x",
        "86",
    ],
)
def test_what_is_no_mobile_number(text: str) -> None:
    with pytest.raises(Invalid) as fact:
        segments.normalise(text)
    assert list(fact.value.errors) == ["number"]


def test_the_strict_rule_is_libphonenumbers() -> None:
    rule = re.compile(
        r"1(?:610\d|740[0-5])\d{6}|1(?:[38]\d|4[57]|[59][0-35-9]|6[25-7]|7[0-35-8])\d{8}", re.ASCII
    )
    for prefix in range(10_000, 100_000):
        number = f"{prefix}138021"
        assert segments.is_mobile(number) == bool(rule.fullmatch(number))


def test_cities_of_known_segments() -> None:
    known = {
        "1860000": "110",
        "1861000": "110",
        "1300123": "110",
        "1760123": "310",
        "1858150": "810",
        "1861720": "580",
    }
    assert {segment: segments.city_of(f"{segment}0000") for segment in known} == known
    assert segments.city_of("13800138000") == ""  # another carrier's
    assert "1860000" in segments.of_city("110")


def test_the_shipped_table_is_what_phonenumbers_knows() -> None:
    assert TARGET.read_text(encoding="ascii") == as_text(unicom_segments())


def test_a_city_by_code_chinese_or_english_name() -> None:
    for text in ("841", "西安", "西安市", "Xi'an", "xian", " XI'AN "):
        city = regions.named(text)
        assert city is not None
        assert city.code == "841"
    assert regions.named("Atlantis") is None
    assert len({city.gbt2260 for city in regions.CITIES.values()}) == len(regions.CITIES)
