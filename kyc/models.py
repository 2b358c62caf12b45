"""Tables of the kyc desk. Names and ID numbers are sealed with a key per person, codes are kept as digests."""

from datetime import datetime

from sqlalchemy import Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from runtime.db import Base, SealedText, UtcDateTime


class Person(Base):
    """Who an account says is buying. One row for each account, ID number and name."""

    __tablename__ = "people"
    id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str]
    state: Mapped[str]  # pending | verified | refused | erased
    refusal: Mapped[str] = mapped_column(default="")  # a sentence for the shopper, marked for translation
    id_index: Mapped[str] = mapped_column(index=True)  # blind index: one ID number under all its accounts
    name_index: Mapped[str]
    masked_name: Mapped[str]
    masked_id: Mapped[str]
    dek: Mapped[bytes | None] = mapped_column(LargeBinary)  # the person's key, wrapped; None once erased
    name: Mapped[bytes | None] = mapped_column(LargeBinary)
    id_number: Mapped[bytes | None] = mapped_column(LargeBinary)
    birth: Mapped[bytes | None] = mapped_column(LargeBinary)
    enrolled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        UniqueConstraint("account", "id_index", "name_index"),
        Index("ix_people_state_decided", "state", "decided_at"),
    )


class VerificationCase(Base):
    """One question to the identity service about a person, and its answer."""

    __tablename__ = "verification_cases"
    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]  # new | submitted | matched | mismatched | not_found | error
    asked: Mapped[int] = mapped_column(default=0)  # calls to the service, each costs money
    decided_by: Mapped[str] = mapped_column(default="")  # service | cache | ops:<name>
    reason: Mapped[str] = mapped_column(default="")  # what ops wrote
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    news_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # when somebody claimed the news

    __table_args__ = (Index("ix_verification_cases_news", "news_at", "state", "decided_at"),)


class IdentityAnswer(Base):
    """An answer of the identity service that is good for a day. `key` is a digest of ID number and name."""

    __tablename__ = "identity_answers"
    key: Mapped[str] = mapped_column(primary_key=True)
    outcome: Mapped[str]
    answered_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class IdQuota(Base):
    """How many live numbers an ID number has, over all accounts."""

    __tablename__ = "id_quota"
    person_index: Mapped[str] = mapped_column(primary_key=True)
    used: Mapped[int] = mapped_column(default=0)


class VaultRead(Base):
    """Who opened what in the vault, and why; written before the plaintext is given."""

    __tablename__ = "vault_reads"
    id: Mapped[str] = mapped_column(primary_key=True)
    who: Mapped[str]
    why: Mapped[str]
    subject: Mapped[str] = mapped_column(index=True)  # a person's or a document's id
    action: Mapped[str] = mapped_column(default="read")  # read | erase
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_vault_reads_who", "who", "at"),)


class Document(Base):
    """A document of the vault: signed contracts, ID copies. The content is sealed with a key of its own."""

    __tablename__ = "documents"
    id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    ref: Mapped[str]
    owner: Mapped[str] = mapped_column(index=True)
    media: Mapped[str]
    size: Mapped[int]  # bytes of plaintext
    sha256: Mapped[str]  # of the plaintext
    dek: Mapped[bytes | None] = mapped_column(LargeBinary)
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("kind", "ref", "sha256"),)


class OneTimeCode(Base):
    """A code sent by SMS. Neither the code nor the phone number can be read back from the row."""

    __tablename__ = "codes"
    id: Mapped[str] = mapped_column(primary_key=True)
    phone_index: Mapped[str]
    purpose: Mapped[str]
    binding: Mapped[str]  # digest of what the code is bound to
    code: Mapped[str]  # digest of the code
    state: Mapped[str]  # live | used | burnt
    tries: Mapped[int] = mapped_column(default=0)
    sent_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_codes_phone", "phone_index", "purpose", "sent_at"),)


class CodeTurn(Base):
    """One row for each phone and purpose that two senders of a code take turns on."""

    __tablename__ = "code_turns"
    key: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class SmsMessage(Base):
    """One SMS to send. Number and text are erased once the gateway has it, or nobody will want it any more."""

    __tablename__ = "sms_log"
    id: Mapped[str] = mapped_column(primary_key=True)
    masked_phone: Mapped[str]
    phone: Mapped[str | None] = mapped_column(SealedText("sms_log.phone"))
    text: Mapped[str | None] = mapped_column(SealedText("sms_log.text"))
    state: Mapped[str]  # queued | sent | expired | failed
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_sms_log_state", "state", "made_at"),)
