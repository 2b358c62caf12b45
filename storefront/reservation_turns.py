"""Whose turn it is to redeem a reservation: the order of the draw, and what passes on when somebody lets it lapse."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

import msgspec
from sqlalchemy import bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from checkout.models import Order
from inventory import draw, drops
from inventory.draw import Draw
from inventory.models import Drop
from kyc import sms
from runtime import clock
from runtime.db import reading, table, writing
from runtime.facts import N_, Fact
from runtime.log import log
from storefront import i18n, reservations
from storefront.models import Account, Reservation, ReservationCampaign
from storefront.reservations import NotReserved

GRACE = timedelta(seconds=10)  # after the end, in which those finish who came in time
_CHUNK = 5_000  # rows of one transaction: a draw of a million keeps nobody else from writing
_NOTICES = 200  # people told in one transaction
_ROW = table(Reservation).c


def tick() -> None:
    """What the clock does until a campaign's drop is settled: draw what has ended, give out turns, take back those
    that lapsed."""
    with reading() as session:
        settled = set(session.scalars(select(Drop.id).where(Drop.state == "settled")))
        over = [
            (one.id, one.drawn_at)
            for one in reservations.listing(session)
            if one.closes_at + GRACE <= clock.now() and one.drop_id not in settled
        ]
    for campaign_id, drawn_at in over:
        if drawn_at is None:
            hold_draw(campaign_id)
        give_turns(campaign_id)


def hold_draw(campaign_id: str) -> Draw:
    """Bring a campaign's reservations into their order and write it down; again, it is the same.

    Nothing is published before all places are written, so one that was killed begins anew."""
    with reading() as session:
        campaign = reservations.find(session, campaign_id)
        standing = _standing(session, campaign_id)
    drawn = _drawn(campaign, standing)
    for start in range(0, drawn.tickets, _CHUNK):
        with writing() as session:
            session.connection().execute(
                update(table(Reservation))
                .where(_ROW.campaign == campaign_id, _ROW.ticket == bindparam("of"))
                .values(place=bindparam("nth")),
                [
                    {"of": one, "nth": nth}
                    for nth, one in enumerate(drawn.order[start : start + _CHUNK], start + 1)
                ],
            )
    with writing() as session:
        session.execute(
            update(ReservationCampaign)
            .where(ReservationCampaign.id == campaign_id, ReservationCampaign.drawn_at.is_(None))
            .values(
                drawn_at=clock.now(), tickets=drawn.tickets, digest=drawn.digest, final_seed=drawn.final_seed
            )
        )
    log.info("reservations.drawn", campaign=campaign_id, tickets=drawn.tickets)
    return drawn


def _standing(session: Session, campaign_id: str) -> list[str]:
    """Tickets in the order in which they came. One that got a place from a draw that was killed stays in, though its
    reservation was given back since: every place there is must be of the last draw."""
    stands = or_(_ROW.state == "registered", _ROW.place.is_not(None))
    theirs = select(_ROW.ticket).where(_ROW.campaign == campaign_id, stands)
    return list(session.scalars(theirs.order_by(_ROW.at, _ROW.id)))


def _drawn(campaign: ReservationCampaign, tickets: Iterable[str]) -> Draw:
    if campaign.rule == "draw":
        return draw.make(campaign.id, campaign.seed, tickets)
    came = list(tickets)
    return Draw(
        campaign.id, campaign.commitment, rule="first come, first served", tickets=len(came), order=came
    )


def summary(campaign: ReservationCampaign) -> Draw:
    """The figures of a campaign's draw without its order; before it is held, the commitment alone."""
    if campaign.drawn_at is None:
        return Draw(campaign.id, campaign.commitment)
    return Draw(
        campaign.id, campaign.commitment, draw.NAME, campaign.seed, campaign.tickets, campaign.digest,
        campaign.final_seed,
    )  # fmt: skip


def published(session: Session, campaign_id: str) -> Draw:
    """The draw as anybody may check it; before it is held, its commitment alone. Raises NotFound."""
    campaign = reservations.find(session, campaign_id)
    if campaign.rule != "draw":
        return Draw(campaign.id, campaign.commitment, rule="first")
    told = summary(campaign)
    if campaign.drawn_at is None:
        return told
    order = (
        select(_ROW.ticket).where(_ROW.campaign == campaign_id, _ROW.place.is_not(None)).order_by(_ROW.place)
    )
    return msgspec.structs.replace(told, order=list(session.scalars(order)))


def give_turns(campaign_id: str) -> int:
    """Bring every turn up to date, and give out those that are free; how many. Repeating it changes nothing."""
    given = 0
    with writing() as session:
        campaign = reservations.find(session, campaign_id)
        _redeemed(session, campaign)
        _lapsed(session, campaign)
    if campaign.drawn_at is None:
        return 0
    with reading() as session:
        stock, drop = drops.skus(session, campaign.drop_id), drops.find(session, campaign.drop_id)
    until = max(clock.now(), drop.opens_at) + timedelta(minutes=campaign.redeem_minutes)
    for sku, quantity in stock.items():
        for chunk in _next(campaign_id, sku, quantity):
            with writing() as session:
                rows = session.scalars(
                    update(Reservation)
                    .where(Reservation.id.in_(chunk), Reservation.state == "registered")
                    .values(state="qualified", redeem_by=until)
                    .returning(Reservation.account)
                ).all()
                _tell(session, campaign, rows)
                given += len(rows)
    return given


def _next(campaign_id: str, sku: str, quantity: int) -> Iterator[Sequence[str]]:
    """Who comes next for what is left of a sku, in the order of places."""
    theirs = (Reservation.campaign == campaign_id, Reservation.sku == sku)
    with reading() as session:
        taken = select(func.count()).select_from(Reservation)
        used = session.scalars(taken.where(*theirs, Reservation.state.in_(("qualified", "redeemed")))).one()
        left = max(0, quantity - used)
        rows = session.scalars(
            select(Reservation.id)
            .where(*theirs, Reservation.state == "registered", Reservation.place.is_not(None))
            .order_by(Reservation.place)
            .limit(left)
        ).all()
    for start in range(0, len(rows), _NOTICES):
        yield rows[start : start + _NOTICES]


def _redeemed(session: Session, campaign: ReservationCampaign) -> None:
    """Whoever's turn it was and who has a live order of the drop has redeemed; one that was undone gives it back."""
    bought = select(Order.account).where(Order.drop_id == campaign.drop_id, Order.live)
    mine = Reservation.campaign == campaign.id
    session.execute(
        update(Reservation)
        .where(mine, Reservation.state.in_(("qualified", "lapsed")), Reservation.account.in_(bought))
        .values(state="redeemed")
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(Reservation)
        .where(mine, Reservation.state == "redeemed", Reservation.account.not_in(bought))
        .values(state="lapsed")
        .execution_options(synchronize_session=False)
    )


def _lapsed(session: Session, campaign: ReservationCampaign) -> None:
    session.execute(
        update(Reservation)
        .where(
            Reservation.campaign == campaign.id,
            Reservation.state == "qualified",
            Reservation.redeem_by <= clock.now(),
        )
        .values(state="lapsed")
        .execution_options(synchronize_session=False)
    )


def _tell(session: Session, campaign: ReservationCampaign, accounts: Iterable[str]) -> None:
    """A text to each whose turn it is; who closed their account since has no phone."""
    with i18n.speaking(i18n.DEFAULT):
        words = i18n.gettext(N_("Haoka: your reservation qualified. It is waiting for you in the shop."))
    phones = select(Account.phone).where(Account.id.in_(list(accounts)), Account.phone_masked != "")
    for phone in session.scalars(phones).all():
        sms.text(session, phone, words)


def gate(session: Session, drop_id: str, account: str, sku: str) -> Fact | None:
    """Why an account must not hold in a drop that belongs to a campaign; None where it may, and for other drops.

    When everybody who reserved had their turn, what is left is for all."""
    campaign = session.scalar(select(ReservationCampaign).where(ReservationCampaign.drop_id == drop_id))
    if campaign is None:
        return None
    mine = reservations.of_account(session, campaign.id, account)
    if mine and mine.sku == sku:
        turn = mine.state == "qualified" and mine.redeem_by is not None and mine.redeem_by > clock.now()
        if turn or mine.state == "redeemed":
            return None
    waiting = (Reservation.campaign == campaign.id, Reservation.state.in_(("registered", "qualified")))
    over = campaign.drawn_at and not session.scalar(select(Reservation.id).where(*waiting).limit(1))
    return None if over else NotReserved(campaign=campaign.id)


_gated: frozenset[str] = frozenset()


def refresh_gated() -> None:
    """Learn which drops belong to a campaign; called every two seconds in each web process."""
    global _gated
    with reading() as session:
        _gated = frozenset(session.scalars(select(ReservationCampaign.drop_id)))


def is_gated(drop_id: str) -> bool:
    """Must gate() be asked before somebody holds in this drop?"""
    return drop_id in _gated
