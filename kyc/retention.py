"""Forgets on schedule: failed identity checks after a day, remembered answers and codes after a day, SMS records
after a month. People with numbers are kept while they have them, and two years longer; that is ops' to start."""

from datetime import timedelta

from sqlalchemy import delete, select

from kyc import vault
from kyc.models import CodeTurn, IdentityAnswer, OneTimeCode, Person, SmsMessage
from runtime import clock
from runtime.db import writing
from runtime.log import log

DAY = timedelta(hours=24)
MONTH = timedelta(days=30)
_BATCH = 200  # people in one transaction


def tick() -> None:
    """Run every few minutes; a missed or doubled run does no harm."""
    at = clock.now()
    with writing() as session:
        session.execute(delete(IdentityAnswer).where(IdentityAnswer.answered_at < at - DAY))
        session.execute(delete(OneTimeCode).where(OneTimeCode.sent_at < at - DAY))
        session.execute(delete(CodeTurn).where(CodeTurn.at < at - DAY))
        session.execute(delete(SmsMessage).where(SmsMessage.closed_at < at - MONTH))
    with writing() as session:
        # Locked, so that nobody who enrols again just now is forgotten with the failure of yesterday.
        refused = session.scalars(
            select(Person.id)
            .where(Person.state == "refused", Person.decided_at < at - DAY)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        for person_id in refused:
            vault.erase_person(session, person_id, who="kyc.retention", why="identity check failed a day ago")
    if refused:
        log.info("kyc.forgotten", people=len(refused))
