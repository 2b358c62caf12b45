"""Following a drop's journals for the shelf: only what became free or was taken, without spreading every entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from inventory import journal, verbs
from inventory.journal import Entry
from runtime.redis import asking

_PAGE = 500  # entries a lot and call; one may carry some hundred decisions
_FREES = frozenset({"release", "expire"})
_TAKES = frozenset({"hold", "restore"})


@dataclass(frozen=True)
class News:
    """What is new in a lot's journal: the epoch Redis has it under, its entries, whether some are lost to us (cut
    away before they were read), and whether there may be more."""

    epoch: str
    entries: list[Entry]
    lost: bool
    more: bool


def news(drop_id: str, read_to: Sequence[str]) -> list[News]:
    """What is new in each lot's journal after that id of it; one call for all lots. Raises Unavailable."""
    with asking() as client, client.pipeline(transaction=False) as pipe:
        for lot, after in enumerate(read_to):
            pipe.xrange(verbs.key(drop_id, "journal", lot), f"({after}" if after else "-", "+", count=_PAGE)
            # Asked after the entries: that they are of another life, or that some were cut away, is never missed.
            pipe.get(verbs.key(drop_id, "epoch", lot))
            pipe.get(verbs.key(drop_id, "trimmed", lot))
        told = pipe.execute()
    found = []
    for lot, after in enumerate(read_to):
        entries = cast(list[Entry], told[3 * lot])
        epoch, cut = cast(list[str | None], told[3 * lot + 1 : 3 * lot + 3])
        lost = cut is not None and journal.place(after) < journal.place(cut)
        found.append(News(epoch or "", entries, lost, len(entries) == _PAGE))
    return found


def changes(entries: Sequence[Entry]) -> dict[str, bool]:
    """Of each number these entries tell of, whether it is free after them."""
    free: dict[str, bool] = {}
    for _, entry in entries:
        verb = entry["verb"]
        if verb in _TAKES:
            rows = entry.get("rows")
            if rows is None:
                free[entry["number"]] = False
            else:
                free.update(dict.fromkeys([line.partition("\t")[0] for line in rows.split("\n")], False))
        elif verb in _FREES or (verb == "give_back" and entry["to"] == "free"):
            free[entry["number"]] = True
        elif verb == "mend" and "to" in entry:
            free[entry["about"]] = entry["to"] == "free"
        elif verb == "load" and "numbers" in entry:
            free.update(dict.fromkeys(entry["numbers"].split(","), True))
    return free


def holders(entries: Sequence[Entry]) -> set[str]:
    """The accounts that these entries gave a hold."""
    return {
        line.split("\t")[3]
        for _, entry in entries
        if entry["verb"] == "hold"
        for line in entry["rows"].split("\n")
    }
