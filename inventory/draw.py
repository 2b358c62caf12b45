"""The draw: an order of tickets that nobody could choose and anybody can check. Pure; docs/fairness.md explains it.

Before: a secret seed, of which the SHA-256 is published. After: the seed and all tickets. The final seed takes in how
many tickets there are and the SHA-256 of their sorted list, so whoever knew the seed could not know the order; each
ticket's key is the SHA-256 of final seed and ticket, and the tickets stand in the order of their keys."""

import hashlib
import secrets
from collections.abc import Iterable, Sequence

import msgspec

NAME = "haoka-draw-1"


class Draw(msgspec.Struct, frozen=True):
    """A draw as it is published; before the opening only `commitment` is told. All hashes are SHA-256 in hex.

    `final_seed`: of the lines name, drop, seed, number of tickets, digest. `digest`: of the sorted tickets, a line
    each. `order`: the tickets by their keys; a key is the hash of final seed, colon, ticket."""

    drop: str
    commitment: str
    rule: str = NAME
    seed: str = ""
    tickets: int = 0
    digest: str = ""
    final_seed: str = ""
    order: Sequence[str] = ()


def new_seed() -> str:
    """256 bits of chance, hex."""
    return secrets.token_hex(32)


def commitment(seed: str) -> str:
    """What is published of a seed beforehand."""
    return _hash(seed)


def make(drop_id: str, seed: str, tickets: Iterable[str]) -> Draw:
    """Draw the tickets; in whatever order they are given."""
    listed = sorted(set(tickets))
    digest = _hash("".join(f"{ticket}\n" for ticket in listed))
    final = _hash("\n".join((NAME, drop_id, seed, str(len(listed)), digest)))
    order = sorted(listed, key=lambda ticket: (_hash(f"{final}:{ticket}"), ticket))
    return Draw(drop_id, commitment(seed), NAME, seed, len(listed), digest, final, order)


def faults(told: Draw, published: str = "") -> list[str]:
    """What is wrong with a published draw, in sentences; nothing, if it is as it must be. `published`: the
    commitment that was seen before the opening, to compare."""
    if told.rule != NAME:
        return [f"the rule is {told.rule!r}, known is {NAME!r}"]
    if not told.seed:
        return ["the draw was not held yet: there is a commitment, and no seed"]
    made, wrong = make(told.drop, told.seed, told.order), []
    if published and published != told.commitment:
        wrong.append(f"the commitment is {told.commitment}, before the opening it was {published}")
    if made.commitment != told.commitment:
        wrong.append(f"the seed does not fit the commitment: its hash is {made.commitment}")
    if len(set(told.order)) != len(told.order):
        wrong.append(f"{len(told.order) - len(set(told.order)):,} tickets stand in the list twice")
    if made.tickets != told.tickets:
        wrong.append(f"the list has {made.tickets:,} tickets, {told.tickets:,} were announced")
    if made.digest != told.digest:
        wrong.append(f"the list of tickets is another one: its digest is {made.digest}")
    if made.final_seed != told.final_seed:
        wrong.append(f"the final seed does not follow from seed and tickets: it is {made.final_seed}")
    if list(made.order) != list(told.order):
        at = next(
            (i for i, pair in enumerate(zip(made.order, told.order, strict=False)) if pair[0] != pair[1]), -1
        )
        wrong.append("the order is not the drawn one" + (f", from place {at + 1:,} on" if at >= 0 else ""))
    return wrong


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
