"""Claims that never became an order, because a process died between Redis and SQL: their numbers go back."""

from sqlalchemy import select

from checkout import claims, reversing
from checkout.models import Claim, Order
from inventory import drops, holds
from runtime.crash import point
from runtime.db import reading
from runtime.log import log
from runtime.settings import settings

_CHUNK = 500


def tick(older_than: int | None = None) -> int:
    """Give back numbers claimed longer ago than `older_than` seconds (setting orphan_seconds) that no live order
    has. Gives how many. Safe to run anywhere, any number of times."""
    age = settings().orphan_seconds if older_than is None else older_than
    with reading() as session:
        selling = [
            drop.id for drop in drops.listing(session) if drop.state not in ("draft", "scheduled", "settled")
        ]
    return sum(_sweep(drop_id, age) for drop_id in selling)


def _sweep(drop_id: str, age: int) -> int:
    given = 0
    claimed = holds.orphans(drop_id, age)
    for start in range(0, len(claimed), _CHUNK):
        chunk = claimed[start : start + _CHUNK]
        ids = [order_id for order_id, _ in chunk]
        with reading() as session:
            placed = set(
                session.scalars(
                    select(Claim.order_id).where(Claim.order_id.in_(ids), Claim.fate == claims.PLACED)
                )
            )
            over = set(session.scalars(select(Order.id).where(Order.id.in_(ids), ~Order.live)))
        for order_id, number in chunk:
            if order_id in over:
                reversing.let_go(
                    order_id
                )  # its job was done, yet Redis says otherwise: an old Redis came back
                given += 1
            elif order_id not in placed and claims.void(drop_id, order_id, number) == claims.VOIDED:
                point("orphan.voided")
                log.warning("order.orphan", drop=drop_id, order=order_id)
                given += 1
    return given
