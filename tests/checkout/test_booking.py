"""What changed between an order's check and its own transaction is seen in it."""

import pytest
from sqlalchemy import select

from checkout import booking
from checkout.asked import Asked
from checkout.at_hand import at_hand, before
from checkout.booking import Placed
from checkout.drafts import check
from checkout.placing import place_all
from inventory import holds
from kyc import people
from kyc.models import Person
from runtime.db import engine, reading, writing
from runtime.facts import NotFound
from tests.checkout.crowd import fates, held, ids_of, kinds, live, set_person, tally, used, verified, wants
from tests.checkout.shop import LI, ZHOU, Shop


def ready(one: Asked) -> booking.Ready:
    """Checked and claimed; what comes next is the order's own transaction."""
    with reading() as session:
        draft = check(at_hand(session, [one]), before(session, [one]), one)
    claimed = holds.claim(one.hold_id, account=one.account, order_id=one.order_id)
    return booking.Ready(draft, claimed.epoch)


def test_a_verdict_that_came_since_the_check_is_seen(shop: Shop) -> None:
    with writing() as session:
        person = people.enrol(session, "li", *LI, min_age=16)
    one = ready(wants("li", shop.hold("li"), LI))
    set_person(person.id, state="verified")
    placed = booking.book([one], waits=False)[one.draft.id]
    assert isinstance(placed, Placed)
    assert placed.order.state == "awaiting_payment"


def test_a_refusal_that_came_since_the_check_starts_another_case(shop: Shop) -> None:
    with writing() as session:
        person = people.enrol(session, "zhou", *ZHOU, min_age=16)
    one = ready(wants("zhou", shop.hold("zhou"), ZHOU))
    shop.settle_down()
    with reading() as session:
        assert people.find(session, person.id).state == "refused"
    placed = booking.book([one], waits=False)[one.draft.id]
    assert isinstance(placed, Placed)
    assert placed.order.state == "awaiting_kyc"
    shop.settle_down()
    assert shop.state(placed.order) == "kyc_failed"
    assert shop.clean()


def test_an_erased_person_buys_nothing(shop: Shop) -> None:
    [person] = verified(["a"])
    one = ready(wants("a", held(["a"])[0]))
    set_person(person, state="erased", dek=None, name=None, id_number=None, birth=None)
    told = booking.book([one], waits=False)
    assert {order_id: type(answer) for order_id, answer in told.items()} == {one.draft.id: NotFound}
    assert (live(), fates(), tally()) == ([], ["voided"], (40, 0, 0, 0))


def test_whom_somebody_else_has_is_placed_aside_and_keeps_nobody_waiting(shop: Shop) -> None:
    if engine().dialect.name == "sqlite":
        pytest.skip("SQLite has one lock for all")
    persons = verified(["a", "b"])
    asked = [wants(one, hold) for one, hold in zip("ab", held(["a", "b"]), strict=True)]
    with writing() as session:
        session.scalars(select(Person).where(Person.id == persons[0]).with_for_update()).one()
        assert kinds(place_all(asked)) == ["Aside", "Placed"]
    assert len(ids_of(place_all(asked))) == 2
    assert (tally(), used(), fates()) == ((38, 0, 2, 0), [1, 1], ["placed"] * 2)
