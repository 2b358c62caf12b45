"""One-time codes: bound, single, short-lived, few tries, few sends."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from kyc import codes
from kyc.models import OneTimeCode, SmsMessage
from runtime import clock
from runtime.db import reading, writing
from runtime.facts import Invalid, TooMany

PHONE = "18612345678"


def send(phone: str = PHONE, purpose: codes.Purpose = "login", binding: str = "tab-1") -> str:
    """Send a code and read it from the sealed message."""
    with writing() as session:
        codes.send(session, phone, purpose=purpose, binding=binding)
    with reading() as session:
        newest = session.scalars(select(SmsMessage).order_by(SmsMessage.id.desc())).all()[0]
        found = re.search(r"[0-9]{6}", newest.text or "")
        assert found
        return found.group()


def check(code: str, phone: str = PHONE, purpose: codes.Purpose = "login", binding: str = "tab-1") -> bool:
    with writing() as session:
        return codes.check(session, phone, purpose=purpose, binding=binding, code=code)


def another(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_a_code_works_once(db: None) -> None:
    code = send()
    assert [check(code), check(code)] == [True, False]


def test_a_code_typed_on_a_chinese_keyboard_or_in_groups_works(db: None) -> None:
    code = send("+86 186 1234 5678")
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in code)
    assert check(f" {wide[:3]} {wide[3:]} ")


@pytest.mark.parametrize(
    ("phone", "purpose", "binding"),
    [("18612345679", "login", "tab-1"), (PHONE, "sign", "tab-1"), (PHONE, "login", "tab-2")],
)
def test_a_code_is_bound_to_phone_purpose_and_tab(
    db: None, phone: str, purpose: codes.Purpose, binding: str
) -> None:
    code = send()
    assert not check(code, phone, purpose, binding)
    assert check(code)


def test_the_fifth_wrong_try_burns_the_code(db: None) -> None:
    code = send()
    assert not any(check(another(code)) for _ in range(codes.TRIES))
    assert not check(code)


def test_the_fifth_try_may_still_be_right(db: None) -> None:
    code = send()
    assert not any(check(another(code)) for _ in range(codes.TRIES - 1))
    assert check(code)


def test_guesses_at_the_same_time_are_counted_one_by_one(db: None) -> None:
    code = send()
    guesses = [another(code)] * 15
    with ThreadPoolExecutor(15) as pool:
        assert not any(pool.map(check, guesses))
    with reading() as session:
        row = session.scalars(select(OneTimeCode)).one()
        assert (row.state, row.tries) == ("burnt", codes.TRIES)


def test_the_right_code_twenty_times_at_once_opens_once(db: None) -> None:
    code = send()
    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(check, [code] * 20)) == 1


def test_a_code_lives_five_minutes(db: None) -> None:
    code = send()
    clock.shift(timedelta(seconds=301))
    assert not check(code)
    clock.shift(timedelta(seconds=298))
    assert check(code)


def test_a_newer_code_burns_the_older_of_its_tab_only(db: None) -> None:
    first = send()
    clock.shift(timedelta(seconds=61))
    other_tab = send(binding="tab-2")
    clock.shift(timedelta(seconds=122))
    second = send()
    if first != second:
        assert not check(first)
    assert [check(second), check(other_tab, binding="tab-2")] == [True, True]


def wait_for(attempt: Callable[[], object]) -> int:
    with pytest.raises(TooMany) as many:
        attempt()
    return many.value.retry_after


def test_one_a_minute_five_an_hour_ten_a_day(db: None) -> None:
    start, at = clock.now(), 0

    def go_to(seconds: int) -> None:
        clock.shift(start + timedelta(seconds=seconds) - (clock.now() - clock._offset))

    send()
    assert 58 <= wait_for(send) <= 60
    for n in range(1, 5):
        at = 61 * n
        go_to(at)
        send()
    go_to(at + 61)
    assert abs(wait_for(send) - (3600 - at - 61)) <= 2
    for n in range(5):
        at = 3700 + 61 * n
        go_to(at)
        send()
    go_to(at + 3601)
    assert abs(wait_for(send) - (86_400 - at - 3601)) <= 2
    go_to(86_401)
    send()


def test_limits_are_counted_for_each_purpose_and_phone(db: None) -> None:
    send()
    assert send(purpose="sign")
    assert send("18612345679")
    assert wait_for(lambda: send(binding="another tab")) > 0


def test_two_requests_at_once_send_one_code(db: None) -> None:
    def attempt(_n: int) -> bool:
        try:
            with writing() as session:
                codes.send(session, PHONE, purpose="login", binding="tab-1")
        except TooMany:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1


def test_no_code_for_other_countries(db: None) -> None:
    with pytest.raises(Invalid):
        send("+852 9123 4567")


def test_neither_code_nor_phone_stands_in_the_table(db: None) -> None:
    code = send()
    with reading() as session:
        row = session.scalars(select(OneTimeCode)).one()
        columns = [column.key for column in OneTimeCode.__table__.columns if column.key != "id"]
        shown = " ".join(str(getattr(row, column)) for column in columns)
    assert PHONE not in shown
    assert not re.search(rf"\b{code}\b", shown)


def test_guessing_at_many_phones_raises_an_alarm(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "FAILED_PER_HOUR", 4)
    with capture_logs() as logs:
        for n in range(4):
            phone = f"1861234567{n}"
            assert not check(another(send(phone)), phone)
    assert [(line["event"], line["failed"]) for line in logs] == [("codes.failed_budget", 4)]
