"""Reading a drop's journal: the Redis stream in which each verb wrote what it decided."""

import gzip
from collections.abc import Iterator
from typing import cast

import msgspec
from sqlalchemy import select

from inventory import verbs
from inventory.models import JournalPage
from runtime.db import reading
from runtime.redis import asking

PAGE = 5_000

Entry = tuple[str, dict[str, str]]  # stream id, fields


def pages(drop_id: str, after: str = "") -> Iterator[list[Entry]]:
    """The entries after that id (all, if empty), oldest first, some thousand at a time, up to now."""
    while True:
        with asking() as client:
            entries = cast(
                list[Entry],
                client.xrange(verbs.key(drop_id, "journal"), f"({after}" if after else "-", "+", count=PAGE),
            )
        if not entries:
            return
        yield entries
        after = entries[-1][0]


def archived(drop_id: str) -> Iterator[list[Entry]]:
    """The journal of a settled drop, from SQL."""
    with reading() as session:
        query = select(JournalPage.body).where(JournalPage.drop_id == drop_id).order_by(JournalPage.page)
        for body in session.scalars(query):
            yield [msgspec.json.decode(line, type=Entry) for line in gzip.decompress(body).splitlines()]


def last_id(drop_id: str) -> str:
    """The id of the newest entry; empty when there is none."""
    with asking() as client:
        newest = cast(list[Entry], client.xrevrange(verbs.key(drop_id, "journal"), count=1))
    return newest[0][0] if newest else ""
