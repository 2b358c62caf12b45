"""The cities Haoka sells in: the carrier's own city code beside the GB/T 2260 code used in addresses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class City:
    """`code` is the carrier's (three characters, DOMAIN 1); `gbt2260` the six digits of a postal address."""

    code: str
    zh: str
    en: str
    gbt2260: str


_ALL = (
    City("110", "北京", "Beijing", "110100"),
    City("130", "天津", "Tianjin", "120100"),
    City("310", "上海", "Shanghai", "310100"),
    City("340", "南京", "Nanjing", "320100"),
    City("360", "杭州", "Hangzhou", "330100"),
    City("510", "广州", "Guangzhou", "440100"),
    City("540", "深圳", "Shenzhen", "440300"),
    City("580", "东莞", "Dongguan", "441900"),
    City("710", "武汉", "Wuhan", "420100"),
    City("810", "成都", "Chengdu", "510100"),
    City("831", "重庆", "Chongqing", "500100"),
    City("841", "西安", "Xi'an", "610100"),
)

CITIES: dict[str, City] = {city.code: city for city in _ALL}


def _spellings(city: City) -> tuple[str, ...]:
    english = city.en.casefold()
    return city.code, city.zh, city.zh + "市", english, english.replace("'", "")


_BY_NAME = {name: city for city in _ALL for name in _spellings(city)}


def named(text: str) -> City | None:
    """The city meant by a code, a Chinese name (with or without 市) or an English one; None if unknown."""
    return _BY_NAME.get(text.strip().casefold())
