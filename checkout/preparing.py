"""From paid to packed: SIM and handset bound, account opened, parcel made; each step its own transaction."""

from sqlalchemy.orm import Session

from checkout import addresses, moves, orders
from checkout.models import Order
from inventory import holds, numbers, units
from kyc import people
from logistics import parcels
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import N_, Fact

STEPS = {
    "paid": "allocated",
    "cod_confirmed": "allocated",
    "allocated": "account_opened",
    "account_opened": "packed",
}


class NotVerified(Fact):
    """No account is opened without a matched verification of the very person who ordered."""

    code = "not_verified"
    text = N_("The identity of the buyer is not verified.")


def prepare(order_id: str) -> None:
    """Take a paid or COD-confirmed order to packed. Run again, it goes on where it stopped, or finds it cancelled.

    Raises NotVerified (DOMAIN invariant 6), Lapsed when a COD order lost its number, NoCourier; the outbox then
    tries again and in the end tells ops."""
    with reading() as session:
        order = orders.find(session, order_id)
    while order.state in STEPS:
        if order.state == "cod_confirmed":
            # Promised like a paid one: from here only a refusal at the door brings the number back.
            holds.settle(order.drop_id, order_id, order.number)
        with writing() as session:
            order = orders.find(session, order_id)
            if order.state in STEPS:
                _step(session, order)
        point(f"order.{order.state}")


def _step(session: Session, order: Order) -> None:
    person = people.find(session, order.person_id)
    if person.state != "verified" or person.id_index != order.id_index:
        raise NotVerified(order=order.id)
    if order.state == "allocated":
        numbers.assign(session, order.number)
        note = N_("The account is open.")
    elif order.state == "account_opened":
        parcels.create(
            session,
            order_id=order.id,
            receiver=addresses.receiver(order),
            goods=addresses.goods(order),
            cod_fen=order.due_now_fen if order.payment == "cod" else 0,
            insured_fen=addresses.insured_fen(order),
            id_holder=order.name_masked,
            id_last4=person.masked_id[-4:],
        )
        note = N_("Packed for the courier.")
    else:
        units.bind(session, order.id, order.sku, order.drop_id)
        note = N_("The SIM card is ready.")
    moves.move(session, order, STEPS[order.state], note=note)
