"""The audit of a drop's stock: its journals are played again and compared with Redis and with SQL's orders."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from sqlalchemy import func, select

from inventory import limit_audit, lot_audit, verbs
from inventory.differences import Difference
from inventory.lot_audit import Lot
from inventory.models import Drop, Number
from inventory.replaying import Played
from inventory.tallies import PLACES, Tally, counted
from runtime.db import reading
from runtime.facts import NotFound
from runtime.redis import asking

MOST = 200  # differences told one by one; more only repeat what went wrong
_LOOKS = 4
_PAUSE = 0.3  # seconds between two looks

Orders = Mapping[str, tuple[str, str]]
LookAgain = Callable[[Collection[str]], Orders]
Say = Callable[[str], None]
Agrees = Mapping[str, tuple[str, ...]]

# SQL's word for what an order is -> what Redis may say of it.
AGREES: Agrees = {
    "ordered": ("ordered",),
    "paying": (
        "ordered",
        "paid",
    ),  # a payment is under way: the number is made theirs before the money is taken
    "paid": ("paid",),
    "returned": ("returned",),
    "leaving": ("ordered", "paid", "returned"),  # it is over, and the work that tells Redis so is waiting
}


@dataclass(frozen=True)
class AuditReport:
    """What was counted, and every difference found; none is what everybody wants."""

    lines: list[str] = field(default_factory=list)
    found: list[Difference] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not self.found

    @property
    def differences(self) -> list[str]:
        """In words, at most MOST and a line that says how many more."""
        told = [one.text for one in self.found[:MOST]]
        return told if len(self.found) <= MOST else [*told, f"and {len(self.found) - MOST} more differences"]


def journal_audit(
    drop_id: str, orders: Orders, *, look_again: LookAgain | None = None, say: Say = lambda _: None
) -> AuditReport:
    """`orders` are SQL's orders of the drop: id -> (number, its word in AGREES), read before this was called.

    Reads only, and may run over a busy drop. An order that SQL and Redis tell differently may be in the making:
    `look_again` reads such orders in SQL once more, some times over, before one is believed to be wrong. A settled
    drop is audited from its archived journal. Raises NotFound, Unavailable."""
    with reading() as session:
        drop = session.get(Drop, drop_id)
        if drop is None:
            raise NotFound
        owned = session.scalar(select(func.count()).select_from(Number).where(Number.drop_id == drop_id)) or 0
    epochs = [_epoch(drop_id, lot) for lot in range(drop.lots)]
    lots: list[Lot] = []
    for lot, epoch in enumerate(epochs):
        lots.append(lot_audit.read(drop_id, lot, epoch is not None))
        say(f"lot {lot}: journal of {lots[-1].replay.entries:,} entries played")
    found = list(_compare(drop, epochs, lots, say))
    # From the settling on Redis moves nothing: what comes back later, SQL alone takes back.
    agrees = {**AGREES, "returned": ("returned", "paid")} if drop.state == "settled" else AGREES
    found += _with_sql(lots, orders, agrees, look_again)
    found[:0] = [
        Difference(text, "journal", "", lot.number) for lot in lots for text in lot.replay.differences
    ]
    whole = _sum([lot.replay.tally() for lot in lots])
    if drop.state != "settled" and drop.epoch and all(epochs) and whole.loaded > owned:
        found.append(Difference(f"loaded {whole.loaded}, but SQL gave the drop {owned} numbers"))
    lines = [
        f"journal: {sum(lot.replay.entries for lot in lots)} entries",
        *([f"lots: {drop.lots}"] if drop.lots > 1 else []),
        _equation("numbers", whole),
        *(_equation(sku, counts) for sku, counts in whole.skus.items()),
        f"SQL: {len(orders)} orders",
    ]
    return AuditReport(lines, found)


def _compare(drop: Drop, epochs: Sequence[str | None], lots: Sequence[Lot], say: Say) -> Iterator[Difference]:
    if drop.epoch is None or (drop.state == "settled" and not any(epochs)):
        return
    if drop.state != "settled" and any(epoch != drop.epoch for epoch in epochs):
        yield Difference("Redis has lost this drop: rebuild it", "lost")
    for lot in lots:
        if lot.present:
            yield from lot_audit.compare(lot, limits=drop.lots == 1)
            say(f"lot {lot.number}: Redis compared")
    if all(epochs):
        if drop.lots > 1:
            yield from limit_audit.places(lots)
        yield from limit_audit.totals(drop)


def _with_sql(
    lots: Sequence[Lot], orders: Orders, agrees: Agrees, look_again: LookAgain | None
) -> list[Difference]:
    """Compared once, and what differs again with SQL and the journals read afresh, since orders come and go."""
    found = list(_crossing(lots, orders, agrees, None))
    for _ in range(_LOOKS if look_again else 0):
        suspects = {one.about for one in found}
        if not suspects:
            break
        time.sleep(_PAUSE)
        fresh = look_again(suspects) if look_again else {}
        for lot in lots:
            if lot.present:
                lot_audit.catch_up(lot)
        found = list(_crossing(lots, fresh, agrees, suspects))
    return [*_two_owners(orders), *found]


def _two_owners(orders: Orders) -> Iterator[Difference]:
    owner_of: dict[str, str] = {}
    for order_id, (number, word) in orders.items():
        if word not in ("returned", "leaving"):
            other = owner_of.setdefault(number, order_id)
            if other != order_id:
                yield Difference(f"number {number}: two owners in SQL, {other} and {order_id}")


def _crossing(
    lots: Sequence[Lot], orders: Orders, agrees: Agrees, only: Collection[str] | None
) -> Iterator[Difference]:
    """Orders of which SQL and the journal tell different things; `only` these are asked about."""
    known: dict[str, tuple[Played, int]] = {}
    for lot in lots:
        if only is None:
            known |= {order_id: (order, lot.number) for order_id, order in lot.replay.orders.items()}
        else:
            known |= {
                order_id: (lot.replay.orders[order_id], lot.number)
                for order_id in only
                if order_id in lot.replay.orders
            }
    for order_id, (number, word) in orders.items():
        order, lot_no = known.get(order_id, (None, 0))
        if order is None:
            if word not in ("returned", "leaving"):
                text = f"order {order_id}: live in SQL, unknown to Redis"
                yield Difference(text, "unknown to Redis", order_id, lot_no, None, word)
        elif order.number != number:
            text = f"order {order_id}: number {number} in SQL, {order.number} in the journal"
            yield Difference(text, "", order_id, lot_no)
        elif order.state not in agrees[word]:
            text = f"order {order_id}: {word} in SQL, {order.state} in the journal"
            yield Difference(text, "order in SQL", order_id, lot_no, order.state, word)
    for order_id, (order, lot_no) in known.items():
        if order.state != "returned" and order_id not in orders:
            text = f"order {order_id}: owns {order.number} in Redis, unknown to SQL"
            yield Difference(text, "unknown to SQL", order_id, lot_no, order.number)


def _sum(parts: Sequence[Tally]) -> Tally:
    def of(some: Sequence[Tally], skus: dict[str, Tally]) -> Tally:
        return counted({place: sum(getattr(one, place) for one in some) for place in PLACES}, skus)

    skus = sorted({sku for part in parts for sku in part.skus})
    return of(parts, {sku: of([one.skus[sku] for one in parts if sku in one.skus], {}) for sku in skus})


def _equation(what: str, counts: Tally) -> str:
    return (
        f"{what}: loaded {counts.loaded} = free {counts.free} + held {counts.held} + ordered {counts.ordered}"
        f" + paid {counts.paid} + withdrawn {counts.withdrawn}"
    )


def _epoch(drop_id: str, lot: int) -> str | None:
    with asking() as client:
        return cast(str | None, client.get(verbs.key(drop_id, "epoch", lot)))
