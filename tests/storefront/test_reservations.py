"""Reservations: one a person, drawn so that anybody can check it, redeemed in a round of their own, passed on."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from checkout import offers
from inventory import draw, drops
from inventory.models import Drop
from kyc import people
from kyc.id_number import made_up
from kyc.models import Person
from runtime import clock, db
from runtime.db import reading, writing
from runtime.facts import Invalid
from storefront import cli, my_data, reservation_turns, reservations
from storefront.models import Account, Reservation, ReservationCampaign
from storefront.reservations import NotKnown, NotReserved, NotReserving, Wish
from tests.checkout.shop import SKU
from tests.storefront.conftest import Site

COMING = "coming"
FAR = datetime(2050, 1, 1, tzinfo=UTC)


@pytest.fixture
def coming(site: Site) -> Site:
    """A campaign that is open, for two handsets of a drop far away."""
    with writing() as session:
        drops.create(
            session,
            id=COMING,
            name="Coming",
            opens_at=FAR,
            pool=COMING,
            cities=["110"],
            skus={SKU: 2},
            actor="zhao",
        )
        offers.add(session, id="coming-offer", drop_id=COMING, plan_id="3g-186", sku=SKU, months=24)
        reservations.create(
            session, COMING, handset="iphone-4-8", drop_id=COMING, opens_at=datetime(2020, 1, 1, tzinfo=UTC),
            closes_at=FAR - timedelta(days=1), rule="draw", redeem=timedelta(days=1), actor="zhao", reason="test",
        )  # fmt: skip
    return site


def shopper(nth: int, person: int | None = None) -> str:
    """An account whose person is verified."""
    account = f"acc_{nth}"
    born = datetime(1980, 1, 1, tzinfo=UTC) + timedelta(days=nth if person is None else person)
    with writing() as session:
        phone = f"1860000{nth:04d}"
        made = Account(
            id=account, phone_index=account, phone=phone, phone_masked="186****", created_at=clock.now()
        )
        session.merge(made)
        people.enrol(session, account, "李雷", made_up("110000", born.date(), 901), min_age=16)
        session.execute(update(Person).where(Person.account == account).values(state="verified"))
    return account


def reserve(account: str) -> Reservation:
    return reservations.register(Wish(COMING, account, SKU, "110100"))


def end() -> None:
    """Reserving is over."""
    with writing() as session:
        session.execute(update(ReservationCampaign).values(closes_at=clock.now() - timedelta(minutes=1)))


def states() -> dict[str, str]:
    with reading() as session:
        return {one.account: one.state for one in session.scalars(select(Reservation))}


def test_a_second_reservation_of_a_person_answers_the_first_on_any_account(coming: Site) -> None:
    first = reserve(shopper(1))
    assert reserve("acc_1").id == first.id
    other = reserve(shopper(2, person=1))  # the same ID card, another account
    assert (other.id, other.account) == (first.id, "acc_1")
    assert reserve(shopper(3)).id != first.id
    with reading() as session:
        assert reservations.count(session, COMING) == 2


def test_many_at_once_get_what_each_would_get_alone(coming: Site) -> None:
    accounts = [shopper(nth) for nth in (1, 2, 3)]
    wishes = [
        *(Wish(COMING, one, SKU, "北京") for one in accounts), Wish(COMING, accounts[0], SKU, "上海"),
        Wish(COMING, accounts[1], "no such", "Atlantis"), Wish("no such", accounts[1], SKU, "北京"),
        Wish(COMING, "acc_nobody", SKU, "北京"),
    ]  # fmt: skip
    told = reservations.register_all(wishes)
    assert [type(one).__name__ for one in told] == [*["Reservation"] * 4, "Invalid", "NotFound", "NotKnown"]
    assert told[3].id == told[0].id  # type: ignore[union-attr]
    assert told[3].city == "110100"  # type: ignore[union-attr]
    assert set(told[4].errors) == {"sku", "city"}  # type: ignore[union-attr]


def test_reserving_has_its_time_and_needs_a_known_person(coming: Site) -> None:
    with pytest.raises(NotKnown):
        reserve("acc_unknown")
    account = shopper(1)
    end()
    with pytest.raises(NotReserving):
        reserve(account)


def test_the_draw_is_one_that_anybody_can_check_and_turns_pass_on(coming: Site) -> None:
    accounts = [shopper(nth) for nth in range(1, 6)]
    for account in accounts:
        reserve(account)
    with reading() as session:
        before = reservation_turns.published(session, COMING)
    assert (before.seed, list(before.order)) == ("", [])
    end()
    reservation_turns.tick()
    with reading() as session:
        published = reservation_turns.published(session, COMING)
        order = {one.ticket: one.account for one in session.scalars(select(Reservation))}
    assert draw.faults(published, before.commitment) == []
    assert draw.faults(published, "0" * 64) != []
    in_order = [order[ticket] for ticket in published.order]
    assert sorted(in_order) == sorted(accounts)
    assert states() == {**dict.fromkeys(accounts, "registered"), **dict.fromkeys(in_order[:2], "qualified")}
    reservation_turns.tick()  # again changes nothing
    assert list(states().values()).count("qualified") == 2

    with writing() as session:  # the first lets it lapse, the second gives it back
        first = update(Reservation).where(Reservation.account == in_order[0])
        session.execute(first.values(redeem_by=clock.now() - timedelta(seconds=1)))
    reservations.cancel(COMING, in_order[1])
    reservation_turns.tick()
    assert states() == dict(
        zip(in_order, ["lapsed", "cancelled", "qualified", "qualified", "registered"], strict=True)
    )


def test_a_draw_that_was_killed_begins_anew_and_ends_the_same(
    coming: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for nth in range(1, 8):
        reserve(shopper(nth))
    end()
    monkeypatch.setattr(reservation_turns, "_CHUNK", 2)
    writes = [0]
    honest = db.writing

    def dying() -> Any:
        writes[0] += 1
        if writes[0] == 3:
            raise RuntimeError("killed")
        return honest()

    monkeypatch.setattr(reservation_turns, "writing", dying)
    with pytest.raises(RuntimeError):
        reservation_turns.hold_draw(COMING)
    with reading() as session:
        assert reservations.find(session, COMING).drawn_at is None
    monkeypatch.setattr(reservation_turns, "writing", honest)
    with reading() as session:
        placed = session.scalars(select(Reservation.account).where(Reservation.place.is_not(None))).first()
    reservations.cancel(COMING, str(placed))  # whose place stands there already
    drawn = reservation_turns.hold_draw(COMING)
    with reading() as session:
        published = reservation_turns.published(session, COMING)
    assert list(published.order) == list(drawn.order)
    assert len(published.order) == 7


def test_only_whose_turn_it_is_may_hold_and_then_everybody(coming: Site) -> None:
    accounts = [shopper(nth) for nth in range(1, 4)]
    for account in accounts:
        reserve(account)
    end()
    reservation_turns.tick()
    mine = states()
    turn = next(one for one, state in mine.items() if state == "qualified")
    waits = next(one for one, state in mine.items() if state == "registered")
    with reading() as session:
        assert reservation_turns.gate(session, COMING, turn, SKU) is None
        for account, sku in ((turn, "another-sku"), (waits, SKU), ("a stranger", SKU)):
            assert isinstance(reservation_turns.gate(session, COMING, account, sku), NotReserved)
        assert reservation_turns.gate(session, "round-1", "a stranger", SKU) is None
    with writing() as session:
        session.execute(update(Reservation).values(state="lapsed"))
    with reading() as session:
        assert reservation_turns.gate(session, COMING, "a stranger", SKU) is None


def test_page_and_api_hold_the_gate(coming: Site) -> None:
    with writing() as session:
        session.execute(
            update(Drop).where(Drop.id == "round-1").values(opens_at=datetime(2020, 1, 1, tzinfo=UTC))
        )
        session.execute(update(ReservationCampaign).values(drop_id="round-1"))
    reservation_turns.refresh_gated()
    coming.sign_in()
    page = coming.browser.get("/drops/round-1").text
    form = {
        "number": re.findall(r'name="number" value="(\d{11})"', page)[0],
        "offer": re.findall(r'name="offer" value="([^"]+)"', page)[0],
        "csrf": coming.csrf("/account"),
    }
    refused = coming.browser.post("/drops/round-1/holds", data=form)
    assert refused.status_code == 403
    assert f'href="/reservations/{COMING}"' in refused.text
    told = coming.browser.post(
        "/api/v1/drops/round-1/holds", json={"number": form["number"], "offer": form["offer"]}
    )
    assert (told.status_code, told.json()["code"]) == (403, "not_reserved")


def test_the_pages_tell_each_step_and_lead_on(coming: Site) -> None:
    anonymous = coming.browser.get(f"/reservations/{COMING}").text
    assert "0 people have reserved." in anonymous
    assert f'href="/reservations/{COMING}"' in coming.browser.get("/").text
    coming.sign_in()
    csrf = coming.csrf(f"/reservations/{COMING}")
    form = {"sku": SKU, "city": "110100", "csrf": csrf}
    unknown = coming.browser.post(f"/reservations/{COMING}", data=form)
    assert unknown.status_code == 409
    assert 'href="/account/ready"' in unknown.text
    with writing() as session:
        people.enrol(session, coming.account(), "李雷", "110100199001010019", min_age=16)
        session.execute(update(Person).values(state="verified"))
    wrong = coming.browser.post(f"/reservations/{COMING}", data={**form, "city": ""})
    assert (wrong.status_code, "Choose the city from the list." in wrong.text) == (422, True)
    done = coming.browser.post(f"/reservations/{COMING}", data=form).text
    assert "Your reservation" in done
    assert "One person has reserved." in done
    end()
    reservation_turns.tick()
    turn = coming.browser.get(f"/reservations/{COMING}").text
    assert "It is your turn" in turn
    assert f'href="/drops/{COMING}/bundles/iphone-4-8"' in turn
    page = coming.browser.get(f"/reservations/{COMING}/draw").text
    assert "Final seed" in page
    assert "place 1" in page
    assert f"/api/v1/reservations/{COMING}/draw" in page
    told = coming.browser.get(f"/api/v1/reservations/{COMING}/draw").json()
    assert told["tickets"] == 1
    mine = coming.browser.get(f"/api/v1/reservations/{COMING}/mine").json()
    assert (mine["state"], mine["place"]) == ("qualified", 1)


def test_a_campaign_that_cannot_be_is_refused_with_each_reason(coming: Site) -> None:
    at = datetime(2030, 1, 1, tzinfo=UTC)
    with pytest.raises(Invalid) as refused, writing() as session:
        reservations.create(
            session, "x!", handset="no such", drop_id=COMING, opens_at=at, closes_at=at, rule="auction",
            redeem=timedelta(seconds=1), actor="zhao", reason="",
        )  # fmt: skip
    assert set(refused.value.errors) == {"campaign", "handset", "closes", "rule", "redeem", "drop"}


def test_the_command_line_announces_lists_and_draws(coming: Site) -> None:
    with writing() as session:
        drops.create(
            session,
            id="later",
            name="Later",
            opens_at=FAR,
            pool="later",
            cities=["110"],
            skus={SKU: 1},
            actor="zhao",
        )
    run = CliRunner().invoke
    told = "--opens 2020-01-01T00:00:00+08:00 --closes 2049-01-01T00:00:00+08:00 --rule first"
    made = run(cli.main, f"reservation create later --handset iphone-4-8 --drop later {told}".split())
    assert (made.exit_code, made.output[:12]) == (0, "later: first")
    listed = run(cli.main, ["reservation", "list"])
    assert "later  open  iphone-4-8 in later  0 reservations" in listed.output
    early = run(cli.main, ["reservation", "draw", "later"])
    assert early.exit_code == 1
    assert "drawn after its end" in early.output
    account = shopper(1)
    reservations.register(Wish("later", account, SKU, "110100"))
    end()
    assert "1 tickets in order, 1 qualify now" in run(cli.main, ["reservation", "draw", "later"]).output


def test_ones_own_data_has_the_reservation_and_forgets_it(coming: Site) -> None:
    account = shopper(1)
    reserve(account)
    with reading() as session:
        known = session.get_one(Account, account)
    assert [one["campaign"] for one in my_data.export(known)["reservations"]] == [COMING]
    my_data.erase(account)
    assert states() == {"": "cancelled"}
    with reading() as session:
        assert my_data.export(Account(id=account, phone="", created_at=clock.now()))["reservations"] == []
