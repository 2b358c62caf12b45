"""Provinces, prefecture cities and districts of GB/T 2260, so that an address can be given by name or by code.

divisions.json is the list of the npm package `@vant/area-data` 2.1.0 (MIT, divisions.LICENSE.txt): every county-level
division on the mainland and what couriers print as one (development zones, the towns of cities without districts).
Ours are 500157 and the names of the four xx9000. A test compares it with the official table."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from runtime.facts import N_, Invalid, fill

# Counties of the municipalities stand under xx01 or xx02; the couriers' areas know one city.
MUNICIPALITIES = frozenset({"11", "12", "31", "50"})
NAMES: dict[str, str] = json.loads(files("logistics").joinpath("divisions.json").read_text("utf-8"))
PROVINCES = {code: name for code, name in NAMES.items() if code.endswith("0000")}  # "440000" -> "广东省"
CITIES = {
    code: name for code, name in NAMES.items() if code.endswith("00") and code not in PROVINCES
}  # 440100
_ENDINGS = (
    "特别行政区",
    "自治区",
    "自治州",
    "自治县",
    "自治旗",
    "地区",
    "新区",
    "林区",
    "矿区",
    "省",
    "市",
    "区",
    "县",
    "盟",
    "旗",
)
_PEOPLES = [
    "蒙古族",
    "回族",
    "藏族",
    "维吾尔族",
    "苗族",
    "彝族",
    "壮族",
    "布依族",
    "朝鲜族",
    "满族",
    "侗族",
    "瑶族",
    "白族",
    "土家族",
    "哈尼族",
    "哈萨克族",
    "傣族",
    "黎族",
    "傈僳族",
    "佤族",
    "畲族",
    "拉祜族",
    "水族",
    "东乡族",
    "纳西族",
    "景颇族",
    "柯尔克孜族",
    "土族",
    "达斡尔族",
    "仫佬族",
    "羌族",
    "布朗族",
    "撒拉族",
    "毛南族",
    "仡佬族",
    "锡伯族",
    "普米族",
    "塔吉克族",
    "怒族",
    "鄂温克族",
    "保安族",
    "裕固族",
    "独龙族",
    "各族",
    "维吾尔",
    "蒙古",
    "哈萨克",
    "柯尔克孜",
]


@dataclass(frozen=True)
class Place:
    """Where an address lies: names, and the six digits of the city."""

    province: str
    city: str
    city_code: str
    district: str


def city_code(given: str) -> str:
    """The six-digit code of a prefecture city given by its code (or a district's in it) or its name, long or short.

    Raises Invalid(city=...)."""
    text = given.strip()
    if len(text) == 6 and text.isascii() and text.isdigit():
        city = text[:2] + "0100" if text[:2] in MUNICIPALITIES else text[:4] + "00"
        if city in CITIES:
            return city
    if text in _codes():
        return _codes()[text]
    raise Invalid(city=N_("Choose the city from the list."))


def city_name(code: str) -> str:
    return CITIES[city_code(code)]


def province_name(code: str) -> str:
    """The province that a city's or district's six-digit code lies in."""
    return PROVINCES[city_code(code)[:2] + "0000"]


@cache
def _codes() -> dict[str, str]:
    """The cities by name, and by what people say for it where that is one city's alone."""
    said: dict[str, list[str]] = {}
    for code, name in CITIES.items():
        for one in short_names(name):
            said.setdefault(one, []).append(code)
    return {one: codes[0] for one, codes in said.items() if len(codes) == 1} | {
        name: code for code, name in CITIES.items()
    }


@cache
def districts(city: str) -> MappingProxyType[str, str]:
    """Code and name of each district, county or county-level city of a prefecture city, given by its code."""
    return MappingProxyType(_by_city()[city])


@cache
def _by_city() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {code: {} for code in CITIES}
    for code, name in NAMES.items():
        if not code.endswith("00"):
            found[city_code(code)][code] = name
    return found


def place(province: str, city: str, district: str) -> Place:
    """An address's place, read from names or codes. An empty `province` is the city's; `district` may be said without
    its 区 or 县. Raises Invalid naming `province`, `city` or `district`: each must lie in the one before."""
    code = city_code(city)
    lies_in = province_name(code)
    wrong: dict[str, str] = {}
    if province.strip() and not _same(province.strip(), code[:2] + "0000"):
        said = {"city": CITIES[code], "province": province.strip()}
        wrong["city"] = fill(N_("{city} does not lie in {province}. Choose the city again."), **said)
    found = [each for each in districts(code) if district.strip() in (each, NAMES[each])]
    found = found or [each for each in districts(code) if _same(district.strip(), each)]
    if len(found) != 1:
        some = list(districts(code).values())
        said = {"city": CITIES[code], "some": "、".join(some[:3])}
        text = (
            N_("Choose the district or county: {some} or another of {city}.")
            if len(some) > 3
            else N_("Choose the district or county of {city}: {some}.")
        )
        wrong["district"] = fill(text, **said)
    if wrong:
        raise Invalid(**wrong)
    return Place(lies_in, CITIES[code], code, NAMES[found[0]])


def _same(given: str, code: str) -> bool:
    return given in {code, NAMES[code], *short_names(NAMES[code])}


@cache
def short_names(name: str) -> tuple[str, ...]:
    """How people write a division without what it is: 南山 for 南山区, 延边 and 延边州 for 延边朝鲜族自治州."""
    for ending in _ENDINGS:
        if name.endswith(ending) and len(name) - len(ending) >= 2:
            bare = name.removesuffix(ending)
            break
    else:
        return ()
    rest, more = bare, True
    while more:
        more = False
        for people in _PEOPLES:
            if rest.endswith(people) and len(rest) - len(people) >= 2:
                rest, more = rest.removesuffix(people), True
    shorts = dict.fromkeys((bare, rest))
    if name.endswith("自治州"):
        shorts[rest + "州"] = None
    if ending == "新区":
        shorts[rest + "区"] = None
    return tuple(shorts)
