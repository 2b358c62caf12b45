"""The e-contract: drafted from the frozen price, signed with a code sent by SMS, kept in the vault by hash."""

from dataclasses import replace
from datetime import date

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from checkout import moves, offers, orders, prices
from checkout.contract_paper import Paper, Signature
from checkout.models import Contract, Order
from kyc import codes, people, vault
from runtime import clock, outbox
from runtime.bulk import insert_new
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import N_, Fact, NotFound, TooMany, WrongMove
from runtime.ids import derived_id
from runtime.log import log

PDF = "application/pdf"


class WrongCode(Fact):
    """The signing code is wrong, used or too old."""

    code = "wrong_code"
    text = N_("This code is not right. Please compare it with the newest message, or ask for a new one.")


class NotDrafted(WrongMove):
    """The contract is still being written, a matter of seconds."""

    text = N_("The contract is being prepared. Please try again in a moment.")


def of_order(session: Session, order_id: str) -> Contract | None:
    """The order's contract, with the hashes of its papers."""
    return session.scalar(select(Contract).where(Contract.order_id == order_id))


def draft(order_id: str) -> None:
    """Write the contract of an order that may be paid, and send the code to sign it. Can run twice."""
    from checkout import contract_pdf

    with writing() as session:
        order = orders.find(session, order_id)
        paper = _paper(session, order) if of_order(session, order_id) is None else None
    if paper is not None:
        content = contract_pdf.render(paper)  # outside of the transaction: it takes its time
        undrawn = contract_pdf.missing(paper.name)
        with writing() as session:
            kept = vault.put_document(
                session, kind="contract", ref=order_id, owner=order.account, content=content, media=PDF
            )
            row = {
                "id": derived_id("con", order_id),
                "order_id": order_id,
                "state": "drafted",
                "drafted_at": clock.now(),
                "draft_document": kept.id,
                "draft_sha256": kept.sha256,
                "needs_font": bool(undrawn),
            }
            insert_new(session, Contract, [row])
        if undrawn:
            log.warning("contract.needs_font", order=order_id, characters=len(undrawn))
    point("contract.drafted")
    with reading() as session:
        contract, order = _existing(session, order_id), orders.find(session, order_id)
    if contract.code_sent_at is None and order.state == "awaiting_payment":
        try:
            with writing() as session:
                send_code(session, orders.find(session, order_id))
        except TooMany as later:
            raise outbox.NotYet(later.retry_after) from None


def send_code(session: Session, order: Order) -> None:
    """Send a (new) code to sign with. Raises WrongMove, NotDrafted, TooMany(retry_after)."""
    contract = of_order(session, order.id)
    if order.state != "awaiting_payment":
        raise WrongMove(state=order.state)
    if contract is None:
        raise NotDrafted
    if contract.state != "drafted":
        raise WrongMove(N_("The contract is signed."), state=contract.state)
    codes.send(session, order.phone, purpose="sign", binding=order.id)
    contract.code_sent_at = clock.now()


def sign(order_id: str, code: str, account: str | None = None) -> Order:
    """Sign with the code. A signed contract stays as it was signed; a COD order is confirmed by it.

    Raises NotFound, WrongMove, PaidTooLate, NotDrafted, WrongCode (that try is counted)."""
    with writing() as session:
        order = orders.find(session, order_id, account)
        contract = of_order(session, order_id)
        if contract is not None and contract.state in ("signed", "in_force"):
            return order
        if order.state != "awaiting_payment":
            raise WrongMove(state=order.state, wanted="signed")
        if order.pay_by is not None and clock.now() >= order.pay_by:
            raise orders.PaidTooLate
        if contract is None:
            raise NotDrafted
        right = codes.check(session, order.phone, purpose="sign", binding=order_id, code=code.strip())
        if right:
            _sign(session, order, contract)
    if not right:  # raised after the commit, so that the try counts
        raise WrongCode
    return order


def _sign(session: Session, order: Order, contract: Contract) -> None:
    signed = session.scalars(
        update(Contract)
        .where(Contract.id == contract.id, Contract.state == "drafted")
        .values(state="signed", signed_at=clock.now(), signed_phone=order.phone_masked)
        .returning(Contract.id)
    ).all()
    if not signed:
        raise WrongMove(wanted="signed")
    moves.remark(session, order, N_("Contract signed."), actor=order.account)
    outbox.add(session, "contract.seal", order.id)
    if order.payment == "cod":
        orders.confirm_cod(session, order)


def seal(order_id: str) -> None:
    """Make the signed paper and keep it. Can run twice: the same facts give the same bytes."""
    from checkout import contract_pdf

    with writing() as session:
        order, contract = orders.find(session, order_id), _existing(session, order_id)
        if contract.signed_at is None or contract.signed_document is not None:
            return
        assert contract.signed_phone is not None
        signature = Signature(contract.signed_at, contract.signed_phone, contract.draft_sha256)
        paper = replace(_paper(session, order), signature=signature)
    content = contract_pdf.render(paper)
    with writing() as session:
        kept = vault.put_document(
            session, kind="contract_signed", ref=order_id, owner=order.account, content=content, media=PDF
        )
        session.execute(
            update(Contract)
            .where(Contract.order_id == order_id)
            .values(signed_document=kept.id, signed_sha256=kept.sha256)
        )


def pdf(order_id: str, who: str, why: str) -> bytes:
    """The contract as it stands, signed if it is signed. The read is recorded. Raises NotFound."""
    seal_if_signed = False
    with reading() as session:
        contract = _existing(session, order_id)
        seal_if_signed = contract.signed_at is not None and contract.signed_document is None
    if seal_if_signed:
        seal(order_id)
    with writing() as session:
        contract = _existing(session, order_id)
        return vault.get_document(
            session, contract.signed_document or contract.draft_document, who=who, why=why
        )


def begin(session: Session, order: Order) -> None:
    """The number works: the contract is in force from today, Shanghai time, for its term."""
    today = clock.shanghai_date()
    months = prices.thaw(order.price).term_months
    session.execute(
        update(Contract)
        .where(Contract.order_id == order.id, Contract.state == "signed")
        .values(state="in_force", starts_on=today, ends_on=_months_later(today, months) if months else None)
    )


def _existing(session: Session, order_id: str) -> Contract:
    contract = of_order(session, order_id)
    if contract is None:
        raise NotFound(N_("There is no contract yet."))
    return contract


def _paper(session: Session, order: Order) -> Paper:
    plain = vault.reveal(session, order.person_id, who="contract", why=order.id)
    terms = offers.facts(offers.find(session, order.offer_id))
    allowances = f"{terms.minutes} 分钟，{terms.data_mb} MB，{terms.texts} 条短信"
    return Paper(
        order_id=order.id,
        made_at=order.created_at,
        name=plain.name,
        masked_id=people.find(session, order.person_id).masked_id,
        phone=order.phone_masked,
        number=order.number,
        plan=f"{terms.plan_zh} {prices.yuan(terms.fee_fen)} 元/月",
        allowances=allowances,
        handset=terms.handset_zh,
        policy=terms.policy,
        penalty_months=terms.penalty_months,
        price=prices.thaw(order.price),
    )


def _months_later(day: date, months: int) -> date:
    """The same day of a later month, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month + 1, last)
        except ValueError:
            continue
    raise ValueError(day)
