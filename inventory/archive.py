"""The journal's archive: its streams are written to SQL page by page as they grow, and only then cut in Redis."""

import gzip
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inventory import journal, stock, verbs
from inventory.facts import Stale
from inventory.journal import Entry, Trimmed
from inventory.models import Drop, JournalPage
from runtime import clock
from runtime.bulk import insert_new
from runtime.crash import point
from runtime.db import reading, writing
from runtime.facts import Fact
from runtime.log import log
from runtime.redis import asking

KEEP = 4_000  # newest entries that stay in the stream for those who follow it
QUIET = timedelta(minutes=5)  # entries older than this are archived though they fill no page
_BYTES = 8_000_000  # of a page before it is packed: entries of many decisions are long
_PAGES = 4  # a tick and lot
_LOOK = 1_000  # new entries that are worth reading: long ones may fill a page


@dataclass(frozen=True)
class _Page:
    """Entries to be written, and the id of the one before them."""

    after: str
    entries: list[Entry]
    full: bool


def tick() -> None:
    """Archive what has grown in every live drop and cut what is archived; a few pages each time. Run by the clock;
    two at once get in each other's way without harm, and what a crash left undone the next run does."""
    with reading() as session:
        live = session.execute(
            select(Drop.id, Drop.epoch, Drop.lots).where(
                Drop.state.in_(stock.LIVE), Drop.epoch.is_not(None), ~Drop.epoch.startswith(stock.FENCE)
            )
        ).all()
    for drop_id, epoch, lots in live:
        for lot in range(lots):
            try:
                archive(drop_id, lot, str(epoch), most=_PAGES)
                trim(drop_id, lot, str(epoch))
            except Fact as trouble:  # lost or unreachable: the others are archived all the same
                log.warning("journal.not_archived", drop=drop_id, lot=lot, code=trouble.code)


def archive(drop_id: str, lot: int, epoch: str, *, most: int | None = None, rest: bool = False) -> int:
    """Write pages of the lot's stream that SQL does not have yet, at most so many; gives how many. A page that is
    not full waits until its first entry is QUIET old; with `rest` it is written at once. Raises Stale when Redis
    has another epoch, or none."""
    written = 0
    while most is None or written < most:
        if not rest and not _worth_reading(drop_id, lot, epoch):
            break
        page = _next(drop_id, lot, epoch)
        if not page.entries or not (page.full or rest or _old(page.entries[0][0])):
            break
        if _write(drop_id, lot, epoch, page):
            written += 1
    return written


def trim(drop_id: str, lot: int, epoch: str) -> int:
    """Cut the stream where SQL has it, page by page, so that the newest KEEP entries at least stay; gives how
    many went. Raises Stale."""
    length, kept = _stream(drop_id, lot, epoch)
    spare = length - KEEP
    upto = ""
    for last_id, entries in kept:
        if entries > spare:
            break
        spare -= entries
        upto = last_id
    if not upto:
        return 0
    answer = verbs.run("trim", drop_id, epoch, upto, lot=lot)
    point("journal.trimmed")
    if answer[0] == "stale":
        raise Stale
    return int(answer[1]) if answer[0] == "trimmed" else 0


def archived_to(drop_id: str, lot: int, epoch: str) -> str:
    """The id of the newest entry SQL has of that lot and epoch; empty when there is none."""
    with reading() as session:
        return _end(session, drop_id, lot, epoch)[1]


def _worth_reading(drop_id: str, lot: int, epoch: str) -> bool:
    """Are there so many new entries that they may fill a page, or is the first of them old? Mostly neither."""
    length, kept = _stream(drop_id, lot, epoch)
    if length - sum(entries for _, entries in kept) >= min(_LOOK, journal.PAGE):
        return True
    after = kept[-1][0] if kept else archived_to(drop_id, lot, epoch)
    with asking() as client:
        first = cast(
            list[Entry], client.xrange(verbs.key(drop_id, "journal", lot), f"({after or 0}", count=1)
        )
    return bool(first) and _old(first[0][0])


def _stream(drop_id: str, lot: int, epoch: str) -> tuple[int, list[tuple[str, int]]]:
    """How many entries the stream has, and of the archived pages still in it the last id and how many they have."""
    with reading() as session:
        pages = session.execute(
            select(JournalPage.last_id, JournalPage.entries)
            .where(JournalPage.drop_id == drop_id, JournalPage.lot == lot, JournalPage.epoch == epoch)
            .order_by(JournalPage.page)
        ).all()
    with asking() as client:
        length = int(client.xlen(verbs.key(drop_id, "journal", lot)))
        cut = journal.place(str(client.get(verbs.key(drop_id, "trimmed", lot)) or ""))
    return length, [(last_id, entries) for last_id, entries in pages if journal.place(last_id) > cut]


def _next(drop_id: str, lot: int, epoch: str) -> _Page:
    """The entries after the last archived one, as many as make a page."""
    after = archived_to(drop_id, lot, epoch)
    try:
        entries, full = _gather(drop_id, lot, after)
    except Trimmed as cut:  # SQL has forgotten pages it had: an older copy of it was restored
        log.error("journal.gap", drop=drop_id, lot=lot, archived=after, cut=cut.upto)
        entries, full = _gather(drop_id, lot, cut.upto)
    # Asked after the entries were read: an epoch never comes back, so the entries are of this one.
    with asking() as client:
        if client.get(verbs.key(drop_id, "epoch", lot)) != epoch:
            raise Stale
    return _Page(after, entries, full)


def _gather(drop_id: str, lot: int, after: str) -> tuple[list[Entry], bool]:
    entries: list[Entry] = []
    size = 0
    for some in journal.raw(drop_id, after, lot):
        for entry in some:
            entries.append(entry)
            size += sum(map(len, entry[1].values()))
            if len(entries) == journal.PAGE or size >= _BYTES:
                return entries, True
    return entries, False


def _old(entry_id: str) -> bool:
    return clock.from_ms(journal.place(entry_id)[0]) <= clock.now() - QUIET


def _write(drop_id: str, lot: int, epoch: str, page: _Page) -> bool:
    """One transaction; False when somebody else wrote a page meanwhile, so that this one is made anew."""
    body = b"".join(msgspec.json.encode(entry) + b"\n" for entry in page.entries)
    row = {
        "drop_id": drop_id,
        "lot": lot,
        "epoch": epoch,
        "first_id": page.entries[0][0],
        "last_id": page.entries[-1][0],
        "entries": len(page.entries),
        "body": gzip.compress(body, 6, mtime=0),
    }
    with writing() as session:
        number, end = _end(session, drop_id, lot, epoch)
        # Of two with the same picture the primary key lets one in.
        new = end == page.after and insert_new(session, JournalPage, [row | {"page": number}])
    point("journal.archived")
    return bool(new)


def _end(session: Session, drop_id: str, lot: int, epoch: str) -> tuple[int, str]:
    """The number of the drop's next page and the id up to which the lot is archived: one statement, one picture."""
    of_drop = select(func.max(JournalPage.page)).where(JournalPage.drop_id == drop_id)
    of_lot = (
        select(JournalPage.last_id)
        .where(JournalPage.drop_id == drop_id, JournalPage.lot == lot, JournalPage.epoch == epoch)
        .order_by(JournalPage.page.desc())
        .limit(1)
    )
    newest, last_id = session.execute(select(of_drop.scalar_subquery(), of_lot.scalar_subquery())).one()
    return (0 if newest is None else newest + 1), last_id or ""
