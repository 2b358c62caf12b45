"""What a shopper prepared for their next order: where it goes and how they pay. Sealed like every address."""

from dataclasses import asdict

import msgspec
from sqlalchemy import delete
from sqlalchemy.orm import Session

from checkout.drafts import METHODS, check_receiver
from checkout.models import PreparedDetails
from logistics.parcels import Receiver
from runtime import clock
from runtime.db import writing
from runtime.facts import N_, Invalid


class Prepared(msgspec.Struct, frozen=True):
    """As it was saved last. `payment` is one of drafts.METHODS."""

    receiver: Receiver
    payment: str


def save(account: str, receiver: Receiver, payment: str) -> Prepared:
    """Keep these for the account's next order, in place of what was kept. Raises Invalid naming receiver.FIELD or
    payment."""
    clean, wrong = receiver, {}
    try:
        clean = check_receiver(receiver)
    except Invalid as error:
        wrong = dict(error.errors)
    if payment not in METHODS:
        wrong["payment"] = N_("Choose how you want to pay.")
    if wrong:
        raise Invalid(**wrong)
    row = {
        "receiver": msgspec.json.encode(asdict(clean)).decode(),
        "payment": payment,
        "saved_at": clock.now(),
    }
    with writing() as session:
        session.merge(PreparedDetails(account=account, **row))
    return Prepared(clean, payment)


def of_account(session: Session, account: str) -> Prepared | None:
    """What the account prepared; None if nothing."""
    row = session.get(PreparedDetails, account)
    if row is None:
        return None
    return Prepared(msgspec.json.decode(row.receiver, type=Receiver), row.payment)


def forget(session: Session, account: str) -> None:
    """Nothing is prepared any more."""
    session.execute(delete(PreparedDetails).where(PreparedDetails.account == account))
