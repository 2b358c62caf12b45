"""Verification cases: one question to the identity service, from asked to decided, and the news of it."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from kyc import identity, vault
from kyc.identity import Outcome
from kyc.models import IdentityAnswer, Person, VerificationCase
from runtime import clock, outbox
from runtime.bulk import insert_new
from runtime.crash import point
from runtime.crypto import digest
from runtime.db import writing
from runtime.facts import N_, NotFound, WrongMove
from runtime.ids import new_id
from runtime.log import log

OUTCOMES: tuple[Outcome, ...] = ("matched", "mismatched", "not_found")
MOVES: dict[str, tuple[str, ...]] = {
    "new": ("submitted", *OUTCOMES, "error", "dropped"),
    "submitted": ("submitted", *OUTCOMES, "error", "dropped"),  # asked again after no verdict
    "error": ("new", *OUTCOMES, "dropped"),  # a person of ours decides, or asks the service again
    "matched": (),
    "mismatched": (),
    "not_found": (),
    "dropped": (),  # the person was erased
}
REFUSALS = {
    "matched": "",
    "mismatched": N_(
        "The name does not belong to this ID number. Please enter both as the card prints them."
    ),
    "not_found": N_("This ID number is not on record. Please compare it with your card."),
}
ANSWER_LASTS = timedelta(hours=24)
LATE = timedelta(minutes=30)  # a case open for longer is shown to ops, whatever its jobs are doing


@dataclass(frozen=True)
class CaseNews:
    """A verdict that nobody above has acted on yet."""

    person_id: str
    outcome: Outcome


def start(session: Session, person_id: str) -> str:
    """Open a case and put the question into the outbox, all in the caller's transaction. Gives the case's id."""
    case_id = new_id("case")
    session.add(VerificationCase(id=case_id, person_id=person_id, state="new", opened_at=clock.now()))
    outbox.add(session, "kyc.verify", case_id)
    return case_id


def _give_up(case_id: str) -> None:
    """The last try failed: the case waits for a person. The shopper is neither verified nor refused."""
    with writing() as session:
        if _move(session, case_id, "error"):
            log.error("kyc.needs_review", case=case_id)


@outbox.handles("kyc.verify", queue="checks", on_death=_give_up)
def verify(case_id: str) -> None:
    """Ask about a case and decide it. May run twice: the service knows the request id, the first verdict stays.

    No verdict raises IdentityError and the outbox asks again later.
    """
    with writing() as session:
        case = session.get(VerificationCase, case_id)
        person = case and session.get(Person, case.person_id)
        if not case or not person or person.dek is None or case.state not in ("new", "submitted"):
            return  # decided by another run, or erased
        key = digest("identity", person.id_index, person.name_index)
        if known := _remembered(session, key):
            _decide(session, case_id, known, by="cache")
            return
        if _move(session, case_id, "submitted", asked=VerificationCase.asked + 1) is None:
            return
        plain = vault.reveal(session, person.id, who="kyc.verify", why=case_id)
    point("kyc.asking")  # the read of the vault is on disk before the data leaves the house
    outcome = identity.ask(case_id, plain.name, plain.id_number)
    point("kyc.answered")
    with writing() as session:
        _remember(session, key, outcome)
        _decide(session, case_id, outcome, by="service")
    point("kyc.decided")


def _remembered(session: Session, key: str) -> Outcome | None:
    answer = session.get(IdentityAnswer, key)
    if answer is None or answer.answered_at <= clock.now() - ANSWER_LASTS:
        return None
    return next(outcome for outcome in OUTCOMES if outcome == answer.outcome)


def _remember(session: Session, key: str, outcome: Outcome) -> None:
    answer = {"outcome": outcome, "answered_at": clock.now()}
    if not insert_new(session, IdentityAnswer, [{"key": key, **answer}]):
        session.execute(update(IdentityAnswer).where(IdentityAnswer.key == key).values(**answer))


def _decide(session: Session, case_id: str, outcome: Outcome, *, by: str, reason: str = "") -> bool:
    """Close a case and tell the person's row; False when it was closed before."""
    at = clock.now()
    why = {"reason": reason} if reason else {}  # what ops wrote when they asked again is kept
    person_id = _move(session, case_id, outcome, decided_by=by, decided_at=at, **why)
    if person_id is None:
        return False
    values: dict[str, object] = {"state": "refused", "refusal": REFUSALS[outcome], "decided_at": at}
    if outcome == "matched":
        values |= {"state": "verified", "verified_at": at}
    session.execute(update(Person).where(Person.id == person_id, Person.state == "pending").values(**values))
    log.info("kyc.decided", case=case_id, outcome=outcome, by=by)
    return True


def _move(session: Session, case_id: str, to: str, **values: object) -> str | None:
    """One UPDATE with the old state in its WHERE; gives the person's id, or None when the move was not open."""
    froms = [state for state, allowed in MOVES.items() if to in allowed]
    moved = update(VerificationCase).where(VerificationCase.id == case_id, VerificationCase.state.in_(froms))
    return session.scalar(moved.values(state=to, **values).returning(VerificationCase.person_id))


def take_news(session: Session, limit: int = 100) -> list[CaseNews]:
    """Verdicts nobody has claimed, oldest first, now the caller's: if its transaction fails they are news again."""
    unclaimed = (
        select(VerificationCase.id)
        .where(VerificationCase.news_at.is_(None), VerificationCase.state.in_(OUTCOMES))
        .order_by(VerificationCase.decided_at, VerificationCase.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = (
        update(VerificationCase)
        .where(VerificationCase.id.in_(session.scalars(unclaimed).all()), VerificationCase.news_at.is_(None))
        .values(news_at=clock.now())
        .returning(VerificationCase)
    )
    rows = sorted(session.scalars(claimed), key=lambda row: (row.decided_at or row.opened_at, row.id))
    return [CaseNews(row.person_id, outcome) for row in rows for outcome in OUTCOMES if outcome == row.state]


def for_review(session: Session, limit: int = 100) -> list[VerificationCase]:
    """Cases that wait for ops: the service gave no verdict in all its tries, or one is long overdue."""
    oldest = select(VerificationCase).where(_waits()).order_by(VerificationCase.opened_at)
    return list(session.scalars(oldest.limit(limit)))


def waiting(session: Session) -> int:
    """How many cases wait for ops."""
    return session.scalar(select(func.count()).select_from(VerificationCase).where(_waits())) or 0


def _waits() -> ColumnElement[bool]:
    late = VerificationCase.opened_at < clock.now() - LATE
    overdue = and_(VerificationCase.state.in_(("new", "submitted")), late)
    # No undecided case was news; saying so lets the index of news find the few among all that were.
    return and_(VerificationCase.news_at.is_(None), or_(VerificationCase.state == "error", overdue))


def find(session: Session, case_id: str) -> VerificationCase:
    """Raises NotFound."""
    case = session.get(VerificationCase, case_id)
    if case is None:
        raise NotFound
    return case


def review(session: Session, case_id: str, outcome: Outcome, *, actor: str, reason: str) -> None:
    """Ops decides a case that has no verdict, having seen the document. Raises NotFound, WrongMove."""
    if outcome not in OUTCOMES or not reason.strip():
        raise WrongMove(N_("A review needs a verdict and a reason."))
    find(session, case_id)
    if not _decide(session, case_id, outcome, by=f"{vault.STAFF}{actor}", reason=reason):
        raise WrongMove(N_("This case is decided."))


def ask_again(session: Session, case_id: str, *, actor: str, reason: str) -> None:
    """Ops sends a case in `error` to the service again; it counts as opened now. Raises NotFound, WrongMove."""
    find(session, case_id)
    if _move(session, case_id, "new", reason=reason, opened_at=clock.now()) is None:
        raise WrongMove(N_("Only a case that waits for review can be asked again."))
    outbox.add(session, "kyc.verify", case_id)
    log.info("kyc.asked_again", case=case_id, actor=actor)
