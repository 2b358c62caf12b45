"""A Chinese address as people paste it, split into the fields of a form: who, where to ring, and where it is.

What is sure is filled in and the rest left for the shopper, who reads it over before anything is sent."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from logistics import regions

LONGEST = 300  # characters; more is no address
_LABELS = {
    "name": "收货人姓名 收件人姓名 收货人 收件人 联系人 收货 收件 姓名 名字",
    "mobile": "收货人电话 联系电话 手机号码 联系方式 手机号 手机 电话",
    "region": "所在地区 所在区域 省市区 地区 区域",
    "address": "详细地址 收货地址 收件地址 街道地址 邮寄地址 地址",
    "postcode": "邮政编码 邮编",
}
_LABEL = re.compile(
    "(?P<label>" + "|".join(word for words in _LABELS.values() for word in words.split()) + r")\s*[:：]\s*"
)
_KIND = {word: kind for kind, words in _LABELS.items() for word in words.split()}
_MOBILE = re.compile(r"(?<!\d)(?:\(?\+?0{0,2}86\)?[-\s]?)?(1[3-9]\d[-\s]?\d{4}[-\s]?\d{4})(?!\d)")
_POSTCODE = re.compile(r"(?:^|(?<=[\s,;。]))[(\[]?\d{6}[)\]]?(?=[\s,;。]|$)")
_BREAKS = re.compile(r"[\s,;。、|/]+")
_NAME = re.compile(r"[㐀-鿿·]{2,8}(?:先生|女士|小姐)?|[A-Za-z][A-Za-z .'-]{1,38}")
_LATIN = re.compile(r"[A-Za-z][A-Za-z .'-]{1,38}")
_NOT_A_NAME = re.compile(r"[省市区县镇乡村路街巷弄号栋幢楼室座院厦园苑店城里庄组队房层]$")
_STREET = re.compile("路|街|道|巷|弄|大道|大街")  # 黄浦路 is a street, not the district
_LAST = re.compile(
    r"(.*[号室楼栋幢座层元门\dA-Za-z])([㐀-鿿]{2,3})"
)  # a name written right behind the street
_SURNAMES = frozenset(
    "王李张刘陈杨黄赵周吴徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈姚卢姜崔钟"
    "谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_GAP = " \t,，;、-/|>"


@dataclass(frozen=True)
class Pasted:
    """The parts that were found; "" for each that was not. `province` as it was written, which may be another than
    that of `city`, a six-digit code; `address` is what is left."""

    name: str = ""
    mobile: str = ""
    province: str = ""
    city: str = ""
    district: str = ""
    address: str = ""


@dataclass(frozen=True)
class _Found:
    """Where in a text a place stands, and what it is."""

    start: int
    end: int
    city: str
    district: str = ""
    written: int = 0  # characters of the names themselves: the more, the surer


def split(text: str) -> Pasted:
    """Read name, mobile number, place and street out of a pasted text, in whatever order they stand."""
    left = unicodedata.normalize("NFKC", text[:LONGEST]).replace("\u200b", "").replace("(收)", " ")
    mobile, name, left = _mobile(left)
    parts = _labelled(left)
    if said := [one for one in _BREAKS.split(parts.get("name", "")) if one]:
        name = name or _clean(said[0])
        parts[""] = " ".join((parts[""], *said[1:]))
    where = " ".join(part for kind in ("region", "address") if (part := parts.get(kind, "")))
    free = " ".join(parts.get(kind, "") for kind in ("", "mobile", "postcode"))
    found = _place(where) if where else None
    if found is None:
        where, free = f"{where} {free}", ""
        found = _place(where)
    before, after = (where[: found.start], where[found.end :]) if found else ("", where)
    province = _province(before) or (regions.province_name(found.city) if found else "")
    segments = _pieces(_POSTCODE.sub(" ", f"{before} {free}"))
    if not name:
        name, segments, after = _name(segments, after)
    street = " ".join(filter(None, (_street(after), _street(" ".join(segments)))))
    if found is None:
        return Pasted(name, mobile, province, "", "", street)
    return Pasted(name, mobile, province, found.city, found.district, street)


def _mobile(text: str) -> tuple[str, str, str]:
    """The number, a name that is written together with it behind the street, and the text without both."""
    found = _MOBILE.search(text)
    if not found:
        return "", "", text
    before, name = text[: found.start()], ""
    if (tail := _LAST.fullmatch(before)) and tail[2][0] in _SURNAMES and not _NOT_A_NAME.search(tail[2]):
        before, name = tail[1], tail[2]
    return re.sub(r"\D", "", found[1]), name, f"{before} {text[found.end() :]}"


def _labelled(text: str) -> dict[str, str]:
    """What stands after each label, by its kind; under "" what stands before the first."""
    marks = list(_LABEL.finditer(text))
    parts = {"": text[: marks[0].start()] if marks else text}
    ends = [*(one.start() for one in marks), len(text)][1:]
    for mark, end in zip(marks, ends, strict=True):
        kind = _KIND[mark["label"]]
        parts[kind] = f"{parts.get(kind, '')} {text[mark.end() : end]}".strip()
    return parts


def _name(segments: list[str], after: str) -> tuple[str, list[str], str]:
    """The name, and what is left without it: it stands apart, before the place or after the street."""
    for one in segments:
        if _looks_like_name(one):
            return _clean(one), [other for other in segments if other is not one], after
    pieces = _pieces(after)
    for one in reversed(pieces if segments else pieces[1:]):
        if _looks_like_name(one) and (len(one) <= 4 or one.isascii()):
            return _clean(one), segments, after[: after.rindex(one)] + after[after.rindex(one) + len(one) :]
    return "", segments, after


def _pieces(text: str) -> list[str]:
    """What separators part; a name in Latin letters keeps its blanks."""
    parts = (one.strip() for one in re.split(r"[,;。、|/\n\t]+", text))
    return [
        piece for part in parts for piece in ([part] if _LATIN.fullmatch(part) else part.split()) if piece
    ]


def _looks_like_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and not _NOT_A_NAME.search(text) and not any(c.isdigit() for c in text)


def _clean(text: str) -> str:
    return " ".join(_BREAKS.sub(" ", text).strip("() ").split()).removesuffix("收").strip("() ")


def _street(text: str) -> str:
    """The street without what separated it, its own spaces between words kept where they part Latin or digits."""
    text = " ".join(_POSTCODE.sub(" ", text).strip(_GAP + "。()").split())
    return re.sub(r"(?<=[㐀-鿿]) (?=[㐀-鿿\d])|(?<=\d) (?=[㐀-鿿])|(?<=[㐀-鿿]),\s*(?=[㐀-鿿])", "", text)


def _place(text: str) -> _Found | None:
    """The place written most fully; of several, the first."""
    best: _Found | None = None
    for start in range(len(text)):
        for found in _from(text, start):
            if best is None or found.written > best.written:
                best = found
    return best


def _from(text: str, start: int) -> Iterator[_Found]:
    """Each reading of the place whose first name begins at `start`: province, city, district; any of the first two
    may be left out, and a municipality said twice."""
    for province, at in (*_names(text, start, "provinces"), ("", start)):
        cities = [
            (city, end)
            for city, end in _names(text, _skip(text, at) if province else at, "cities")
            if not province or city[:2] == province[:2]
        ]
        if province and province[:2] in regions.MUNICIPALITIES:
            cities.append((province[:2] + "0100", at))  # 北京市朝阳区, its city left out
        if province:
            cities += [(f"{province[:2]}9000", at)] if f"{province[:2]}9000" in regions.CITIES else []
        for city, end in cities:
            written = end - start
            if not city.endswith("9000") and not _STREET.match(text, end):
                yield _Found(start, end, city, "", written)
            for code, stop in _districts(text, _skip(text, end), city):
                yield _Found(start, stop, city, regions.NAMES[code], written + stop - _skip(text, end))
        yield from _bare(text, start, _skip(text, at), province)


def _bare(text: str, start: int, at: int, province: str) -> Iterator[_Found]:
    """A district whose city was left out, where only one can be meant: 广东省南山区, 义乌市."""
    for name, codes in _by_first("counties").get(text[at : at + 1], ()):
        if text.startswith(name, at):
            fit = [code for code in codes if code[:2] == province[:2]] if province else codes
            if len(fit) == 1:
                city = regions.city_code(fit[0])
                yield _Found(start, at + len(name), city, regions.NAMES[fit[0]], at - start + len(name) - 1)


def _province(text: str) -> str:
    """A province written there, which then is not the one of the place that follows."""
    for start in range(len(text)):
        for code, _ in _names(text, start, "provinces"):
            return regions.PROVINCES[code]
    return ""


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _GAP:
        at += 1
    return at


def _names(text: str, at: int, level: str) -> list[tuple[str, int]]:
    """Code and end of each division of that level whose name, or short name, begins there; the longest first."""
    found = []
    for name, codes in _by_first(level).get(text[at : at + 1], ()):
        if text.startswith(name, at):
            end = at + len(name)
            found += [(code, end) for code in codes]
    return found


def _districts(text: str, at: int, city: str) -> Iterator[tuple[str, int]]:
    for code, name in regions.districts(city).items():
        for said in (name, *regions.short_names(name)):
            end = at + len(said)
            if text.startswith(said, at) and not (said != name and _STREET.match(text, end)):
                yield code, end
                break


@cache
def _known() -> dict[str, dict[str, list[str]]]:
    """Names of each level and the divisions that bear them. Counties in full only: 朝阳 alone may be anywhere."""
    known: dict[str, dict[str, list[str]]] = {"provinces": {}, "cities": {}, "counties": {}}
    for level, codes in (("provinces", regions.PROVINCES), ("cities", regions.CITIES)):
        for code, name in codes.items():
            for said in (name, *regions.short_names(name)):
                known[level].setdefault(said, []).append(code)
    for code, name in regions.NAMES.items():
        if not code.endswith("00") and len(name) > 2:
            known["counties"].setdefault(name, []).append(code)
    return known


@cache
def _by_first(level: str) -> dict[str, list[tuple[str, list[str]]]]:
    """The names of a level by their first character."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for name, codes in sorted(_known()[level].items(), key=lambda named: -len(named[0])):
        found.setdefault(name[0], []).append((name, codes))
    return found
