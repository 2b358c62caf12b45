"""The rules of a drop's queue: in SQL, where ops change them live, and from there in Redis."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from inventory import draw, queue_archive, verbs
from inventory.drafts import note
from inventory.facts import Stale
from inventory.models import Drop, DropQueue
from inventory.queue_challenge import LEVELS
from runtime.crypto import seal, unseal
from runtime.db import reading, writing
from runtime.facts import N_, Fact, Invalid, NotFound, Unavailable, WrongMove
from runtime.ids import new_id
from runtime.log import log
from runtime.redis import asking

MODES = {
    "off": N_("No queue: first come, first served"),
    "always": N_("Everybody queues"),
    "busy": N_("People queue when it is busy"),
}
_MOST = 1_000_000
_BOUNDS = {  # least, most, what is said of anything else
    "rate": (1, 100_000, N_("Give a whole number from 1 to 100,000.")),
    "cap": (1, _MOST, N_("Give a whole number from 1 to 1,000,000.")),
    "stay_seconds": (30, 3_600, N_("Give seconds from 30 to 3,600.")),
    "come_seconds": (10, 3_600, N_("Give seconds from 10 to 3,600.")),
    "limit_network": (0, _MOST, N_("Give a whole number from 0 (no limit) to 1,000,000.")),
    "limit_device": (0, _MOST, N_("Give a whole number from 0 (no limit) to 1,000,000.")),
    "limit_person": (0, _MOST, N_("Give a whole number from 0 (no limit) to 1,000,000.")),
    "challenge": (0, len(LEVELS) - 1, N_("Give a level from 0 (none) to 3 (hard).")),
}
_OVER = ("closed", "settled")


@dataclass(frozen=True)
class Rules:
    """What ops say of a queue. `rate` people a second at most are let in, `cap` may be inside at once; who is called
    comes in within `come_seconds` and stays `stay_seconds`. Limits of places: 0 means none. `challenge`: who joins
    proves so much work (queue_challenge.LEVELS), but for those whose ID is verified."""

    mode: str = "always"
    rate: int = 100
    cap: int = 2_000
    stay_seconds: int = 300
    come_seconds: int = 120
    limit_network: int = 0
    limit_device: int = 0
    limit_person: int = 1
    challenge: int = 0


def change(session: Session, drop_id: str, *, actor: str, reason: str, **wished: Any) -> DropQueue:
    """Give a drop a queue, or change what is named of its rules; Redis is told after the commit. May be done at any
    time before the drop is over. Raises NotFound, WrongMove, Invalid with a sentence for each field."""
    drop = session.get(Drop, drop_id)
    if drop is None:
        raise NotFound
    if drop.state in _OVER:
        raise WrongMove(N_("This drop is over."), state=drop.state)
    _check(wished)
    # Of two who change at once the second waits for the first, and goes on from what it wrote.
    found = session.scalars(select(DropQueue).where(DropQueue.drop_id == drop_id).with_for_update()).first()
    before = _said(found) if found else {}
    if found is None:
        found = _begin(drop_id, **{**vars(Rules()), **wished})
        session.add(found)
    else:
        for name, value in wished.items():
            setattr(found, name, value)
        found.version = DropQueue.version + 1
    session.flush()
    session.refresh(found)
    after = {name: value for name, value in _said(found).items() if before.get(name) != value}
    note(
        session, drop, "queue", actor, reason, {name: before[name] for name in after if name in before}, after
    )
    event.listen(session, "after_commit", lambda _session: _try_sync(drop_id), once=True)
    return found


def find(session: Session, drop_id: str) -> DropQueue | None:
    """The drop's queue; None where it has none."""
    return session.get(DropQueue, drop_id)


def seed(queue: DropQueue) -> str:
    """The secret until the draw. Only who makes the draw asks."""
    return unseal(queue.seed_sealed, _place(queue.drop_id)).decode()


def sync(drop_id: str) -> None:
    """Bring Redis to SQL's version of the rules; a Redis that lost the queue gets back what the archive has of it.
    May run at any time and in several processes at once. Raises Unavailable."""
    with reading() as session:
        queue = session.get(DropQueue, drop_id)
    if queue is None:
        return
    if _tell(queue)[0] == "stale":
        with asking() as client:
            known = client.hget(verbs.key(drop_id, "line"), "epoch")
        if known is None and queue.published:
            log.error("queue.lost", drop=drop_id)
            queue = _anew(queue)
            queue_archive.restore(drop_id)
        elif known is not None:
            raise Stale  # of another life: it is looked at again with what SQL says then
        _tell(queue, new=True)
    if not queue.published:
        with writing() as session:
            session.execute(update(DropQueue).where(DropQueue.drop_id == drop_id).values(published=True))


def tick() -> None:
    """What the clock does to queues: Redis follows SQL, SQL gets the archive, and the draw is written down."""
    with reading() as session:
        of_live = session.execute(
            select(DropQueue.drop_id).join(Drop, Drop.id == DropQueue.drop_id).where(Drop.state != "settled")
        ).all()
    for (drop_id,) in of_live:
        try:
            sync(drop_id)
            queue_archive.archive(drop_id)
            publish(drop_id)
        except Unavailable as trouble:
            log.warning("queue.unsynced", drop=drop_id, code=trouble.code)


def publish(drop_id: str) -> None:
    """Write down the draw once it was held and the archive has all that took part."""
    with reading() as session:
        queue = session.get(DropQueue, drop_id)
    if queue is None or queue.drawn_at is not None:
        return
    with asking() as client:
        if client.hget(verbs.key(drop_id, "line"), "drawn") != "1":
            return
    held = queue_archive.drawn(drop_id)
    if held is None:
        return
    made = draw.make(drop_id, seed(queue), held.tickets)
    with writing() as session:
        session.execute(
            update(DropQueue)
            .where(DropQueue.drop_id == drop_id, DropQueue.drawn_at.is_(None))
            .values(drawn_at=held.at, tickets=made.tickets, digest=made.digest, final_seed=made.final_seed)
        )
    log.info("queue.drawn", drop=drop_id, tickets=made.tickets, final_seed=made.final_seed)


def published(session: Session, drop_id: str) -> draw.Draw:
    """The draw as anybody may read it: the commitment alone until it was held. Raises NotFound."""
    queue = session.get(DropQueue, drop_id)
    if queue is None:
        raise NotFound
    if queue.drawn_at is None:
        return draw.Draw(drop_id, queue.commitment)
    return _held(drop_id, seed(queue), queue.final_seed or "")


@lru_cache(maxsize=4)
def _held(drop_id: str, secret: str, _final: str) -> draw.Draw:
    """Worked out once: anybody may ask, and a hundred thousand tickets take a second."""
    held = queue_archive.drawn(drop_id)
    return draw.make(drop_id, secret, held.tickets if held else ())


def _begin(drop_id: str, **rules: Any) -> DropQueue:
    secret = draw.new_seed()
    return DropQueue(
        drop_id=drop_id, epoch=new_id("que"), version=0, commitment=draw.commitment(secret), published=False,
        seed_sealed=seal(secret.encode(), _place(drop_id)), **rules,
    )  # fmt: skip


def _anew(queue: DropQueue) -> DropQueue:
    """Another life of the queue: what processes remember of the lost one counts no more."""
    with writing() as session:
        session.execute(
            update(DropQueue)
            .where(DropQueue.drop_id == queue.drop_id, DropQueue.epoch == queue.epoch)
            .values(epoch=new_id("que"), version=DropQueue.version + 1)
        )
    with reading() as session:
        return session.get_one(DropQueue, queue.drop_id)


def _tell(queue: DropQueue, *, new: bool = False) -> list[str]:
    answer: list[str] = verbs.run(
        "line", queue.drop_id, queue.epoch, queue.version, queue.mode, queue.rate, queue.cap,
        queue.stay_seconds * 1000, queue.come_seconds * 1000, queue.limit_network, queue.limit_device,
        queue.limit_person, queue.challenge, "new" if new else "",
    )  # fmt: skip
    return answer


def _try_sync(drop_id: str) -> None:
    """If Redis is away, the clock does it."""
    try:
        sync(drop_id)
    except Fact as trouble:
        log.warning("queue.unsynced", drop=drop_id, code=trouble.code)


def _check(wished: Mapping[str, Any]) -> None:
    wrong = {}
    for name, value in wished.items():
        if name == "mode":
            if value not in MODES:
                wrong[name] = N_("The queue is off, always or busy.")
        else:
            least, most, sentence = _BOUNDS[name]
            if not least <= value <= most:
                wrong[name] = sentence
    if wrong:
        raise Invalid(**wrong)


def _said(queue: DropQueue) -> dict[str, Any]:
    return {name: getattr(queue, name) for name in vars(Rules())}


def _place(drop_id: str) -> str:
    return f"drop_queues.seed_sealed.{drop_id}"
