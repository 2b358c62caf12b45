"""Rebuilding a drop whose Redis lost everything: SQL says which numbers are in live orders, the rest is free."""

from sqlalchemy import select

from checkout.audit import in_redis
from checkout.models import Order
from inventory import stock
from inventory.stock import LiveOrder
from runtime.db import reading


def rebuild(drop_id: str) -> list[str]:
    """Load a lost drop again; gives the ids of orders whose number was not there to give (none, unless SQL is wrong).

    Holds are over: they were a promise for minutes and nobody has paid for them. Raises WrongMove when the drop is
    not lost, so a live drop is never loaded over."""
    with reading() as session:
        live = session.scalars(select(Order).where(Order.drop_id == drop_id, Order.live).order_by(Order.id))
        orders = [
            LiveOrder(
                order=o.id, number=o.number, account=o.account, state=in_redis(o), person=o.id_index,
                offer=o.offer_id, sku=o.sku, hold=o.hold_id,
            )
            for o in live
        ]  # fmt: skip
    return stock.rebuild(drop_id, orders)
