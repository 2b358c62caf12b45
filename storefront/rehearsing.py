"""Rehearsing a drop: a shadow of it is sold to made-up shoppers on this installation, over HTTP, and what they were
answered becomes a capacity card with the admission rate to begin with.

The shadow has numbers that no operator has, its orders are written and taken back, and nobody is asked, told or sent
anything; real stock, real people and their limits are not touched."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from checkout import offers
from checkout.models import Offer
from checkout.prices import OfferFacts
from inventory import drops, queue_rules, shadows
from inventory.models import Drop
from kyc import phones
from kyc.models import Person
from runtime import clock
from runtime.crypto import blind_index
from runtime.db import Base, reading, table, writing
from runtime.facts import N_, Invalid, NotFound, Unavailable, WrongMove
from runtime.ids import new_id
from runtime.settings import settings
from storefront import accounts, bench_load, bench_world
from storefront.models import Account, Rehearsal, ShopperSession

USUAL = 2_000  # numbers, and shoppers, of a rehearsal
AT_ONCE = 64  # shoppers who wait for an answer at one time
_SPARE = 0.8  # of what was measured, to be let in: the rest is for pages and papers
_STUCK = timedelta(minutes=15)  # a rehearsal that is older was killed
_ROWS = 2_000

Say = Callable[[str], None]


@dataclass(frozen=True)
class Card:
    """What the installation can do, measured in the rehearsal. Times are milliseconds, rates are for a second."""

    numbers: int
    shoppers: int
    joins_a_second: float
    orders_a_second: float
    took: dict[str, dict[str, float]]  # of join, place, search, hold, order: count, p50_ms, p99_ms
    answers: dict[str, int]
    exact: bool  # every number of the shadow was ordered once
    rate: int  # people to let in a second, recommended
    cap: int  # people inside at once, recommended
    sells_in_s: int  # seconds in which the whole drop sells at that rate


def run(
    drop_id: str, *, actor: str, count: int = USUAL, anyway: bool = False, say: Say = lambda _: None
) -> Card:
    """Rehearse it; gives the card, which is kept too. Raises NotFound, WrongMove when a drop is selling (unless
    `anyway`) or another rehearsal is under way, Unavailable when the shop does not answer."""
    clear_stuck()
    with writing() as session:
        drop, planned = may(session, drop_id, anyway=anyway)
        count = min(count, planned, shadows.MOST)
        shadow = shadows.make(session, drop, count, actor=actor, reason="rehearsal")
        rehearsal = Rehearsal(
            id=new_id("reh"),
            drop_id=drop_id,
            shadow_id=shadow.id,
            actor=actor,
            began_at=clock.now(),
            trouble="",
        )
        session.add(rehearsal)
        offer = _offer(session, drop_id, shadow.id)
    try:
        card = _card(_sold(shadow, offer, count, say), planned, count)
        _end(rehearsal.id, card=asdict(card))
    except BaseException as trouble:
        _end(rehearsal.id, trouble=f"{type(trouble).__name__}: {trouble}"[:400])
        raise
    finally:
        _clear(shadow.id)
    return card


def last(session: Session, drop_id: str) -> Rehearsal | None:
    """The newest rehearsal of a drop."""
    newest = (
        select(Rehearsal).where(Rehearsal.drop_id == drop_id).order_by(Rehearsal.began_at.desc()).limit(1)
    )
    return session.scalars(newest).first()


def shown(session: Session, drop_id: str) -> dict[str, Any] | None:
    """What the drop's page says of its newest rehearsal; None before the first."""
    newest = last(session, drop_id)
    if newest is None:
        return None
    return {
        "began_at": newest.began_at, "ended_at": newest.ended_at, "trouble": newest.trouble, "actor": newest.actor,
        "card": newest.card,
    }  # fmt: skip


def clear_stuck() -> None:
    """Take away what killed rehearsals left."""
    with reading() as session:
        stuck = session.scalars(
            select(Rehearsal).where(Rehearsal.ended_at.is_(None), Rehearsal.began_at < clock.now() - _STUCK)
        ).all()
    for one in stuck:
        _end(one.id, trouble="it was killed")
        _clear(one.shadow_id)


def may(session: Session, drop_id: str, *, anyway: bool = False) -> tuple[Drop, int]:
    """The drop and how many numbers it has to sell. Raises as `run` does."""
    drop = drops.find(session, drop_id)
    if drop.shadow_of is not None:
        raise NotFound
    if drop.state in ("closed", "settled"):
        raise WrongMove(N_("This drop is over."), state=drop.state)
    if not anyway and any(drops.face(one) in ("open", "sold_out") for one in drops.listing(session)):
        raise WrongMove(N_("A drop is selling: rehearse when none is."))
    if session.scalars(select(Rehearsal.id).where(Rehearsal.ended_at.is_(None))).first():
        raise WrongMove(N_("Another rehearsal is under way."))
    return drop, max(1, drops.planned(session, drop))


def _offer(session: Session, drop_id: str, shadow_id: str) -> str:
    """A card of the drop's first plan: what is rehearsed is the way, not the price."""
    known = offers.of_drop(session, drop_id)
    if not known:
        raise Invalid(offer=N_("The drop has no offer yet: add one first."))
    first = offers.facts(known[0])
    terms = OfferFacts("card", shadow_id, first.plan_zh, first.plan_en, first.fee_fen, 100, plan=first.plan)
    row = {
        "id": f"{shadow_id}-card",
        "drop_id": shadow_id,
        "kind": "card",
        "plan_id": first.plan,
        "position": 0,
    }
    session.add(Offer(**row, sku_code=None, terms=msgspec.to_builtins(terms)))
    return f"{shadow_id}-card"


def _sold(shadow: Drop, offer: str, count: int, say: Say) -> dict[str, Any]:
    """Load it, let them join, open it, and let them buy; what the shoppers were answered."""
    who = {"actor": "rehearsal", "reason": "rehearsal"}
    for verb in (drops.schedule, drops.warm):
        with writing() as session:
            verb(session, shadow.id, **who)
    with writing() as session:
        queue_rules.change(session, shadow.id, **who, mode="always", rate=100_000, cap=1_000_000)
    say(f"{count:,} made-up shoppers join the shadow's queue")
    people = settings().home / f"{shadow.id}.jsonl"
    try:
        people.write_text("".join(json.dumps(one) + "\n" for one in _shoppers(shadow.id, count)))
        with bench_load.conversing(
            "loadtests.rehearsal", _address(), shadow.id, offer, str(people), "--at-once", str(AT_ONCE)
        ) as (told, go_on):
            for line in told:
                if "joined" in line:
                    say(f"{line['joined']:,} joined; the shadow opens")
                    with writing() as session:
                        drops.open_now(session, shadow.id, **who)
                    go_on()
                elif "ordered" in line:
                    say(f"{line['ordered']:,} of {count:,} ordered")
                else:
                    return line
    finally:
        people.unlink(missing_ok=True)
    raise Unavailable


def _card(told: dict[str, Any], planned: int, count: int) -> Card:
    rate = max(1, math.floor(_SPARE * told["orders_a_second"]))
    ordered = sum(n for code, n in told["answers"].items() if code.startswith("order 201"))
    return Card(
        numbers=planned, shoppers=count, joins_a_second=told["joins_a_second"],
        orders_a_second=told["orders_a_second"], took=told["took"], answers=told["answers"],
        exact=ordered == count and not told["lost"], rate=rate, cap=rate * 60, sells_in_s=math.ceil(planned / rate),
    )  # fmt: skip


def _shoppers(shadow_id: str, count: int) -> Iterator[dict[str, str]]:
    """Accounts that nobody can sign in to, each with a session and a verified person that is nobody."""
    at = clock.now()
    rows: dict[type[Base], list[dict[str, Any]]] = {Account: [], ShopperSession: [], Person: []}
    for nth in range(count):
        account, phone = f"{shadow_id}.{nth}", f"137{nth:08}"
        person = bench_world.made_up_person(nth, account, at)
        opened = new_id("ses")
        rows[Account].append(
            {
                "id": account, "phone_index": blind_index(account), "phone": phone,
                "phone_masked": phones.mask(phone), "created_at": at,
            }
        )  # fmt: skip
        rows[ShopperSession].append(
            {"id": opened, "account": account, "created_at": at, "seen_at": at, "revoked_at": None}
        )
        rows[Person].append(person)
        identity = accounts.Identity(
            opened, account, person["id_index"], clock.epoch_ms(at + accounts.LIFETIME)
        )
        yield {"token": accounts.sealed(identity), "phone": phone}
    for model, ready in rows.items():
        for start in range(0, len(ready), _ROWS):
            with writing() as session:
                session.execute(insert(table(model)), ready[start : start + _ROWS])


def _clear(shadow_id: str) -> None:
    """Take away all of it but the card."""
    shadows.clear(shadow_id)
    with writing() as session:
        mine = f"{shadow_id}.%"
        session.execute(delete(Person).where(Person.account.like(mine)))
        session.execute(delete(ShopperSession).where(ShopperSession.account.like(mine)))
        session.execute(delete(Account).where(Account.id.like(mine)))
        session.execute(delete(Offer).where(Offer.drop_id == shadow_id))


def _end(rehearsal_id: str, *, card: dict[str, Any] | None = None, trouble: str = "") -> None:
    with writing() as session:
        session.execute(
            update(Rehearsal)
            .where(Rehearsal.id == rehearsal_id)
            .values(ended_at=clock.now(), card=card, trouble=trouble)
        )


def _address() -> str:
    """Where this machine's web answers."""
    return f"http://{settings().host}:{settings().port}"


def lines(card: Card) -> list[str]:
    """The card in words."""
    took = {
        name: f"p50 {one['p50_ms']:.0f} ms, p99 {one['p99_ms']:.0f} ms"
        for name, one in card.took.items()
        if one["count"]
    }
    return [
        f"{card.shoppers:,} shoppers: {'every number was ordered once' if card.exact else 'NOT exact'}",
        f"{card.joins_a_second:,.0f} joins and {card.orders_a_second:,.0f} orders a second",
        *(f"{name}: {words}" for name, words in took.items()),
        f"let in {card.rate:,} people a second, {card.cap:,} inside at most; the drop's {card.numbers:,} numbers "
        f"then sell in {card.sells_in_s // 60} min {card.sells_in_s % 60} s at that pace",
    ]
