"""SMS: sealed while they wait, handed over once, erased after; and the code that one of them carries."""

from datetime import timedelta

import httpx2
from sqlalchemy import select

from kyc import codes, sms
from kyc.models import SmsMessage
from runtime import clock, outbox
from runtime.db import reading, writing

PHONE = "18612345678"


def send_code() -> None:
    with writing() as session:
        codes.send(session, PHONE, purpose="sign", binding="ord_1")


def weather(twins: str, word: str) -> None:
    assert httpx2.post(f"{twins}/sms/weather", data={"weather": word}, trust_env=False).status_code == 303


def received(twins: str, phone: str = PHONE) -> list[dict[str, str | None]]:
    found: list[dict[str, str | None]] = httpx2.get(
        f"{twins}/sms/", params={"phone": phone}, trust_env=False
    ).json()["messages"]
    return found


def test_a_code_arrives_and_its_message_is_erased_here(db: None, twins: str) -> None:
    send_code()
    assert outbox.drain("notices") == 1
    message = received(twins)[0]
    code = message["code"] or ""
    assert (message["to"], message["text"]) == (
        PHONE,
        f"【号卡】验证码 {code}，您正在签署入网协议，5 分钟内有效，请勿告诉他人。"
        f"Haoka code {code} to sign your contract, valid 5 min. Keep it to yourself.",
    )
    with writing() as session:
        row = session.scalars(select(SmsMessage)).one()
        assert (row.state, row.phone, row.text, row.masked_phone) == ("sent", None, None, "186****5678")
        assert codes.check(session, PHONE, purpose="sign", binding="ord_1", code=code)


def test_a_message_is_sealed_while_it_waits(db: None) -> None:
    with writing() as session:
        sms.text(session, PHONE, "Your parcel is on its way.")
    with reading() as session:
        row = session.connection().exec_driver_sql("SELECT phone, text FROM sms_log").one()
        kept = session.scalars(select(SmsMessage)).one()
        assert (kept.phone, kept.text) == (PHONE, "Your parcel is on its way.")
    sealed = b"".join(bytes(value) for value in row)
    assert (PHONE.encode() in sealed, b"parcel" in sealed) == (False, False)


def test_a_message_handed_over_twice_arrives_once(db: None, twins: str) -> None:
    with writing() as session:
        sms.text(session, PHONE, "您的包裹已发出。Your parcel is on its way.")
    with reading() as session:
        message_id = session.scalars(select(SmsMessage.id)).one()
    assert sms._hand_over(message_id, PHONE, "您的包裹已发出。Your parcel is on its way.")
    sms.send(message_id)
    sms.send(message_id)
    assert [(one["text"], one["code"]) for one in received(twins)] == [
        ("您的包裹已发出。Your parcel is on its way.", None)
    ]


def test_a_gateway_that_is_down_gets_it_later_unless_it_is_too_late(db: None, twins: str) -> None:
    weather(twins, "down")
    send_code()
    with writing() as session:
        sms.text(session, "18612345679", "您的包裹已发出。")
    outbox.drain("notices")
    weather(twins, "up")
    clock.shift(timedelta(seconds=400))
    assert outbox.drain("notices") == 2
    assert (received(twins), len(received(twins, "18612345679"))) == ([], 1)
    with reading() as session:
        rows = session.execute(select(SmsMessage.state, SmsMessage.text).order_by(SmsMessage.state)).all()
        assert [tuple(row) for row in rows] == [("expired", None), ("sent", None)]


def test_a_message_nobody_takes_is_erased_after_the_last_try(db: None, twins: str) -> None:
    weather(twins, "down")
    with writing() as session:
        sms.text(session, PHONE, "您的包裹已发出。")
    waited = 0.0
    for seconds in (0, *outbox.BACKOFF):
        waited += seconds + 1
        clock.shift(timedelta(seconds=waited))
        outbox.drain("notices")
    with reading() as session:
        assert session.execute(select(SmsMessage.state, SmsMessage.text)).one() == ("failed", None)


def test_a_message_the_gateway_refuses_is_not_tried_again(db: None, twins: str) -> None:
    with writing() as session:
        sms.text(session, PHONE, "您的包裹已发出。")
        session.flush()
        session.scalars(select(SmsMessage)).one().phone = "10086"
    assert outbox.drain("notices") == 1
    with reading() as session:
        assert session.execute(select(SmsMessage.state, SmsMessage.phone)).one() == ("failed", None)
        assert session.scalars(select(outbox.OutboxRow.state)).all() == ["done"]
