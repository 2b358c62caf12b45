"""The vault: values open only in their own place and with their own key, and reads are on record first."""

import base64
import os
from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from sqlalchemy import event, select, update

from kyc import people, vault
from kyc.models import Document, Person, VaultRead
from runtime import clock, crypto
from runtime.crypto import SealError
from runtime.db import engine, reading, writing
from runtime.facts import Invalid, NotFound, TooMany
from runtime.settings import settings

LI, WANG = ("李雷", "110100199001010019"), ("王小明", "510100200002290032")


@pytest.fixture
def li(db: None) -> str:
    with writing() as session:
        return people.enrol(session, "acc_li", *LI, min_age=16).id


@pytest.fixture
def other_master_key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings()
    monkeypatch.setenv("HAOKA_MASTER_KEY", base64.b64encode(os.urandom(32)).decode())
    settings.cache_clear()
    yield
    monkeypatch.undo()
    settings.cache_clear()


def reveal(person_id: str, who: str = "test", why: str = "to see") -> vault.Plain:
    with writing() as session:
        return vault.reveal(session, person_id, who=who, why=why)


def test_what_was_sealed_is_revealed_and_shows_in_no_repr(li: str) -> None:
    plain = reveal(li)
    assert (plain.name, plain.id_number) == LI
    assert repr(plain) == "Plain()"


def test_the_row_holds_nothing_in_clear(li: str) -> None:
    with reading() as session:
        person = people.find(session, li)
        row = [getattr(person, column.key) for column in Person.__table__.columns]
        assert (person.masked_name, person.masked_id) == ("李*", "110***********0019")
    for value in row:
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        for secret in (LI[1], "19900101", "1990-01-01", LI[0], LI[0].encode().decode("latin-1")):
            assert secret not in text


@pytest.mark.parametrize("column", ["name", "id_number", "dek"])
def test_a_value_moved_to_another_row_does_not_open(li: str, column: str) -> None:
    with writing() as session:
        wang = people.enrol(session, "acc_wang", *WANG, min_age=16)
        setattr(wang, column, getattr(people.find(session, li), column))
    with pytest.raises(SealError):
        reveal(wang.id)


def test_a_value_moved_to_another_column_does_not_open(li: str) -> None:
    with writing() as session:
        person = people.find(session, li)
        person.name = person.id_number
    with pytest.raises(SealError):
        reveal(li)


def test_nothing_opens_with_another_master_key(li: str, other_master_key: None) -> None:
    with pytest.raises(SealError):
        reveal(li)


def test_a_changed_byte_does_not_open(li: str) -> None:
    with writing() as session:
        person = people.find(session, li)
        assert person.id_number
        person.id_number = person.id_number[:-1] + bytes([person.id_number[-1] ^ 1])
    with pytest.raises(SealError):
        reveal(li)


def test_a_read_is_recorded_before_the_plaintext_exists(li: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    really = crypto.unseal

    def unseal(sealed: bytes, aad: str, key: bytes | None = None) -> bytes:
        seen.append("unseal")
        return really(sealed, aad, key)

    def statement(_c: object, _cursor: object, sql: str, *_rest: object) -> None:
        if "INSERT INTO vault_reads" in sql:
            seen.append("record")

    monkeypatch.setattr(vault, "unseal", unseal)
    event.listen(engine(), "before_cursor_execute", statement)
    try:
        reveal(li, "ops:zhao", "order 7 at the door")
    finally:
        event.remove(engine(), "before_cursor_execute", statement)
    assert seen[0] == "record"
    assert seen.count("record") == 1
    with reading() as session:
        reads = session.scalars(select(VaultRead)).all()
        assert [(read.who, read.why, read.subject) for read in reads] == [
            ("ops:zhao", "order 7 at the door", li)
        ]


@pytest.mark.parametrize(("who", "why"), [("", "to see"), ("test", " ")])
def test_nobody_reads_without_a_name_and_a_reason(li: str, who: str, why: str) -> None:
    with pytest.raises(ValueError, match="who reads and why"):
        reveal(li, who, why)


def test_staff_who_open_too_many_records_are_stopped_for_the_hour(
    li: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "READS_PER_HOUR", 2)
    with writing() as session:
        ids = [people.enrol(session, f"acc_{n}", *WANG, min_age=16).id for n in range(2)]
    for person_id in (*ids, *ids):
        reveal(person_id, "ops:zhao")
    with pytest.raises(TooMany):
        reveal(li, "ops:zhao")
    assert reveal(ids[0], "ops:zhao").name == WANG[0]  # what is open already stays so
    assert reveal(li, "ops:qian").name == LI[0]
    assert reveal(li, "kyc.verify").name == LI[0]
    clock.shift(timedelta(minutes=61))
    assert reveal(li, "ops:zhao").name == LI[0]


def test_an_erased_person_is_gone_and_may_come_again(li: str) -> None:
    with writing() as session:
        assert vault.erase_person(session, li, who="test", why="asked for it")
        assert not vault.erase_person(session, li, who="test", why="asked again")
    with pytest.raises(NotFound):
        reveal(li)
    with writing() as session:
        tombstone = people.find(session, li)
        assert (tombstone.state, tombstone.masked_id, tombstone.id_index) == ("erased", "", li)
        assert people.of_account(session, "acc_li") is None
        again = people.enrol(session, "acc_li", *LI, min_age=16)
        assert (again.id != li, again.state) == (True, "pending")


def put(content: bytes = b"%PDF-1.7 contract", ref: str = "ord_1") -> Document:
    with writing() as session:
        return vault.put_document(
            session, kind="contract", ref=ref, owner="acc_li", content=content, media="application/pdf"
        )


def get(document_id: str) -> bytes:
    with writing() as session:
        return vault.get_document(session, document_id, who="test", why="to see")


def test_a_document_comes_back_as_it_was_put(db: None) -> None:
    document = put()
    assert get(document.id) == b"%PDF-1.7 contract"
    assert put().id == document.id  # the same job run twice
    assert put(b"another").id != document.id
    assert put(ref="ord_2").id != document.id
    with reading() as session:
        assert session.scalars(select(VaultRead.subject)).all() == [document.id]
        sealed = session.scalars(select(Document.content)).all()
        assert not any(b"contract" in (content or b"") for content in sealed)


def test_a_swapped_or_damaged_document_does_not_open(db: None) -> None:
    first, second = put(b"one"), put(b"two")
    with writing() as session:
        session.execute(update(Document).where(Document.id == first.id).values(dek=second.dek))
        session.execute(update(Document).where(Document.id == second.id).values(sha256="0" * 64))
    for document in (first, second):
        with pytest.raises(SealError):
            get(document.id)


def test_documents_have_a_size(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault, "LARGEST", 10)
    for content in (b"", b"x" * 11):
        with pytest.raises(Invalid):
            put(content)


def test_an_erased_document_keeps_its_digest_only(db: None) -> None:
    document = put()
    with writing() as session:
        assert vault.erase_document(session, document.id, who="test", why="time is up")
        assert not vault.erase_document(session, document.id, who="test", why="time is up")
    with pytest.raises(NotFound):
        get(document.id)
    with reading() as session:
        kept = session.get(Document, document.id)
        assert kept
        assert (kept.dek, kept.sha256) == (None, document.sha256)


def test_age_reads_no_identity(li: str) -> None:
    with writing() as session:
        assert people.age_on(session, li, date(2026, 1, 1)) == 36
        assert people.age_on(session, li, date(2025, 12, 31)) == 35
        assert session.scalars(select(VaultRead)).all() == []
