"""What happened in a drop's queue, kept in SQL: its stream is copied as it grows. From it the draw is written down,
and a Redis that lost the queue gets its places back."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from inventory import journal, verbs
from inventory.journal import Entry
from inventory.models import QueuePage
from runtime import clock
from runtime.bulk import insert_new
from runtime.db import reading, writing
from runtime.redis import asking

QUIET = timedelta(seconds=3)  # entries wait so long for others before they are a page
_PAGE = 2_000  # entries; one may carry 256 places
_CHUNK = 500  # members a call when a queue is restored
_LINES = msgspec.json.Decoder(Entry)


@dataclass(frozen=True)
class Drawn:
    """The tickets that took part in the draw, in the order they came, and when it was."""

    tickets: list[str]
    at: datetime


def archive(drop_id: str, *, rest: bool = False) -> int:
    """Copy what is new, in full pages, or when it is some seconds old, or holds the draw; with `rest` all of it. How
    many entries. Two at once get in each other's way without harm."""
    copied = 0
    while True:
        with reading() as session:
            page, after = _end(session, drop_id)
        entries = _after(drop_id, after)
        ready = rest or len(entries) == _PAGE or any(entry["verb"] == "draw" for _, entry in entries)
        if not entries or not (ready or _old(entries[0][0])):
            return copied
        body = b"".join(msgspec.json.encode(entry) + b"\n" for entry in entries)
        row = {
            "drop_id": drop_id,
            "page": page,
            "last_id": entries[-1][0],
            "entries": len(entries),
            "body": gzip.compress(body, 6, mtime=0),
        }
        with writing() as session:
            if not insert_new(session, QueuePage, [row]):
                return copied  # somebody else wrote this page
        copied += len(entries)


def archived(drop_id: str) -> Iterator[Entry]:
    """The entries SQL has, oldest first."""
    with reading() as session:
        pages = session.scalars(
            select(QueuePage.page).where(QueuePage.drop_id == drop_id).order_by(QueuePage.page)
        ).all()
    for page in pages:
        with reading() as session:
            body = session.scalars(
                select(QueuePage.body).where(QueuePage.drop_id == drop_id, QueuePage.page == page)
            ).one()
        yield from _LINES.decode_lines(gzip.decompress(body))


def drawn(drop_id: str) -> Drawn | None:
    """Who took part in the draw; None while SQL has not heard of it."""
    early: dict[str, None] = {}
    for entry_id, entry in archived(drop_id):
        if entry["verb"] == "join":
            early.update(dict.fromkeys(ticket for ticket, place in rows(entry) if place == "early"))
        elif entry["verb"] == "draw":
            return Drawn(list(early), clock.from_ms(journal.place(entry_id)[0]))
    return None


def restore(drop_id: str) -> None:
    """Write the archived queue into a Redis that lost it; nobody sees it before `line` has its epoch. The rules come
    with that. Raises Unavailable."""
    of = {name: verbs.key(drop_id, name) for name in verbs.QUEUE_KEYS}
    entries = list(archived(drop_id))
    line: dict[str, str] = {}
    last = 0
    with asking() as client:
        client.unlink(*of.values())
    for start in range(0, len(entries), _CHUNK):
        with asking() as client, client.pipeline(transaction=False) as pipe:
            for entry_id, entry in entries[start : start + _CHUNK]:
                match entry["verb"]:
                    case "join":
                        places = dict(rows(entry))
                        pipe.hset(of["tickets"], mapping=_mapping(places))
                        last = max([last, *(int(place) for place in places.values() if place != "early")])
                    case "draw":
                        last = int(entry["tickets"])
                        line |= {"drawn": "1", "early": entry["tickets"], "served": "0"}
                    case "let":
                        line["served"] = entry["served"]
                        at = journal.place(entry_id)[0]
                        pipe.zadd(of["called"], {f"{at}:{entry['served']}": int(entry["served"])})
                    case "enter":
                        pipe.zadd(of["stays"], {ticket: int(until) for ticket, until, _ in stays(entry)})
                        pipe.zadd(of["entered"], {ticket: int(place) for ticket, _, place in stays(entry)})
                    case "gone":
                        line |= {"gone": str(journal.place(entry_id)[0]), "second_at": entry["second_at"]}
                    case "again":
                        line |= {"gone": "", "second_at": ""}
                    case "busy":
                        line["busy"] = "1"
                    case "calm":
                        line["busy"] = "0"
                pipe.xadd(of["queue"], _mapping(entry), id=entry_id)
            pipe.execute()
    if line:
        line |= {"last": str(last), "due": line["served"]}
        with asking() as client:
            client.hset(of["line"], mapping=_mapping(line))


def rows(entry: dict[str, str]) -> list[tuple[str, str]]:
    """Ticket and place of each who joined in an entry."""
    return [cast(tuple[str, str], tuple(line.split("\t"))) for line in entry["rows"].split("\n")]


def stays(entry: dict[str, str]) -> list[tuple[str, str, str]]:
    """Ticket, until (ms) and place of each who came in in an entry."""
    return [cast(tuple[str, str, str], tuple(line.split("\t"))) for line in entry["rows"].split("\n")]


def _mapping(texts: dict[str, str]) -> Any:
    return texts  # redis-py wants a mapping of all that could be a value


def _after(drop_id: str, after: str) -> list[Entry]:
    with asking() as client:
        stream = verbs.key(drop_id, "queue")
        return cast(list[Entry], client.xrange(stream, f"({after}" if after else "-", count=_PAGE))


def _old(entry_id: str) -> bool:
    return clock.from_ms(journal.place(entry_id)[0]) <= clock.now() - QUIET


def _end(session: Session, drop_id: str) -> tuple[int, str]:
    """The number of the next page, and the id up to which the queue is archived."""
    newest = session.scalar(select(func.max(QueuePage.page)).where(QueuePage.drop_id == drop_id))
    if newest is None:
        return 0, ""
    return newest + 1, session.get_one(QueuePage, (drop_id, newest)).last_id
