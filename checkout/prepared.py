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

_LONGEST = 200  # characters of a field that are kept


class Prepared(msgspec.Struct, frozen=True):
    """As it was saved last. `payment` is one of drafts.METHODS; `whole`: nothing is missing or wrong."""

    receiver: Receiver
    payment: str
    whole: bool = True


def save(account: str, receiver: Receiver, payment: str) -> Prepared:
    """Keep these for the account's next order, in place of what was kept. Raises Invalid naming receiver.FIELD or
    payment."""
    clean, wrong = _checked(receiver, payment)
    if wrong:
        raise Invalid(**wrong)
    with writing() as session:
        _write(session, account, clean, payment)
    return Prepared(clean, payment)


def keep(account: str, receiver: Receiver, payment: str) -> None:
    """Keep what was typed, whole or not, so that nobody types it twice; but nothing half in place of a whole one."""
    clean, wrong = _checked(receiver, payment)
    with writing() as session:
        known = of_account(session, account)
        if not wrong or known is None or not known.whole:
            _write(session, account, clean, payment)


def of_account(session: Session, account: str) -> Prepared | None:
    """What the account prepared; None if nothing."""
    row = session.get(PreparedDetails, account)
    if row is None:
        return None
    receiver = msgspec.json.decode(row.receiver, type=Receiver)
    return Prepared(receiver, row.payment, not _checked(receiver, row.payment)[1])


def _checked(receiver: Receiver, payment: str) -> tuple[Receiver, dict[str, str]]:
    """Cleaned up, as far as it can be, and what is wrong with it."""
    clean, wrong = receiver, {}
    try:
        clean = check_receiver(receiver)
    except Invalid as error:
        wrong = dict(error.errors)
    if payment not in METHODS:
        wrong["payment"] = N_("Choose how you want to pay.")
    return clean, wrong


def _write(session: Session, account: str, receiver: Receiver, payment: str) -> None:
    said = {name: text[:_LONGEST] for name, text in asdict(receiver).items()}
    row = {"receiver": msgspec.json.encode(said).decode(), "payment": payment[:16], "saved_at": clock.now()}
    session.merge(PreparedDetails(account=account, **row))


def forget(session: Session, account: str) -> None:
    """Nothing is prepared any more."""
    session.execute(delete(PreparedDetails).where(PreparedDetails.account == account))
