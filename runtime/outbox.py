"""The outbox: work is a row written in the business transaction; the queue only wakes who works it off.

Losing a wake-up costs seconds, never work: the sweeper wakes again whatever is due and not done."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Index, Select, event, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from runtime import clock
from runtime.bulk import insert_all
from runtime.db import Base, UtcDateTime, reading, writing
from runtime.facts import NotFound, Unavailable, WrongMove
from runtime.ids import new_id
from runtime.log import log

QUEUES = ("checks", "money", "papers", "dispatch", "notices")
BACKOFF = (1, 5, 20, 60, 300, 900, 3600)  # seconds after the first, second, ... failure
TRIES = 8
LEASE = timedelta(seconds=40)  # longer than a batch of four takes, each with an outside call

Handler = Callable[[str], None]
_handlers: dict[str, tuple[str, Handler]] = {}
_on_death: dict[str, Handler] = {}
_wake: list[Callable[[str], None]] = []


class OutboxRow(Base):
    """One piece of work: the job's name and the id it works on."""

    __tablename__ = "outbox"
    id: Mapped[str] = mapped_column(primary_key=True)
    job: Mapped[str]
    ref: Mapped[str]
    queue: Mapped[str]
    state: Mapped[str] = mapped_column(default="due")  # due | done | dead
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str] = mapped_column(default="")
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index("ix_outbox_due", "queue", "state", "due_at"),
        Index("ix_outbox_ref", "ref"),
    )


class NotYet(Exception):
    """Raised by a handler whose time has not come: call again in `seconds`, no failure is counted."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"again in {seconds} s")


class KilledError(Exception):
    """Work whose process died at every try."""


def handles(job: str, *, queue: str, on_death: Handler | None = None) -> Callable[[Handler], Handler]:
    """Register the function that does a job. Only registered functions can ever run.

    `on_death` is called with the row's ref after the last try failed; may be called twice."""
    assert queue in QUEUES, queue

    def register(handler: Handler) -> Handler:
        _handlers[job] = (queue, handler)
        if on_death:
            _on_death[job] = on_death
        return handler

    return register


def jobs() -> dict[str, str]:
    """All job names with their queue."""
    return {job: queue for job, (queue, _) in _handlers.items()}


def add(session: Session, job: str, ref: str, *, delay: float = 0) -> None:
    """Write a piece of work with the caller's transaction, due after `delay` seconds; wakes after the commit."""
    queue = _handlers[job][0]
    at = clock.now()
    session.add(
        OutboxRow(
            id=new_id("obx"), job=job, ref=ref, queue=queue, due_at=at + timedelta(seconds=delay), made_at=at
        )
    )
    if not delay:
        session.info.setdefault("wake", set()).add(queue)


def add_many(session: Session, job: str, refs: Sequence[str]) -> None:
    """The same piece of work for many, due at once, in one statement."""
    if not refs:
        return
    queue, at = _handlers[job][0], clock.now()
    insert_all(
        session, OutboxRow, [{"id": new_id("obx"), "ref": ref} for ref in refs],
        job=job, queue=queue, state="due", due_at=at, tries=0, error="", made_at=at,
    )  # fmt: skip
    session.info.setdefault("wake", set()).add(queue)


def wake_with(wake: Callable[[str], None]) -> None:
    """Set what is called with a queue's name after new work for it was committed."""
    _wake[:] = [wake]


@event.listens_for(Session, "after_commit")
def _wake_after_commit(session: Session) -> None:
    if session.in_nested_transaction():
        return  # only a savepoint: nobody else can see the work yet
    for queue in session.info.pop("wake", ()):
        for wake in _wake:
            wake(queue)


@event.listens_for(Session, "after_rollback")
def _forget_after_rollback(session: Session) -> None:
    if not session.in_nested_transaction():
        session.info.pop("wake", None)


def drain(queue: str, *, limit: int = 10_000) -> int:
    """Do the work that is due in a queue, oldest first; gives how many rows were run."""
    ran = 0
    while ran < limit:
        taken = _take(queue)
        if not taken:
            break
        for row_id, job, ref, tries in taken:
            _run(row_id, job, ref, tries)
        ran += len(taken)
    return ran


def drain_all() -> int:
    """Do all that is due in every queue, until nothing is."""
    total = 0
    while ran := sum(drain(queue) for queue in QUEUES):
        total += ran
    return total


def due_queues(*, older_than: float = 0) -> list[str]:
    """Queues with work that has been due for `older_than` seconds."""
    before = clock.now() - timedelta(seconds=older_than)
    with reading() as session:
        return list(session.scalars(_due(before).with_only_columns(OutboxRow.queue).distinct()))


def dead(session: Session, limit: int = 100) -> list[OutboxRow]:
    """Work that failed for good and waits for a person."""
    return list(
        session.scalars(
            select(OutboxRow).where(OutboxRow.state == "dead").order_by(OutboxRow.made_at.desc()).limit(limit)
        )
    )


def revive(session: Session, row_id: str) -> OutboxRow:
    """Let dead work be tried again, with all its tries. Raises NotFound, WrongMove when it is not dead."""
    row = session.get(OutboxRow, row_id)
    if row is None:
        raise NotFound
    raised = session.scalars(
        update(OutboxRow)
        .where(OutboxRow.id == row_id, OutboxRow.state == "dead")
        .values(state="due", due_at=clock.now(), tries=0)
        .returning(OutboxRow.id)
        .execution_options(synchronize_session=False)
    ).all()
    if not raised:
        raise WrongMove(state=row.state)
    session.info.setdefault("wake", set()).add(row.queue)
    return row


def _due(before: datetime) -> Select[OutboxRow]:
    """Naming the queues lets the index find what is due among all that was ever done."""
    return select(OutboxRow).where(
        OutboxRow.queue.in_(QUEUES), OutboxRow.state == "due", OutboxRow.due_at <= before
    )


def _take(queue: str, batch: int = 4) -> list[tuple[str, str, str, int]]:
    """Lease some due rows. The conditional UPDATE decides between two workers that saw the same row.

    What went wrong before is taken alone: if it kills its process, it neither takes others along nor counts
    against them."""
    at = clock.now()
    with reading() as session:
        seen = session.execute(
            _due(at)
            .where(OutboxRow.queue == queue)
            .with_only_columns(OutboxRow.id, OutboxRow.due_at, OutboxRow.tries)
            .order_by(OutboxRow.due_at, OutboxRow.id)
            .limit(batch)
        ).all()
    if not seen:
        return []
    seen = seen[:1] if seen[0].tries else [row for row in seen if not row.tries]
    with writing() as session:
        return [
            (row.id, row.job, row.ref, row.tries)
            for row_id, due_at, _ in seen
            for row in session.execute(
                update(OutboxRow)
                .where(OutboxRow.id == row_id, OutboxRow.state == "due", OutboxRow.due_at == due_at)
                .values(due_at=at + LEASE, tries=OutboxRow.tries + 1)
                .returning(OutboxRow.id, OutboxRow.job, OutboxRow.ref, OutboxRow.tries)
            )
        ]


def _run(row_id: str, job: str, ref: str, tries: int) -> None:
    try:
        if tries > TRIES:
            raise KilledError
        handler = _handlers[job][1]
        handler(ref)
    except NotYet as later:
        _put_back(row_id, later.seconds, tries - 1, "")
    except Unavailable as away:
        # What the work stands on is away. However long that lasts, waiting for it is no failure of the work's.
        log.warning("outbox.waits", job=job, ref=ref, error=_brief(away))
        _put_back(row_id, away.retry_after, tries - 1, _brief(away))
    except Exception as error:
        # The one place that may catch everything: whatever went wrong, the row tells it and is tried again.
        if tries >= TRIES:
            log.error("outbox.dead", job=job, ref=ref, error=_brief(error))
            if job in _on_death:
                _on_death[job](ref)
            with writing() as session:
                _set(session, row_id, state="dead", error=_brief(error))
        else:
            log.warning("outbox.failed", job=job, ref=ref, tries=tries, error=_brief(error))
            _put_back(row_id, BACKOFF[tries - 1], tries, _brief(error))
    else:
        with writing() as session:
            _set(session, row_id, state="done", error="", done_at=clock.now())


def _put_back(row_id: str, seconds: float, tries: int, error: str) -> None:
    with writing() as session:
        _set(session, row_id, due_at=clock.now() + timedelta(seconds=seconds), tries=tries, error=error)


def _set(session: Session, row_id: str, **values: object) -> None:
    session.execute(update(OutboxRow).where(OutboxRow.id == row_id).values(**values))


def _brief(error: Exception) -> str:
    """Type and first line: enough to find it, short enough not to carry somebody's data along."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
