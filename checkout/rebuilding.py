"""Rebuilding a drop whose Redis lost everything: SQL says which numbers are in live orders, the rest is free."""

from collections import Counter

from sqlalchemy import select

from checkout.audit import in_redis
from checkout.models import Order
from inventory import campaigns, drops, stock
from inventory.stock import LiveOrder
from runtime.db import reading


def rebuild(drop_id: str) -> list[str]:
    """Load a lost drop again; gives the ids of orders whose number was not there to give (none, unless SQL is wrong).

    Holds are over: they were a promise for minutes and nobody has paid for them. What settled rounds of its campaign
    sold counts in the limits again. Raises WrongMove when the drop is not lost: never over a live drop."""
    stock.fence(drop_id)
    with reading() as session:
        drop = drops.find(session, drop_id)
    for one in campaigns.uncounted(drop):
        if one.state == "settled":  # the others are lost themselves, and are rebuilt by themselves
            campaigns.recall(one, _limits(one.id))
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


def _limits(drop_id: str) -> Counter[str]:
    """What counts against the limits in a round: its live orders, by account and by person."""
    counts: Counter[str] = Counter()
    with reading() as session:
        live = select(Order.account, Order.id_index).where(Order.drop_id == drop_id, Order.live)
        for account, person in session.execute(live):
            counts.update([f"a:{account}", f"p:{person}"])
    return counts
