"""Loading a drop's stock into Redis: begun under an epoch, chunk by chunk, published later by its rules."""

from collections import defaultdict
from collections.abc import Sequence
from typing import cast

from sqlalchemy import func, select

from inventory import verbs
from inventory.facts import Stale
from inventory.models import DropSku, HandsetUnit, Number
from runtime.crash import point
from runtime.db import reading
from runtime.facts import Unavailable, WrongMove
from runtime.ids import new_id
from runtime.redis import asking

CHUNK = 2_000  # numbers a call: a few milliseconds of Redis's time


def begin(drop_id: str, *, lost: str = "") -> str:
    """The epoch to load all lots under. A first load that died midway goes on; with `lost`, the epoch of a drop
    that Redis lost, all that is left of it is removed. Raises WrongMove where the drop is published."""
    answer = verbs.run("begin", drop_id, new_id("epo"), "again" if lost else "first", lost)
    for lot in range(1, verbs.lots(drop_id)):
        if answer[0] == "begun":
            told = verbs.run("begin", drop_id, answer[1], "again" if lost else "join", lost, lot=lot)
            answer = told if told[0] == "live" else answer
    if answer[0] == "live":
        raise WrongMove
    epoch: str = answer[1]
    return epoch


def load(drop_id: str, epoch: str, owned: Sequence[str] = ()) -> None:
    """Numbers the drop has and has not sold, and those `owned` by live orders; then the handsets. May be run again.

    Raises Stale, Unavailable."""
    with reading() as session:
        unsold = session.scalars(
            select(Number.number).where(Number.drop_id == drop_id, Number.state == "in_drop")
        ).all()
        skus = session.execute(
            # Not what the drop was given once: of a lost drop, handsets may have come home to be inspected.
            select(DropSku.sku, func.count(HandsetUnit.imei))
            .outerjoin(
                HandsetUnit,
                (HandsetUnit.drop_id == DropSku.drop_id)
                & (HandsetUnit.sku == DropSku.sku)
                & HandsetUnit.state.in_(("available", "bound")),
            )
            .where(DropSku.drop_id == drop_id)
            .group_by(DropSku.sku)
        ).all()
    wares = [part for sku, quantity in skus for part in (sku, quantity)]
    by_lot: dict[int, list[str]] = defaultdict(list)
    for number in sorted({*unsold, *owned}):
        by_lot[verbs.lot_of(drop_id, number)].append(number)
    for lot in range(verbs.lots(drop_id)):
        _load_lot(drop_id, epoch, lot, by_lot[lot], wares if lot == 0 else [])


def _load_lot(drop_id: str, epoch: str, lot: int, numbers: list[str], wares: list[str | int]) -> None:
    for start in range(0, max(1, len(numbers)), CHUNK):
        chunk = ",".join(numbers[start : start + CHUNK])
        answer = verbs.run("load", drop_id, epoch, chunk, *([] if start else wares), lot=lot)
        if answer[0] == "stale":
            raise Stale
        point("drop.chunk_loaded")
    with asking() as client:
        loaded = int(cast(str, client.hget(verbs.key(drop_id, "tally", lot), "loaded")) or 0)
    if loaded != len(numbers):  # Redis lost what it had in the middle of the load: do not publish, load again
        raise Unavailable
