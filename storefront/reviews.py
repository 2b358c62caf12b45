"""Reviews: what a shopper says of what was delivered. A complaint in one, whatever its stars, waits for an answer of
staff, which then stands under it."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import cast

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from checkout import offers, orders
from checkout.models import Order
from runtime import clock
from runtime.db import writing
from runtime.facts import N_, Invalid, NotFound, WrongMove
from runtime.ids import new_id
from storefront.models import Review

DELIVERED = frozenset({"delivered", "activated", "completed"})
LONGEST = 1_000  # characters
POOR = 2  # stars and fewer are a complaint by themselves
# Words that tell of trouble, one a line, in both languages.
_TROUBLE = tuple(files("storefront").joinpath("complaints.txt").read_text("utf-8").split("\n"))[:-1]


class NotDelivered(WrongMove):
    """What did not come yet cannot be reviewed."""

    text = N_("You can review an order once it was delivered.")


class Answered(WrongMove):
    """Staff answered the review: the words it answers stay."""

    text = N_("This review was answered and stays as it is.")


@dataclass(frozen=True)
class Summary:
    """How goods were reviewed: `average` stars of `count` reviews, 0 of none."""

    count: int
    average: float


def goods_of(session: Session, order: Order) -> str:
    """What a review of an order is about: the handset's code, else the plan's."""
    offer = offers.find(session, order.offer_id)
    return offers.facts(offer).handset or offer.plan_id


def write(account: str, order_id: str, *, stars: int, text: str, asks: bool = False) -> Review:
    """Review an order, or write its review anew while nobody has answered it. `asks`: an answer is wanted.

    Raises NotFound, NotDelivered, Answered, and Invalid naming stars or text."""
    said, wrong = " ".join(text.split()), {}
    if stars not in range(1, 6):
        wrong["stars"] = N_("Give one to five stars.")
    if len(said) > LONGEST:
        wrong["text"] = N_("At most a thousand characters, please.")
    elif asks and len(said) < 5:
        wrong["text"] = N_("Tell us what happened, so that we can answer.")
    if wrong:
        raise Invalid(**wrong)
    with writing() as session:
        order = orders.find(session, order_id, account)
        if order.state not in DELIVERED:
            raise NotDelivered(state=order.state)
        review = session.scalar(select(Review).where(Review.order_id == order_id).with_for_update())
        if review is None:
            review = Review(
                id=new_id("rev"), order_id=order_id, account=account, goods=goods_of(session, order)
            )
            session.add(review)
        elif review.answered_at:
            raise Answered
        review.stars, review.text, review.at = stars, said, clock.now()
        review.complaint = asks or is_complaint(stars, said)
    return review


def is_complaint(stars: int, text: str) -> bool:
    """Does somebody have to answer this? Few stars, or words that tell of trouble beside many."""
    lower = text.lower()
    return stars <= POOR or any(word in lower for word in _TROUBLE)


def answer(session: Session, review_id: str, *, who: str, text: str) -> Review:
    """The shop's answer under a review. Raises NotFound, Answered, and Invalid naming text."""
    said = " ".join(text.split())
    if not 5 <= len(said) <= LONGEST:
        raise Invalid(text=N_("Answer in 5 to 1000 characters: the shopper and all others read it."))
    review = session.get(Review, review_id, with_for_update=True)
    if review is None:
        raise NotFound
    if review.answered_at:
        raise Answered
    review.answer, review.answered_by, review.answered_at = said, who, clock.now()
    return review


def of_order(session: Session, order_id: str) -> Review | None:
    return session.scalar(select(Review).where(Review.order_id == order_id))


def of_goods(session: Session, goods: str, limit: int = 50) -> Sequence[Review]:
    """What was said of goods, newest first."""
    newest = select(Review).where(Review.goods == goods).order_by(Review.at.desc(), Review.id).limit(limit)
    return session.scalars(newest).all()


def summary(session: Session, goods: str) -> Summary:
    """Raises nothing: goods nobody reviewed have a count of 0."""
    counted = select(func.count(), func.avg(Review.stars)).where(Review.goods == goods)
    count, average = session.execute(counted).one()
    return Summary(int(count), round(float(average or 0), 1))


def of_account(session: Session, account: str) -> Sequence[Review]:
    """An account's reviews, newest first."""
    return session.scalars(select(Review).where(Review.account == account).order_by(Review.at.desc())).all()


def forget(session: Session, account: str) -> None:
    """An account's reviews are gone."""
    session.execute(delete(Review).where(Review.account == account))


def waiting(session: Session) -> int:
    """How many complaints nobody has answered."""
    return cast(
        int, session.scalar(select(func.count()).where(Review.complaint, Review.answered_at.is_(None)))
    )


def listing(session: Session, limit: int = 100) -> Sequence[Review]:
    """For staff: complaints that wait, oldest first, then everything else, newest first."""
    open_ones = session.scalars(
        select(Review).where(Review.complaint, Review.answered_at.is_(None)).order_by(Review.at).limit(limit)
    ).all()
    rest = session.scalars(select(Review).order_by(Review.at.desc()).limit(limit)).all()
    return [*open_ones, *(one for one in rest if one not in open_ones)][:limit]
