"""Reading a drop's journal: the Redis streams in which each verb wrote what it decided, and their archive in SQL."""

import gzip
from collections.abc import Iterator, Mapping
from typing import cast

import msgspec
from sqlalchemy import select

from inventory import verbs
from inventory.models import Drop, JournalPage
from runtime.db import reading
from runtime.redis import asking

PAGE = 5_000  # entries given together
_READ = 500  # entries asked for at once; one may carry some hundred decisions

Entry = tuple[str, dict[str, str]]  # stream id, fields

_LINES = msgspec.json.Decoder(Entry)

# `hold` and `claim` are written one entry a batch: the columns of a line of its field `rows`.
COLUMNS: dict[str, tuple[str, ...]] = {
    "hold": ("number", "hold", "sku", "account", "person"),
    "claim": ("number", "hold", "order", "sku", "account", "person"),
}


class Trimmed(Exception):
    """The stream was cut behind the entry asked for, up to the entry `upto`: what is missing is in the archive."""

    def __init__(self, upto: str) -> None:
        self.upto = upto
        super().__init__(upto)


def pages(drop_id: str, after: str = "", lot: int = 0) -> Iterator[list[Entry]]:
    """The decisions after that id (all, if empty), oldest first, some thousand at a time, up to now; those of one
    batch carry one id and come together. Raises Trimmed when they are not all in the stream any more."""
    page: list[Entry] = []
    for entries in raw(drop_id, after, lot):
        for entry in entries:
            page += spread(entry)
            if len(page) >= PAGE:
                yield page
                page = []
    if page:
        yield page


def archived(drop_id: str, lot: int = 0) -> Iterator[list[Entry]]:
    """What SQL has of the journal of the drop's epoch, in the same form."""
    for entries in raw_archived(drop_id, lot):
        yield [one for entry in entries for one in spread(entry)]


def spread(entry: Entry) -> list[Entry]:
    """An entry of many decisions as one entry each."""
    entry_id, fields = entry
    rows = fields.get("rows")
    if rows is None:
        return [entry]
    verb = fields["verb"]
    columns = ("verb", *COLUMNS[verb])
    return [
        (entry_id, dict(zip(columns, (verb, *line.split("\t")), strict=True))) for line in rows.split("\n")
    ]


def raw(drop_id: str, after: str = "", lot: int = 0, upto: str = "") -> Iterator[list[Entry]]:
    """The stream's entries after that id as they were written, up to that id or now. Raises Trimmed, Unavailable."""
    stream, trimmed = verbs.key(drop_id, "journal", lot), verbs.key(drop_id, "trimmed", lot)
    while True:
        with asking() as client, client.pipeline(transaction=False) as pipe:
            pipe.xrange(stream, f"({after}" if after else "-", upto or "+", count=_READ)
            pipe.get(trimmed)
            # How far it was cut is read after the entries: a cut in between is noticed, never missed.
            entries, cut = cast(tuple[list[Entry], str | None], pipe.execute())
        if cut and place(after) < place(cut):
            raise Trimmed(cut)
        if not entries:
            return
        yield entries
        after = entries[-1][0]


def raw_archived(drop_id: str, lot: int = 0, after: str = "") -> Iterator[list[Entry]]:
    """The archived entries of the drop's epoch after that id, as they were written."""
    with reading() as session:
        epoch = session.scalar(select(Drop.epoch).where(Drop.id == drop_id)) or ""
        query = (
            select(JournalPage.last_id, JournalPage.page)
            # A drop settled before pages had an epoch has one alone.
            .where(JournalPage.drop_id == drop_id, JournalPage.epoch.in_((epoch, "")))
            .where(JournalPage.lot == lot)
            .order_by(JournalPage.page)
        )
        known = [page for last, page in session.execute(query) if not last or place(last) > place(after)]
    for page in known:
        with reading() as session:
            body = session.scalars(
                select(JournalPage.body).where(JournalPage.drop_id == drop_id, JournalPage.page == page)
            ).one()
        entries = _LINES.decode_lines(gzip.decompress(body))
        if place(entries[0][0]) <= place(after):  # pages join without overlap, but `after` may lie within one
            entries = [entry for entry in entries if place(entry[0]) > place(after)]
        if entries:
            yield entries
            after = entries[-1][0]


def last_id(drop_id: str, lot: int = 0) -> str:
    """The id of the newest entry; empty when there is none."""
    with asking() as client:
        newest = cast(list[Entry], client.xrevrange(verbs.key(drop_id, "journal", lot), count=1))
    return newest[0][0] if newest else ""


def place(entry_id: str) -> tuple[int, int]:
    """Where an entry stands among the others of its stream; before all of them, if empty."""
    time, _, sequence = entry_id.partition("-")
    return (int(time), int(sequence or 0)) if time else (0, 0)


def written(entry: Mapping[str, str]) -> int:
    """How many decisions an entry tells of."""
    return entry["rows"].count("\n") + 1 if "rows" in entry else 1
