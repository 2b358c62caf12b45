"""News from the desks below: verdicts on identities and scans of parcels, each claimed with its effect."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from checkout import delivering, moves
from checkout.models import Order
from kyc import cases, people, sms
from kyc.cases import CaseNews
from logistics import scans
from logistics.scans import ScanNews
from runtime import outbox
from runtime.db import writing
from runtime.log import log

News = TypeVar("News", CaseNews, ScanNews)
_BATCH = 50  # a transaction each


def tick() -> int:
    """Take all news there are; gives how many."""
    return _take_all(cases.take_news, judged, "order.judged") + _take_all(
        scans.take_news, delivering.scanned, "order.scanned"
    )


def judged(session: Session, news: CaseNews) -> None:
    """A verdict: the person's waiting orders may be paid, or end. An older verdict than the person's present
    state (asked again meanwhile) is left to the newer one."""
    person = people.find(session, news.person_id)
    waiting = session.scalars(
        select(Order).where(Order.person_id == person.id, Order.state == "awaiting_kyc").order_by(Order.id)
    ).all()
    for order in waiting:
        if news.outcome == "matched" and person.state == "verified":
            moves.ready_to_pay(session, order)
        elif news.outcome != "matched" and person.state == "refused":
            moves.move(session, order, "kyc_failed", note=person.refusal)
            sms.text(session, order.phone, _REFUSED[news.outcome])


_REFUSED = {
    "mismatched": "【号卡】您提交的姓名与身份证号码不一致，订单已取消，号码已退回。请核对证件后重新选号。",
    "not_found": "【号卡】未查到您提交的身份证号码，订单已取消，号码已退回。请核对证件后重新选号。",
}


def judged_again(ref: str) -> None:
    """A verdict whose effect failed the first time, once more."""
    with writing() as session:
        judged(session, msgspec.json.decode(ref, type=CaseNews))


def scanned_again(ref: str) -> None:
    """A scan whose effect failed the first time, once more."""
    with writing() as session:
        delivering.scanned(session, msgspec.json.decode(ref, type=ScanNews))


def _take_all(
    take: Callable[[Session, int], Sequence[News]], act: Callable[[Session, News], None], retry: str
) -> int:
    """Claim and act in one transaction. One that fails is rolled back alone and goes to the outbox, which tries
    again and in the end tells ops: it neither stops the rest nor is forgotten."""
    taken = 0
    while True:
        with writing() as session:
            batch = take(session, _BATCH)
            for news in batch:
                try:
                    with session.begin_nested():
                        act(session, news)
                except Exception as error:
                    log.warning("news.failed", retry=retry, error=type(error).__name__)
                    outbox.add(session, retry, msgspec.json.encode(news).decode())
        taken += len(batch)
        if len(batch) < _BATCH:
            return taken
