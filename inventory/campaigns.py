"""Campaigns: rounds whose limits hold together. What a round sold counts on in Redis after it was settled."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select

from inventory import verbs
from inventory.models import Drop
from runtime.db import reading
from runtime.redis import asking

_PAIRS = 500  # counts a call


def uncounted(drop: Drop) -> list[Drop]:
    """Other rounds of its campaign, ever published, whose counts Redis does not have."""
    return [one for one in _rounds(drop) if not _counts(one)]


def recall(drop: Drop, limits: Mapping[str, int]) -> None:
    """Count a round's live orders in the campaign's limits again: "a:" account or "p:" person -> how many."""
    at_home: dict[int, list[str | int]] = {lot: [] for lot in range(drop.lots)}
    for who, count in limits.items():
        at_home[verbs.lot_of(drop.id, who[2:])] += [who, count]
    for lot, pairs in at_home.items():
        starts = range(0, max(1, len(pairs)), 2 * _PAIRS)
        for start in starts:
            mode = "last" if start == starts[-1] else "more"
            if start == 0:
                verbs.run("recall", drop.id, "first", drop.epoch or "", lot=lot)
            verbs.run("recall", drop.id, mode, drop.epoch or "", *pairs[start : start + 2 * _PAIRS], lot=lot)


def _rounds(drop: Drop) -> Sequence[Drop]:
    """The other rounds of the drop's campaign that have ever been published."""
    if drop.campaign is None:
        return []
    with reading() as session:
        others = select(Drop).where(Drop.campaign == drop.campaign, Drop.id != drop.id)
        return session.scalars(others.where(Drop.epoch.is_not(None)).order_by(Drop.opens_at, Drop.id)).all()


def _counts(drop: Drop) -> bool:
    """Does Redis count what this round sold?"""
    for lot in range(drop.lots):
        with asking() as client:
            if client.hget(verbs.key(drop.id, "used", lot), "epoch") != drop.epoch:
                return False
    return True
