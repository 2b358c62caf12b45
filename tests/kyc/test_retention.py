"""What is forgotten on schedule, and what is not."""

from datetime import date, timedelta

from sqlalchemy import func, select

from kyc import codes, people, retention, sms
from kyc.id_number import made_up
from kyc.models import CodeTurn, IdentityAnswer, OneTimeCode, Person, SmsMessage
from runtime import clock, outbox
from runtime.db import reading, writing

LI = ("李雷", "110100199001010019")


def count(model: type[Person | IdentityAnswer | OneTimeCode | CodeTurn | SmsMessage]) -> int:
    with reading() as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def states() -> list[str]:
    with reading() as session:
        return sorted(session.scalars(select(Person.state)))


def test_a_day_after_and_a_month_after(db: None, twins: str) -> None:
    with writing() as session:
        people.enrol(session, "acc_li", *LI, min_age=16)
        people.enrol(session, "acc_wang", "李磊", LI[1], min_age=16)
        codes.send(session, "18612345678", purpose="login", binding="tab-1")
        sms.text(session, "18612345678", "您的包裹已发出。", lasts=90 * 86_400)
    outbox.drain_all()
    retention.tick()
    models = (IdentityAnswer, OneTimeCode, CodeTurn, SmsMessage)
    assert ([count(model) for model in models], states()) == ([2, 1, 1, 2], ["refused", "verified"])
    clock.shift(timedelta(hours=25))
    with writing() as session:  # pending is no failure
        people.enrol(session, "acc_zhao", "赵云", made_up("110100", date(1990, 3, 3), 1), min_age=16)
    for _ in range(2):
        retention.tick()
        assert ([count(model) for model in models], states()) == (
            [0, 0, 0, 2],
            ["erased", "pending", "verified"],
        )
    clock.shift(timedelta(days=31))
    retention.tick()
    assert count(SmsMessage) == 0


def test_who_tries_again_in_time_is_not_forgotten(db: None, twins: str) -> None:
    with writing() as session:
        people.enrol(session, "acc_wang", "李磊", LI[1], min_age=16)
    outbox.drain("checks")
    clock.shift(timedelta(hours=25))
    with writing() as session:
        people.enrol(session, "acc_wang", "李磊", LI[1], min_age=16)
    retention.tick()
    assert states() == ["pending"]
