"""From enrolment to verdict: against the real twin over HTTP, with its refusals, failures and retries."""

from datetime import timedelta
from threading import Thread

import httpx2
import pytest
from sqlalchemy import select

from kyc import cases, identity, people, sandbox_identity
from kyc.cases import CaseNews
from kyc.models import Person, VaultRead, VerificationCase
from kyc.sandbox_people import TestPerson, listed
from runtime import clock, outbox
from runtime.db import reading, writing
from runtime.facts import NotFound, WrongMove
from runtime.settings import settings

LI = ("李雷", "110100199001010019")


def person_who(answers: str) -> TestPerson:
    return next(one for one in listed(clock.shanghai_date()) if one.answers == answers)


def enrol(name: str, number: str, account: str = "acc_li", min_age: int = 16) -> Person:
    with writing() as session:
        return people.enrol(session, account, name, number, min_age=min_age)


def state_of(person_id: str) -> tuple[str, str]:
    with reading() as session:
        person = people.find(session, person_id)
        return person.state, person.refusal


def the_case() -> VerificationCase:
    with reading() as session:
        return session.scalars(select(VerificationCase).order_by(VerificationCase.opened_at.desc())).all()[0]


def news() -> list[CaseNews]:
    with writing() as session:
        return cases.take_news(session)


def later(seconds: float = 0, *, so_far: list[float]) -> None:
    so_far.append(seconds)
    clock.shift(timedelta(seconds=sum(so_far)))
    outbox.drain("checks")


def weather(twins: str, word: str) -> None:
    assert (
        httpx2.post(f"{twins}/identity/weather", data={"weather": word}, trust_env=False).status_code == 303
    )


@pytest.mark.parametrize(
    ("answers", "outcome", "state"),
    [
        ("matched", "matched", "verified"),
        ("mismatched", "mismatched", "refused"),
        ("not_found", "not_found", "refused"),
    ],
)
def test_each_verdict_of_the_service(
    db: None, twins: str, answers: str, outcome: identity.Outcome, state: str
) -> None:
    one = person_who(answers)
    person = enrol(one.name, one.id_number)
    assert outbox.drain("checks") == 1
    assert state_of(person.id) == (state, cases.REFUSALS[outcome])
    assert the_case().decided_by == "service"
    assert news() == [CaseNews(person.id, outcome)]
    assert news() == []
    with reading() as session:
        reads = [(read.who, read.subject) for read in session.scalars(select(VaultRead))]
        assert reads == [("kyc.verify", person.id)]


def test_a_verified_person_is_not_asked_about_again(db: None, twins: str) -> None:
    person = enrol(*LI)
    outbox.drain("checks")
    assert enrol(*LI).id == person.id
    assert outbox.drain("checks") == 0
    with reading() as session:
        found = people.of_account(session, "acc_li")
        assert found
        assert (found.id, found.state) == (person.id, "verified")


def test_a_wrong_name_is_corrected_by_enrolling_again(db: None, twins: str) -> None:
    wrong = enrol("李磊", LI[1])
    outbox.drain("checks")
    assert state_of(wrong.id) == ("refused", cases.REFUSALS["mismatched"])
    with reading() as session:
        assert people.of_account(session, "acc_li") is None
    right = enrol(*LI)
    assert right.id != wrong.id
    outbox.drain("checks")
    assert state_of(right.id) == ("verified", "")


def test_the_same_wrong_data_again_ends_in_news_and_costs_nothing(db: None, twins: str) -> None:
    wrong = enrol("李磊", LI[1])
    outbox.drain("checks")
    assert len(news()) == 1
    assert enrol("李磊", LI[1]).state == "pending"
    outbox.drain("checks")
    assert news() == [CaseNews(wrong.id, "mismatched")]
    assert (the_case().decided_by, the_case().asked) == ("cache", 0)


def test_an_answer_is_remembered_for_a_day_over_accounts(db: None, twins: str) -> None:
    enrol(*LI)
    outbox.drain("checks")
    weather(twins, "down")
    sister = enrol(*LI, account="acc_sister")
    outbox.drain("checks")
    assert state_of(sister.id) == ("verified", "")
    clock.shift(timedelta(hours=25))
    brother = enrol(*LI, account="acc_brother")
    outbox.drain("checks")
    assert state_of(brother.id) == ("pending", "")


def test_unavailable_twice_and_then_matched(db: None, twins: str) -> None:
    one = person_who("flaky")
    person, so_far = enrol(one.name, one.id_number), [0.0]
    for seconds in (0, 2, 6):
        assert state_of(person.id) == ("pending", "")
        later(seconds, so_far=so_far)
    assert state_of(person.id) == ("verified", "")
    assert (the_case().asked, the_case().state) == (3, "matched")


def test_no_verdict_in_all_tries_goes_to_review_and_never_passes(db: None, twins: str) -> None:
    one = person_who("unavailable")
    person, so_far = enrol(one.name, one.id_number), [0.0]
    for seconds in (0, *outbox.BACKOFF):
        later(seconds + 1, so_far=so_far)
    assert (the_case().state, the_case().asked) == ("error", outbox.TRIES)
    assert state_of(person.id) == ("pending", "")
    assert news() == []
    with writing() as session:
        assert [case.id for case in cases.for_review(session)] == [the_case().id]
        with pytest.raises(WrongMove):
            cases.review(session, the_case().id, "matched", actor="zhao", reason=" ")
        cases.review(session, the_case().id, "matched", actor="zhao", reason="saw the card")
        with pytest.raises(WrongMove):
            cases.review(session, the_case().id, "mismatched", actor="zhao", reason="a second thought")
    assert (state_of(person.id), the_case().decided_by) == (("verified", ""), "ops:zhao")
    assert news() == [CaseNews(person.id, "matched")]


def test_ops_asks_the_service_again(db: None, twins: str) -> None:
    person = enrol(*LI)
    with writing() as session:
        with pytest.raises(WrongMove):
            cases.ask_again(session, the_case().id, actor="zhao", reason="it is back")
        with pytest.raises(NotFound):
            cases.ask_again(session, "case_none", actor="zhao", reason="it is back")
    cases._give_up(the_case().id)
    assert outbox.drain("checks") == 1  # the first row finds the case waiting for a person
    assert the_case().state == "error"
    with writing() as session:
        cases.ask_again(session, the_case().id, actor="zhao", reason="it is back")
    outbox.drain("checks")
    assert state_of(person.id) == ("verified", "")
    assert (the_case().decided_by, the_case().reason) == ("service", "it is back")


def test_a_case_open_for_long_is_shown_to_ops(db: None) -> None:
    enrol(*LI)
    with reading() as session:
        assert (cases.for_review(session), cases.waiting(session)) == ([], 0)
        clock.shift(timedelta(minutes=31))
        assert (len(cases.for_review(session)), cases.waiting(session)) == (1, 1)


@pytest.mark.parametrize("word", ["down", "slow"])
def test_a_bad_service_is_no_verdict(
    db: None, twins: str, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setattr(identity, "PATIENCE", 0.2)
    monkeypatch.setattr(sandbox_identity, "SLOW", 0.5)
    weather(twins, word)
    person, so_far = enrol(*LI), [0.0]
    later(so_far=so_far)
    assert (state_of(person.id), the_case().state) == (("pending", ""), "submitted")
    weather(twins, "up")
    later(2, so_far=so_far)
    assert state_of(person.id) == ("verified", "")


def test_a_verification_run_twice_decides_once(db: None, twins: str) -> None:
    enrol(*LI)
    runs = [Thread(target=cases.verify, args=(the_case().id,)) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    cases.verify(the_case().id)
    assert len(news()) == 1


def test_a_wrong_key_or_an_odd_answer_is_no_verdict(
    db: None, twins: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask() -> str:
        with pytest.raises(identity.IdentityError) as trouble:
            identity.ask("case_1", *LI)
        assert LI[1] not in str(trouble.value)
        return str(trouble.value)

    tries = [
        ("HAOKA_IDENTITY_KEY", "wrong", "answered 401"),
        ("HAOKA_IDENTITY_URL", f"{twins}/sms", "answered 404"),
        ("HAOKA_IDENTITY_URL", "http://127.0.0.1:9", "did not answer (ConnectError)"),
    ]
    for variable, value, message in tries:
        monkeypatch.setenv(variable, value)
        settings.cache_clear()
        assert ask() == f"the identity service {message}"
    monkeypatch.delenv("HAOKA_IDENTITY_URL")
    monkeypatch.delenv("HAOKA_SANDBOX_URL")
    settings.cache_clear()
    assert ask() == "HAOKA_IDENTITY_URL is not set"
    monkeypatch.setenv("HAOKA_SANDBOX_URL", twins)


def test_news_is_news_again_when_its_taker_fails(db: None, twins: str) -> None:
    enrol(*LI)
    outbox.drain("checks")
    with pytest.raises(RuntimeError):
        take_news_and_fail()
    assert len(news()) == 1


def take_news_and_fail() -> None:
    with writing() as session:
        assert len(cases.take_news(session)) == 1
        raise RuntimeError
