"""The vault: personal data sealed with a key per person or document, every look inside recorded first.

A record's key (DEK) is wrapped by the master key; each sealed value is bound to its table, column and row, so
that a value moved elsewhere does not open. Erasing a record is erasing its key: backups become unreadable too.
Documents stand in SQL beside their rows, not in files: row and content are one transaction and one backup, and
a web process on any machine can read what a worker on another one wrote.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, undefer

from kyc.models import Document, Person, VaultRead, VerificationCase
from runtime import clock
from runtime.bulk import insert_new
from runtime.crypto import SealError, new_key, seal, unseal
from runtime.facts import N_, Invalid, NotFound, TooMany
from runtime.ids import new_id
from runtime.log import log

STAFF = "ops:"  # readers whose name starts so are people, and READS_PER_HOUR holds for them
READS_PER_HOUR = 20  # different persons or documents
LARGEST = 10_000_000  # bytes of a document


@dataclass(frozen=True)
class Plain:
    """A person in clear. Its repr shows nothing, so that no traceback or log line does."""

    name: str = field(repr=False)
    id_number: str = field(repr=False)


def seal_person(person_id: str, *, name: str, id_number: str, birth: date) -> dict[str, bytes]:
    """The sealed columns of a new row of `people`, under a new key."""
    dek = new_key()
    clear = {"name": name, "id_number": id_number, "birth": birth.isoformat()}
    sealed = {
        column: seal(text.encode(), f"people.{column}.{person_id}", dek) for column, text in clear.items()
    }
    return {"dek": seal(dek, f"people.dek.{person_id}"), **sealed}


def reveal(session: Session, person_id: str, *, who: str, why: str) -> Plain:
    """Name and ID number in clear. The read is written to the database before it happens.

    `who` is a job's name or "ops:" and a login. Raises NotFound (also once erased), TooMany.
    """
    person = _person(session, person_id)
    _record(session, who, why, person_id)
    return Plain(_open(person, "name"), _open(person, "id_number"))


def birth_of(session: Session, person_id: str) -> date:
    """For the age rule only, which gives a number of years away and no more; so it is not recorded."""
    person = _person(session, person_id)
    return birth_in(person.id, person.dek, person.birth)


def birth_in(person_id: str, dek: bytes | None, birth: bytes | None) -> date:
    """The same from the sealed columns in hand. Raises NotFound once erased."""
    if dek is None or birth is None:
        raise NotFound
    return date.fromisoformat(_clear(person_id, dek, "birth", birth))


def _person(session: Session, person_id: str) -> Person:
    person = session.get(Person, person_id)
    if person is None or person.dek is None:
        raise NotFound
    return person


def _open(person: Person, column: str) -> str:
    assert person.dek is not None
    return _clear(person.id, person.dek, column, getattr(person, column))


def _clear(person_id: str, wrapped: bytes, column: str, sealed: bytes) -> str:
    dek = unseal(wrapped, f"people.dek.{person_id}")
    return unseal(sealed, f"people.{column}.{person_id}", dek).decode()


def _record(session: Session, who: str, why: str, subject: str, action: str = "read") -> None:
    """Write the read and send it to the database, before any plaintext exists."""
    if not who.strip() or not why.strip():
        raise ValueError("the vault asks who reads and why")
    if who.startswith(STAFF) and action == "read":
        _watch(session, who, subject)
    session.add(VaultRead(id=new_id("vrd"), who=who, why=why, subject=subject, action=action, at=clock.now()))
    session.flush()


def _watch(session: Session, who: str, subject: str) -> None:
    since = clock.now() - timedelta(hours=1)
    others = session.scalar(
        select(func.count(VaultRead.subject.distinct())).where(
            VaultRead.who == who, VaultRead.at > since, VaultRead.subject != subject
        )
    )
    if (others or 0) >= READS_PER_HOUR:
        log.error("vault.too_many_reads", who=who)
        raise TooMany(
            N_("You have opened too many records this hour. The privacy officer has been told."),
            retry_after=3600,
        )


def put_document(
    session: Session, *, kind: str, ref: str, owner: str, content: bytes, media: str
) -> Document:
    """Keep a document of `owner` (an account or person); the same content for the same ref is kept once.

    Raises Invalid(document=...) when it is empty or larger than 10 MB.
    """
    if not content or len(content) > LARGEST:
        raise Invalid(document=N_("A document has at least one byte and at most 10 MB."))
    sha256 = hashlib.sha256(content).hexdigest()
    same = select(Document).where(Document.kind == kind, Document.ref == ref, Document.sha256 == sha256)
    if known := session.scalar(same):
        return known
    document_id, dek = new_id("doc"), new_key()
    row = {
        "id": document_id,
        "kind": kind,
        "ref": ref,
        "owner": owner,
        "media": media,
        "size": len(content),
        "sha256": sha256,
        "dek": seal(dek, f"documents.dek.{document_id}"),
        "content": seal(content, f"documents.content.{document_id}", dek),
        "made_at": clock.now(),
    }
    insert_new(session, Document, [row])  # of two jobs with one document, one row stays
    return session.scalars(same).one()


def get_document(session: Session, document_id: str, *, who: str, why: str) -> bytes:
    """The content in clear; the read is recorded first. Raises NotFound, TooMany, SealError when damaged."""
    document = session.get(Document, document_id, options=[undefer(Document.content)])
    if document is None or document.dek is None or document.content is None:
        raise NotFound
    _record(session, who, why, document_id)
    dek = unseal(document.dek, f"documents.dek.{document_id}")
    content = unseal(document.content, f"documents.content.{document_id}", dek)
    if hashlib.sha256(content).hexdigest() != document.sha256:
        raise SealError("a document does not fit its digest")
    return content


def erase_person(session: Session, person_id: str, *, who: str, why: str) -> bool:
    """Forget a person for good: the key, the sealed data and all that finds them go, a bare row stays.

    False when they were erased before. Whether the law still asks to keep them is the caller's to know.
    """
    _record(session, who, why, person_id, action="erase")
    session.execute(
        update(VerificationCase)
        .where(
            VerificationCase.person_id == person_id, VerificationCase.state.in_(("new", "submitted", "error"))
        )
        .values(state="dropped", decided_at=clock.now())
    )
    erased = session.scalar(
        update(Person)
        .where(Person.id == person_id, Person.dek.is_not(None))
        .values(
            state="erased", dek=None, name=None, id_number=None, birth=None, masked_name="", masked_id="",
            id_index=person_id, name_index=person_id,
        )
        .returning(Person.id)
    )  # fmt: skip
    return erased is not None


def erase_document(session: Session, document_id: str, *, who: str, why: str) -> bool:
    """Forget a document's content; its kind, size and digest stay. False when it was erased before."""
    _record(session, who, why, document_id, action="erase")
    gone = update(Document).where(Document.id == document_id, Document.dek.is_not(None))
    return session.scalar(gone.values(dek=None, content=None).returning(Document.id)) is not None
