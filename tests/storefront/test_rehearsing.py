"""Rehearsals: when they may begin, what ops see of them, and what a killed one leaves."""

from dataclasses import asdict
from datetime import timedelta

import pytest
from redis import Redis
from sqlalchemy import func, select

from checkout.models import Offer
from inventory import drops, shadows
from inventory.models import Drop, Number
from kyc.models import Person
from runtime import clock, outbox
from runtime.db import reading, writing
from runtime.facts import Invalid, NotFound, WrongMove
from runtime.ids import new_id
from storefront import jobs, rehearsing
from storefront.models import Account, Rehearsal, ShopperSession
from tests.checkout.shop import DROP
from tests.storefront.conftest import Site

TOLD = {
    "joins_a_second": 812.5, "orders_a_second": 101.9, "lost": 0,
    "answers": {"join 200": 100, "order 201": 100},
    "took": {
        "hold": {"count": 100, "p50_ms": 4.2, "p99_ms": 9.9},
        "order": {"count": 100, "p50_ms": 30.0, "p99_ms": 71.5},
    },
}  # fmt: skip


def rest() -> None:
    with writing() as session:
        drops.pause(session, DROP, actor="zhao", reason="a test")


def test_none_begins_while_a_drop_sells(site: Site) -> None:
    with reading() as session, pytest.raises(WrongMove, match="A drop is selling"):
        rehearsing.may(session, DROP)
    with reading() as session:
        drop, planned = rehearsing.may(session, DROP, anyway=True)
    assert (drop.id, planned) == (DROP, drops.tally(DROP).loaded)


def test_nor_of_a_drop_that_is_over_or_not_there(site: Site) -> None:
    with writing() as session:
        drops.close(session, DROP, actor="zhao", reason="a test")
    with reading() as session:
        with pytest.raises(WrongMove, match="over"):
            rehearsing.may(session, DROP)
        with pytest.raises(NotFound):
            rehearsing.may(session, "nowhere")


def test_a_drop_without_an_offer_is_told_so_and_leaves_nothing(site: Site) -> None:
    with writing() as session:
        drops.create(
            session, id="bare", name="bare", opens_at=clock.now() + timedelta(days=1), pool="p", cities=["110"],
            actor="zhao",
        )  # fmt: skip
    rest()
    with pytest.raises(Invalid) as wrong:
        rehearsing.run("bare", actor="zhao", count=3)
    assert "offer" in wrong.value.errors
    with reading() as session:
        assert session.scalar(select(func.count()).select_from(Drop).where(Drop.shadow_of.is_not(None))) == 0
        assert session.scalar(select(func.count()).select_from(Rehearsal)) == 0


def test_the_button_hands_it_to_a_worker(site: Site) -> None:
    site.staff()
    path = f"/ops/drops/{DROP}"
    csrf = site.csrf(path)
    refused = site.browser.post(f"{path}/rehearsal", data={"csrf": csrf})
    assert refused.status_code == 409
    assert "A drop is selling" in refused.text
    rest()
    assert site.browser.post(f"{path}/rehearsal", data={"csrf": csrf}).url.path == path
    with reading() as session:
        work = session.scalars(select(outbox.OutboxRow).where(outbox.OutboxRow.job == jobs.REHEARSE)).all()
    assert [one.ref for one in work] == [f"{DROP} ops:zhao"]


def test_its_page_shows_the_card(site: Site) -> None:
    card = rehearsing._card(TOLD, planned=20_000, count=100)
    assert (card.exact, card.rate, card.cap, card.sells_in_s) == (True, 81, 4_860, 247)
    assert not rehearsing._card({**TOLD, "lost": 1}, planned=20_000, count=100).exact
    assert not rehearsing._card(TOLD, planned=20_000, count=101).exact
    assert any("81 people a second" in line for line in rehearsing.lines(card))
    site.staff()
    assert "Rehearsal" in site.browser.get(f"/ops/drops/{DROP}").text
    begun(card=card)
    page = site.browser.get(f"/ops/drops/{DROP}").text
    for figure in ("4,860", "p99 72 ms", "102"):
        assert figure in page, figure
    with writing() as session:
        newest = rehearsing.last(session, DROP)
        assert newest
        newest.card, newest.trouble = None, "Unavailable: the shop did not answer"
    assert "The last rehearsal broke off" in site.browser.get(f"/ops/drops/{DROP}").text


def begun(*, ago: timedelta = timedelta(0), shadow: str = "", card: rehearsing.Card | None = None) -> None:
    at = clock.now()
    with writing() as session:
        session.add(
            Rehearsal(
                id=new_id("reh"), drop_id=DROP, shadow_id=shadow or "rehearsal-0", actor="zhao", began_at=at - ago,
                ended_at=at if card else None, trouble="", card=asdict(card) if card else None,
            )
        )  # fmt: skip


def test_what_a_killed_one_left_is_taken_away(site: Site, redis: Redis) -> None:
    with writing() as session:
        shadow = shadows.make(session, drops.find(session, DROP), 40, actor="zhao", reason="a test").id
        rehearsing._offer(session, DROP, shadow)
    for verb in (drops.schedule, drops.warm, drops.open_now):
        with writing() as session:
            verb(session, shadow, actor="zhao", reason="a test")
    assert drops.tally(shadow).free == 40
    assert len(list(rehearsing._shoppers(shadow, 5))) == 5
    assert shadow not in site.browser.get("/api/v1/drops").text
    with reading() as session:
        assert shadow not in [one.id for one in drops.listing(session)]

    before = drops.tally(DROP)
    begun(ago=timedelta(minutes=1), shadow=shadow)
    rehearsing.clear_stuck()
    assert drops.tally(shadow).free == 40  # may be under way
    with reading() as session, pytest.raises(WrongMove, match="under way"):
        rehearsing.may(session, DROP, anyway=True)
    begun(ago=timedelta(minutes=16), shadow=shadow)
    rehearsing.clear_stuck()
    with reading() as session:
        assert session.get(Drop, shadow) is None
        for model, column in (
            (Number, Number.pool), (Offer, Offer.drop_id), (Account, Account.id), (Person, Person.account),
            (ShopperSession, ShopperSession.account),
        ):  # fmt: skip
            assert (
                session.scalar(select(func.count()).select_from(model).where(column.like("rehearsal-%"))) == 0
            )
    assert not list(redis.scan_iter(match=f"*{shadow}*"))
    assert drops.tally(DROP) == before
