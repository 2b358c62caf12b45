"""The catalogue through its versions: what can be on offer, read from files, previewed, published. A version never
changes; offers are made from one, and an order keeps the one it was priced with."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import msgspec
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from checkout import catalogue_merge, catalogue_rows, catalogue_shape
from checkout.catalogue_merge import Change
from checkout.catalogue_shape import Catalogue, Policy
from checkout.models import CatalogueVersion
from inventory import grades
from runtime import clock
from runtime.bulk import insert_new
from runtime.facts import N_, NotFound, WrongMove

DATA = Path(__file__).parent / "data"
EMPTY = Catalogue()


@dataclass(frozen=True)
class Preview:
    """What a file would make of the catalogue: over which version, what then is in it, and what changes."""

    base: int
    catalogue: Catalogue
    changes: tuple[Change, ...]


def newest(session: Session) -> int:
    """The newest version; 0 before the first."""
    return session.scalar(select(func.max(CatalogueVersion.version))) or 0


def current(session: Session) -> Catalogue:
    """What can be put on offer now."""
    return at(session, newest(session))


def at(session: Session, version: int) -> Catalogue:
    """The catalogue of a version. Raises NotFound."""
    if version == 0:
        return EMPTY
    found = session.get(CatalogueVersion, version)
    if found is None:
        raise NotFound(N_("There is no such version of the catalogue."))
    return _read(found.sha256, msgspec.json.encode(found.document))


def versions(session: Session, most: int = 50) -> list[CatalogueVersion]:
    """The newest first."""
    newest_first = select(CatalogueVersion).order_by(CatalogueVersion.version.desc())
    return list(session.scalars(newest_first.limit(most)))


def preview(session: Session, files: Sequence[tuple[str, bytes]]) -> Preview:
    """What these files (name, bytes), one after the other, would change. Writes nothing. Raises Invalid with a
    sentence for each fault."""
    base = newest(session)
    before = made = at(session, base)
    for name, raw in files:
        made = catalogue_merge.merged(made, catalogue_rows.rows(name, raw))
    return Preview(base, made, tuple(catalogue_merge.changes(before, made)))


def publish(session: Session, seen: Preview, *, actor: str, reason: str) -> int:
    """Make what was previewed the newest version; gives it. Where nothing changes, the version that is there.
    Offers that stand keep theirs. The money of grades is written to the numbers that are in no drop.

    Raises WrongMove when somebody has published since the preview."""
    if not seen.changes:
        return seen.base
    document = catalogue_shape.written(seen.catalogue)
    row = {
        "version": seen.base + 1,
        "at": clock.now(),
        "actor": actor,
        "reason": reason,
        "sha256": hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest(),
        "document": document,
        "changes": msgspec.to_builtins(seen.changes),
    }
    if newest(session) != seen.base or not insert_new(session, CatalogueVersion, [row]):
        raise changed()
    if any(one.thing == "grade" for one in seen.changes):
        made = (
            grades.Grade(one.grade, one.prestore_fen, one.spend_fen, one.months)
            for one in seen.catalogue.grade.values()
        )
        grades.put(session, made)
    return seen.base + 1


def changed() -> WrongMove:
    """Somebody has published since the preview."""
    return WrongMove(N_("The catalogue has changed since you looked. Look at the changes again."))


def add(session: Session, paths: Sequence[Path], *, actor: str, reason: str) -> int:
    """Preview and publish files of our own in one go; the newest version then."""
    seen = preview(session, [(path.name, path.read_bytes()) for path in paths])
    return publish(session, seen, actor=actor, reason=reason)


def policy(found: Catalogue, handset: str, plan: str, months: int) -> Policy:
    """The contract of a handset on a plan for a term. Raises NotFound when there is none."""
    known = found.policy.get(f"{handset}:{plan}:{months}")
    if known is None:
        raise NotFound(N_("There is no contract for this handset with that plan and term."))
    return known


@lru_cache(maxsize=8)
def _read(_sha256: str, document: bytes) -> Catalogue:
    return msgspec.json.decode(document, type=Catalogue)
