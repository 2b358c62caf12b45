"""Names and mobile numbers: what is accepted, the one stored form, the masks."""

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kyc import names, phones
from runtime.facts import Invalid


@pytest.mark.parametrize(
    ("text", "name", "masked"),
    [
        ("李雷", "李雷", "李*"),
        (" 李　雷 ", "李雷", "李*"),
        ("李\u200b雷\ufe00", "李雷", "李*"),
        ("欧阳娜娜", "欧阳娜娜", "欧***"),
        ("买买提·吐尔逊", "买买提·吐尔逊", "买**·***"),
        ("买买提•吐尔逊", "买买提·吐尔逊", "买**·***"),
        ("买买提．吐尔逊", "买买提·吐尔逊", "买**·***"),
        ("买买提.吐尔逊", "买买提·吐尔逊", "买**·***"),
        ("𠮷野", "𠮷野", "𠮷*"),
        ("王\U00031350", "王\U00031350", "王*"),
        ("〇一", "〇一", "〇*"),
        ("\uf9d1华", "六华", "六*"),  # NFC folds a compatibility ideograph
        ("欧" * 20, "欧" * 20, "欧" + "*" * 19),
    ],
)
def test_names(text: str, name: str, masked: str) -> None:
    assert (names.normalise(text), names.mask(name)) == (name, masked)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "李",
        "Li Lei",
        "李lei",
        "李雷1",
        "·李雷",
        "李雷·",
        "李··雷",
        "欧" * 21,
        "李雷\ue863",
        "<李雷>",
        "李·",
    ],
)
def test_no_names(text: str) -> None:
    with pytest.raises(Invalid) as wrong:
        names.normalise(text)
    assert list(wrong.value.errors) == ["name"]


@pytest.mark.parametrize(
    "text",
    [
        "18612345678",
        "+8618612345678",
        "86 186-1234-5678",
        "0086 18612345678",
        "１８６１２３４５６７８",
        "(186) 1234 5678",
    ],
)
def test_phones_in_every_spelling(text: str) -> None:
    assert phones.normalise(text) == "18612345678"
    assert phones.mask("18612345678") == "186****5678"


@pytest.mark.parametrize(
    "text",
    ["", "1861234567", "186123456789", "12612345678", "15412345678", "+85291234567", "+118612345678", "1861234567a",
     "01062345678", "+86+8618612345678", "18612345678\n18612345679"],
)  # fmt: skip
def test_no_mainland_mobiles(text: str) -> None:
    with pytest.raises(Invalid) as wrong:
        phones.normalise(text)
    assert list(wrong.value.errors) == ["phone"]


@given(st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
@example("17400000000")
@example("16100000000")
def test_the_rule_is_libphonenumbers(phone: str) -> None:
    kind = phonenumbers.number_type(phonenumbers.parse(phone, "CN"))
    try:
        ours = phones.normalise(phone) == phone
    except Invalid:
        ours = False
    assert ours == (kind == phonenumbers.PhoneNumberType.MOBILE)
