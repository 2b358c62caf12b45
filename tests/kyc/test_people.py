"""Enrolment: one person for the same data, both fields judged at once, age by the Shanghai date, a limit of tries."""

from datetime import date, timedelta
from threading import Thread

import pytest
from sqlalchemy import func, select

from kyc import people
from kyc.id_number import made_up
from kyc.models import Person, VerificationCase
from runtime import clock, outbox
from runtime.db import reading, writing
from runtime.facts import Invalid, TooMany

LI = ("李雷", "110100199001010019")


def enrol(name: str, number: str, account: str = "acc_li", min_age: int = 16) -> Person:
    with writing() as session:
        return people.enrol(session, account, name, number, min_age=min_age)


def test_enrolling_again_is_the_same_person_and_one_question(db: None) -> None:
    first = enrol(*LI)
    again = enrol("李 雷", "1101 0019 9001 0100 19")
    assert (again.id, again.state) == (first.id, "pending")
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(VerificationCase)) == 1
        assert session.scalar(select(func.count()).select_from(outbox.OutboxRow)) == 1


def test_two_tabs_at_once_are_one_person(db: None) -> None:
    ids: list[str] = []
    tabs = [Thread(target=lambda: ids.append(enrol(*LI).id)) for _ in range(6)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert (len(ids), len(set(ids))) == (6, 1)


def test_one_id_in_two_accounts_is_two_people_with_one_index(db: None) -> None:
    li, mother = enrol(*LI), enrol(*LI, account="acc_mother")
    assert li.id != mother.id
    assert li.id_index == mother.id_index == people.index(LI[1])


def test_both_wrong_fields_are_named_together(db: None) -> None:
    with pytest.raises(Invalid) as wrong:
        enrol("Li Lei", "110100199001010010")
    assert sorted(wrong.value.errors) == ["id_number", "name"]


def test_age_is_judged_by_the_date_in_shanghai(db: None) -> None:
    today = clock.shanghai_date()
    sixteen = made_up("110100", date(today.year - 16, 1, 1), 901)
    assert enrol("李小雷", sixteen, min_age=16).state == "pending"
    with pytest.raises(people.TooYoung) as young:
        enrol("李小雷", sixteen, min_age=18)
    assert (young.value.details["min_age"], list(young.value.errors)) == (18, ["id_number"])
    born = date(today.year - 16, 6, 15)
    eve_in_utc = clock.now().replace(month=6, day=14, hour=15, minute=59, second=0)  # 23:59 in Shanghai
    clock.shift(eve_in_utc - clock.now())
    with pytest.raises(people.TooYoung):
        enrol("李小雷", made_up("110100", born, 902), min_age=16)
    clock.shift(timedelta())
    clock.shift(eve_in_utc + timedelta(minutes=2) - clock.now())
    assert enrol("李小雷", made_up("110100", born, 902), min_age=16).state == "pending"


def test_an_account_cannot_go_through_a_list_of_names(db: None) -> None:
    for n in range(people.QUESTIONS_PER_DAY):
        enrol("李" + chr(0x4E00 + n), LI[1])
    with pytest.raises(TooMany):
        enrol(*LI)
    assert enrol("李一", LI[1]).state == "pending"  # known already: no question
    clock.shift(timedelta(hours=25))
    assert enrol(*LI).state == "pending"
