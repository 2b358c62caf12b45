"""Reservations (预约): before a handset is sold, people say that they want it; who qualifies buys in a round of
their own.

A campaign belongs to a drop, whose handsets are its stock. One reservation a person, whatever the accounts. Who
qualifies, and what becomes of a turn nobody takes, is in reservation_turns.py."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from checkout import catalogue
from inventory import draw, drops
from kyc import people
from logistics import regions
from runtime import clock
from runtime.bulk import insert_new
from runtime.crypto import digest
from runtime.db import among, writing
from runtime.facts import N_, Fact, Invalid, NotFound, WrongMove
from runtime.gathering import Gathering
from runtime.ids import derived_id
from storefront.models import Reservation, ReservationCampaign

RULES = ("draw", "first")  # by a draw anybody can check, or in the order in which they came
LEAST_REDEEM = timedelta(minutes=10)


class NotReserving(Fact):
    """Reservations begin at `opens_at` or ended at `closes_at` (ISO 8601, UTC)."""

    code = "not_reserving"
    text = N_("This handset cannot be reserved at the moment.")


class NotKnown(Fact):
    """One reservation a person: so the person must be known."""

    code = "not_known"
    text = N_("Please have your identity checked first: there is one reservation for each person.")


class NotReserved(Fact):
    """The drop is for those whose reservation qualified, while it is their turn."""

    code = "not_reserved"
    text = N_("This round is for those who reserved and whose turn it is.")


@dataclass(frozen=True)
class Wish:
    """What an account reserves. `sku` is the colour and storage, `city` a GB/T 2260 code or a city's name."""

    campaign: str
    account: str
    sku: str
    city: str


def create(
    session: Session, campaign_id: str, *, handset: str, drop_id: str, opens_at: datetime, closes_at: datetime,
    rule: str, redeem: timedelta, actor: str, reason: str,
) -> ReservationCampaign:  # fmt: skip
    """Announce a campaign for a handset of the catalogue; its stock is the drop's. `redeem`: how long a turn lasts.

    The draw's commitment is published from now on. Raises Invalid naming the field, NotFound for the drop."""
    wrong: dict[str, str] = {}
    now, drop = catalogue.current(session), drops.find(session, drop_id)
    mine = {one.code for one in now.skus_of(handset)}
    if handset not in now.handset:
        wrong["handset"] = N_("Name a handset of the catalogue.")
    elif not mine & drops.skus(session, drop_id).keys():
        wrong["drop"] = N_("This drop has none of that handset to sell.")
    if not opens_at < closes_at:
        wrong["closes"] = N_("The end must be after the beginning.")
    elif closes_at > drop.opens_at:
        wrong["closes"] = N_("Reservations must end before the drop opens.")
    if rule not in RULES:
        wrong["rule"] = N_("Write draw or first.")
    if redeem < LEAST_REDEEM:
        wrong["redeem"] = N_("Give people at least ten minutes.")
    if session.get(ReservationCampaign, campaign_id) or not campaign_id.replace("-", "").isalnum():
        wrong["campaign"] = N_("Take another id, of letters, digits and hyphens.")
    if session.scalar(select(ReservationCampaign.id).where(ReservationCampaign.drop_id == drop_id)):
        wrong["drop"] = N_("This drop belongs to another campaign already.")
    if wrong:
        raise Invalid(**wrong)
    seed = draw.new_seed()
    made = ReservationCampaign(
        id=campaign_id, handset=handset, drop_id=drop_id, opens_at=opens_at, closes_at=closes_at, rule=rule,
        redeem_minutes=int(redeem.total_seconds() // 60), commitment=draw.commitment(seed), seed=seed,
        drawn_at=None, tickets=0, digest="", final_seed="", actor=actor, reason=reason, made_at=clock.now(),
    )  # fmt: skip
    session.add(made)
    session.flush()
    return made


def find(session: Session, campaign_id: str) -> ReservationCampaign:
    """Raises NotFound."""
    found = session.get(ReservationCampaign, campaign_id)
    if found is None:
        raise NotFound
    return found


def listing(session: Session) -> Sequence[ReservationCampaign]:
    """The campaigns, the next to end first."""
    return session.scalars(select(ReservationCampaign).order_by(ReservationCampaign.closes_at)).all()


def face(campaign: ReservationCampaign) -> str:
    """`before`, `open`, `closed` (the order is not known yet) or `drawn`."""
    at = clock.now()
    if campaign.drawn_at:
        return "drawn"
    return "before" if at < campaign.opens_at else "open" if at < campaign.closes_at else "closed"


def count(session: Session, campaign_id: str) -> int:
    """How many reservations stand."""
    theirs = (Reservation.campaign == campaign_id, Reservation.state != "cancelled")
    return session.scalars(select(func.count()).select_from(Reservation).where(*theirs)).one()


def of_account(session: Session, campaign_id: str, account: str) -> Reservation | None:
    """The reservation of the person an account stands for, made by whichever of their accounts; of nobody, None."""
    known = people.verified(session, [account]).get(account)
    return session.get(Reservation, id_of(campaign_id, known.id_index)) if known else None


def all_of_account(session: Session, account: str) -> Sequence[Reservation]:
    """What an account reserved, newest first."""
    theirs = select(Reservation).where(Reservation.account == account)
    return session.scalars(theirs.order_by(Reservation.at.desc(), Reservation.id)).all()


def forget(session: Session, account: str) -> None:
    """An account's reservations are nobody's: a draw stays checkable by their tickets, which say nothing."""
    session.execute(
        update(Reservation).where(Reservation.account == account).values(account="", state="cancelled")
    )


def id_of(campaign_id: str, person: str) -> str:
    """The one reservation a person can have."""
    return derived_id("rsv", campaign_id, person)


def register(wish: Wish) -> Reservation:
    """Reserve; who has reserved already gets what they have. Raises NotFound, NotReserving, NotKnown, and Invalid
    naming sku or city."""
    return _desk.call(wish)


async def registered(wish: Wish) -> Reservation:
    """`register` for the event loop."""
    return await _desk.awaited(wish)


def register_all(wishes: Sequence[Wish]) -> list[Reservation | Exception]:
    """What each would get by itself, in their places, with a fixed number of statements for all."""
    with writing() as session:
        campaigns = {one: session.get(ReservationCampaign, one) for one in {wish.campaign for wish in wishes}}
        known = people.verified(session, {wish.account for wish in wishes})
        stock = {one.id: drops.skus(session, one.drop_id) for one in campaigns.values() if one}
        told: dict[int, Exception] = {}
        rows: dict[str, dict[str, object]] = {}
        ids: dict[int, str] = {}
        at = clock.now()
        for place, wish in enumerate(wishes):
            try:
                city = _checked(wish, campaigns[wish.campaign], stock, at)
                if wish.account not in known:
                    raise NotKnown
            except Fact as fact:
                told[place] = fact
                continue
            person = known[wish.account].id_index
            ids[place] = id_of(wish.campaign, person)
            rows.setdefault(ids[place], {
                "id": ids[place], "campaign": wish.campaign, "account": wish.account, "sku": wish.sku, "city": city,
                "ticket": digest("reservation", f"{wish.campaign}\x1f{person}")[:32], "at": at,
                "state": "registered", "place": None, "redeem_by": None,
            })  # fmt: skip
        insert_new(session, Reservation, [rows[one] for one in sorted(rows)])
        found = {
            one.id: one
            for one in session.scalars(
                select(Reservation).where(among(Reservation.id, "ids")), {"ids": sorted(rows)}
            )
        }
        for one in found.values():
            if one.state == "cancelled":  # they changed their mind once more
                wished = rows[one.id]
                one.state, one.sku, one.city = "registered", str(wished["sku"]), str(wished["city"])
        session.flush()
        session.expunge_all()
    return [told[place] if place in told else found[ids[place]] for place in range(len(wishes))]


def _checked(
    wish: Wish, campaign: ReservationCampaign | None, stock: Mapping[str, Mapping[str, int]], at: datetime
) -> str:
    """The city's code. Raises what is wrong with a wish."""
    if campaign is None:
        raise NotFound
    if not campaign.opens_at <= at < campaign.closes_at:
        times = {"opens_at": campaign.opens_at.isoformat(), "closes_at": campaign.closes_at.isoformat()}
        raise NotReserving(**times)
    wrong: dict[str, str] = {}
    if wish.sku not in stock[campaign.id]:
        wrong["sku"] = N_("Choose colour and storage from the list.")
    try:
        city = regions.city_code(wish.city)
    except Invalid as error:
        wrong |= error.errors
    if wrong:
        raise Invalid(**wrong)
    return city


def cancel(campaign_id: str, account: str) -> None:
    """Give a reservation back, as long as the order was not made. Raises NotFound, WrongMove."""
    with writing() as session:
        mine = of_account(session, campaign_id, account)
        if mine is None or mine.account != account:
            raise NotFound
        gone = session.scalar(
            update(Reservation)
            .where(Reservation.id == mine.id, Reservation.state.in_(("registered", "qualified")))
            .values(state="cancelled")
            .returning(Reservation.id)
        )
    if gone is None:
        raise WrongMove(state=mine.state)


_desk: Gathering[Wish, Reservation] = Gathering("reservations", lambda wishes: register_all(wishes))
