"""The test people of the identity twin: all made up, with ID numbers that no card carries."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from kyc.id_number import made_up

Answers = Literal["matched", "mismatched", "not_found", "flaky", "unavailable"]
OPEN_FROM = 900  # unlisted numbers of a made-up area match any name from this sequence on


@dataclass(frozen=True)
class TestPerson:
    """`matched` answers only to this name, any other is mismatched."""

    __test__ = False  # no test class, whatever pytest makes of its name

    name: str
    id_number: str
    city: str
    answers: Answers
    note: str


def listed(today: date) -> list[TestPerson]:
    """The documented people. The two minors are born so that they are 15 and 17 all through this year."""
    people: list[tuple[str, str, str, date, int, Answers, str]] = [
        ("李雷", "北京 Beijing", "110100", date(1990, 1, 1), 1, "matched", "An adult."),
        ("韩梅梅", "上海 Shanghai", "310100", date(1992, 3, 8), 2, "matched", "An adult."),
        ("王小明", "广州 Guangzhou", "440100", date(1988, 8, 18), 3, "matched", "An adult."),
        ("陈静", "成都 Chengdu", "510100", date(2000, 2, 29), 4, "matched", "An adult, born on a leap day."),
        ("刘芳", "杭州 Hangzhou", "330100", date(1960, 3, 7), 12, "matched", "An adult."),
        ("买买提·吐尔逊", "乌鲁木齐 Ürümqi", "650100", date(1985, 5, 5), 5, "matched", "A name with a dot."),
        ("林美玲", "台湾 Taiwan", "830000", date(1995, 12, 1), 6, "matched", "A residence permit (83)."),
        ("赵小磊", "杭州 Hangzhou", "330100", date(today.year - 15, 1, 1), 7, "matched", "A minor of 15."),
        ("孙悦", "深圳 Shenzhen", "440300", date(today.year - 17, 1, 1), 8, "matched", "A minor of 17."),
        ("周捷", "南京 Nanjing", "320100", date(1991, 7, 9), 9, "mismatched", "The records say 周杰."),
        ("吴晓", "重庆 Chongqing", "500100", date(1993, 6, 6), 10, "not_found", "In no record."),
        (
            "郑好",
            "武汉 Wuhan",
            "420100",
            date(1987, 11, 3),
            11,
            "flaky",
            "503 twice for each request, then matched.",
        ),
        ("冯远", "西安 Xi'an", "610100", date(1979, 10, 10), 13, "unavailable", "Always 503."),
    ]
    return [
        TestPerson(name, made_up(area, birth, sequence), city, answers, note)
        for name, city, area, birth, sequence, answers, note in people
    ]


def anyone(id_number: str) -> bool:
    """May this unlisted number belong to whoever asks? So that a load test has as many buyers as it likes."""
    return id_number[4:6] == "00" and int(id_number[14:17]) >= OPEN_FROM
