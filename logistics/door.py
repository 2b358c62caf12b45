"""The one-time code the shopper shows at the door, proof that the ID was checked face to face."""

import hmac
import secrets

from sqlalchemy import update
from sqlalchemy.orm import Session

from logistics.models import Parcel
from runtime.crypto import digest

TRIES = 5  # wrong tries that burn a code: one chance in 200,000 to guess it


def new_code(session: Session, parcel: Parcel) -> str:
    """Six digits; the parcel keeps their HMAC, bound to the order, and the tries start again."""
    code = f"{secrets.randbelow(1_000_000):06d}"
    session.execute(
        update(Parcel)
        .where(Parcel.id == parcel.id)
        .values(door_digest=_digest(parcel, code), door_tries=0)
        .execution_options(synchronize_session=False)
    )
    session.refresh(parcel)
    return code


def check(session: Session, parcel: Parcel, code: str) -> str:
    """What the code proves: checked, wrong_code, no_code, burnt or none_made. A right code is used up.

    The try is taken before the code is compared, in one UPDATE, so that many scans at once get five tries in all.
    The caller commits a wrong try too."""
    if not code:
        return "no_code"
    if parcel.door_digest is None:
        return "none_made"
    taken = session.scalars(
        update(Parcel)
        .where(Parcel.id == parcel.id, Parcel.door_digest == parcel.door_digest, Parcel.door_tries < TRIES)
        .values(door_tries=Parcel.door_tries + 1)
        .returning(Parcel.door_tries)
        .execution_options(synchronize_session=False)
    ).all()
    if not taken:
        return "burnt"
    right = hmac.compare_digest(parcel.door_digest, _digest(parcel, code.strip()))
    if right:
        session.execute(
            update(Parcel)
            .where(Parcel.id == parcel.id)
            .values(door_digest=None)
            .execution_options(synchronize_session=False)
        )
    session.refresh(parcel)
    return "checked" if right else "wrong_code"


def tries_left(parcel: Parcel) -> int:
    """How often a courier may still try; 0 when there is no live code."""
    return TRIES - parcel.door_tries if parcel.door_digest else 0


def _digest(parcel: Parcel, code: str) -> str:
    # By order, not by parcel: a parcel sent on with another courier keeps the code its shopper was given.
    return digest("door", parcel.order_id, code)
