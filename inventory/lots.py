"""A drop over several lots: the number is decided in its own lot, limits in the home lots of account and person.

A shopper first takes a place within the limits, then the number; a refused number gives the place up again. A hold is
only ever asked for by whoever took its place just now, and only in the lot of the number wished for. So two requests
with one token, or a repetition, can never hold two numbers. What a crash leaves between two lots is put right by
`tick`: a hold that ended stands in `ended` until its places are given up, and a place in `unsure` until its hold was
seen, or was made impossible by void.lua."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec

from inventory import coalesce, verbs
from inventory.facts import DropClosed, Lapsed, LimitReached
from inventory.wishes import Claimed, Wish, outcome
from runtime.facts import Fact, Unavailable
from runtime.redis import asking

MOST = 32  # lots of one drop
UNSURE = 30  # seconds after which a place without a hold is looked into
_PATIENCE = 40  # looks, with 25 ms between them, for a hold that another request is about to make
_BATCH = 200  # places a call

Place = tuple[str, str]  # hold, who: "a:" account or "p:" person


async def hold(
    drop_id: str, token: str, account: str, person: str, wanted: Sequence[str], offer: str, sku: str
) -> list[str]:
    """As hold.lua answers. Numbers of other lots than the first wish's are left out: they are other requests."""
    lot, mine = verbs.lot_of(drop_id, wanted[0] if wanted else token), f"a:{account}"
    for _ in range(3):
        told = await _place(drop_id, token, mine, "hold", lot)
        if told[0] == "known":
            return await _coming(drop_id, token, mine)
        if told[0] != "live":
            break
        other = await _coming(drop_id, told[1], mine)
        if other[-1] == "held":
            return other
        await asyncio.to_thread(_let_live_go, drop_id, told[1], mine, other[-1])
    if told[0] != "placed":
        return told
    places: list[Place] = [(token, mine)]
    if person:
        told = await _place(drop_id, token, f"p:{person}", "count", lot)
        if told[0] == "limit":
            await asyncio.to_thread(give_up, drop_id, places)
            return told
        places.append((token, f"p:{person}"))
    here = ",".join(number for number in wanted if verbs.lot_of(drop_id, number) == lot)
    answer = await coalesce.decide("hold", drop_id, (token, account, person, here, offer, sku), lot)
    if answer[0] != "held":
        await asyncio.to_thread(give_up, drop_id, places)
        if answer == ["sold_out", "number"] and await asyncio.to_thread(_any_free, drop_id):
            return ["taken"]
    return answer


def claim(drop_id: str, wishes: Sequence[Wish]) -> list[Claimed | Fact]:
    """As claims.claim_many: one call a lot."""
    records = find_many(drop_id, [wish.hold_id for wish in wishes])
    told: list[Claimed | Fact] = [Lapsed() for _ in wishes]
    by_lot: dict[int, list[int]] = defaultdict(list)
    for i, (wish, found) in enumerate(zip(wishes, records, strict=True)):
        if found is None:
            continue
        lot, record = found
        named = wish.person and wish.person != record["person"] and record["state"] == "held"
        if named and _place_now(drop_id, wish.hold_id, f"p:{wish.person}", "count", lot)[0] == "limit":
            told[i] = LimitReached(whose="person")
        else:
            by_lot[lot].append(i)
    for lot, chosen in sorted(by_lot.items()):
        args = [p for i in chosen for p in _claim_args(wishes[i])]
        try:
            epoch, answers = verbs.told("claim", drop_id, *args, lot=lot)
        except DropClosed:
            continue
        over: list[tuple[str, str, str]] = []
        for i, answer in zip(chosen, answers, strict=True):
            told[i] = outcome(answer, epoch)
            if answer[0] != "claimed":
                continue  # a place taken for it just now is looked into by tick
            wish, (_, record) = wishes[i], cast(tuple[int, dict[str, Any]], records[i])
            over.append((wish.hold_id, f"a:{wish.account}", "ordered"))
            if wish.person and wish.person != record["person"]:
                _place_now(drop_id, wish.hold_id, f"p:{wish.person}", "restore", lot)
                if record["person"] and record["state"] == "held":
                    over.append((wish.hold_id, f"p:{record['person']}", "end"))
        _unplace(drop_id, over)
    return told


def restore(drop_id: str, epoch: str, orders: Iterable[tuple[str, str, str, str]]) -> None:
    """Places of live orders while a drop is loaded again: (hold, account, person or "", number) of each."""
    at_home: dict[int, list[str]] = defaultdict(list)
    for hold_id, account, person, number in orders:
        lot = str(verbs.lot_of(drop_id, number))
        for who in (f"a:{account}", f"p:{person}") if person else (f"a:{account}",):
            at_home[verbs.lot_of(drop_id, who[2:])] += [hold_id, who, "restore", lot]
    for home, args in at_home.items():
        for start in range(0, len(args), 4 * _BATCH):
            verbs.run("place", drop_id, epoch, *args[start : start + 4 * _BATCH], lot=home)


def find_many(drop_id: str, hold_ids: Sequence[str]) -> list[tuple[int, dict[str, Any]] | None]:
    """Lot and record of each hold; None where there is none."""
    found: list[tuple[int, dict[str, Any]] | None] = [None] * len(hold_ids)
    if not hold_ids:
        return found
    for lot in range(verbs.lots(drop_id)):
        with asking() as client:
            records = cast(list[str | None], client.hmget(verbs.key(drop_id, "holds", lot), list(hold_ids)))
        for i, record in enumerate(records):
            if record:
                found[i] = (lot, msgspec.json.decode(record))
    return found


def give_up(drop_id: str, places: Iterable[Place]) -> None:
    """The places of holds or orders that are over. Left to tick where Redis does not answer."""
    try:
        _unplace(drop_id, [(hold_id, who, "end") for hold_id, who in places])
    except Unavailable:
        return


def follow_up(drop_id: str, lot: int) -> int:
    """Give up the places of what ended in this lot; how many holds. Tick does it where this process can't."""
    ended = verbs.key(drop_id, "ended", lot)
    followed = 0
    try:
        with asking() as client:
            over = cast(dict[str, str], client.hgetall(ended))
        ids = list(over)
        for start in range(0, len(ids), _BATCH):
            chunk = ids[start : start + _BATCH]
            places: list[tuple[str, str, str]] = []
            for hold_id in chunk:
                account, person = over[hold_id].split("\t")
                places.append((hold_id, f"a:{account}", "end"))
                if person:
                    places.append((hold_id, f"p:{person}", "end"))
            _unplace(drop_id, places)
            with asking() as client:
                client.hdel(ended, *chunk)
            followed += len(chunk)
    except Unavailable:
        return followed
    return followed


def tick(drop_id: str, older_than_s: float = UNSURE) -> None:
    """Put right what a crash left between lots."""
    for lot in range(verbs.lots(drop_id)):
        follow_up(drop_id, lot)
        _make_sure(drop_id, lot, older_than_s)


def _make_sure(drop_id: str, home: int, older_than_s: float) -> None:
    """Of places old enough: is there a hold or order for each? Where there is none there never will be one."""
    unsure, places = verbs.key(drop_id, "unsure", home), verbs.key(drop_id, "places", home)
    with asking() as client:
        before = verbs.redis_ms(drop_id, home) - round(older_than_s * 1000)
        ids = cast(list[str], client.zrangebyscore(unsure, "-inf", before, start=0, num=10 * _BATCH))
        lots = cast(list[str | None], client.hmget(places, ids)) if ids else []
    by_lot: dict[int, list[Place]] = defaultdict(list)
    for place, noted in zip(ids, lots, strict=True):
        hold_id, who = place.split("\t")
        by_lot[int(noted or 0)].append((hold_id, who))
    for lot, chosen in by_lot.items():
        for start in range(0, len(chosen), _BATCH):
            chunk = chosen[start : start + _BATCH]
            args = [part for hold_id, who in chunk for part in (hold_id, who[2:] if who[0] == "a" else "")]
            answers = verbs.call("void", drop_id, *args, lot=lot)
            marks = [
                (hold_id, who, "sure" if _stands(who, answer) else "end")
                for (hold_id, who), answer in zip(chunk, answers, strict=True)
            ]
            _unplace(drop_id, marks)


def _stands(who: str, answer: list[str]) -> bool:
    """Does the place belong to what void.lua found? A person's must be the one the hold or order names."""
    return answer[0] in ("held", "ordered") and (who[0] == "a" or answer[1] == who[2:])


def _claim_args(wish: Wish) -> tuple[str, str, str, str]:
    return wish.hold_id, wish.account, wish.order_id, wish.person


async def _place(drop_id: str, hold_id: str, who: str, mode: str, lot: int) -> list[str]:
    home = verbs.lot_of(drop_id, who[2:])
    return await coalesce.decide("place", drop_id, (hold_id, who, mode, str(lot)), home)


def _place_now(drop_id: str, hold_id: str, who: str, mode: str, lot: int) -> list[str]:
    home = verbs.lot_of(drop_id, who[2:])
    answer: list[str] = verbs.call("place", drop_id, hold_id, who, mode, lot, lot=home)[0]
    return answer


def _unplace(drop_id: str, places: Iterable[tuple[str, str, str]]) -> None:
    at_home: dict[int, list[str]] = defaultdict(list)
    for hold_id, who, mode in places:
        at_home[verbs.lot_of(drop_id, who[2:])] += [hold_id, who, mode]
    for home, args in at_home.items():
        for start in range(0, len(args), 3 * _BATCH):
            verbs.call("unplace", drop_id, *args[start : start + 3 * _BATCH], lot=home)


async def _coming(drop_id: str, hold_id: str, who: str) -> list[str]:
    """The hold another request of this account has made, or is about to. When it does not come it is made
    impossible and its place given up: then the shopper may ask again. Raises Unavailable, Lapsed (it is spent)."""
    for _ in range(_PATIENCE):
        [found] = await asyncio.to_thread(find_many, drop_id, [hold_id])
        if found:
            if not found[1]["number"]:
                raise Lapsed
            return _told(hold_id, found[1])
        await asyncio.sleep(0.025)
    await asyncio.to_thread(_void, drop_id, hold_id, who)
    raise Unavailable


def _void(drop_id: str, hold_id: str, who: str) -> None:
    """No hold of this token any more, unless it came in the meantime."""
    with asking() as client:
        home = verbs.key(drop_id, "places", verbs.lot_of(drop_id, who[2:]))
        lot = cast(str | None, client.hget(home, f"{hold_id}\t{who}"))
    if lot is None:
        return  # given up in the meantime
    if verbs.call("void", drop_id, hold_id, who[2:], lot=int(lot))[0][0] not in ("held", "ordered"):
        give_up(drop_id, [(hold_id, who)])


def _let_live_go(drop_id: str, hold_id: str, who: str, state: str) -> None:
    """The account's live hold is over, or ordered, and its home lot has not heard of it yet."""
    _unplace(drop_id, [(hold_id, who, "ordered" if state == "ordered" else "end")])


def _told(hold_id: str, record: dict[str, Any]) -> list[str]:
    return ["held", hold_id, *(record[name] for name in ("number", "offer", "sku", "due", "state"))]


def _any_free(drop_id: str) -> bool:
    for lot in range(verbs.lots(drop_id)):
        with asking() as client:
            if int(cast(str | None, client.hget(verbs.key(drop_id, "tally", lot), "free")) or 0):
                return True
    return False
