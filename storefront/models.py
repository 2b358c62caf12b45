"""Tables of the storefront: accounts, their sessions, ops users and theirs."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from runtime.db import Base, SealedText, UtcDateTime


class Account(Base):
    """A shopper, known by a phone number. The number is sealed; it is found by its blind index."""

    __tablename__ = "accounts"
    id: Mapped[str] = mapped_column(primary_key=True)
    phone_index: Mapped[str] = mapped_column(unique=True)
    phone: Mapped[str] = mapped_column(SealedText("accounts.phone"))
    phone_masked: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ShopperSession(Base):
    """One signed-in browser or API client of an account."""

    __tablename__ = "shopper_sessions"
    id: Mapped[str] = mapped_column(primary_key=True)
    account: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class Favourite(Base):
    """A number of a drop that an account marked."""

    __tablename__ = "favourites"
    account: Mapped[str] = mapped_column(String(40), primary_key=True)
    drop_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    number: Mapped[str] = mapped_column(String(11), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Review(Base):
    """What a shopper said of an order that was delivered, and the shop's answer. A complaint waits for one."""

    __tablename__ = "reviews"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    order_id: Mapped[str] = mapped_column(String(40), unique=True)
    account: Mapped[str] = mapped_column(String(40), index=True)
    goods: Mapped[str] = mapped_column(String(60), index=True)  # a handset's code, else a plan's
    stars: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    complaint: Mapped[bool] = mapped_column(index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    answer: Mapped[str] = mapped_column(Text, default="")
    answered_by: Mapped[str] = mapped_column(String(60), default="")
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ReservationCampaign(Base):
    """A coming handset that can be reserved; its stock is that of a drop. `seed` is secret until the draw."""

    __tablename__ = "reservation_campaigns"
    id: Mapped[str] = mapped_column(String(60), primary_key=True)
    handset: Mapped[str] = mapped_column(String(60))
    drop_id: Mapped[str] = mapped_column(String(60), unique=True)
    opens_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closes_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rule: Mapped[str] = mapped_column(String(8))  # draw | first
    redeem_minutes: Mapped[int]
    commitment: Mapped[str] = mapped_column(String(64))
    seed: Mapped[str] = mapped_column(SealedText("reservation_campaigns.seed"))
    drawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tickets: Mapped[int] = mapped_column(default=0)
    digest: Mapped[str] = mapped_column(String(64), default="")
    final_seed: Mapped[str] = mapped_column(String(64), default="")
    actor: Mapped[str] = mapped_column(String(60))
    reason: Mapped[str] = mapped_column(String(400))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Reservation(Base):
    """One person's reservation. `ticket` is their pseudonym in the draw, `place` what it gave them."""

    __tablename__ = "reservations"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)  # reservations.id_of
    campaign: Mapped[str] = mapped_column(String(60))
    account: Mapped[str] = mapped_column(String(40), index=True)
    sku: Mapped[str] = mapped_column(String(60))
    city: Mapped[str] = mapped_column(String(6))  # GB/T 2260
    ticket: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[str] = mapped_column(String(10))  # registered | qualified | redeemed | lapsed | cancelled
    place: Mapped[int | None]
    redeem_by: Mapped[datetime | None] = mapped_column(UtcDateTime)
    __table_args__ = (
        UniqueConstraint("campaign", "ticket"),
        Index("ix_reservations_turns", "campaign", "state", "sku", "place"),
    )


class CodeRequest(Base):
    """A login code asked for from a client address (kept as a digest), to bound what one address may cost."""

    __tablename__ = "code_requests"
    id: Mapped[str] = mapped_column(primary_key=True)
    address: Mapped[str]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    __table_args__ = (Index("ix_code_requests_address_at", "address", "at"),)


class OpsUser(Base):
    """A member of staff. `role` is viewer, launcher, finance or admin."""

    __tablename__ = "ops_users"
    login: Mapped[str] = mapped_column(primary_key=True)
    password_hash: Mapped[str]
    role: Mapped[str]
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class OpsSession(Base):
    """A signed-in member of staff; the id is the SHA-256 of the cookie's token."""

    __tablename__ = "ops_sessions"
    id: Mapped[str] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Seeded(Base):
    """What the demo world has made already, so that it is made once."""

    __tablename__ = "seeded"
    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class Rehearsal(Base):
    """A rehearsal of a drop and the capacity card it ended in (rehearsing.Card)."""

    __tablename__ = "rehearsals"
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    drop_id: Mapped[str] = mapped_column(String(60), index=True)
    shadow_id: Mapped[str] = mapped_column(String(60))
    actor: Mapped[str] = mapped_column(String(60))
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    trouble: Mapped[str] = mapped_column(String(400), default="")
    card: Mapped[dict[str, Any] | None] = mapped_column(JSON)
