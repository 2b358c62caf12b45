"""Limits over lots and rounds: places in home lots have their holds, a campaign's total is the sum of its rounds.

Lots share no transaction, so a place is looked at several times, the journals after it: a difference is what is
seen each time. A campaign's counts share a slot, and what differs in them is read again in one transaction."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast

from sqlalchemy import select

from inventory import lot_audit, verbs
from inventory.differences import Difference
from inventory.lot_audit import Lot
from inventory.models import Drop
from runtime.db import reading
from runtime.redis import asking

_LOOKS = 4
_PAUSE = 0.3  # seconds between two looks
_ATOMIC = 500  # names asked for in one transaction


def places(lots: Sequence[Lot]) -> list[Difference]:
    """Every live hold and order has its places, every place its hold or order, and `used` counts the places."""
    seen = {difference.text: difference for difference in _look(lots)}
    for _ in range(_LOOKS - 1):
        if not seen:
            break
        time.sleep(_PAUSE)
        seen = {one.text: one for one in _look(lots) if one.text in seen}
    return list(seen.values())


def _look(lots: Sequence[Lot]) -> Iterator[Difference]:
    drop_id = lots[0].drop
    had: dict[str, int] = {}  # hold and who, by tab -> home lot
    live: dict[str, tuple[str, int]] = {}  # account -> hold, home lot
    used: list[dict[str, int]] = []
    moving: set[str] = set()  # holds that are between two lots at this moment
    for lot in lots:
        with asking() as client:
            had |= {place: lot.number for place, _ in client.hscan_iter(_key(lot, "places"), count=2_000)}
            live |= {
                account: (hold, lot.number)
                for account, hold in client.hscan_iter(_key(lot, "live"), count=2_000)
            }
            used.append(_counts(lot.drop, lot.number))
            moving |= {place.partition("\t")[0] for place, _ in client.zscan_iter(_key(lot, "unsure"))}
    for lot in lots:
        with asking() as client:
            moving |= {hold for hold, _ in client.hscan_iter(_key(lot, "ended"), count=2_000)}
    for lot in lots:
        lot_audit.catch_up(lot)
    expected: dict[str, int] = {}  # place -> lot of its number
    holding: dict[str, str] = {}
    for lot in lots:
        for one in lot.replay.standing():
            expected[f"{one.hold}\ta:{one.account}"] = lot.number
            if one.person:
                expected[f"{one.hold}\tp:{one.person}"] = lot.number
        holding |= lot.replay.live()
    for place in sorted(expected.keys() ^ had.keys()):
        hold, _, who = place.partition("\t")
        if place in expected:
            home = verbs.lot_of(drop_id, who[2:])
            yield Difference(
                f"hold {hold}: it has no place of {who}", "place", place, home, str(expected[place]), None
            )
        elif hold not in moving:
            text = f"place of {who}: nobody has it, hold {hold} is over"
            yield Difference(text, "place", place, had[place], None, "")
    for account in sorted(holding.keys() | live.keys()):
        told = holding.get(account)
        found, home = live.get(account, (None, verbs.lot_of(drop_id, account)))
        if told != found and (found is None or found not in moving):
            text = f"live hold of account {account}: {found or 'nothing'} in Redis, the journal says {told or 'none'}"
            yield Difference(text, "live", account, home, told, found)
    counted: list[Counter[str]] = [Counter() for _ in lots]
    for place, home in had.items():
        counted[home][place.partition("\t")[2]] += 1
    for home, (counts, found_there) in enumerate(zip(counted, used, strict=True)):
        for who in sorted(counts.keys() | found_there.keys()):
            if counts[who] != found_there.get(who, 0):
                text = f"limit {who}: {found_there.get(who, 0)} in Redis, {counts[who]} places"
                yield Difference(text, "used", who, home, str(counts[who]), str(found_there.get(who, 0)))


def totals(drop: Drop) -> Iterator[Difference]:
    """A campaign's total of each account and person is the sum over its rounds."""
    if drop.campaign is None:
        return
    with reading() as session:
        rounds = session.scalars(
            select(Drop.id).where(Drop.campaign == drop.campaign, Drop.epoch.is_not(None)).order_by(Drop.id)
        ).all()
    for lot in range(drop.lots):
        total = _in(verbs.key(drop.id, "total", lot))
        sums: Counter[str] = Counter()
        for one in rounds:
            sums.update(_counts(one, lot))
        suspects = sorted(who for who in total.keys() | sums.keys() if total.get(who, 0) != sums[who])
        for start in range(0, len(suspects), _ATOMIC):
            yield from _total(drop, rounds, lot, suspects[start : start + _ATOMIC])


def _total(drop: Drop, rounds: Sequence[str], lot: int, names: list[str]) -> Iterator[Difference]:
    with asking() as client, client.pipeline(transaction=True) as pipe:
        pipe.hget(verbs.key(drop.id, "total", lot), "mends")
        for key in (verbs.key(drop.id, "total", lot), *(verbs.key(one, "used", lot) for one in rounds)):
            pipe.hmget(key, names)
        mends, *columns = cast(tuple[str | None, list[str | None]], tuple(pipe.execute()))
    for who, found, *parts in zip(names, *columns, strict=True):
        said, there = sum(int(part or 0) for part in parts), int(found or 0)
        if said != there:
            text = f"limit {who} of campaign {drop.campaign}: {there} in Redis, its rounds have {said}"
            yield Difference(text, "total", who, lot, str(said), str(there), int(mends or 0))


def _key(lot: Lot, name: str) -> str:
    return verbs.key(lot.drop, name, lot.number)


def _counts(drop_id: str, lot: int) -> dict[str, int]:
    return _in(verbs.key(drop_id, "used", lot))


def _in(key: str) -> dict[str, int]:
    """Counts by account and person; a round's own also have a field `epoch`, which is none."""
    with asking() as client:
        return {
            who: int(count)
            for who, count in client.hscan_iter(key, count=2_000)
            if who[1] == ":" and int(count)
        }
