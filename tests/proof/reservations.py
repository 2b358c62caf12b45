"""A million reservations, registered as requests register them, drawn, and given their turns."""

import asyncio
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import func, select, update

from checkout import catalogue
from inventory import draw, drops
from kyc.models import Person
from runtime import clock
from runtime.bulk import insert_all
from runtime.db import reading, writing
from runtime.facts import Unavailable
from storefront import reservation_turns, reservations
from storefront.models import Reservation, ReservationCampaign
from storefront.reservations import Wish

CAMPAIGN = "million"
AT_ONCE = 1_024  # requests under way
_ROWS = 10_000
_CITIES = ("110100", "310100", "440100", "440300", "510100")


def prove(count: int, stock: int) -> int:
    """Print what each step took; exit code 1 when anything is wrong."""
    skus = _open(count, stock)
    took = _timed("people known beforehand", count, lambda: _people(count))
    took = _timed("registered", count, lambda: asyncio.run(_register(count, "", skus)))
    again = min(count, 100_000)
    twice = _timed(
        "registered again by other accounts", again, lambda: asyncio.run(_register(again, "b", skus))
    )
    wrong = [f"{twice:,} of {again:,} second reservations were not answered with the first"] if twice else []
    with reading() as session:
        stand = session.scalars(select(func.count()).select_from(Reservation)).one()
        commitment = reservations.find(session, CAMPAIGN).commitment
    if took or stand != count:
        wrong.append(f"{stand:,} reservations stand of {count:,}; {took:,} had an answer that was not theirs")
    with writing() as session:
        session.execute(update(ReservationCampaign).values(closes_at=clock.now() - timedelta(minutes=1)))
    _timed("drawn", count, lambda: reservation_turns.hold_draw(CAMPAIGN))
    given = _timed("turns given", stock, lambda: reservation_turns.give_turns(CAMPAIGN))
    if given != min(stock, count):
        wrong.append(f"{given:,} qualify, of {stock:,} handsets")
    with reading() as session:
        published = _timed(
            "read to be published", count, lambda: reservation_turns.published(session, CAMPAIGN)
        )
    wrong += _timed("checked by the rule", count, lambda: draw.faults(published, commitment))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for fault in wrong:
        print(f"wrong: {fault}")
    print(
        f"{count:,} reservations, one a person, drawn and checked; {given:,} turns; at most {peak:,.0f} MB of memory"
    )
    return bool(wrong)


def _timed(what: str, count: int, work: Any) -> Any:
    begun = time.monotonic()
    told = work()
    took = time.monotonic() - begun
    print(f"{what}: {took:.1f} s, {count / max(took, 0.001):,.0f} a second", flush=True)
    return told


def _open(count: int, stock: int) -> tuple[str, ...]:
    with writing() as session:
        files = [catalogue.DATA / name for name in ("plans.toml", "iphone4_8gb.toml")]
        catalogue.add(session, files, actor="proof", reason="proof")
        skus = tuple(one.code for one in catalogue.current(session).skus_of("iphone-4-8"))
        far = datetime(2050, 1, 1, tzinfo=UTC)
        each = stock // len(skus)
        quantities = dict.fromkeys(skus[1:], each)
        quantities[skus[0]] = stock - each * (len(skus) - 1)
        drops.create(
            session, id=CAMPAIGN, name="Million", opens_at=far, pool="million", cities=["110"], skus=quantities,
            actor="proof",
        )  # fmt: skip
        reservations.create(
            session, CAMPAIGN, handset="iphone-4-8", drop_id=CAMPAIGN, opens_at=datetime(2020, 1, 1, tzinfo=UTC),
            closes_at=far, rule="draw", redeem=timedelta(days=2), actor="proof", reason="proof",
        )  # fmt: skip
    return skus


def _people(count: int) -> None:
    """Verified people, the first of them under a second account too. Their names are nobody's."""
    at = clock.now()
    rows = _rows(count, "")
    for start in range(0, count, _ROWS):
        with writing() as session:
            insert_all(
                session,
                Person,
                [next(rows) for _ in range(min(_ROWS, count - start))],
                **_SAME,
                enrolled_at=at,
            )
    again = _rows(min(count, 100_000), "b")
    with writing() as session:
        insert_all(session, Person, list(again), **_SAME, enrolled_at=at)


_SAME: dict[str, Any] = {
    "state": "verified", "refusal": "", "masked_name": "", "masked_id": "", "dek": None, "name": None,
    "id_number": None, "birth": None, "decided_at": None, "verified_at": None,
}  # fmt: skip


def _rows(count: int, account: str) -> Iterator[dict[str, Any]]:
    for nth in range(count):
        yield {
            "id": f"per_{nth}{account}",
            "account": f"acc_{nth}{account}",
            "id_index": f"{nth:064d}",
            "name_index": "x",
        }


async def _insisting(wish: Wish) -> Reservation:
    """As a client does: what was told to come again is sent again."""
    while True:
        try:
            return await reservations.registered(wish)
        except Unavailable as busy:
            await asyncio.sleep(busy.details.get("retry_after", 1))


async def _register(count: int, account: str, skus: tuple[str, ...]) -> int:
    """Each as a request would, so many under way at a time; how many were answered with another's reservation."""
    wrong, nth = 0, iter(range(count))

    async def shopper() -> None:
        nonlocal wrong
        for one in nth:
            wish = Wish(CAMPAIGN, f"acc_{one}{account}", skus[one % len(skus)], _CITIES[one % len(_CITIES)])
            told = await _insisting(wish)
            wrong += told.account != f"acc_{one}"

    await asyncio.gather(*(shopper() for _ in range(AT_ONCE)))
    return wrong
