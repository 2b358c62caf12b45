"""Reading a drop for the shelf: its numbers from SQL, what is free of them from Redis."""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, cast

import numpy as np
from sqlalchemy import String, select
from sqlalchemy import cast as cast_to
from sqlalchemy.orm import Session

from inventory import journal, stacks, stock, verbs
from inventory.models import Drop, Number
from inventory.stacks_build import Numbers
from runtime.db import reading
from runtime.facts import NotFound
from runtime.redis import asking

_ROWS = 2_000  # rows of SQL at a time: a few milliseconds in which no other thread of Python's runs
_MEMBERS = 5_000  # free numbers a call


def stack_of(drop_id: str) -> stacks.Stack:
    """The drop's numbers, none of them free yet; none at all of a drop that is not live. Raises NotFound."""
    with reading() as session:
        drop = session.get(Drop, drop_id)
        if drop is None:
            raise NotFound
        return stacks.of_rows(_rows(session, drop_id) if drop.state in stock.LIVE else ())


def _rows(session: Session, drop_id: str) -> Iterator[Sequence[Any]]:
    facts = (
        *(Number.city, Number.pattern, cast_to(Number.grade, String), cast_to(Number.prestore_fen, String)),
        *(cast_to(Number.min_spend_fen, String), cast_to(Number.term_months, String), Number.tags),
    )
    text = reduce(lambda so_far, fact: so_far + "|" + fact, facts)  # as stacks_build.facts_text
    query = select(Number.number, text).where(Number.drop_id == drop_id)
    yield from session.execute(query, execution_options={"yield_per": _ROWS}).partitions()


def epochs(drop_id: str) -> list[str]:
    """The epoch under which Redis has each lot; empty where it has not."""
    found = []
    for lot in range(verbs.lots(drop_id)):
        with asking() as client:
            found.append(cast(str | None, client.get(verbs.key(drop_id, "epoch", lot))) or "")
    return found


def ends(drop_id: str) -> list[str]:
    """Up to where each lot's journal has come."""
    found = []
    for lot in range(verbs.lots(drop_id)):
        with asking() as client:
            cut = cast(str | None, client.get(verbs.key(drop_id, "trimmed", lot))) or ""
        found.append(max(journal.last_id(drop_id, lot), cut, key=journal.place))
    return found


def free(drop_id: str, lot: int) -> Iterator[Numbers]:
    """The free numbers of a lot, some thousand at a time, some perhaps twice. One that is taken or given back
    meanwhile may be among them or not: the journal, followed from before, puts it right."""
    cursor = 0
    while True:
        with asking() as client:
            told = client.sscan(verbs.key(drop_id, "free", lot), cursor, count=_MEMBERS)
        cursor, members = cast(tuple[int, Sequence[str]], told)
        yield np.array([int(number) for number in members], dtype=np.int64)
        if cursor == 0:
            return


def holders(drop_id: str, lot: int) -> list[str]:
    """The accounts with a live hold, of those that are at home in the lot."""
    with asking() as client:
        return cast(list[str], client.hkeys(verbs.key(drop_id, "live", lot)))
