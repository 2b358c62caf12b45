"""ID numbers: the vectors of the standard, the bounds of dates, masks, made-up numbers."""

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kyc import id_number
from runtime.facts import Invalid

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("text", "value", "birth", "sex"),
    [
        ("11010519491231002X", "11010519491231002X", date(1949, 12, 31), "female"),
        ("11010519491231002x", "11010519491231002X", date(1949, 12, 31), "female"),
        ("110100199001010019", "110100199001010019", date(1990, 1, 1), "male"),
        ("510100200002290032", "510100200002290032", date(2000, 2, 29), "male"),
        ("110100196003070126", "110100196003070126", date(1960, 3, 7), "female"),
        (" 110100 19900101 0019 ", "110100199001010019", date(1990, 1, 1), "male"),
        ("１１０１００１９９００１０１００１９", "110100199001010019", date(1990, 1, 1), "male"),
    ],
)
def test_numbers_as_people_type_them(text: str, value: str, birth: date, sex: str) -> None:
    number = id_number.parse(text, TODAY)
    assert (number.value, number.birth, number.sex, number.area) == (value, birth, sex, value[:6])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", id_number._LENGTH),
        ("11010019900101001", id_number._LENGTH),
        ("1101001990010100190", id_number._LENGTH),
        ("11010X199001010019", id_number._LENGTH),
        ("110100199001010010", id_number._CHECK),
        ("440524188001010014", id_number._BIRTH),  # a right check character, but 146 years
        ("110105491231002", id_number._OLD),
        ("990100199001010019", id_number._AREA),
        ("010100199001010019", id_number._AREA),
        ("110100199002300010", id_number._BIRTH),
        ("510100190002290032", id_number._BIRTH),  # 1900 was no leap year
        ("110100170001010010", id_number._BIRTH),
        (id_number.made_up("110100", date(2026, 11, 23), 1), id_number._BIRTH),  # tomorrow
        (id_number.made_up("110100", date(1905, 11, 22), 1), id_number._BIRTH),  # 121 today
    ],
)
def test_a_wrong_number_is_told_what_is_wrong(text: str, sentence: str) -> None:
    with pytest.raises(Invalid) as wrong:
        id_number.parse(text, TODAY)
    assert wrong.value.errors == {"id_number": sentence}


@pytest.mark.parametrize("birth", [TODAY, date(1905, 11, 23)])
def test_born_today_and_a_day_before_the_121st_birthday_are_dates_of_birth(birth: date) -> None:
    assert id_number.parse(id_number.made_up("310100", birth, 1), TODAY).birth == birth


def test_every_province_and_permit_prefix_of_the_table() -> None:
    good = [11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46,
            50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83]  # fmt: skip
    for prefix in range(100):
        first17 = f"{prefix:02d}010019900101001"
        number = first17 + id_number.check_character(first17)
        if prefix in good:
            assert id_number.parse(number, TODAY).value == number
        else:
            with pytest.raises(Invalid, match="not a place"):
                id_number.parse(number, TODAY)


@given(st.dates(date(1910, 1, 1), TODAY), st.integers(1, 999), st.integers(0, 17), st.integers(1, 9))
def test_one_misread_digit_never_passes_as_the_same_person(
    birth: date, seq: int, place: int, by: int
) -> None:
    value = id_number.made_up("440300", birth, seq)
    assert id_number.parse(value, TODAY).birth == birth
    digit = 10 if value[place] == "X" else int(value[place])
    misread = value[:place] + str((digit + by) % 10) + value[place + 1 :]
    if misread != value:
        with pytest.raises(Invalid):
            id_number.parse(misread, TODAY)


@given(st.text(max_size=24) | st.text("0123456789Xx -", min_size=14, max_size=20))
def test_whatever_is_typed_gives_a_number_or_invalid(text: str) -> None:
    with suppress(Invalid):
        assert id_number._FORM.fullmatch(id_number.parse(text, TODAY).value)


def test_the_old_form_converts() -> None:
    assert id_number.convert_old("110105491231002") == "11010519491231002X"
    for wrong in ("11010549123100", "11010519491231002X", "1101054912310X2"):
        with pytest.raises(Invalid):
            id_number.convert_old(wrong)


@pytest.mark.parametrize(
    ("area", "seq"), [("110105", 1), ("1101", 1), ("990100", 1), ("110100", 0), ("110100", 1000)]
)
def test_made_up_numbers_are_of_nobody(area: str, seq: int) -> None:
    with pytest.raises(ValueError):
        id_number.made_up(area, date(1990, 1, 1), seq)


def test_masks_and_reprs_show_little() -> None:
    number = id_number.parse("110100199001010019", TODAY)
    assert id_number.mask(number.value) == "110***********0019"
    assert repr(number) == "IdNumber(sex='male', area='110100')"


@pytest.mark.parametrize(
    ("birth", "day", "years"),
    [
        (date(2010, 11, 22), TODAY, 16),  # the birthday counts
        (date(2010, 11, 23), TODAY, 15),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
    ],
)
def test_age(birth: date, day: date, years: int) -> None:
    assert id_number.years(birth, day) == years
