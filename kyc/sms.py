"""SMS: a sealed row in the caller's transaction, sent through the outbox, erased once the gateway has it."""

from datetime import timedelta

import httpx2
from sqlalchemy import update
from sqlalchemy.orm import Session

from kyc import phones
from kyc.models import SmsMessage
from runtime import clock, outbox
from runtime.crash import point
from runtime.db import reading, writing
from runtime.http import client
from runtime.ids import new_id
from runtime.log import log
from runtime.settings import settings

PATIENCE = 3.0  # seconds
NOTICE_LASTS = 86_400  # seconds; who did not get a notice within a day is not helped by it


class GatewayError(Exception):
    """The gateway did not take a message. Names a status, never a number or a text."""


def text(session: Session, phone: str, text: str, *, lasts: int = NOTICE_LASTS) -> None:
    """Send a text, at most `lasts` seconds from now. Raises Invalid(phone=...)."""
    phone = phones.normalise(phone)
    at = clock.now()
    message = SmsMessage(
        id=new_id("sms"),
        masked_phone=phones.mask(phone),
        phone=phone,
        text=text,
        state="queued",
        made_at=at,
        expires_at=at + timedelta(seconds=lasts),
    )
    session.add(message)
    outbox.add(session, "sms.send", message.id)


def _give_up(message_id: str) -> None:
    with writing() as session:
        _close(session, message_id, "failed")


@outbox.handles("sms.send", queue="notices", on_death=_give_up)
def send(message_id: str) -> None:
    """Hand a message to the gateway. May run twice: the gateway takes an id once.

    An outdated message is not sent, since a code that comes late only confuses.
    """
    with reading() as session:
        message = session.get(SmsMessage, message_id)
    if message is None or message.state != "queued" or message.phone is None or message.text is None:
        return
    if message.expires_at <= clock.now():
        state = "expired"
    else:
        point("sms.sending")
        state = "sent" if _hand_over(message_id, message.phone, message.text) else "failed"
        point("sms.sent")
    with writing() as session:
        _close(session, message_id, state)


def _hand_over(message_id: str, to: str, text: str) -> bool:
    """False when the gateway will never take it; raises GatewayError when it may later."""
    if not settings().sms_url:
        raise GatewayError("HAOKA_SMS_URL is not set")
    headers = {"Authorization": f"Bearer {settings().sms_key}"}
    try:
        with client(settings().sms_url, timeout=PATIENCE, headers=headers) as gateway:
            reply = gateway.post("/v1/messages", json={"id": message_id, "to": to, "text": text})
    except httpx2.HTTPError as trouble:
        raise GatewayError(f"the SMS gateway did not answer ({type(trouble).__name__})") from None
    if reply.status_code in (400, 422):
        log.warning("sms.refused", message=message_id, status=reply.status_code)
        return False
    if reply.status_code != 200:
        raise GatewayError(f"the SMS gateway answered {reply.status_code}")
    return True


def _close(session: Session, message_id: str, state: str) -> None:
    """Number and text go with the same UPDATE that says how it ended."""
    queued = update(SmsMessage).where(SmsMessage.id == message_id, SmsMessage.state == "queued")
    session.execute(queued.values(state=state, phone=None, text=None, closed_at=clock.now()))
